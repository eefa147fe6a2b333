//! Socket files that no process listens on any more.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use socket2::{Domain, SockAddr, Socket, Type};

use super::error::failed;

/// Removes the socket file that a process which is gone left at `path`, so that the path can be bound
/// again. A socket file that a process still has bound stays, and so does a file that is no socket.
///
/// It does not block, and the server that may be there notices nothing: it is asked by a datagram socket,
/// which never joins the queue of a listener. The file is renamed before it is removed, and asked once more
/// under its new name. If another process bound the path in between, its socket gets its name back, unless
/// a third process has bound the path by then. For that moment a client does not find the path.
///
/// # Errors
///
/// `AddrInUse` if a process has the socket bound, `InvalidInput` if the file is no socket, others as the
/// system says. That there is no file is no error.
pub fn remove_stale_socket(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    remove(path).map_err(failed("remove the socket file", path.display()))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(io::Error::new(ErrorKind::InvalidInput, "the file is not a socket"));
        }
        Ok(_) => {}
    }
    refuse_bound(path)?;
    let aside = name_beside(path);
    fs::rename(path, &aside)?;
    if let Err(error) = refuse_bound(&aside) {
        // Another process bound the path meanwhile. A link never replaces a file, as a rename would.
        let back = fs::hard_link(&aside, path);
        fs::remove_file(&aside)?;
        return Err(back.err().filter(|it| it.kind() != ErrorKind::AlreadyExists).unwrap_or(error));
    }
    fs::remove_file(aside)
}

/// A short name in the same folder, which no other call has.
fn name_beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);

    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{:x}-{next:x}", process::id()))
}

/// `AddrInUse` if a process has this file bound.
fn refuse_bound(path: &Path) -> io::Result<()> {
    let probe = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        // A stream socket is bound there (EPROTOTYPE), or a datagram socket, whose queue may be full.
        Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => in_use(),
        Err(error) if error.kind() == ErrorKind::WouldBlock => in_use(),
        Err(error) => Err(error),
        Ok(()) => in_use(),
    }
}

fn in_use() -> io::Result<()> {
    Err(ErrorKind::AddrInUse.into())
}
