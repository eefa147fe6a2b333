//! Socket addresses of every family.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use socket2::{SockAddr, SockRef};

use crate::Transport;

/// The address of one end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// IPv4 or IPv6, with the port.
    Inet(SocketAddr),
    /// A Unix socket: its path, if it has one.
    Unix(Option<PathBuf>),
}

impl Address {
    /// The IP address and port, if it is of that family.
    #[must_use]
    pub const fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// The port; 0 for a Unix socket.
    #[must_use]
    pub const fn port(&self) -> u16 {
        match self {
            Self::Inet(address) => address.port(),
            Self::Unix(_) => 0,
        }
    }
}

impl From<SockAddr> for Address {
    fn from(address: SockAddr) -> Self {
        match address.as_socket() {
            Some(address) => Self::Inet(address),
            None => Self::Unix(unix_path(&address)),
        }
    }
}

#[cfg(unix)]
fn unix_path(address: &SockAddr) -> Option<PathBuf> {
    address.as_pathname().map(Into::into)
}

#[cfg(not(unix))]
fn unix_path(_: &SockAddr) -> Option<PathBuf> {
    None
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Self::Unix(None) => f.write_str("unix:(unnamed)"),
        }
    }
}

/// Our address on `stream`, which is `None` once closed.
pub(crate) fn local<S: Transport>(stream: Option<&S>) -> io::Result<Address> {
    ask(stream, |socket| socket.local_addr())
}

/// The peer's address on `stream`, which is `None` once closed.
pub(crate) fn peer<S: Transport>(stream: Option<&S>) -> io::Result<Address> {
    ask(stream, |socket| socket.peer_addr())
}

fn ask<S: Transport>(
    stream: Option<&S>,
    question: impl FnOnce(&SockRef<'_>) -> io::Result<SockAddr>,
) -> io::Result<Address> {
    let stream = stream.ok_or(io::ErrorKind::NotConnected)?;
    let socket = stream.os_socket().ok_or(io::ErrorKind::Unsupported)?;
    Ok(question(&SockRef::from(&socket))?.into())
}
