//! A socket before it is connected or listens: the seed's `newAsyncSocket` and what is set on it.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use asyncnet_core::Config;
use socket2::{SockAddr, Socket};

use crate::{Address, Connection, Listener, Runtime};

/// The address family of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Domain {
    /// IPv4.
    #[default]
    #[doc(alias = "AF_INET")]
    Inet,
    /// IPv6.
    #[doc(alias = "AF_INET6")]
    Inet6,
}

/// What a socket carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SockType {
    /// A stream of bytes.
    #[default]
    #[doc(alias = "SOCK_STREAM")]
    Stream,
}

/// The protocol under a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// TCP.
    #[default]
    #[doc(alias = "IPPROTO_TCP")]
    Tcp,
}

/// An option that is on or off.
#[doc(alias = "SOBool")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SockOpt {
    /// Bind to an address that an earlier connection still lingers on. Set it on a server, so that it
    /// can be restarted. `SO_REUSEADDR`.
    #[doc(alias = "OptReuseAddr")]
    ReuseAddr,
    /// Send small messages at once instead of waiting to merge them. `TCP_NODELAY`, on by default (Nim's
    /// `OptNoDelay` sets another option by mistake).
    #[doc(alias = "OptNoDelay")]
    NoDelay,
}

impl Domain {
    const fn any(self) -> IpAddr {
        match self {
            Self::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Self::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }

    const fn holds(self, address: &SocketAddr) -> bool {
        match self {
            Self::Inet => address.is_ipv4(),
            Self::Inet6 => address.is_ipv6(),
        }
    }
}

impl From<Domain> for socket2::Domain {
    fn from(domain: Domain) -> Self {
        match domain {
            Domain::Inet => Self::IPV4,
            Domain::Inet6 => Self::IPV6,
        }
    }
}

/// What was asked of a socket, so that a new one can be made like it.
#[derive(Clone, Debug)]
struct Settings {
    domain: Domain,
    options: Vec<(SockOpt, bool)>,
    local: Option<SocketAddr>,
}

impl Settings {
    fn make(&self) -> io::Result<Socket> {
        let tcp = Some(socket2::Protocol::TCP);
        let socket = Socket::new(self.domain.into(), socket2::Type::STREAM, tcp)?;
        for (option, on) in &self.options {
            set(&socket, *option, *on)?;
        }
        if let Some(local) = self.local {
            socket.bind(&local.into())?;
        }
        Ok(socket)
    }
}

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
pub struct AsyncSocket<R: Runtime> {
    settings: Settings,
    /// The descriptor, once something needed it and until it was given away.
    socket: Option<Socket>,
    config: Config,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime> AsyncSocket<R> {
    /// A socket of this family, type and protocol, with a descriptor of its own.
    ///
    /// # Errors
    ///
    /// If the system has no such family or no descriptor left.
    #[doc(alias = "newAsyncSocket")]
    pub fn new(domain: Domain, _: SockType, _: Protocol) -> io::Result<Self> {
        let mut this = Self::unmade(domain);
        this.socket()?;
        Ok(this)
    }

    /// The same, but for a descriptor, which is made by the first call that needs it.
    fn unmade(domain: Domain) -> Self {
        // The default is an option like any other: what the user sets comes behind it.
        let settings = Settings { domain, options: vec![(SockOpt::NoDelay, true)], local: None };
        Self { settings, socket: None, config: Config::default(), runtime: PhantomData }
    }

    fn socket(&mut self) -> io::Result<&Socket> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => self.settings.make()?,
        };
        Ok(self.socket.insert(socket))
    }

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

    /// Switches an option on or off.
    ///
    /// # Errors
    ///
    /// As the system says.
    #[doc(alias = "setSockOpt")]
    pub fn set_sock_opt(&mut self, option: SockOpt, on: bool) -> io::Result<()> {
        set(self.socket()?, option, on)?;
        self.settings.options.push((option, on));
        Ok(())
    }

    /// Whether an option is on.
    ///
    /// # Errors
    ///
    /// As the system says.
    #[doc(alias = "getSockOpt")]
    pub fn sock_opt(&mut self, option: SockOpt) -> io::Result<bool> {
        let socket = self.socket()?;
        match option {
            SockOpt::ReuseAddr => socket.reuse_address(),
            SockOpt::NoDelay => socket.tcp_nodelay(),
        }
    }

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
        let local = match address {
            "" => SocketAddr::new(self.settings.domain.any(), port),
            // A name with several addresses binds the first, as the seed does.
            name => self.resolve(name, port).await?.swap_remove(0),
        };
        self.socket()?.bind(&local.into())?;
        self.settings.local = Some(local);
        Ok(())
    }

    /// The addresses of `host` in this socket's family; at least one.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let mut found = match host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_) => R::resolve(host.into(), port).await?,
        };
        let domain = self.settings.domain;
        found.retain(|address| domain.holds(address));
        if found.is_empty() {
            let what = format!("{host} has no address of the family {domain:?}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        Ok(found)
    }

    /// Starts to listen. At most `backlog` connections wait to be accepted.
    ///
    /// # Errors
    ///
    /// As the system says.
    pub fn listen(mut self, backlog: i32) -> io::Result<Listener<R>> {
        self.socket()?.listen(backlog)?;
        let socket = self.socket.take().ok_or(io::ErrorKind::NotConnected)?;
        Listener::new(socket, self.config)
    }

    /// Connects to `address`, a name or an IP address, at `port`. The addresses of a name are tried one
    /// after the other.
    ///
    /// # Errors
    ///
    /// The error of the last address tried; `InvalidInput` if there is none of this socket's family. The
    /// socket can be tried again, with all that was set on it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future closes the connection that was being made. The socket can be
    /// tried again.
    pub async fn connect(&mut self, address: &str, port: u16) -> io::Result<Connection<R::Stream>> {
        let mut last = io::ErrorKind::InvalidInput.into();
        for address in self.resolve(address, port).await? {
            self.socket()?;
            let socket = self.socket.take().ok_or(io::ErrorKind::NotConnected)?;
            match R::connect(socket, SockAddr::from(address)).await {
                Ok(stream) => return Ok(Connection::with_timer(stream, self.config, R::timer())),
                Err(error) => last = error,
            }
        }
        Err(last)
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
        Self::unmade(Domain::Inet)
    }
}

impl<R: Runtime> fmt::Debug for AsyncSocket<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSocket").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn set(socket: &Socket, option: SockOpt, on: bool) -> io::Result<()> {
    match option {
        SockOpt::ReuseAddr => socket.set_reuse_address(on),
        SockOpt::NoDelay => socket.set_tcp_nodelay(on),
    }
}
