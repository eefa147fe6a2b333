//! A listening socket.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use asyncnet_core::{Config, Time};
use socket2::SockRef;

use super::accept_error::{is_passing, may_get_better};
use super::accepting::{Accepting, Incoming};
use super::bind::bind_to;
use super::error::failed;
use super::handshakes::Handshakes;
use super::open::Open;
use super::place::Place;
use super::silent::{Heard, Opening, Silent, Spoken};
use super::{Drain, Failures, Finished, ListenOptions, OpenConnection, OsSocket, SockOpt};
use crate::engine::fan_out::{FanOut, Waiter};
use crate::runtime::Socket as _;
use crate::tls::Layers;
use crate::{Address, Clock as _, Connection, Runtime, Transport as _, log};

/// How long an accept waits when the system will not let it: doubled from the first
/// to the last, for as long as it lasts.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// How long connections have for an abort.
const ABORT_GRACE: Duration = Duration::from_secs(1);

/// How many peers one poll looks at, before other tasks get their turn; and how many errors about single
/// peers may follow one another before accept takes them for a trouble of the machine.
const STREAK: u32 = 32;

/// A listening socket. Any number of tasks may accept from it at once.
///
/// The connections inherit its settings, those of the socket and its [`Config`].
#[doc(alias("TcpListener", "UnixListener"))]
pub struct Listener<R: Runtime> {
    inner: R::Listener,
    config: Arc<Config>,
    nodelay: bool,
    max_open: usize,
    /// Its connections, and the fan-out of the tasks that wait: the runtime keeps one waker for them all.
    open: Arc<Open>,
    /// The waker of that fan-out.
    waker: Waker,
    /// Makes its connections secure, if they are to be.
    layers: Option<Arc<dyn Layers>>,
    /// Bounds the handshakes of those, if they are to be bounded.
    handshakes: Option<Arc<Handshakes>>,
    /// What its peers have to say before they are handed out.
    opening: Opening,
    queue: Mutex<Queue<R>>,
    /// Counting, polling the runtime's listener and leaving a waker with it are one step.
    poll_lock: Mutex<()>,
}

/// What goes on while any task accepts. No task owns it: a dropped accept leaves it to the next.
struct Queue<R: Runtime> {
    clock: R::Clock,
    silent: Silent<R::Stream>,
    /// Peers that have said what they had to say, and wait until one more may be open. Together with those that are
    /// silent they are at most as many as the listener allows: while there are any, no new one is taken.
    spoken: VecDeque<Spoken<R::Stream>>,
    /// No accept before.
    back_off: Option<Time>,
    /// How long the next back-off lasts.
    wait: Duration,
    /// Errors about single peers, one after the other.
    passing: u32,
    /// When the log was last told that accepts wait.
    last_said: Option<Time>,
}

pub(super) type Accepted<R> = (Connection<<R as Runtime>::Stream>, Address);

impl<R: Runtime> Listener<R> {
    /// Listens at `"host:port"`, `"unix:/path"`, `"unix:@name"` (an abstract name) or `"fd:NAME"`, with the defaults of
    /// [`ListenOptions`].
    ///
    /// `"fd:NAME"` is a listening socket that the supervisor of this process passed in (`LISTEN_FDS`, as systemd
    /// does): NAME is one of `LISTEN_FDNAMES`, or the number of the descriptor, as in `"fd:3"`. Each can be taken once. Take
    /// them at the start, before the program opens anything. So a server can be restarted without a refused connection:
    /// the socket stays open, and its queue holds the peers meanwhile.
    ///
    /// Port 0 lets the system choose: [`local_addr`](Self::local_addr) returns the port. No host (`":7777"`)
    /// and `"[::]:7777"` are all addresses of this machine, IPv4 and IPv6. A name with several addresses
    /// listens on the first that can be bound.
    ///
    /// ```
    /// # async fn serve<R: asyncnet::Runtime>() -> std::io::Result<()> {
    /// use asyncnet::Listener;
    ///
    /// let listener = Listener::<R>::bind("127.0.0.1:7777").await?;
    /// let mut conn = listener.accept().await?;
    /// conn.send_line(b"welcome").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// Rules [A15](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a15) and [A18](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a18).
    ///
    /// # Errors
    ///
    /// `AddrInUse` and others as the system says; `InvalidInput` for a text that is no address, with an
    /// [`AddressError`](super::AddressError) inside that shows a right one.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future closes the socket that was being made.
    #[doc(alias("systemd", "socket activation"))]
    pub async fn bind(at: &str) -> io::Result<Self> {
        Self::bind_with(at, ListenOptions::new()).await
    }

    /// [`bind`](Self::bind) with options.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind), and `InvalidInput` for TLS settings that are not for a server.
    ///
    /// # Cancel safety
    ///
    /// As [`bind`](Self::bind).
    pub async fn bind_with(at: &str, options: ListenOptions) -> io::Result<Self> {
        let place = Place::parse(at)?;
        let failed = failed("listen on", at);
        let bound = async { Self::new(bind_to::<R>(place, &options).await?, options) };
        bound.await.map_err(failed)
    }

    pub(super) fn new(socket: R::Socket, options: ListenOptions) -> io::Result<Self> {
        let fan_out = FanOut::new();
        let waker = fan_out.waker();
        let open = Open::new(fan_out, &options);
        let handshakes = options.max_handshakes.map(Handshakes::new);
        let ListenOptions { config, layers, max_open, max_silent, silent_timeout, header, .. } =
            options;
        let patience = silent_timeout.unwrap_or(config.handshake_timeout);
        if let Some(layers) = &layers {
            // Settings that cannot work are an error now, and not only for the first peer.
            drop(layers.server_layer()?);
        }
        let config = Arc::new(config);
        let nodelay = socket.get(SockOpt::NoDelay).unwrap_or(false);
        let inner = R::listener(socket)?;
        let opening = Opening { header, hello: layers.is_some() };
        let queue = Queue {
            clock: R::clock(),
            silent: Silent::new(max_silent, patience, opening, &open),
            spoken: VecDeque::new(),
            back_off: None,
            wait: BACK_OFF.0,
            passing: 0,
            last_said: None,
        };
        let (queue, poll_lock) = (Mutex::new(queue), Mutex::new(()));
        Ok(Self {
            inner,
            config,
            nodelay,
            max_open,
            open,
            waker,
            layers,
            handshakes,
            opening,
            queue,
            poll_lock,
        })
    }

    /// Lets at most `connections` of this listener be open at once: see [`ListenOptions::max_open`].
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

    /// The next connection, and the address of its peer: Nim's `acceptAddr`. (Nim leaves out the port.)
    ///
    /// A peer that left before it was accepted is passed over. On a temporary error, such as no descriptor
    /// or no memory left, accept waits and tries again, at first after 5 ms and later once a second: the
    /// queue of the system holds the peers meanwhile.
    ///
    /// A TLS listener hands out a connection once its peer has sent a byte. Peers that are silent wait
    /// outside, at most [`ListenOptions::max_silent`] of them and none longer than
    /// [`ListenOptions::silent_timeout`]; when that place is full, the oldest silent peer is reset. No cryptography runs
    /// in accept: the handshake goes on in the task that uses the connection.
    ///
    /// Behind a proxy ([`proxy_protocol`](ListenOptions)) the address is the client's, as far as the proxy knows it, and
    /// peers wait in the same place until their header has come.
    ///
    /// Rules [A1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a1) to [A3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a3).
    ///
    /// # Errors
    ///
    /// Errors of the listener itself (its descriptor is closed), TLS settings that are not for a server, or
    /// a runtime that is gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a connection that is not returned stays in the queue.
    #[doc(alias = "acceptAddr")]
    pub async fn accept_addr(&self) -> io::Result<(Connection<R::Stream>, Address)> {
        let accepting = Accepting::new(self, self.open.fan_out.waiter());
        poll_fn(|cx| accepting.poll(cx)).await
    }

    /// The connections that come, as a `futures` stream. It ends after the first error, which is one of
    /// the listener itself.
    pub fn incoming(&self) -> Incoming<'_, R> {
        Incoming::new(Accepting::new(self, self.open.fan_out.waiter()))
    }

    /// Shuts down: stops listening, notifies its connections ([`drain`](Self::drain)), and waits until every one of them
    /// is closed, for at most `limit`. Those that are left then are aborted if the listener
    /// [tracks](ListenOptions::track) them, and left open otherwise. Returns what became of them.
    ///
    /// With [`ListenOptions::close_idle`] a connection that waits for a message, of which nothing has come, and
    /// that has sent everything, is closed at once: its receive returns `Closed`.
    ///
    /// An abort happens in the task that uses the connection, so there is up to a second more for those tasks to
    /// notice. Peers that were not handed out yet are closed.
    ///
    /// ```
    /// # async fn stop<R: asyncnet::Runtime>(listener: asyncnet::Listener<R>) {
    /// use std::time::Duration;
    ///
    /// let finished = listener.finish(Duration::from_secs(10)).await;
    /// println!("{} closed in time, {} aborted", finished.closed, finished.aborted);
    /// # }
    /// ```
    ///
    /// Rule [A17](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a17).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the listener is closed and its connections are notified in any case, once it was polled. None is
    /// aborted if it is dropped before the limit.
    #[doc(alias("graceful shutdown", "shutdown"))]
    pub async fn finish(self, limit: Duration) -> Finished {
        let Self { inner, open, queue, .. } = self;
        // Silent peers will not be handed out any more.
        drop((inner, queue));
        let before = open.count();
        open.begin_drain();
        if !all_closed::<R>(&open, limit).await && open.abort_all() {
            all_closed::<R>(&open, ABORT_GRACE).await;
        }
        let (aborted, left) = (open.aborted(), open.count());
        Finished { closed: before.saturating_sub(aborted + left), aborted, left }
    }

    /// What notifies the connections of this listener that it shuts down.
    #[must_use]
    pub fn drain(&self) -> Drain {
        Drain::of(Some(Arc::clone(&self.open)))
    }

    /// The open connections, the oldest first. Empty unless the listener [tracks](ListenOptions::track) them.
    #[must_use]
    pub fn connections(&self) -> Vec<OpenConnection> {
        let now = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clock.now();
        self.open.list(now)
    }

    /// How many of its connections came to nothing so far, by cause.
    #[must_use]
    pub fn failures(&self) -> Failures {
        *self.open.failures()
    }

    /// How many of its connections are open. Peers of a TLS listener that are still silent do not count.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.open.count()
    }

    pub(super) fn poll_accept(
        &self,
        waiter: &Waiter<'_>,
        cx: &Context<'_>,
    ) -> Poll<io::Result<Accepted<R>>> {
        waiter.wait(cx.waker());
        // Streams are dropped when the lock is free again: a drop may wake tasks of a foreign runtime.
        let mut gone = Vec::new();
        self.open.fan_out.locked(&self.poll_lock, || {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            self.poll_queue(&mut queue, &mut gone)
        })
    }

    fn poll_queue(
        &self,
        queue: &mut Queue<R>,
        gone: &mut Vec<R::Stream>,
    ) -> Poll<io::Result<Accepted<R>>> {
        for _ in 0..STREAK {
            let has_room = self.open.count() < self.max_open.max(1);
            if let Some(spoken) = has_room.then(|| queue.spoken.pop_front()).flatten() {
                return Poll::Ready(self.hand_out_spoken(queue, spoken));
            }
            match queue.silent.hear() {
                // It has its turn above, once there is room.
                Heard::Bytes(spoken) => queue.spoken.push_back(spoken),
                Heard::Left(stream) => gone.push(stream),
                Heard::Silence => {}
                Heard::Nothing => {
                    let new = if has_room { self.poll_new(queue, gone) } else { Poll::Pending };
                    match new {
                        Poll::Ready(Some(accepted)) => return Poll::Ready(accepted),
                        Poll::Ready(None) => {}
                        Poll::Pending => ready!(queue.poll_alarm(&self.waker, gone)),
                    }
                }
            }
        }
        self.waker.wake_by_ref();
        Poll::Pending
    }

    /// Takes a connection from the runtime. Ready with none if it is a silent peer now, or was an error that
    /// passes.
    fn poll_new(
        &self,
        queue: &mut Queue<R>,
        gone: &mut Vec<R::Stream>,
    ) -> Poll<Option<io::Result<Accepted<R>>>> {
        if queue.back_off.is_some() {
            return Poll::Pending;
        }
        let mut cx = Context::from_waker(&self.waker);
        let (stream, address) = match ready!(R::poll_accept(&self.inner, &mut cx)) {
            Ok(accepted) => accepted,
            Err(error) if queue.may_pass(&error) => return Poll::Ready(None),
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        (queue.passing, queue.wait) = (0, BACK_OFF.0);
        if let (true, Some(socket)) = (self.nodelay, stream.os_socket()) {
            // Some systems pass the option on to accepted sockets and some do not. One that refuses it
            // is no TCP socket, or its peer is gone already, which the first read will tell.
            let _ = SockRef::from(&socket).set_tcp_nodelay(true);
        }
        log::accepted(&address);
        if self.opening.header.is_some() || self.opening.hello {
            let now = queue.clock.now();
            gone.extend(queue.silent.push(stream, address, now));
            return Poll::Ready(None);
        }
        let permit = self.open.permit(&address, None, || queue.clock.now());
        let connection = Connection::of(stream, Arc::clone(&self.config), Some(permit));
        Poll::Ready(Some(Ok((connection, address))))
    }

    /// A connection of which the first bytes have come. A handshake goes on in the task that uses it.
    fn hand_out_spoken(
        &self,
        queue: &mut Queue<R>,
        spoken: Spoken<R::Stream>,
    ) -> io::Result<Accepted<R>> {
        let Spoken { stream, address, early, proxied } = spoken;
        let layer = self.layers.as_ref().map(|layers| layers.server_layer()).transpose()?;
        let permit = self.open.permit(&address, proxied, || queue.clock.now());
        let mut connection = Connection::of(stream, Arc::clone(&self.config), Some(permit));
        match layer {
            Some(layer) => {
                connection.begin_tls(layer, early)?;
                if let Some(handshakes) = &self.handshakes {
                    connection.bound_handshake(handshakes.slot());
                }
            }
            None => connection.set_early(early),
        }
        Ok((connection, address))
    }

    /// Our address: with port 0 in the bind, the port that the system chose.
    ///
    /// # Errors
    ///
    /// As the system says.
    #[doc(alias = "getLocalAddr")]
    pub fn local_addr(&self) -> io::Result<Address> {
        R::listener_addr(&self.inner)
    }

    /// The operating system's socket, if there is one.
    #[doc(alias = "getFd")]
    pub fn os_socket(&self) -> Option<OsSocket<'_>> {
        R::listener_socket(&self.inner)
    }
}

impl<R: Runtime> Queue<R> {
    /// Ready if it is time to look again: a back-off is over, or a peer was silent for too long and is gone.
    fn poll_alarm(&mut self, waker: &Waker, gone: &mut Vec<R::Stream>) -> Poll<()> {
        let deadline = self.silent.deadline();
        let Some(at) = self.back_off.into_iter().chain(deadline).min() else {
            return Poll::Pending;
        };
        let mut cx = Context::from_waker(waker);
        ready!(self.clock.poll_alarm(&mut cx, at));
        // A clock may strike early by its granularity.
        let now = self.clock.now().max(at);
        gone.extend(std::iter::from_fn(|| self.silent.pop_late(now)));
        if self.back_off.is_some_and(|until| until <= now) {
            self.back_off = None;
        }
        Poll::Ready(())
    }

    /// Whether accept goes on behind this error, at once or after a while.
    fn may_pass(&mut self, error: &io::Error) -> bool {
        self.passing = self.passing.saturating_add(1);
        if is_passing(error) && self.passing < STREAK {
            return true;
        }
        if !is_passing(error) && !may_get_better(error) {
            return false;
        }
        let now = self.clock.now();
        // Once a second at most.
        if self.last_said.is_none_or(|last| now.since(last) >= BACK_OFF.1) {
            self.last_said = Some(now);
            log::backing_off(error);
        }
        self.back_off = Some(now + self.wait);
        self.wait = (self.wait * 2).min(BACK_OFF.1);
        true
    }
}

impl<R: Runtime> fmt::Debug for Listener<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.local_addr().ok();
        f.debug_struct("Listener").field("local_addr", &address).finish_non_exhaustive()
    }
}

/// Whether all connections are closed, which is waited for `limit`.
async fn all_closed<R: Runtime>(open: &Open, limit: Duration) -> bool {
    let (waiter, mut limit) = (open.fan_out.waiter(), pin!(R::sleep(limit)));
    poll_fn(|cx| {
        waiter.wait(cx.waker());
        match open.count() {
            0 => Poll::Ready(true),
            _ => limit.as_mut().poll(cx).map(|()| false),
        }
    })
    .await
}
