//! A pipe in memory: two transports that are each other's peer.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};

use super::{Transport, broken_pipe};

/// How many bytes wait in one direction of a pipe at most.
const CAPACITY: usize = 64 << 10;

/// Two streams in memory that are each other's peer: for tests of a protocol.
///
/// Each read gives at most `chunk` bytes (0 counts as 1), so that a test with `chunk` 1 meets every place
/// where a message can be cut. At most 64 KiB wait in either direction; a write of more waits until they
/// are read. No runtime is needed, and there is no clock.
///
/// ```
/// use asyncnet::net::pipe;
/// use asyncnet::{Config, Connection};
/// use futures_lite::future::{block_on, zip};
///
/// let (client, server) = pipe(1);
/// let mut client = Connection::new(client, Config::default());
/// let mut server = Connection::new(server, Config::default());
/// block_on(async {
///     let (sent, received) = zip(client.send_line(b"HELO"), server.recv_line()).await;
///     sent?;
///     assert_eq!(received?, "HELO");
///     Ok::<_, std::io::Error>(())
/// })?;
/// # Ok::<_, std::io::Error>(())
/// ```
#[doc(alias("duplex", "mock", "test"))]
#[must_use]
pub fn pipe(chunk: usize) -> (Pipe, Pipe) {
    let (one, other) = (Direction::new(chunk), Direction::new(chunk));
    let ours = Pipe { input: Arc::clone(&one), output: Arc::clone(&other), reset: false };
    (ours, Pipe { input: other, output: one, reset: false })
}

/// One end of an in-memory [`pipe`].
///
/// Closing it (`poll_close`) or dropping it is the end of the stream for the other end. A write to an end
/// that was dropped, or after our own close, is a `BrokenPipe`. [`Transport::reset_on_drop`] lets the other
/// end meet a `ConnectionReset` in reads and writes; bytes that it has not read are lost.
pub struct Pipe {
    input: Arc<Direction>,
    output: Arc<Direction>,
    reset: bool,
}

struct Direction {
    chunk: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    /// The writing end has ended it.
    ended: bool,
    /// The reading end is gone.
    unread: bool,
    /// One of the ends has reset the pipe.
    reset: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Direction {
    fn new(chunk: usize) -> Arc<Self> {
        Arc::new(Self { chunk: chunk.max(1), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, then wakes both sides, when the lock is free again.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.input.state();
        if state.reset {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        let n = buf.len().min(state.bytes.len()).min(self.input.chunk);
        if n == 0 && !state.ended && !buf.is_empty() {
            let old = state.reader.replace(cx.waker().clone());
            drop((state, old));
            return Poll::Pending;
        }
        for (slot, byte) in buf.iter_mut().zip(state.bytes.drain(..n)) {
            *slot = byte;
        }
        let writer = state.writer.take();
        drop(state);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.output.state();
        if state.reset {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        if state.ended || state.unread {
            return Poll::Ready(Err(broken_pipe()));
        }
        let n = buf.len().min(CAPACITY - state.bytes.len());
        if n == 0 && !buf.is_empty() {
            let old = state.writer.replace(cx.waker().clone());
            drop((state, old));
            return Poll::Pending;
        }
        state.bytes.extend(&buf[..n]);
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.output.change(|state| state.ended = true);
        Poll::Ready(Ok(()))
    }
}

impl Transport for Pipe {
    fn reset_on_drop(&mut self) {
        self.reset = true;
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let reset = self.reset;
        self.output.change(|state| {
            state.ended = true;
            state.reset |= reset;
        });
        self.input.change(|state| {
            state.unread = true;
            state.reset |= reset;
        });
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.input.state().bytes.len();
        f.debug_struct("Pipe").field("waiting", &waiting).finish_non_exhaustive()
    }
}
