//! Socket addresses of every family.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use socket2::{SockAddr, SockRef};

use crate::{OsSocket, Transport};

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

impl TryFrom<&Address> for SockAddr {
    type Error = io::Error;

    fn try_from(address: &Address) -> io::Result<Self> {
        match address {
            Address::Inet(address) => Ok((*address).into()),
            Address::Unix(Some(path)) => Self::unix(path),
            Address::Unix(None) => Err(io::ErrorKind::InvalidInput.into()),
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

/// The socket under `stream`, which is `None` once closed.
pub(super) fn os_socket<S: Transport>(stream: Option<&S>) -> io::Result<OsSocket<'_>> {
    let stream = stream.ok_or(io::ErrorKind::NotConnected)?;
    Ok(stream.os_socket().ok_or(io::ErrorKind::Unsupported)?)
}

fn ask<S: Transport>(
    stream: Option<&S>,
    question: impl FnOnce(&SockRef<'_>) -> io::Result<SockAddr>,
) -> io::Result<Address> {
    let socket = os_socket(stream)?;
    Ok(question(&SockRef::from(&socket))?.into())
}

/// The process at the other end of a Unix socket, as it was when it connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerCred {
    /// Its process.
    pub pid: i32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

/// Who is at the other end of `stream`, which is `None` once closed.
pub(crate) fn peer_cred<S: Transport>(stream: Option<&S>) -> io::Result<PeerCred> {
    let socket = os_socket(stream)?;
    if !SockRef::from(&socket).local_addr()?.is_unix() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    ask_peer_cred(socket)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn ask_peer_cred(socket: OsSocket<'_>) -> io::Result<PeerCred> {
    use nix::sys::socket::{getsockopt, sockopt};

    let cred = getsockopt(&socket, sockopt::PeerCredentials)?;
    Ok(PeerCred { pid: cred.pid(), uid: cred.uid(), gid: cred.gid() })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn ask_peer_cred(_: OsSocket<'_>) -> io::Result<PeerCred> {
    Err(io::ErrorKind::Unsupported.into())
}
