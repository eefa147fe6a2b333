//! What an error of accept is about: one peer, the machine, or the listener.

use std::io::{self, ErrorKind};

/// Whether an error of accept is about one peer, which is gone, or about nothing.
pub(super) fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
            | ErrorKind::TimedOut
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
    ) || error.raw_os_error().is_some_and(|code| PASSING.contains(&code))
}

/// Whether a later accept may do better: no descriptor or memory is left, or the system has a reason that
/// we do not know. What remains is a socket that is none, or a runtime that is gone.
pub(super) fn may_get_better(error: &io::Error) -> bool {
    error.kind() == ErrorKind::OutOfMemory
        || error.raw_os_error().is_some_and(|code| !HOPELESS.contains(&code))
}

/// A peer's protocol error, and one that a firewall refused.
#[cfg(unix)]
const PASSING: [i32; 2] = [libc::EPROTO, libc::EPERM];
#[cfg(not(unix))]
const PASSING: [i32; 0] = [];

#[cfg(unix)]
const HOPELESS: [i32; 4] = [libc::EBADF, libc::EINVAL, libc::ENOTSOCK, libc::EFAULT];
/// WSAEBADF, WSAEINVAL, WSAENOTSOCK, WSAEFAULT and WSANOTINITIALISED.
#[cfg(not(unix))]
const HOPELESS: [i32; 5] = [10009, 10022, 10038, 10014, 10093];
