//! Socket addresses of every family, and their text.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use socket2::{SockAddr, SockRef};

use crate::Transport;
use crate::net::OsSocket;

/// The address of one end of a connection, or of a datagram socket.
///
/// Its text is what [`Listener::bind`](crate::Listener::bind) and [`connect`](super::connect) take:
///
/// ```
/// use asyncnet::Address;
///
/// for text in ["127.0.0.1:6667", "[::1]:6667", "unix:/run/chat.sock", "unix:@chat"] {
///     let address: Address = text.parse()?;
///     assert_eq!(address.to_string(), text);
/// }
/// let error = "::1:6667".parse::<Address>().unwrap_err();
/// assert!(error.to_string().contains("[::1]:6667"));
/// # Ok::<_, asyncnet::net::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// IPv4 or IPv6, with the port.
    Ip(SocketAddr),
    /// A Unix socket at a path.
    Unix(PathBuf),
    /// A Unix socket with an abstract name, which leaves no file (Linux). The bytes are the name without
    /// the NUL byte in front.
    Abstract(Vec<u8>),
    /// A socket without a name: a Unix socket that was not bound, or a stream of a simulated runtime.
    Unnamed,
}

impl Address {
    /// The IP address and port, if it is of that family.
    #[must_use]
    pub const fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            _ => None,
        }
    }

    /// The port; 0 if the address has none.
    #[must_use]
    pub const fn port(&self) -> u16 {
        match self {
            Self::Ip(address) => address.port(),
            _ => 0,
        }
    }

    /// What `path` names: on Linux a path that begins with a NUL byte is an abstract name.
    #[cfg(unix)]
    pub(crate) fn of_path(path: &std::path::Path) -> Self {
        use std::os::unix::ffi::OsStrExt as _;

        match path.as_os_str().as_bytes() {
            [0, name @ ..] => Self::Abstract(name.into()),
            _ => Self::Unix(path.into()),
        }
    }

    /// The path of these bytes, as a proxy names it.
    #[cfg(all(unix, feature = "proxy"))]
    pub(super) fn of_path_bytes(path: Vec<u8>) -> Self {
        use std::os::unix::ffi::OsStringExt as _;

        Self::Unix(std::ffi::OsString::from_vec(path).into())
    }

    /// The path of these bytes, as a proxy names it.
    #[cfg(all(not(unix), feature = "proxy"))]
    pub(super) fn of_path_bytes(path: Vec<u8>) -> Self {
        Self::Unix(String::from_utf8_lossy(&path).into_owned().into())
    }

    /// What `path` names.
    #[cfg(not(unix))]
    pub(crate) fn of_path(path: &std::path::Path) -> Self {
        Self::Unix(path.into())
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl From<SockAddr> for Address {
    fn from(address: SockAddr) -> Self {
        address.as_socket().map_or_else(|| of_unix(&address), Self::Ip)
    }
}

#[cfg(unix)]
fn of_unix(address: &SockAddr) -> Address {
    if let Some(name) = address.as_abstract_namespace() {
        return Address::Abstract(name.into());
    }
    address.as_pathname().map_or(Address::Unnamed, |path| Address::Unix(path.into()))
}

#[cfg(not(unix))]
fn of_unix(_: &SockAddr) -> Address {
    Address::Unnamed
}

impl TryFrom<&Address> for SockAddr {
    type Error = io::Error;

    fn try_from(address: &Address) -> io::Result<Self> {
        match address {
            Address::Ip(address) => Ok((*address).into()),
            Address::Unix(path) => Self::unix(path),
            Address::Abstract(name) => of_name(name),
            Address::Unnamed => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, "the Unix address is unnamed"))
            }
        }
    }
}

#[cfg(unix)]
fn of_name(name: &[u8]) -> io::Result<SockAddr> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    SockAddr::unix(OsStr::from_bytes(&[&[0], name].concat()))
}

#[cfg(not(unix))]
fn of_name(_: &[u8]) -> io::Result<SockAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Abstract(name) => write!(f, "unix:@{}", name.escape_ascii()),
            Self::Unnamed => f.write_str("unix:(unnamed)"),
        }
    }
}

/// A text that is not an address. As an `io::Error`: `InvalidInput`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    text: String,
    why: &'static str,
}

impl AddressError {
    pub(super) fn new(text: &str, why: &'static str) -> Self {
        Self { text: text.into(), why }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not an address: {}", self.text, self.why)
    }
}

impl std::error::Error for AddressError {}

impl From<AddressError> for io::Error {
    fn from(error: AddressError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

/// The system's socket under `stream`.
pub(super) fn os_socket<S: Transport>(stream: &S) -> io::Result<OsSocket<'_>> {
    stream.os_socket().ok_or_else(|| io::ErrorKind::Unsupported.into())
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

/// The process at the other end of `stream`.
pub(crate) fn peer_cred<S: Transport>(stream: &S) -> io::Result<PeerCred> {
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
