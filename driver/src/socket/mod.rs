//! Sockets before they are connected: the seed's `newAsyncSocket` and what is set on it.

pub(crate) mod address;
mod connect;
pub(crate) mod datagram;
mod dial;
mod error;
mod family;
mod handshakes;
pub(crate) mod listener;
pub(crate) mod open;
pub(crate) mod options;
mod secure;
#[cfg(unix)]
mod stale;

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use asyncnet_core::Config;
use socket2::{SockAddr, SockRef, Socket};

use self::error::failed;
use self::family::Kind;
use self::options::Setting;
#[cfg(doc)]
use crate::Connection;
use crate::tls::Layers;
use crate::{Address, Datagram, Listener, OsSocket, Runtime};

pub use error::SocketError;
pub use family::{Domain, Protocol, SockType};
pub use options::{Keepalive, SockOpt};
#[cfg(unix)]
pub use stale::remove_stale_socket;

/// A socket that is not connected yet: set options, bind it, then [`connect`](Self::connect) it or let
/// it [`listen`](Self::listen). The seed's `newAsyncSocket`.
///
/// Each adapter has an alias that names its runtime, so that a program never writes the type parameter.
///
/// ```
/// # async fn serve<R: asyncnet::Runtime>() -> std::io::Result<()> {
/// # type AsyncSocket<R> = asyncnet::AsyncSocket<R>;
/// use asyncnet::SockOpt;
///
/// let mut server = AsyncSocket::<R>::default();
/// server.set_sock_opt(SockOpt::ReuseAddr, true)?;
/// server.bind_addr("127.0.0.1", 0).await?;
/// let listener = server.listen(128)?;
/// println!("listening on {}", listener.local_addr()?);
/// # Ok(()) }
/// ```
///
/// A connect that failed leaves a descriptor of no use; the next try makes a new one, with everything
/// set on it that was set on the first (through this type: what an adopted socket had before is not
/// known).
pub struct AsyncSocket<R: Runtime> {
    kind: Kind,
    settings: Vec<Setting>,
    local: Option<SockAddr>,
    /// The descriptor, once something needed it and until it was given away.
    socket: Option<Socket>,
    config: Config,
    /// What makes its connections secure, if they are to be.
    layers: Option<Arc<dyn Layers>>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime> AsyncSocket<R> {
    /// A socket of this family, type and protocol, with a descriptor of its own.
    ///
    /// # Errors
    ///
    /// If the system has no such socket, or no descriptor left.
    #[doc(alias = "newAsyncSocket")]
    pub fn new(domain: Domain, ty: SockType, protocol: Protocol) -> io::Result<Self> {
        Self::of_kind((domain, ty, protocol).into())
    }

    /// The same in the numbers of the system (`AF_INET`, `SOCK_STREAM`, `IPPROTO_TCP`, ..; 0 for the
    /// usual protocol).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_raw_parts(domain: i32, ty: i32, protocol: i32) -> io::Result<Self> {
        Self::of_kind((domain, ty, protocol).into())
    }

    fn of_kind(kind: Kind) -> io::Result<Self> {
        let mut this = Self::unmade(kind);
        this.socket()?;
        Ok(this)
    }

    /// A socket whose descriptor is made by the first call that needs it.
    fn unmade(kind: Kind) -> Self {
        // The default is a setting like any other: what the user sets comes behind it.
        let nodelay = Setting::Option(SockOpt::NoDelay, true);
        let tcp = !kind.is_unix() && kind.ty == socket2::Type::STREAM;
        let settings = if tcp { vec![nodelay] } else { Vec::new() };
        let (local, socket, config) = (None, None, Config::default());
        Self { kind, settings, local, socket, config, layers: None, runtime: PhantomData }
    }

    /// A socket that somebody else made: a `std` socket of any kind, an `OwnedFd` (on Windows an
    /// `OwnedSocket`), a listener that systemd passed in. What it is, is asked of the system.
    ///
    /// ```
    /// # fn adopt<R: asyncnet::Runtime>(listener: std::net::TcpListener) -> std::io::Result<()> {
    /// # type AsyncSocket<R> = asyncnet::AsyncSocket<R>;
    /// let listener = AsyncSocket::<R>::adopt(listener)?.into_listener()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As the system says, if it is no socket.
    pub fn adopt(socket: impl Into<Socket>) -> io::Result<Self> {
        let socket = socket.into();
        let domain = socket.local_addr()?.domain();
        let kind = Kind { domain, ty: socket.r#type()?, protocol: None };
        Ok(Self { settings: Vec::new(), socket: Some(socket), ..Self::unmade(kind) })
    }

    fn socket(&mut self) -> io::Result<&Socket> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => self.make()?,
        };
        Ok(self.socket.insert(socket))
    }

    fn take_socket(&mut self) -> io::Result<Socket> {
        match self.socket.take() {
            Some(socket) => Ok(socket),
            None => self.make(),
        }
    }

    fn make(&self) -> io::Result<Socket> {
        let Kind { domain, ty, protocol } = self.kind;
        let socket = Socket::new(domain, ty, protocol)?;
        for setting in &self.settings {
            setting.apply(&SockRef::from(&socket))?;
        }
        if let Some(local) = &self.local {
            socket.bind(local)?;
        }
        Ok(socket)
    }

    // ---- settings --------------------------------------------------------------------------------

    /// The settings of the connections that come from this socket. Default [`Config::default`].
    #[must_use]
    pub const fn with_config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Buffered (the default) or not; see [`Config::buffered`].
    #[must_use]
    pub const fn buffered(mut self, buffered: bool) -> Self {
        self.config.buffered = buffered;
        self
    }

    fn set(&mut self, setting: Setting) -> io::Result<()> {
        setting.apply(&SockRef::from(self.socket()?))?;
        self.settings.retain(|other| !setting.replaces(*other));
        self.settings.push(setting);
        Ok(())
    }

    /// Switches an option on or off.
    ///
    /// # Errors
    ///
    /// As the system says; `Unsupported` for [`SockOpt::AcceptConn`], which can only be asked.
    #[doc(alias = "setSockOpt")]
    pub fn set_sock_opt(&mut self, option: SockOpt, on: bool) -> io::Result<()> {
        self.set(Setting::Option(option, on))
    }

    /// Whether an option is on.
    ///
    /// # Errors
    ///
    /// As the system says.
    #[doc(alias = "getSockOpt")]
    pub fn sock_opt(&mut self, option: SockOpt) -> io::Result<bool> {
        option.get(&SockRef::from(self.socket()?))
    }

    /// Switches keep-alive on and says how often to probe.
    ///
    /// # Errors
    ///
    /// As the system says.
    pub fn set_keepalive(&mut self, keepalive: Keepalive) -> io::Result<()> {
        self.set(Setting::Keepalive(keepalive))
    }

    /// Sets the system's receive buffer, in bytes. Linux doubles it.
    ///
    /// # Errors
    ///
    /// As the system says.
    pub fn set_recv_buffer(&mut self, bytes: usize) -> io::Result<()> {
        self.set(Setting::RecvBuffer(bytes))
    }

    /// Sets the system's send buffer, in bytes. Linux doubles it.
    ///
    /// # Errors
    ///
    /// As the system says.
    pub fn set_send_buffer(&mut self, bytes: usize) -> io::Result<()> {
        self.set(Setting::SendBuffer(bytes))
    }

    /// Sets `SO_LINGER`. [`Connection::close`] needs none, and a time here makes dropping a connection
    /// block: `Some(Duration::ZERO)`, a reset instead of an end, is the one use.
    ///
    /// # Errors
    ///
    /// As the system says.
    pub fn set_linger(&mut self, time: Option<Duration>) -> io::Result<()> {
        self.set(Setting::Linger(time))
    }

    /// Whether an IPv6 socket leaves IPv4 alone. To be set before it is bound.
    ///
    /// # Errors
    ///
    /// As the system says.
    pub fn set_only_v6(&mut self, on: bool) -> io::Result<()> {
        self.set(Setting::OnlyV6(on))
    }

    // ---- binding and listening -------------------------------------------------------------------

    /// Binds the socket to `address` (`""`: any of this machine's) and `port` (0: the system chooses).
    ///
    /// # Errors
    ///
    /// `AddrInUse` and others as the system says; `InvalidInput` if `address` has no address of this
    /// socket's family.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the socket is bound or it is not.
    #[doc(alias = "bindAddr")]
    pub async fn bind_addr(&mut self, address: &str, port: u16) -> io::Result<()> {
        let failed = failed("bind to", Place(address, port));
        let local = match self.any(port) {
            Some(any) if address.is_empty() => any,
            // A name with several addresses binds the first, as the seed does.
            _ => match self.resolve(address, port).await {
                Ok(mut found) => found.swap_remove(0),
                Err(error) => return Err(failed(error)),
            },
        };
        self.bind(local.into()).map_err(failed)
    }

    /// Binds the socket to a path. A file that is there already is an error, a socket file that an
    /// earlier process left behind too: see [`remove_stale_socket`]. On Linux a path that begins with a
    /// NUL byte is an abstract name, which leaves no file.
    ///
    /// # Errors
    ///
    /// `AddrInUse` and others as the system says; `InvalidInput` for a path that is too long.
    #[doc(alias = "bindUnix")]
    pub fn bind_unix(&mut self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        let failed = failed("bind to", path.display());
        SockAddr::unix(path).and_then(|local| self.bind(local)).map_err(failed)
    }

    fn bind(&mut self, local: SockAddr) -> io::Result<()> {
        self.socket()?.bind(&local)?;
        self.local = Some(local);
        Ok(())
    }

    /// Starts to listen. At most `backlog` connections wait to be accepted.
    ///
    /// # Errors
    ///
    /// As the system says.
    pub fn listen(mut self, backlog: i32) -> io::Result<Listener<R>> {
        let address = self.local_addr().map_or_else(|_| "(unbound)".into(), |at| at.to_string());
        self.socket()?.listen(backlog).map_err(failed("listen on", address))?;
        self.into_listener()
    }

    /// The listener that this socket, [adopted](Self::adopt), is already.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it does not listen; or as the runtime says, if it cannot register the socket.
    pub fn into_listener(mut self) -> io::Result<Listener<R>> {
        // Not every system can be asked.
        if self.sock_opt(SockOpt::AcceptConn).is_ok_and(|listens| !listens) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the socket does not listen"));
        }
        Listener::new(self.take_socket()?, self.config, self.layers)
    }

    /// The datagram socket that this one was made as, bound or not.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is a stream; or as the runtime says, if it cannot register the socket.
    pub fn into_datagram(mut self) -> io::Result<Datagram<R>> {
        if self.kind.ty != socket2::Type::DGRAM {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a stream has no datagrams"));
        }
        Datagram::new(self.take_socket()?)
    }

    // ---- getters and helpers ---------------------------------------------------------------------

    /// The operating system's socket; one is made if there is none yet.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    #[doc(alias = "getFd")]
    pub fn os_socket(&mut self) -> io::Result<OsSocket<'_>> {
        let socket = self.socket()?;
        #[cfg(unix)]
        return Ok(std::os::fd::AsFd::as_fd(socket));
        #[cfg(windows)]
        return Ok(std::os::windows::io::AsSocket::as_socket(socket));
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        resolve_in::<R>(self.kind.domain, host, port).await
    }

    fn any(&self, port: u16) -> Option<SocketAddr> {
        let ip = match self.kind.domain {
            socket2::Domain::IPV4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            socket2::Domain::IPV6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            _ => return None,
        };
        Some(SocketAddr::new(ip, port))
    }

    /// Our address, once bound.
    ///
    /// # Errors
    ///
    /// As the system says.
    #[doc(alias = "getLocalAddr")]
    pub fn local_addr(&mut self) -> io::Result<Address> {
        Ok(self.socket()?.local_addr()?.into())
    }
}

impl<R: Runtime> Default for AsyncSocket<R> {
    /// A TCP socket over IPv4.
    fn default() -> Self {
        Self::unmade((Domain::Inet, SockType::Stream, Protocol::Tcp).into())
    }
}

impl<R: Runtime> fmt::Debug for AsyncSocket<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSocket")
            .field("kind", &self.kind)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Every address of `host`; at least one.
async fn resolve<R: Runtime>(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let found = R::resolve(host.into(), port).await?;
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    Ok(found)
}

/// The addresses of `host` in one family; at least one.
async fn resolve_in<R: Runtime>(
    domain: socket2::Domain,
    host: &str,
    port: u16,
) -> io::Result<Vec<SocketAddr>> {
    let mut found = resolve::<R>(host, port).await?;
    found.retain(|address| SockAddr::from(*address).domain() == domain);
    if found.is_empty() {
        let what = "it has no address of this socket's family";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    Ok(found)
}

/// A host and a port, for people.
struct Place<'a>(&'a str, u16);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(host, port) = self;
        match host.parse::<Ipv6Addr>() {
            Ok(host) => write!(f, "[{host}]:{port}"),
            Err(_) => write!(f, "{host}:{port}"),
        }
    }
}
