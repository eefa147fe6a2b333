//! The operating system's sockets: what the adapters of real runtimes are made of.

use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;

use socket2::{Protocol, SockAddr, SockRef, Type};

use super::socket::Kind;
use super::{Datagram, DatagramTooLong, Domain, Setting, SockOpt};
use super::{ListenOptions, OsSocket};
use crate::runtime::{Datagrams, Socket};
use crate::{Address, AsyncSocket, Connection, Listener, Runtime};

/// A socket of the operating system that is neither connected nor listening yet.
#[doc(no_inline)]
pub use socket2::Socket as SystemSocket;

impl Socket for SystemSocket {
    fn stream(domain: Domain) -> io::Result<Self> {
        let protocol = (domain != Domain::Unix).then_some(Protocol::TCP);
        Self::new(family(domain), Type::STREAM, protocol)
    }

    #[cfg(unix)]
    fn inherited(name: &str) -> io::Result<Self> {
        super::inherited::take(name)
    }

    fn datagram(domain: Domain) -> io::Result<Self> {
        let protocol = (domain != Domain::Unix).then_some(Protocol::UDP);
        Self::new(family(domain), Type::DGRAM, protocol)
    }

    fn set(&self, setting: Setting) -> io::Result<()> {
        setting.apply(&SockRef::from(self))
    }

    fn get(&self, option: SockOpt) -> io::Result<bool> {
        option.get(&SockRef::from(self))
    }

    fn bind(&self, address: &Address) -> io::Result<()> {
        Self::bind(self, &SockAddr::try_from(address)?)
    }

    fn listen(&self, backlog: i32) -> io::Result<()> {
        Self::listen(self, backlog)
    }

    fn local_addr(&self) -> io::Result<Address> {
        Ok(Self::local_addr(self)?.into())
    }

    fn os_socket(&self) -> Option<OsSocket<'_>> {
        #[cfg(unix)]
        return Some(std::os::fd::AsFd::as_fd(self));
        #[cfg(windows)]
        return Some(std::os::windows::io::AsSocket::as_socket(self));
    }
}

const fn family(domain: Domain) -> socket2::Domain {
    match domain {
        Domain::Ipv4 => socket2::Domain::IPV4,
        Domain::Ipv6 => socket2::Domain::IPV6,
        Domain::Unix => socket2::Domain::UNIX,
    }
}

fn domain(family: socket2::Domain) -> Option<Domain> {
    [Domain::Ipv4, Domain::Ipv6, Domain::Unix].into_iter().find(|it| self::family(*it) == family)
}

/// What only sockets of the operating system can do.
impl<R: Runtime<Socket = SystemSocket>> AsyncSocket<R> {
    /// A socket in the numbers of the system (`AF_INET`, `SOCK_STREAM`, `IPPROTO_TCP`, ..; 0 for the
    /// usual protocol): Nim's `newAsyncSocket` with numbers.
    ///
    /// A family other than IPv4, IPv6 and Unix can be made, given options and taken out by
    /// [`os_socket`](Self::os_socket); it has no addresses that this type could bind or connect to.
    ///
    /// # Errors
    ///
    /// If the system has no such socket, or no descriptor left.
    pub fn from_raw_parts(family: i32, ty: i32, protocol: i32) -> io::Result<Self> {
        let make = move || {
            let protocol = (protocol != 0).then(|| protocol.into());
            SystemSocket::new(family.into(), ty.into(), protocol)
        };
        let socket = make()?;
        // The number of the type can hold flags; the system knows the type.
        let datagram = socket.r#type()? == Type::DGRAM;
        let kind = match domain(family.into()) {
            Some(domain) => Kind::Of(domain),
            None => Kind::Other,
        };
        let tcp = protocol == 0 || protocol == i32::from(Protocol::TCP);
        let mut this = Self::unmade(kind, datagram, tcp);
        this.remake = Some(Box::new(make));
        this.adopt_made(socket)?;
        Ok(this)
    }

    /// A socket that was made elsewhere: a `std` socket of any kind, an `OwnedFd` (on Windows an
    /// `OwnedSocket`), a listener that systemd passed in. What it is, is asked of the system.
    ///
    /// ```
    /// # use asyncnet::{Runtime, net::SystemSocket};
    /// # fn adopt<R: Runtime<Socket = SystemSocket>>(listener: std::net::TcpListener) -> std::io::Result<()> {
    /// # type AsyncSocket<R> = asyncnet::AsyncSocket<R>;
    /// let listener = AsyncSocket::<R>::adopt(listener)?.into_listener()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As the system says, if it is no socket.
    pub fn adopt(socket: impl Into<SystemSocket>) -> io::Result<Self> {
        let socket = socket.into();
        let family = SystemSocket::local_addr(&socket)?.domain();
        let ty = socket.r#type()?;
        let kind = domain(family).map_or(Kind::Other, Kind::Of);
        let mut this = Self::unmade(kind, ty == Type::DGRAM, false);
        this.remake = Some(Box::new(move || SystemSocket::new(family, ty, None)));
        this.adopt_made(socket)?;
        Ok(this)
    }

    /// The connection that this socket, [adopted](Self::adopt), is already. It has no TLS: see
    /// `upgrade_tls`.
    ///
    /// # Errors
    ///
    /// `NotConnected` if it is not, `InvalidInput` if it is no stream; or as the runtime says, if it cannot
    /// register the socket.
    pub fn into_connection(mut self) -> io::Result<Connection<R::Stream>> {
        self.check_stream()?;
        self.socket()?.peer_addr()?;
        let stream = R::stream(self.take_socket()?)?;
        Ok(Connection::new(stream, self.config))
    }

    /// The listener that this socket, [adopted](Self::adopt), is already.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it does not listen; or as the runtime says, if it cannot register the socket.
    pub fn into_listener(mut self) -> io::Result<Listener<R>> {
        // Not every system can be asked.
        if self.get(SockOpt::AcceptConn).is_ok_and(|listens| !listens) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the socket does not listen"));
        }
        let socket = self.take_socket()?;
        let options = ListenOptions::new().config(self.config).layers(self.layers);
        Listener::new(socket, options)
    }

    /// The datagram socket that this one was made as, bound or not.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is a stream; or as the runtime says, if it cannot register the socket.
    pub fn into_datagram(mut self) -> io::Result<Datagram<R>>
    where
        R: Datagrams,
    {
        if !self.datagram {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the socket is a stream, not a datagram socket",
            ));
        }
        Datagram::new(self.take_socket()?)
    }
}

/// What a send is given so that it raises no SIGPIPE. Apple's systems have an option of the socket instead,
/// which socket2 and std set; on Windows there are no signals.
#[cfg(all(unix, not(target_vendor = "apple")))]
const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL;
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
const SEND_FLAGS: i32 = 0;

/// How many slices a system takes in one call at most (`IOV_MAX`): it refuses a call with more.
const MAX_SLICES: usize = 1024;

/// Writes to a connected socket. A peer that left is an error, and never a SIGPIPE.
///
/// # Errors
///
/// As the system says.
pub fn send(socket: &SockRef<'_>, bytes: &[u8]) -> io::Result<usize> {
    socket.send_with_flags(bytes, SEND_FLAGS)
}

/// [`send`] from several slices, of which at most 1024 are looked at.
///
/// # Errors
///
/// As the system says.
pub fn send_vectored(socket: &SockRef<'_>, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    let bufs = &bufs[..bufs.len().min(MAX_SLICES)];
    socket.send_vectored_with_flags(bufs, SEND_FLAGS)
}

/// Sends one datagram.
///
/// # Errors
///
/// As the system says; `InvalidInput` for an [`Address::Unnamed`].
pub fn send_to(socket: &SockRef<'_>, message: &[u8], to: &Address) -> io::Result<()> {
    // A datagram goes whole or not at all: the system never takes a part.
    socket.send_to_with_flags(message, &SockAddr::try_from(to)?, SEND_FLAGS).map(drop)
}

/// Takes the next datagram, if it is no longer than `max`. One call runs at a time: it looks at the length
/// first.
///
/// # Errors
///
/// As the system says; `InvalidData` with a [`DatagramTooLong`] inside for a datagram that is longer.
pub fn recv_from(socket: &SockRef<'_>, max: usize) -> io::Result<(Vec<u8>, Address)> {
    let len = next_len(socket)?;
    if len > max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, DatagramTooLong { len, max }));
    }
    let from = socket.peek_sender()?;
    // One byte more than needed: an empty datagram is received, not left.
    let mut message = vec![0; len + 1];
    let n = (&**socket).read(&mut message)?;
    message.truncate(n);
    Ok((message, from.into()))
}

/// The length of the next datagram, which stays.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn next_len(socket: &SockRef<'_>) -> io::Result<usize> {
    socket.recv_with_flags(&mut [] as &mut [MaybeUninit<u8>], libc::MSG_PEEK | libc::MSG_TRUNC)
}

/// The length of the next datagram, which stays.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn next_len(socket: &SockRef<'_>) -> io::Result<usize> {
    /// No datagram is longer than this.
    const LONGEST: usize = 64 << 10;
    socket.peek(&mut vec![MaybeUninit::uninit(); LONGEST])
}
