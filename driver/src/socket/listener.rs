//! A listening socket.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use asyncnet_core::Config;
use futures_core::Stream;
use socket2::{SockRef, Socket};

use super::handshakes::Handshakes;
use super::open::Open;
use crate::fan_out::{FanOut, Waiter};
use crate::tls::Layers;
use crate::{Address, Connection, OsSocket, Runtime, Transport as _, log};

/// How long an accept waits when the system will not let it: doubled from the first
/// to the last, for as long as it lasts.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// How many handshakes one poll begins, before other tasks get their turn.
const STREAK: usize = 32;

/// A listening socket. Any number of tasks may accept from it at once.
///
/// The connections inherit its settings, those of the socket and its [`Config`].
pub struct Listener<R: Runtime> {
    inner: R::Listener,
    config: Config,
    nodelay: bool,
    max_open: usize,
    /// Its connections, and the fan-out of those that wait: the runtime keeps one waker for them all.
    open: Arc<Open>,
    /// The waker of that fan-out.
    waker: Waker,
    /// Makes its connections secure, if they are to be.
    layers: Option<Arc<dyn Layers>>,
    handshakes: Mutex<Handshakes<R::Stream>>,
    /// Counting, polling the runtime's listener and leaving a waker with it are one step.
    poll_lock: Mutex<()>,
    /// When it last said that it waits.
    last_said: Mutex<Option<Instant>>,
}

impl<R: Runtime> Listener<R> {
    pub(crate) fn new(
        socket: Socket,
        config: Config,
        layers: Option<Arc<dyn Layers>>,
    ) -> io::Result<Self> {
        if let Some(layers) = &layers {
            // Settings that are of no use are told now, not to the first peer.
            drop(layers.server_layer()?);
        }
        let nodelay = socket.tcp_nodelay().unwrap_or(false);
        let inner = R::listener(socket)?;
        let fan_out = FanOut::new();
        let (waker, open) = (fan_out.waker(), Open::new(fan_out));
        let (poll_lock, last_said) = (Mutex::new(()), Mutex::new(None));
        Ok(Self {
            inner,
            config,
            nodelay,
            max_open: usize::MAX,
            open,
            waker,
            layers,
            handshakes: Mutex::new(Handshakes::new()),
            poll_lock,
            last_said,
        })
    }

    /// Lets at most `connections` of this listener be open at once: with so many, accepts wait until one
    /// is closed, and further peers wait in the queue of the system. A TLS handshake that is under way counts
    /// too. Default: no limit.
    #[must_use]
    pub const fn with_max_open(mut self, connections: usize) -> Self {
        self.max_open = connections;
        self
    }

    /// The next connection.
    ///
    /// # Errors
    ///
    /// As [`accept_addr`](Self::accept_addr).
    ///
    /// # Cancel safety
    ///
    /// As [`accept_addr`](Self::accept_addr).
    pub async fn accept(&self) -> io::Result<Connection<R::Stream>> {
        Ok(self.accept_addr().await?.0)
    }

    /// The next connection, and where it comes from (address *and* port, which Nim leaves out).
    ///
    /// A peer that left before it was accepted is passed over. With no descriptor or no memory left, and
    /// whatever else the system may have against it now, it waits and tries again, up to once a second:
    /// the queue of the system holds the peers meanwhile.
    ///
    /// Of a listener that is wrapped in TLS it is the next connection whose handshake is over. Handshakes go
    /// on side by side while anybody accepts, at most 1024; one that fails or takes too long (10 s, see
    /// [`Config::handshake`]) costs its peer alone.
    ///
    /// # Errors
    ///
    /// What is left is an error of the listener itself (its descriptor is none), TLS settings without a
    /// server's part, or a runtime that is gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a connection that is not returned stays in the queue, a handshake goes on with the next
    /// accept.
    #[doc(alias = "acceptAddr")]
    pub async fn accept_addr(&self) -> io::Result<(Connection<R::Stream>, Address)> {
        let mut accepting = Accepting::new(self);
        poll_fn(|cx| accepting.poll(cx)).await
    }

    /// The connections that come, as a `futures` stream. It ends behind the first error, which is one of
    /// the listener itself.
    pub fn incoming(&self) -> Incoming<'_, R> {
        Incoming { accepting: Some(Accepting::new(self)) }
    }

    /// Stops to listen and waits until every connection of this listener is closed, for at most `limit`.
    /// Returns how many are still open.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the listener is closed in any case.
    pub async fn finish(self, limit: Duration) -> usize {
        let Self { inner, open, handshakes, .. } = self;
        // Nobody will see those whose handshake is not over.
        drop((inner, handshakes));
        let (waiter, mut limit) = (open.fan_out.waiter(), pin!(R::sleep(limit)));
        poll_fn(|cx| {
            waiter.wait(cx.waker());
            let left = open.count();
            if left == 0 { Poll::Ready(0) } else { limit.as_mut().poll(cx).map(|()| left) }
        })
        .await
    }

    /// How many of its connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.count()
    }

    fn poll_accept(
        &self,
        waiter: &Waiter<'_>,
        cx: &Context<'_>,
    ) -> Poll<io::Result<(Connection<R::Stream>, Address)>> {
        waiter.wait(cx.waker());
        self.open.fan_out.locked(&self.poll_lock, || self.poll_accept_locked())
    }

    fn poll_accept_locked(&self) -> Poll<io::Result<(Connection<R::Stream>, Address)>> {
        let Some(layers) = &self.layers else {
            return self.poll_accept_plain();
        };
        let mut handshakes = self.handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..STREAK {
            if let Some(accepted) = handshakes.poll() {
                return Poll::Ready(Ok(accepted));
            }
            if !handshakes.have_room() {
                return Poll::Pending;
            }
            let (connection, address) = ready!(self.poll_accept_plain())?;
            let layer = layers.server_layer()?;
            handshakes.begin(connection, address, layer, &self.open.fan_out)?;
        }
        self.waker.wake_by_ref();
        Poll::Pending
    }

    fn poll_accept_plain(&self) -> Poll<io::Result<(Connection<R::Stream>, Address)>> {
        if self.open.count() >= self.max_open {
            return Poll::Pending;
        }
        let mut cx = Context::from_waker(&self.waker);
        let (stream, address) = ready!(R::poll_accept(&self.inner, &mut cx))?;
        if let (true, Some(socket)) = (self.nodelay, stream.os_socket()) {
            // Some systems pass the option on to accepted sockets and some do not. One that refuses it
            // is no TCP socket, or its peer is gone already, which the first read will tell.
            let _ = SockRef::from(&socket).set_tcp_nodelay(true);
        }
        let address = Address::from(address);
        log::accepted(&address);
        let permit = self.open.permit();
        let connection = Connection::accepted(stream, self.config, R::timer(), permit);
        Poll::Ready(Ok((connection, address)))
    }

    /// Says that accepts wait, once a second at most.
    fn say_back_off(&self, error: &io::Error) {
        let mut last = self.last_said.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= BACK_OFF.1) {
            *last = Some(Instant::now());
            log::backing_off(error);
        }
    }

    /// Our address: with port 0 in the bind, the port that the system chose.
    ///
    /// # Errors
    ///
    /// As the system says.
    #[doc(alias = "getLocalAddr")]
    pub fn local_addr(&self) -> io::Result<Address> {
        Ok(SockRef::from(&self.os_socket()).local_addr()?.into())
    }

    /// The operating system's socket.
    #[doc(alias = "getFd")]
    pub fn os_socket(&self) -> OsSocket<'_> {
        R::listener_socket(&self.inner)
    }
}

impl<R: Runtime> fmt::Debug for Listener<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.local_addr().ok();
        f.debug_struct("Listener").field("local_addr", &address).finish_non_exhaustive()
    }
}

/// An accept that goes on until it has a connection.
struct Accepting<'a, R: Runtime> {
    listener: &'a Listener<R>,
    waiter: Waiter<'a>,
    back_off: Option<Pin<Box<R::Sleep>>>,
    /// How long the next back-off lasts.
    wait: Duration,
}

impl<'a, R: Runtime> Accepting<'a, R> {
    fn new(listener: &'a Listener<R>) -> Self {
        let waiter = listener.open.fan_out.waiter();
        Self { listener, waiter, back_off: None, wait: BACK_OFF.0 }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Connection<R::Stream>, Address)>> {
        loop {
            if let Some(back_off) = &mut self.back_off {
                ready!(back_off.as_mut().poll(cx));
                self.back_off = None;
            }
            match ready!(self.listener.poll_accept(&self.waiter, cx)) {
                Ok(accepted) => {
                    self.wait = BACK_OFF.0;
                    return Poll::Ready(Ok(accepted));
                }
                Err(error) if is_passing(&error) => {}
                Err(error) if may_get_better(&error) => {
                    self.listener.say_back_off(&error);
                    self.back_off = Some(Box::pin(R::sleep(self.wait)));
                    self.wait = (self.wait * 2).min(BACK_OFF.1);
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// The connections of a listener as they come, made by [`Listener::incoming`].
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a, R: Runtime> {
    /// Gone after an error.
    accepting: Option<Accepting<'a, R>>,
}

impl<R: Runtime> Stream for Incoming<'_, R> {
    type Item = io::Result<Connection<R::Stream>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(accepting) = &mut this.accepting else {
            return Poll::Ready(None);
        };
        let accepted = ready!(accepting.poll(cx));
        if accepted.is_err() {
            this.accepting = None;
        }
        Poll::Ready(Some(accepted.map(|(connection, _)| connection)))
    }
}

impl<R: Runtime> fmt::Debug for Incoming<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}

/// Whether an error of accept is about one peer, which is gone, or about nothing.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
            | ErrorKind::TimedOut
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
    ) || error.raw_os_error().is_some_and(|code| PASSING.contains(&code))
}

/// Whether a later accept may do better: no descriptor or memory is left, or the system has a reason that
/// we do not know. What remains is a socket that is none, or a runtime that is gone.
fn may_get_better(error: &io::Error) -> bool {
    error.kind() == ErrorKind::OutOfMemory
        || error.raw_os_error().is_some_and(|code| !HOPELESS.contains(&code))
}

/// A peer's protocol error, and one that a firewall refused.
#[cfg(unix)]
const PASSING: [i32; 2] = [libc::EPROTO, libc::EPERM];
#[cfg(not(unix))]
const PASSING: [i32; 0] = [];

#[cfg(unix)]
const HOPELESS: [i32; 4] = [libc::EBADF, libc::EINVAL, libc::ENOTSOCK, libc::EFAULT];
/// WSAEBADF, WSAEINVAL, WSAENOTSOCK, WSAEFAULT and WSANOTINITIALISED.
#[cfg(not(unix))]
const HOPELESS: [i32; 5] = [10009, 10022, 10038, 10014, 10093];
