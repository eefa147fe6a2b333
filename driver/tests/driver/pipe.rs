//! A duplex pipe in memory, as unkind as a stream may be: it holds only so much, moves only so much at
//! once, keeps one waker for each direction (that of the last poll), and fails when it is told to.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use asyncnet::{Clock, Transport};
use futures_io::{AsyncRead, AsyncWrite};

use crate::clock;
use crate::tasks::Random;

/// One direction.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) bytes: VecDeque<u8>,
    pub(crate) capacity: usize,
    /// How much one read or write moves at most.
    pub(crate) chunk: usize,
    /// The writing end has ended it.
    pub(crate) ended: bool,
    pub(crate) read_error: Option<ErrorKind>,
    pub(crate) write_error: Option<ErrorKind>,
    pub(crate) flush_error: Option<ErrorKind>,
    /// Answers `Pending` now and then for no reason, as streams may if they wake.
    pub(crate) hiccups: Option<Random>,
    /// The writing end was dropped with a reset instead of an end.
    pub(crate) reset: bool,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl State {
    fn hiccup(&mut self, cx: &Context<'_>) -> bool {
        let hiccup = self.hiccups.as_mut().is_some_and(|random| random.one_in(4));
        if hiccup {
            cx.waker().wake_by_ref();
        }
        hiccup
    }

    fn read(&mut self, buf: &mut [u8], cx: &Context<'_>) -> Poll<io::Result<usize>> {
        if self.hiccup(cx) {
            return Poll::Pending;
        }
        if !self.bytes.is_empty() {
            let n = buf.len().min(self.bytes.len()).min(self.chunk);
            io::Read::read_exact(&mut self.bytes, &mut buf[..n]).expect("so many are there");
            return Poll::Ready(Ok(n));
        }
        match self.read_error {
            Some(kind) => Poll::Ready(Err(kind.into())),
            None if self.ended => Poll::Ready(Ok(0)),
            None => {
                self.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn write(&mut self, buf: &[u8], cx: &Context<'_>) -> Poll<io::Result<usize>> {
        assert!(!self.ended, "a write behind the end");
        if self.hiccup(cx) {
            return Poll::Pending;
        }
        let gone = self.reader_gone.then_some(ErrorKind::BrokenPipe);
        if let Some(kind) = self.write_error.or(gone) {
            return Poll::Ready(Err(kind.into()));
        }
        let n = self.capacity.saturating_sub(self.bytes.len()).min(self.chunk).min(buf.len());
        if n == 0 {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.bytes.extend(&buf[..n]);
        Poll::Ready(Ok(n))
    }
}

#[derive(Clone)]
pub(crate) struct Wire(Arc<Mutex<State>>);

impl Wire {
    fn new(capacity: usize) -> Self {
        let state = State { capacity, chunk: usize::MAX, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wake_reader(&self) {
        let reader = self.state().reader.take();
        reader.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn wake_writer(&self) {
        let writer = self.state().writer.take();
        writer.into_iter().for_each(Waker::wake);
    }
}

/// One end of the pipe: a stream for a connection, or the peer in the hands of the test.
pub(crate) struct End {
    pub(crate) input: Wire,
    pub(crate) output: Wire,
    clock: Option<clock::Clock>,
    resets: bool,
}

/// Two ends, with room for `capacity` bytes each way.
pub(crate) fn duplex(capacity: usize) -> (End, End) {
    let (there, back) = (Wire::new(capacity), Wire::new(capacity));
    let end = |input, output| End { input, output, clock: None, resets: false };
    let ours = end(back.clone(), there.clone());
    (ours, end(there, back))
}

impl End {
    /// The same with the clock of this thread.
    pub(crate) fn with_clock(mut self) -> Self {
        self.clock = Some(clock::Clock::new());
        self
    }

    /// Puts `bytes` on the wire, however full it is.
    pub(crate) fn say(&self, bytes: &[u8]) {
        self.output.state().bytes.extend(bytes);
        self.output.wake_reader();
    }

    /// Takes everything from the wire.
    pub(crate) fn hear(&self) -> Vec<u8> {
        let heard = self.input.state().bytes.drain(..).collect();
        self.input.wake_writer();
        heard
    }

    /// Ends what this end says.
    pub(crate) fn end(&self) {
        self.output.state().ended = true;
        self.output.wake_reader();
    }

    /// Makes the writes of the other end fail from here on. Wakes nobody.
    pub(crate) fn refuse(&self) {
        self.input.state().write_error = Some(ErrorKind::BrokenPipe);
    }

    /// Whether the other end has ended what it says.
    pub(crate) fn hears_end(&self) -> bool {
        self.input.state().ended
    }

    /// Whether the other end was dropped with a reset.
    pub(crate) fn hears_reset(&self) -> bool {
        self.input.state().reset
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        assert!(!buf.is_empty(), "a read of nothing looks like the end");
        let read = self.input.state().read(buf, cx);
        if read.is_ready() {
            self.input.wake_writer();
        }
        read
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.output.state().write(buf, cx);
        if written.is_ready() {
            self.output.wake_reader();
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let error = self.output.state().flush_error;
        Poll::Ready(error.map_or(Ok(()), |kind| Err(kind.into())))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    /// As a reactor does it: only the other end is told.
    fn drop(&mut self) {
        let mut output = self.output.state();
        output.writer = None;
        if self.resets {
            output.reset = true;
            output.read_error.get_or_insert(ErrorKind::ConnectionReset);
        }
        drop(output);
        self.end();
        let mut input = self.input.state();
        input.reader = None;
        input.reader_gone = true;
        drop(input);
        self.input.wake_writer();
    }
}

impl Transport for End {
    fn clock(&mut self) -> Option<&mut dyn Clock> {
        self.clock.as_mut().map(|clock| clock as &mut dyn Clock)
    }

    fn reset_on_drop(&mut self) {
        self.resets = true;
    }
}
