//! Sockets before they are connected, step by step: Nim's `newAsyncSocket` and what is set on it.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use asyncnet_core::Config;

use super::OsSocket;
use super::error::failed;
use super::place::{HostPort, resolve_in};
use super::{Domain, ListenOptions, Setting, SockOpt};
use crate::runtime::Socket as _;
use crate::tls::Layers;
use crate::{Address, Listener, Runtime};

/// Which family a socket has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// IPv4 or IPv6, as the first address says. Until then a descriptor is one of IPv4.
    Ip,
    Of(Domain),
    /// A family that has no [`Address`].
    Other,
}

/// Makes a socket whose kind a [`Domain`] does not tell.
type Remake<R> = Box<dyn Fn() -> io::Result<<R as Runtime>::Socket> + Send + Sync>;

/// A socket that is not connected yet: set options, bind it, then [`connect`](Self::connect) it or let
/// it [`listen`](Self::listen). Nim's `newAsyncSocket`.
///
/// [`Listener::bind`] and [`connect`](super::connect) do all of that in one call. Each adapter has an alias
/// that names its runtime, so that a program never writes the type parameter.
///
/// ```
/// # async fn serve<R: asyncnet::Runtime>() -> std::io::Result<()> {
/// # type AsyncSocket<R> = asyncnet::AsyncSocket<R>;
/// use asyncnet::net::{Setting, SockOpt};
///
/// let mut server = AsyncSocket::<R>::default();
/// server.set(Setting::Flag(SockOpt::ReuseAddr, true))?;
/// server.bind_addr("127.0.0.1", 0).await?;
/// let listener = server.listen(128)?;
/// println!("listening on {}", listener.local_addr()?);
/// # Ok(()) }
/// ```
///
/// After a failed connect the socket can be connected again: a new descriptor is made, with everything set
/// on it that was set on the first through this type. (What an adopted socket had before is not known.)
pub struct AsyncSocket<R: Runtime> {
    pub(super) kind: Kind,
    pub(super) datagram: bool,
    pub(super) remake: Option<Remake<R>>,
    settings: Vec<Setting>,
    local: Option<Address>,
    /// The descriptor, once something needed it and until it was given away.
    socket: Option<R::Socket>,
    pub(super) config: Config,
    /// What makes its connections secure, if they are to be.
    pub(super) layers: Option<Arc<dyn Layers>>,
}

impl<R: Runtime> AsyncSocket<R> {
    /// A stream socket of this family, with a descriptor of its own: TCP, or a Unix stream.
    /// [`default`](Self::default) is a TCP socket of whichever family the first address has.
    ///
    /// # Errors
    ///
    /// If the system has no such socket, or no descriptor left.
    #[doc(alias = "newAsyncSocket")]
    pub fn new(domain: Domain) -> io::Result<Self> {
        let mut this = Self::unmade(Kind::Of(domain), false, true);
        this.socket()?;
        Ok(this)
    }

    /// A datagram socket of this family: UDP, or Unix datagrams. See `into_datagram`, and
    /// [`Datagram::bind`](crate::net::Datagram::bind) for the short way.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); `Unsupported` if the runtime has no datagrams.
    pub fn datagram(domain: Domain) -> io::Result<Self> {
        let mut this = Self::unmade(Kind::Of(domain), true, false);
        this.socket()?;
        Ok(this)
    }

    /// A socket whose descriptor is made by the first call that needs it.
    pub(super) fn unmade(kind: Kind, datagram: bool, tcp: bool) -> Self {
        let ip = matches!(kind, Kind::Ip | Kind::Of(Domain::Ipv4 | Domain::Ipv6));
        // The default is a setting like any other: what the user sets comes behind it.
        let no_delay = Setting::Flag(SockOpt::NoDelay, true);
        let settings = if ip && tcp && !datagram { vec![no_delay] } else { Vec::new() };
        let (remake, local, socket, layers) = (None, None, None, None);
        Self { kind, datagram, remake, settings, local, socket, config: Config::default(), layers }
    }

    /// Takes a descriptor that was made already.
    pub(super) fn adopt_made(&mut self, socket: R::Socket) -> io::Result<()> {
        for setting in &self.settings {
            socket.set(*setting)?;
        }
        self.socket = Some(socket);
        Ok(())
    }

    const fn domain(&self) -> Domain {
        match self.kind {
            Kind::Of(domain) => domain,
            Kind::Ip | Kind::Other => Domain::Ipv4,
        }
    }

    /// The family, once something has fixed it.
    fn fixed(&self) -> Option<Domain> {
        if self.kind == Kind::Ip { None } else { Some(self.domain()) }
    }

    pub(super) fn socket(&mut self) -> io::Result<&R::Socket> {
        let socket = self.take_socket()?;
        Ok(self.socket.insert(socket))
    }

    pub(super) fn take_socket(&mut self) -> io::Result<R::Socket> {
        match self.socket.take() {
            Some(socket) => Ok(socket),
            None => self.make(self.domain()),
        }
    }

    /// The descriptor for a connect to `address`.
    pub(super) fn take_socket_to(&mut self, address: &Address) -> io::Result<R::Socket> {
        match (self.kind, address) {
            (Kind::Ip, Address::Ip(ip)) if ip.is_ipv6() => {
                self.socket = None;
                self.make(Domain::Ipv6)
            }
            _ => self.take_socket(),
        }
    }

    fn make(&self, domain: Domain) -> io::Result<R::Socket> {
        let socket = match &self.remake {
            Some(remake) => remake()?,
            None if self.datagram => R::Socket::datagram(domain)?,
            None => R::Socket::stream(domain)?,
        };
        for setting in &self.settings {
            socket.set(*setting)?;
        }
        if let Some(local) = &self.local {
            socket.bind(local)?;
        }
        Ok(socket)
    }

    /// Fixes the family.
    fn fix(&mut self, domain: Domain) {
        if self.kind == Kind::Ip {
            self.kind = Kind::Of(domain);
            if domain != Domain::Ipv4 {
                self.socket = None;
            }
        }
    }

    /// Refuses a socket without a stream of bytes.
    pub(super) fn check_stream(&self) -> io::Result<()> {
        if !self.datagram {
            return Ok(());
        }
        let what = "a datagram socket has no stream: see into_datagram";
        Err(io::Error::new(io::ErrorKind::InvalidInput, what))
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

    /// Changes a setting of the socket: Nim's `setSockOpt`. [`Setting::OnlyV6`] makes the socket one of
    /// IPv6.
    ///
    /// # Errors
    ///
    /// As the system says; `Unsupported` for a setting that the system does not have, and for
    /// [`SockOpt::AcceptConn`], which can only be asked.
    #[doc(alias = "setSockOpt")]
    pub fn set(&mut self, setting: Setting) -> io::Result<()> {
        if let Setting::OnlyV6(_) = setting {
            self.fix(Domain::Ipv6);
        }
        self.socket()?.set(setting)?;
        self.settings.retain(|other| !setting.replaces(*other));
        self.settings.push(setting);
        Ok(())
    }

    /// Whether an option is on: Nim's `getSockOpt`.
    ///
    /// # Errors
    ///
    /// As the system says.
    #[doc(alias = "getSockOpt")]
    pub fn get(&mut self, option: SockOpt) -> io::Result<bool> {
        self.socket()?.get(option)
    }

    // ---- binding and listening -------------------------------------------------------------------

    /// Binds the socket to `address` (`""`: any of this machine's) and `port` (0: the system chooses):
    /// Nim's `bindAddr`. `address` is a name or an IP address; IPv6 with or without brackets and a zone.
    ///
    /// A name with several addresses binds the first, as Nim does. A socket of no family yet prefers IPv4,
    /// and takes IPv4 for `""`.
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
        let failed = failed("bind to", HostPort(address, port));
        let local = match self.any(port) {
            Some(any) if address.is_empty() => any,
            _ => match resolve_in::<R>(self.fixed(), address, port).await {
                Ok(found) => *found.iter().find(|ip| ip.is_ipv4()).unwrap_or(&found[0]),
                Err(error) => return Err(failed(error)),
            },
        };
        self.fix(Domain::of(local));
        self.bind(local.into()).map_err(failed)
    }

    /// Binds the socket to a path: Nim's `bindUnix`. A file that is there already is an error, a socket file
    /// that an earlier process left behind too: see [`remove_stale_socket`](super::remove_stale_socket). On
    /// Linux a path that begins with a NUL byte is an abstract name, which leaves no file.
    ///
    /// # Errors
    ///
    /// `AddrInUse` and others as the system says; `InvalidInput` for a path that is too long, and for a
    /// socket of another family.
    #[doc(alias = "bindUnix")]
    pub fn bind_unix(&mut self, path: impl AsRef<Path>) -> io::Result<()> {
        let local = Address::of_path(path.as_ref());
        let failed = failed("bind to", shown(&local));
        if self.domain() != Domain::Unix {
            let what = "the socket is not a Unix socket: make it with Domain::Unix";
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, what)));
        }
        self.bind(local).map_err(failed)
    }

    fn bind(&mut self, local: Address) -> io::Result<()> {
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
        let options = ListenOptions::new().config(self.config).layers(self.layers.take());
        Listener::new(self.take_socket()?, options)
    }

    // ---- facts -----------------------------------------------------------------------------------

    /// The operating system's socket; one is made if there is none yet. A socket of no family yet becomes
    /// one of IPv4.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); `Unsupported` if the runtime has no sockets of the operating system.
    #[doc(alias = "getFd")]
    pub fn os_socket(&mut self) -> io::Result<OsSocket<'_>> {
        self.fix(Domain::Ipv4);
        self.socket()?.os_socket().ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    /// Every address of `host` that this socket can connect to; at least one.
    pub(super) async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        resolve_in::<R>(self.fixed(), host, port).await
    }

    fn any(&self, port: u16) -> Option<SocketAddr> {
        let ip = match self.domain() {
            Domain::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Domain::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            Domain::Unix => return None,
        };
        Some(SocketAddr::new(ip, port))
    }

    /// Our address, once bound: Nim's `getLocalAddr`.
    ///
    /// # Errors
    ///
    /// As the system says.
    #[doc(alias = "getLocalAddr")]
    pub fn local_addr(&mut self) -> io::Result<Address> {
        self.socket()?.local_addr()
    }
}

/// A path as it was given, and an abstract name without its NUL byte.
pub(super) fn shown(address: &Address) -> String {
    match address {
        Address::Unix(path) => path.display().to_string(),
        other => other.to_string(),
    }
}

impl<R: Runtime> Default for AsyncSocket<R> {
    /// A TCP socket of the family that its first address has, IPv4 or IPv6.
    fn default() -> Self {
        Self::unmade(Kind::Ip, false, true)
    }
}

impl<R: Runtime> fmt::Debug for AsyncSocket<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSocket")
            .field("kind", &self.kind)
            .field("datagram", &self.datagram)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
