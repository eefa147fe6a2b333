//! What can be set on a socket.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use super::address::os_socket;
use crate::Transport;

/// The address family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Domain {
    /// IPv4.
    #[doc(alias = "AF_INET")]
    Ipv4,
    /// IPv6.
    #[doc(alias = "AF_INET6")]
    Ipv6,
    /// Sockets of one machine, named by a path.
    #[doc(alias = "AF_UNIX")]
    Unix,
}

impl Domain {
    /// The family of an IP address.
    pub(super) const fn of(address: SocketAddr) -> Self {
        if address.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }
}

/// An option that is on or off: the nine of Nim's `SOBool`.
///
/// Each is set at the level that it belongs to. (Nim sets them all at the socket level unless asked
/// otherwise, where its `OptNoDelay` is another option altogether.)
#[doc(alias = "SOBool")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SockOpt {
    /// Whether the socket listens. It can only be asked.
    #[doc(alias = "OptAcceptConn")]
    AcceptConn,
    /// Datagrams may go to a broadcast address.
    #[doc(alias = "OptBroadcast")]
    Broadcast,
    /// The system records debugging information. It takes a privilege.
    #[doc(alias = "OptDebug")]
    Debug,
    /// Send only to hosts of the own network, past the routing table.
    #[doc(alias = "OptDontRoute")]
    DontRoute,
    /// Probe a silent peer from time to time; [`KeepAlive`] sets how often.
    #[doc(alias = "OptKeepAlive")]
    KeepAlive,
    /// Receive out-of-band data in line with the rest.
    #[doc(alias = "OptOOBInline")]
    OobInline,
    /// Bind to an address that an earlier connection still lingers on. Set it on a server, so that it
    /// can be restarted.
    #[doc(alias = "OptReuseAddr")]
    ReuseAddr,
    /// Let several sockets listen on one address, and share the connections. Not on Windows.
    #[doc(alias = "OptReusePort")]
    ReusePort,
    /// Send small messages at once instead of waiting to merge them. On by default.
    #[doc(alias = "OptNoDelay")]
    NoDelay,
}

/// Asks for an option of a connected socket.
pub(crate) fn get<S: Transport>(stream: &S, option: SockOpt) -> io::Result<bool> {
    option.get(&SockRef::from(&os_socket(stream)?))
}

/// Changes a setting of a connected socket.
pub(crate) fn set<S: Transport>(stream: &S, setting: Setting) -> io::Result<()> {
    setting.apply(&SockRef::from(&os_socket(stream)?))
}

impl SockOpt {
    pub(super) fn get(self, socket: &SockRef<'_>) -> io::Result<bool> {
        match self {
            Self::AcceptConn => os::is_listener(socket),
            Self::Broadcast => socket.broadcast(),
            Self::Debug => os::debug(socket),
            Self::DontRoute => os::dont_route(socket),
            Self::KeepAlive => socket.keepalive(),
            Self::OobInline => socket.out_of_band_inline(),
            Self::ReuseAddr => socket.reuse_address(),
            Self::ReusePort => os::reuse_port(socket),
            Self::NoDelay => socket.tcp_nodelay(),
        }
    }

    pub(super) fn set(self, socket: &SockRef<'_>, on: bool) -> io::Result<()> {
        match self {
            Self::AcceptConn => Err(io::ErrorKind::Unsupported.into()),
            Self::Broadcast => socket.set_broadcast(on),
            Self::Debug => os::set_debug(socket, on),
            Self::DontRoute => os::set_dont_route(socket, on),
            Self::KeepAlive => socket.set_keepalive(on),
            Self::OobInline => socket.set_out_of_band_inline(on),
            Self::ReuseAddr => socket.set_reuse_address(on),
            Self::ReusePort => os::set_reuse_port(socket, on),
            Self::NoDelay => socket.set_tcp_nodelay(on),
        }
    }
}

/// How a silent peer is probed. A `None` leaves what the system has: on Linux 2 hours, 75 s and 9 times, on Windows 2 hours, 1 s
/// and 10 times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeepAlive {
    /// How long a peer may be silent before the first probe.
    pub idle: Option<Duration>,
    /// How long between probes.
    pub interval: Option<Duration>,
    /// How many probes may go unanswered before the connection counts as lost.
    pub retries: Option<u32>,
}

impl KeepAlive {
    /// Sets [`KeepAlive::idle`].
    #[must_use]
    pub const fn idle(mut self, time: Duration) -> Self {
        self.idle = Some(time);
        self
    }

    /// Sets [`KeepAlive::interval`].
    #[must_use]
    pub const fn interval(mut self, time: Duration) -> Self {
        self.interval = Some(time);
        self
    }

    /// Sets [`KeepAlive::retries`].
    #[must_use]
    pub const fn retries(mut self, probes: u32) -> Self {
        self.retries = Some(probes);
        self
    }

    fn set(self, socket: &SockRef<'_>) -> io::Result<()> {
        // Windows takes both times in one call, in which a missing one would be zero.
        let default = |time| cfg!(windows).then_some(time);
        let mut keepalive = TcpKeepalive::new();
        if let Some(time) = self.idle.or(default(Duration::from_secs(2 * 60 * 60))) {
            keepalive = keepalive.with_time(time);
        }
        if let Some(time) = self.interval.or(default(Duration::from_secs(1))) {
            keepalive = keepalive.with_interval(time);
        }
        if let Some(probes) = self.retries {
            keepalive = keepalive.with_retries(probes);
        }
        socket.set_tcp_keepalive(&keepalive)
    }
}

/// What can be set on a socket, beside the options that are on or off.
///
/// ```
/// # fn set<R: asyncnet::Runtime>(socket: &mut asyncnet::AsyncSocket<R>) -> std::io::Result<()> {
/// use std::time::Duration;
///
/// use asyncnet::net::{KeepAlive, Setting, SockOpt};
///
/// socket.set(Setting::Flag(SockOpt::ReuseAddr, true))?;
/// socket.set(Setting::KeepAlive(KeepAlive::default().idle(Duration::from_secs(60))))?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setting {
    /// Switches an option on or off.
    Flag(SockOpt, bool),
    /// Switches keep-alive on and says when to probe.
    KeepAlive(KeepAlive),
    /// Sets the system's receive buffer, in bytes. Linux doubles it.
    RecvBuffer(usize),
    /// Sets the system's send buffer, in bytes. Linux doubles it.
    SendBuffer(usize),
    /// Sets `SO_LINGER`. [`Connection::close`](crate::Connection::close) needs none, and a time here makes
    /// the drop of a connection block: `Some(Duration::ZERO)`, a reset instead of an end, is the one use.
    Linger(Option<Duration>),
    /// Whether an IPv6 socket leaves IPv4 alone. To be set before it is bound.
    OnlyV6(bool),
    /// How long sent bytes may stay unacknowledged before the connection counts as lost, in whole
    /// milliseconds; `None` leaves it to the system (`TCP_USER_TIMEOUT`, Linux and Android; elsewhere
    /// `Unsupported`).
    UserTimeout(Option<Duration>),
}

impl Setting {
    /// Whether it is about the same thing as `other`.
    pub(super) fn replaces(self, other: Self) -> bool {
        match (self, other) {
            (Self::Flag(one, _), Self::Flag(other, _)) => one == other,
            _ => mem::discriminant(&self) == mem::discriminant(&other),
        }
    }

    pub(super) fn apply(self, socket: &SockRef<'_>) -> io::Result<()> {
        match self {
            Self::Flag(option, on) => option.set(socket, on),
            Self::KeepAlive(keep_alive) => keep_alive.set(socket),
            Self::RecvBuffer(bytes) => socket.set_recv_buffer_size(bytes),
            Self::SendBuffer(bytes) => socket.set_send_buffer_size(bytes),
            Self::Linger(time) => socket.set_linger(time),
            Self::OnlyV6(on) => socket.set_only_v6(on),
            Self::UserTimeout(time) => set_user_timeout(socket, time),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_user_timeout(socket: &SockRef<'_>, time: Option<Duration>) -> io::Result<()> {
    // 0 would stand for the system's own time.
    let time = time.map(|time| time.max(Duration::from_millis(1)));
    socket.set_tcp_user_timeout(time)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_user_timeout(_: &SockRef<'_>, _: Option<Duration>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The options that are not everywhere, or not in `socket2`.
#[cfg(unix)]
mod os {
    use std::io;

    use nix::sys::socket::{getsockopt, setsockopt, sockopt};
    // The macro calls the other two by their bare names.
    use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};
    use socket2::SockRef;

    sockopt_impl!(
        /// `SO_DEBUG`, which no library has.
        SockDebug,
        Both,
        libc::SOL_SOCKET,
        libc::SO_DEBUG,
        bool
    );

    pub(super) fn is_listener(socket: &SockRef<'_>) -> io::Result<bool> {
        Ok(getsockopt(&**socket, sockopt::AcceptConn)?)
    }

    pub(super) fn debug(socket: &SockRef<'_>) -> io::Result<bool> {
        Ok(getsockopt(&**socket, SockDebug)?)
    }

    pub(super) fn set_debug(socket: &SockRef<'_>, on: bool) -> io::Result<()> {
        Ok(setsockopt(&**socket, SockDebug, &on)?)
    }

    pub(super) fn dont_route(socket: &SockRef<'_>) -> io::Result<bool> {
        Ok(getsockopt(&**socket, sockopt::DontRoute)?)
    }

    pub(super) fn set_dont_route(socket: &SockRef<'_>, on: bool) -> io::Result<()> {
        Ok(setsockopt(&**socket, sockopt::DontRoute, &on)?)
    }

    pub(super) fn reuse_port(socket: &SockRef<'_>) -> io::Result<bool> {
        socket.reuse_port()
    }

    pub(super) fn set_reuse_port(socket: &SockRef<'_>, on: bool) -> io::Result<()> {
        socket.set_reuse_port(on)
    }
}

/// The options that are not everywhere: here they are not.
#[cfg(not(unix))]
mod os {
    use std::io;

    use socket2::SockRef;

    fn unsupported<T>() -> io::Result<T> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn is_listener(_: &SockRef<'_>) -> io::Result<bool> {
        unsupported()
    }

    pub(super) fn debug(_: &SockRef<'_>) -> io::Result<bool> {
        unsupported()
    }

    pub(super) fn set_debug(_: &SockRef<'_>, _: bool) -> io::Result<()> {
        unsupported()
    }

    pub(super) fn dont_route(_: &SockRef<'_>) -> io::Result<bool> {
        unsupported()
    }

    pub(super) fn set_dont_route(_: &SockRef<'_>, _: bool) -> io::Result<()> {
        unsupported()
    }

    pub(super) fn reuse_port(_: &SockRef<'_>) -> io::Result<bool> {
        unsupported()
    }

    pub(super) fn set_reuse_port(_: &SockRef<'_>, _: bool) -> io::Result<()> {
        unsupported()
    }
}
