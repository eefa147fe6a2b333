//! What is asked of the system and not of the library.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::{FdFlags, fcntl_getfd, ioctl_fionread};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use socket2::SockRef;

/// How many bytes the system has received and nobody has read.
pub(super) fn readable(socket: &OwnedFd) -> io::Result<u64> {
    Ok(ioctl_fionread(socket)?)
}

/// Whether the peer has ended its side, and the connection still stands.
pub(super) fn is_half_closed(socket: &OwnedFd) -> io::Result<bool> {
    let mut polled = [PollFd::new(socket, PollFlags::RDHUP)];
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    Ok(polled[0].revents().contains(PollFlags::RDHUP) && !is_gone(socket))
}

/// Whether the connection is over for both sides: then the system knows no peer any more.
pub(super) fn is_gone(socket: &OwnedFd) -> bool {
    SockRef::from(socket).peer_addr().is_err()
}

/// Whether a descriptor is non-blocking and close-on-exec, as members of an answer.
pub(super) fn flags(socket: impl AsFd) -> io::Result<Value> {
    let nonblocking = fcntl_getfl(&socket)?.contains(OFlags::NONBLOCK);
    let cloexec = fcntl_getfd(&socket)?.contains(FdFlags::CLOEXEC);
    Ok(json!({ "ok": true, "nonblocking": nonblocking, "cloexec": cloexec }))
}

/// How many descriptors this process has.
pub(super) fn open_descriptors() -> io::Result<u64> {
    // One of them is the directory that is being read.
    Ok(fs::read_dir("/proc/self/fd")?.count().saturating_sub(1) as u64)
}

/// A descriptor that the player keeps aside for itself, so that it can go on where a script has left none.
#[derive(Default)]
pub(super) struct Aside(RefCell<Option<File>>);

impl Aside {
    /// Allows this process `spare` descriptors more than it has, and one for the player.
    pub(super) fn limit_descriptors(&self, spare: u64) -> io::Result<()> {
        self.0.replace(None);
        let current = Some(open_descriptors()? + 1 + spare);
        self.0.replace(Some(File::open("/dev/null")?));
        let maximum = getrlimit(Resource::Nofile).maximum;
        Ok(setrlimit(Resource::Nofile, Rlimit { current, maximum })?)
    }

    /// Frees it until what comes back is dropped.
    pub(super) fn lend(&self) -> Lent<'_> {
        let was_kept = self.0.take().is_some();
        Lent { aside: self, was_kept }
    }
}

/// The player's own descriptor is free.
pub(super) struct Lent<'a> {
    aside: &'a Aside,
    was_kept: bool,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if self.was_kept {
            self.aside.0.replace(File::open("/dev/null").ok());
        }
    }
}

/// A line of `/proc/self/status`, in KiB.
pub(super) fn memory(line: &str) -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let found = status.lines().find_map(|it| it.strip_prefix(line)?.strip_prefix(':'));
    let number = found.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// A port that nobody listens on: one that was free a moment ago.
pub(super) fn dead_port(host: &str) -> io::Result<u16> {
    let local: SocketAddr = TcpListener::bind((host, 0))?.local_addr()?;
    Ok(local.port())
}
