//! Socket files that nobody listens on any more.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::error::failed;

/// Removes the socket file that a process which is gone left at `path`, so that the path can be bound
/// again. A socket that somebody listens on stays, and so does a file that is no socket.
///
/// It connects to find out, so it can block for as long as a local connect does: not at all in practice.
///
/// # Errors
///
/// `AddrInUse` if somebody listens there, `InvalidInput` if the file is no socket, others as the system
/// says. That there is no file is no error.
pub fn remove_stale_socket(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    let failed = failed("remove the socket file", path.display());
    let remove = || match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(file) if !file.file_type().is_socket() => Err(io::ErrorKind::InvalidInput.into()),
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path)
            }
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Err(io::ErrorKind::AddrInUse.into()),
        },
    };
    remove().map_err(failed)
}
