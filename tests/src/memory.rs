//! A bed without a runtime: a pipe in memory that keeps to the letter of what a [`Transport`](asyncnet::Transport) promises,
//! and to nothing beyond it. It transfers little at a time, and wakes only the last waker of a direction.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind};
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use async_executor::LocalExecutor;
use asyncnet::{Clock, Config, Connection, Io};
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::future::{block_on, poll_fn};

use crate::bed::{Bed, Executor, Peer, Rest};

/// How much a direction holds, in bytes.
const CAPACITY: usize = 4 << 10;
/// How much a stream keeps to itself until it is flushed.
const STAGE: usize = 24;

/// How a pipe transfers.
pub trait Manner: 'static {
    /// How.
    const TRANSFERS: Transfers;
}

/// How a pipe transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfers {
    /// As much as fits.
    Whole,
    /// One byte at a time, and every other read has to wait.
    Single,
    /// A few bytes at a time, here and there a wait; what is written leaves only by a flush. All of it
    /// looks random and is the same in every run.
    Random,
}

macro_rules! manners {
    ($($(#[$doc:meta])* $name:ident = $transfers:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl Manner for $name {
            const TRANSFERS: Transfers = Transfers::$transfers;
        }
    )*};
}

manners! {
    /// See [`Transfers::Whole`].
    Whole = Whole;
    /// See [`Transfers::Single`].
    Single = Single;
    /// See [`Transfers::Random`].
    Random = Random;
}

/// A pipe in memory, on an executor of this thread alone.
#[derive(Debug)]
pub struct Memory<M>(PhantomData<M>);

thread_local! {
    static EXECUTOR: Rc<LocalExecutor<'static>> = Rc::default();
}

impl<M: Manner> Executor for Memory<M> {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let executor = EXECUTOR.with(Rc::clone);
        block_on(executor.run(future))
    }

    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        EXECUTOR.with(|executor| executor.spawn(task))
    }
}

impl<M: Manner> Bed for Memory<M> {
    type Stream = Io<Pipe>;
    type Peer = PipePeer;

    const HOLDS: usize = 4 * CAPACITY;
    const RESETS: bool = false;
    const TAKES_AT_ONCE: bool = !matches!(M::TRANSFERS, Transfers::Random);
    const TAKES_RECORDS: bool = matches!(M::TRANSFERS, Transfers::Whole);

    async fn pair(config: Config) -> (Connection<Io<Pipe>>, PipePeer) {
        let (stream, peer) = pipe(M::TRANSFERS);
        (Connection::new(stream, config), peer)
    }
}

impl<M: Manner> Memory<M> {
    /// A pair whose connection has a clock.
    #[must_use]
    pub fn timed_pair<C: Clock>(config: Config, clock: C) -> (Connection<Io<Pipe, C>>, PipePeer) {
        let (stream, peer) = pipe(M::TRANSFERS);
        (Connection::new(stream.with_clock(clock), config), peer)
    }
}

fn pipe(transfers: Transfers) -> (Io<Pipe>, PipePeer) {
    let wire = Arc::<Mutex<Wire>>::default();
    let pipe = Pipe {
        wire: Arc::clone(&wire),
        transfers,
        dice: 0x9E37_79B9_7F4A_7C15,
        staged: VecDeque::new(),
    };
    (Io::new(pipe), PipePeer { wire })
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    bytes: VecDeque<u8>,
    /// No more will come.
    ended: bool,
    /// Nobody will read.
    deaf: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Wakers to wake once the lock is released.
type Woken = Vec<Waker>;

impl Way {
    fn room(&self) -> usize {
        CAPACITY - self.bytes.len()
    }

    fn put(&mut self, bytes: impl IntoIterator<Item = u8>, woken: &mut Woken) {
        self.bytes.extend(bytes);
        woken.extend(self.reader.take());
    }

    fn take(&mut self, n: usize, woken: &mut Woken) -> Vec<u8> {
        woken.extend(self.writer.take());
        self.bytes.drain(..n).collect()
    }

    fn end(&mut self, woken: &mut Woken) {
        self.ended = true;
        woken.extend(self.reader.take());
    }

    fn deafen(&mut self, woken: &mut Woken) {
        self.deaf = true;
        self.bytes.clear();
        woken.extend(self.writer.take());
    }
}

#[derive(Debug, Default)]
struct Wire {
    to_us: Way,
    to_peer: Way,
    /// A break that we have not been told of. As with sockets, it is told once.
    broken: Option<ErrorKind>,
    faults: Faults,
}

/// What the stream is to do wrong from here on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Writes take 0 bytes.
    pub write_zero: bool,
    /// Flushes fail.
    pub flush: Option<ErrorKind>,
    /// The next read fails, once.
    pub read: Option<ErrorKind>,
}

type Shared = Arc<Mutex<Wire>>;

fn lock(wire: &Shared) -> MutexGuard<'_, Wire> {
    wire.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Changes the wire, and wakes whom that concerns with the lock released.
fn change<T>(wire: &Shared, change: impl FnOnce(&mut Wire, &mut Woken) -> T) -> T {
    let mut woken = Woken::new();
    let value = change(&mut lock(wire), &mut woken);
    woken.into_iter().for_each(Waker::wake);
    value
}

/// Our end.
pub struct Pipe {
    wire: Shared,
    transfers: Transfers,
    dice: u64,
    staged: VecDeque<u8>,
}

impl Pipe {
    fn roll(&mut self, sides: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice as usize % sides
    }

    /// How much of `n` bytes to transfer in this poll; none puts it off.
    fn portion(&mut self, n: usize, reads: bool) -> Option<usize> {
        let (waits, most) = match self.transfers {
            Transfers::Whole => (false, n),
            Transfers::Single => (reads && self.roll(2) == 0, 1),
            Transfers::Random => (self.roll(4) == 0, 1 + self.roll(9)),
        };
        (!waits).then(|| n.min(most))
    }

    /// Moves staged bytes to the wire. Ready when none are left.
    fn poll_unstage(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self { wire, staged, .. } = self;
        if staged.is_empty() {
            return Poll::Ready(());
        }
        change(wire, |wire, woken| {
            let n = wire.to_peer.room().min(staged.len());
            if n == 0 {
                wire.to_peer.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            wire.to_peer.put(staged.drain(..n), woken);
            if staged.is_empty() {
                return Poll::Ready(());
            }
            wire.to_peer.writer = Some(cx.waker().clone());
            Poll::Pending
        })
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Some(portion) = self.portion(buf.len(), true) else {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        change(&self.wire, |wire, woken| {
            if let Some(kind) = wire.faults.read.take() {
                return Poll::Ready(Err(kind.into()));
            }
            let n = portion.min(wire.to_us.bytes.len());
            if n > 0 {
                buf[..n].copy_from_slice(&wire.to_us.take(n, woken));
                return Poll::Ready(Ok(n));
            }
            if let Some(kind) = wire.broken.take() {
                return Poll::Ready(Err(kind.into()));
            }
            if wire.to_us.ended {
                return Poll::Ready(Ok(0));
            }
            wire.to_us.reader = Some(cx.waker().clone());
            Poll::Pending
        })
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(portion) = self.portion(buf.len(), false) else {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        if self.transfers == Transfers::Random && self.staged.len() >= STAGE {
            ready!(self.poll_unstage(cx));
        }
        let Self { wire, staged, transfers, .. } = &mut *self;
        change(wire, |wire, woken| {
            if let Some(kind) = wire.broken.take() {
                return Poll::Ready(Err(kind.into()));
            }
            if wire.to_peer.deaf {
                return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
            }
            if wire.faults.write_zero {
                return Poll::Ready(Ok(0));
            }
            if *transfers == Transfers::Random {
                staged.extend(&buf[..portion]);
                return Poll::Ready(Ok(portion));
            }
            let n = portion.min(wire.to_peer.room());
            if n == 0 {
                wire.to_peer.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            wire.to_peer.put(buf[..n].iter().copied(), woken);
            Poll::Ready(Ok(n))
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(kind) = lock(&self.wire).faults.flush {
            return Poll::Ready(Err(kind.into()));
        }
        self.poll_unstage(cx).map(Ok)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_unstage(cx));
        change(&self.wire, |wire, woken| wire.to_peer.end(woken));
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        change(&self.wire, |wire, woken| {
            wire.to_peer.end(woken);
            wire.to_us.deafen(woken);
        });
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe").finish_non_exhaustive()
    }
}

/// The other end.
pub struct PipePeer {
    wire: Shared,
}

impl PipePeer {
    /// Makes our stream go wrong.
    pub fn inject(&self, faults: Faults) {
        lock(&self.wire).faults = faults;
    }

    /// Breaks the connection in this way.
    pub fn break_with(self, kind: ErrorKind) {
        lock(&self.wire).broken = Some(kind);
    }

    /// How many bytes our side has put on the wire and this end has not read.
    #[must_use]
    pub fn on_the_wire(&self) -> usize {
        lock(&self.wire).to_peer.bytes.len()
    }

    /// Reads `most` bytes, fewer only at the end.
    async fn read(&self, most: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        poll_fn(|cx| {
            change(&self.wire, |wire, woken| {
                let way = &mut wire.to_peer;
                let n = way.bytes.len().min(most - bytes.len());
                if n > 0 {
                    bytes.extend(way.take(n, woken));
                }
                if bytes.len() == most || way.ended && way.bytes.is_empty() {
                    return Poll::Ready(());
                }
                way.reader = Some(cx.waker().clone());
                Poll::Pending
            })
        })
        .await;
        bytes
    }
}

impl Peer for PipePeer {
    async fn send(&self, bytes: &[u8]) {
        let mut rest = bytes;
        poll_fn(|cx| {
            change(&self.wire, |wire, woken| {
                let way = &mut wire.to_us;
                assert!(!way.deaf, "our side reads");
                let n = rest.len().min(way.room());
                if n > 0 {
                    way.put(rest[..n].iter().copied(), woken);
                    rest = &rest[n..];
                }
                if rest.is_empty() {
                    return Poll::Ready(());
                }
                way.writer = Some(cx.waker().clone());
                Poll::Pending
            })
        })
        .await;
    }

    async fn recv(&self, n: usize) -> Vec<u8> {
        let bytes = self.read(n).await;
        assert_eq!(bytes.len(), n, "our side sends");
        bytes
    }

    async fn recv_all(&self) -> Rest {
        Rest::clean(self.read(usize::MAX).await)
    }

    async fn shutdown(&self) {
        change(&self.wire, |wire, woken| wire.to_us.end(woken));
    }

    fn reset(self) {
        self.break_with(ErrorKind::ConnectionReset);
    }
}

impl Drop for PipePeer {
    fn drop(&mut self) {
        change(&self.wire, |wire, woken| {
            wire.to_us.end(woken);
            wire.to_peer.deafen(woken);
        });
    }
}

impl fmt::Debug for PipePeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipePeer").finish_non_exhaustive()
    }
}
