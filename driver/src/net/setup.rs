//! How to listen and how to connect: plain data that knows no runtime.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use asyncnet_core::Config;

use super::failures::OnFailure;
use super::proxied::Parse;
use super::{HandshakeFailure, Setting};
use crate::Address;
#[cfg(feature = "tls")]
use crate::TlsContext;
use crate::tls::Layers;

/// How to connect, for [`connect`](super::connect).
///
/// ```
/// use std::time::Duration;
///
/// use asyncnet::{Config, net::ConnectOptions};
///
/// let options = ConnectOptions::new()
///     .config(Config::default().max_line(512))
///     .timeout(Duration::from_secs(10));
/// # drop(options);
/// ```
#[derive(Clone, Default)]
#[must_use = "the options do nothing until they are given to a connect"]
pub struct ConnectOptions {
    pub(super) config: Config,
    pub(super) settings: Vec<Setting>,
    pub(super) layers: Option<Arc<dyn Layers>>,
    pub(super) timeout: Option<Duration>,
    pub(super) local: Option<Address>,
}

impl ConnectOptions {
    /// The defaults: `TCP_NODELAY`, no TLS, no time limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// The settings of the connection.
    pub const fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets an option of the socket. Later settings override earlier ones and the defaults.
    pub fn set(mut self, setting: Setting) -> Self {
        self.settings.push(setting);
        self
    }

    /// How long all of it may take: the look-up, the connect and the TLS handshake. Default: as long as
    /// the system takes, and [`Config::handshake_timeout`] for the handshake.
    pub const fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Binds the socket to `local` first. Addresses of another family are not tried then.
    pub fn bind(mut self, local: Address) -> Self {
        self.local = Some(local);
        self
    }

    /// TLS from the first byte. The certificate is verified for the host that is connected to, or as
    /// [`TlsContext::for_server`] says.
    #[doc(alias("TlsConnector"))]
    #[cfg(feature = "tls")]
    pub fn tls(mut self, context: &TlsContext) -> Self {
        self.layers = Some(Arc::new(context.clone()));
        self
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("config", &self.config)
            .field("settings", &self.settings)
            .field("tls", &self.layers.is_some())
            .field("timeout", &self.timeout)
            .field("local", &self.local)
            .finish()
    }
}

/// How to listen, for [`Listener::bind_with`](crate::Listener::bind_with).
///
/// ```
/// use asyncnet::{Config, net::ListenOptions};
///
/// let options = ListenOptions::new().config(Config::default().max_line(512)).max_open(1000);
/// # drop(options);
/// ```
#[derive(Clone)]
#[must_use = "the options do nothing until they are given to a listen"]
pub struct ListenOptions {
    pub(super) config: Config,
    pub(super) settings: Vec<Setting>,
    pub(super) layers: Option<Arc<dyn Layers>>,
    pub(super) max_open: usize,
    pub(super) max_silent: usize,
    /// `None`: as long as a handshake.
    pub(super) silent_timeout: Option<Duration>,
    pub(super) max_handshakes: Option<usize>,
    /// Reads the header of a proxy, if there has to be one.
    pub(super) header: Option<Parse>,
    pub(super) on_failure: Option<OnFailure>,
    pub(super) track: bool,
    pub(super) close_idle: bool,
    pub(super) backlog: u32,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            config: Config::default(),
            settings: Vec::new(),
            layers: None,
            max_open: usize::MAX,
            max_silent: 4096,
            silent_timeout: None,
            max_handshakes: None,
            header: None,
            on_failure: None,
            track: false,
            close_idle: false,
            backlog: 1024,
        }
    }
}

impl ListenOptions {
    /// The defaults: `SO_REUSEADDR` (not on Windows, where it means something else), `TCP_NODELAY`, IPv4 and
    /// IPv6 for `"[::]"` and for no host, a backlog of 1024, no TLS.
    pub fn new() -> Self {
        Self::default()
    }

    /// The settings of the accepted connections.
    pub const fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets an option of the listening socket. Later settings override earlier ones and the defaults.
    ///
    /// [`SockOpt::ReusePort`](super::SockOpt) lets several processes listen at one address, one on each core or the new
    /// one beside the old. When one of them stops, peers that wait in its own queue are reset; a socket that is
    /// handed on (`"fd:NAME"` of [`Listener::bind`](crate::Listener::bind)) loses none.
    ///
    /// ```
    /// use asyncnet::net::{ListenOptions, Setting, SockOpt};
    ///
    /// let options = ListenOptions::new().set(Setting::Flag(SockOpt::ReusePort, true));
    /// # drop(options);
    /// ```
    pub fn set(mut self, setting: Setting) -> Self {
        self.settings.push(setting);
        self
    }

    /// How many connections of the listener may be open at once. At that number, accepts wait until one is
    /// closed, and further peers wait in the queue of the system. 0 counts as 1. Default: no limit.
    ///
    /// Peers of a TLS listener that have not spoken yet do not count: see [`max_silent`](Self::max_silent). Those that
    /// have spoken wait outside until one is closed, however long that takes.
    ///
    /// Rule [A12](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a12).
    #[doc(alias("max connections", "connection limit", "Semaphore"))]
    pub const fn max_open(mut self, connections: usize) -> Self {
        self.max_open = connections;
        self
    }

    /// How many peers of a TLS listener may wait that have not sent a byte yet, or of a listener behind a proxy
    /// that have not sent their header (0 counts as 1). The next one takes the place of the oldest, which is reset. Default 4096; each holds a descriptor.
    ///
    /// Rule [T6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t6).
    pub const fn max_silent(mut self, peers: usize) -> Self {
        self.max_silent = peers;
        self
    }

    /// How long a peer that connected to a TLS listener, or through a proxy, may say nothing before it is closed. Default:
    /// [`Config::handshake_timeout`], which also bounds the handshake after the first byte.
    ///
    /// A peer that does not use TLS, and waits for the server to speak first, sees the end after this time. On a bad
    /// link the first byte needs a round trip, and another second or so whenever it is lost.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use asyncnet::net::ListenOptions;
    ///
    /// let options = ListenOptions::new().silent_timeout(Duration::from_secs(3));
    /// # drop(options);
    /// ```
    pub const fn silent_timeout(mut self, time: Duration) -> Self {
        self.silent_timeout = Some(time);
        self
    }

    /// How many handshakes of a TLS listener may be under way at once (0 counts as 1). Default: no limit, since
    /// peers that begin a handshake and never end it can then keep out no other.
    ///
    /// A connection above the limit is handed out all the same. Its handshake waits until another one has ended,
    /// failed, timed out or was dropped, first come first served. That wait is part of its
    /// [`handshake_timeout`](Config::handshake_timeout). A handshake begins when a task first waits for it; a
    /// connection that no task polls any more gives its place back when it is dropped.
    ///
    /// Rule [T6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t6).
    pub const fn max_handshakes(mut self, handshakes: usize) -> Self {
        self.max_handshakes = Some(handshakes);
        self
    }

    /// How many connections wait in the queue of the system at most. Default 1024; systems have a limit of
    /// their own.
    pub const fn backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// Keeps a list of the open connections, for [`Listener::connections`](crate::Listener::connections), and so that
    /// [`Listener::finish`](crate::Listener::finish) can abort what is left at its limit. It costs each connection about
    /// 300 bytes, and a lock whenever it waits. Default: no.
    pub const fn track(mut self, on: bool) -> Self {
        self.track = on;
        self
    }

    /// Whether [`Listener::finish`](crate::Listener::finish) closes idle connections at once, and others as soon as
    /// they are idle: those that wait for a message of which nothing has come, and have sent everything. It
    /// [tracks](Self::track) them for that. Default: no; a protocol says goodbye by itself.
    pub const fn close_idle(mut self, on: bool) -> Self {
        self.close_idle = on;
        self
    }

    /// Calls `tell` for each TLS handshake of its connections that failed, once that connection is closed. It runs in
    /// the task that used the connection, and must not block.
    ///
    /// ```
    /// use asyncnet::net::ListenOptions;
    ///
    /// let options = ListenOptions::new().on_handshake_failure(|failure| eprintln!("{failure}"));
    /// # drop(options);
    /// ```
    pub fn on_handshake_failure(
        mut self,
        tell: impl Fn(&HandshakeFailure) + Send + Sync + 'static,
    ) -> Self {
        self.on_failure = Some(Arc::new(tell));
        self
    }

    /// TLS from the first byte.
    ///
    /// A connection is handed out once its peer has sent a byte, and its handshake goes on in the task that
    /// uses it: [`Connection::handshake`](crate::Connection::handshake) waits for its end, and any receive or
    /// send does the same.
    #[doc(alias("TlsAcceptor"))]
    #[cfg(feature = "tls")]
    pub fn tls(mut self, context: &TlsContext) -> Self {
        self.layers = Some(Arc::new(context.clone()));
        self
    }

    /// Expects every connection to begin with a header of the PROXY protocol, version 1 or 2, in front of TLS if
    /// there is any. Use it only where no one but the proxy can connect: any peer that sends a header can claim
    /// to be any client.
    ///
    /// A connection is handed out once its header has come; over TLS, once a byte after it has come too. Its
    /// `peer_addr`, and that of [`accept_addr`](crate::Listener::accept_addr), is then the client's;
    /// [`SocketInfo::proxied`](super::SocketInfo::proxied) tells the rest. The connection is reset when
    ///
    /// - it begins with anything else, or the header is malformed: another command, a datagram, addresses or
    ///   fields that do not fit into the length;
    /// - the header is longer than 107 bytes (version 1) or 4096 bytes (version 2);
    ///
    /// and closed when the header has not come in time ([`silent_timeout`](Self::silent_timeout)). A proxy that speaks for
    /// itself (`LOCAL`) or does not know the client (`UNKNOWN`, `UNSPEC`) is accepted, and `peer_addr` is the
    /// proxy's. Only the first header is one: a second is what the client sent.
    ///
    /// ```
    /// use asyncnet::net::ListenOptions;
    ///
    /// let options = ListenOptions::new().proxy_protocol();
    /// # drop(options);
    /// ```
    ///
    /// Rule [A16](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a16).
    #[doc(alias("haproxy"))]
    #[cfg(feature = "proxy")]
    pub fn proxy_protocol(mut self) -> Self {
        self.header = Some(super::proxy::parse);
        self
    }

    pub(super) fn layers(mut self, layers: Option<Arc<dyn Layers>>) -> Self {
        self.layers = layers;
        self
    }
}

impl fmt::Debug for ListenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenOptions")
            .field("config", &self.config)
            .field("settings", &self.settings)
            .field("tls", &self.layers.is_some())
            .field("max_open", &self.max_open)
            .field("max_silent", &self.max_silent)
            .field("silent_timeout", &self.silent_timeout)
            .field("max_handshakes", &self.max_handshakes)
            .field("proxy_protocol", &self.header.is_some())
            .field("track", &self.track)
            .field("close_idle", &self.close_idle)
            .field("backlog", &self.backlog)
            .finish()
    }
}
