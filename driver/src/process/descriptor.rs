//! A descriptor that can be polled.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{MsgFlags, recv, send};
use socket2::SockRef;

/// A write to a socket neither waits nor raises SIGPIPE. Apple's systems have no such flag.
#[cfg(not(target_vendor = "apple"))]
const SEND_FLAGS: MsgFlags = MsgFlags::MSG_DONTWAIT.union(MsgFlags::MSG_NOSIGNAL);
#[cfg(target_vendor = "apple")]
const SEND_FLAGS: MsgFlags = MsgFlags::MSG_DONTWAIT;

/// An end of a pipe or a connected socket, which is read and written without blocking: what a
/// [runtime](crate::runtime::Pipes) polls.
#[derive(Debug)]
pub struct Descriptor {
    file: File,
    is_socket: bool,
}

/// What a descriptor turned out to be.
pub(super) enum Opened {
    /// The runtime polls it.
    Polled(Descriptor),
    /// A terminal, a file: a thread reads or writes it.
    Blocking(File),
}

impl Opened {
    /// A descriptor that is ours alone.
    pub(super) fn owned(file: File) -> io::Result<Self> {
        let kind = file.metadata()?.file_type();
        if kind.is_fifo() {
            let flags = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL)?);
            fcntl(&file, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        } else if !kind.is_socket() {
            return Ok(Self::Blocking(file));
        }
        Ok(Self::Polled(Descriptor { file, is_socket: kind.is_socket() }))
    }

    /// A descriptor that standard error or another process may have too. Whether its calls block is theirs as well,
    /// and stays as it is.
    pub(super) fn shared(file: File, options: &mut OpenOptions) -> io::Result<Self> {
        let kind = file.metadata()?.file_type();
        if kind.is_socket() {
            return Ok(Self::Polled(Descriptor { file, is_socket: true }));
        }
        if !kind.is_fifo() || !cfg!(target_os = "linux") {
            return Ok(Self::Blocking(file));
        }
        // Linux opens the same pipe anew. It refuses where the pipe belongs to another user.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(match options.custom_flags(OFlag::O_NONBLOCK.bits()).open(path) {
            Ok(file) => Self::Polled(Descriptor { file, is_socket: false }),
            Err(_) => Self::Blocking(file),
        })
    }
}

impl Descriptor {
    /// Ends the sending direction of a socket. The drop of the descriptor, which follows, ends that of a pipe.
    pub(super) fn end_writing(&self) -> io::Result<()> {
        if !self.is_socket {
            return Ok(());
        }
        match SockRef::from(self).shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error),
            _ => Ok(()),
        }
    }
}

impl Read for &Descriptor {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.is_socket {
            return Ok(recv(self.as_raw_fd(), buf, MsgFlags::MSG_DONTWAIT)?);
        }
        (&self.file).read(buf)
    }
}

impl Write for &Descriptor {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.is_socket {
            return Ok(send(self.as_raw_fd(), buf, SEND_FLAGS)?);
        }
        (&self.file).write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.is_socket {
            let first = bufs.iter().find(|buf| !buf.is_empty());
            return first.map_or(Ok(0), |buf| self.write(buf));
        }
        (&self.file).write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}
