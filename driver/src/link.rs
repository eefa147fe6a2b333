//! The loop: moves bytes between a stream and the two halves of core. Written once, for a connection
//! that is whole and for one that is split, on every runtime.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use asyncnet_core::{Cause, CloseBounds, Config, Look, Receiver, Sender, Want};

use crate::close::Closing;
use crate::error::{read_end, write_loss};
use crate::net::open::Permit;
use crate::secure::Handshake;
use crate::{SendError, Timer, Transport, log, pool};

/// How many pieces one write hands over at most.
const PIECES: usize = 32;
/// How many reads, or writes, may follow each other before other tasks get their turn.
const STREAK: u8 = 32;

/// What becomes of queued bytes when a receive is about to wait, or to report an end or an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queued {
    /// The receive waits until they are transmitted or the write side fails: an unsplit connection.
    First,
    /// They are tried once; other tasks may be sending: a `RecvHalf`.
    Try,
}

/// A stream and the sending half of core: what two halves of a split connection share.
pub(crate) struct Link<S: Transport> {
    /// Gone once it is closed.
    pub(crate) stream: Option<S>,
    pub(crate) sender: Sender,
    pub(crate) closing: Closing,
    pub(crate) bounds: CloseBounds,
    pub(crate) timer: Option<Timer>,
    /// Counts as open at the listener that it came from.
    pub(crate) permit: Option<Permit>,
    /// The stream holds bytes that it was not asked to flush yet.
    pub(crate) dirty: bool,
    /// Whether a secure layer's handshake is under way, and until when.
    pub(crate) handshake: Handshake,
    /// Ciphertext that was read before the connection was made; it comes before what the stream has.
    pub(crate) early: Vec<u8>,
    /// How many bytes were ever transmitted and flushed.
    pub(crate) flushed: u64,
    /// Reads since the last that had to wait.
    pub(crate) reads: u8,
}

/// Receives for `want` until core has an answer that is not "more input".
pub(crate) fn poll_input<S: Transport>(
    receiver: &mut Receiver,
    link: &mut Link<S>,
    want: Want,
    queued: Queued,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Look>> {
    // After our own close there is nothing to wait for, whatever is still queued.
    if receiver.is_closed() {
        return Poll::Ready(Ok(Look::Final));
    }
    loop {
        // A peer that does not read is not read from.
        if queued == Queued::First && link.sender.is_congested() {
            ready!(link.poll_transmit_first(cx));
        }
        let look = receiver.look(want);
        if look == Look::Data {
            return Poll::Ready(Ok(look));
        }
        match queued {
            Queued::First => ready!(link.poll_transmit_first(cx)),
            Queued::Try => drop(link.poll_transmit(cx)),
        }
        if look == Look::Final {
            return Poll::Ready(Ok(look));
        }
        ready!(link.poll_fill(receiver, cx))?;
    }
}

impl<S: Transport> Link<S> {
    pub(crate) fn new(stream: S, config: &Config, timer: Option<Timer>) -> Self {
        let (stream, sender) = (Some(stream), Sender::new(config));
        let bounds = config.close;
        Self {
            stream,
            sender,
            closing: Closing::Not,
            bounds,
            timer,
            permit: None,
            dirty: false,
            handshake: Handshake::default(),
            early: Vec::new(),
            flushed: 0,
            reads: 0,
        }
    }

    /// Transmits what is queued. Ready when nothing is left or the write side has failed, which
    /// `sender.check()` tells.
    #[inline]
    pub(crate) fn poll_transmit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.handshake.is_under_way() {
            let over = self.poll_handshake(cx);
            // It may go on to hear why, but nothing can leave any more.
            if over.is_pending() && self.sender.failure().is_none() {
                return Poll::Pending;
            }
        }
        if !self.sender.has_outgoing() && !self.dirty {
            return Poll::Ready(());
        }
        self.poll_write_out(cx)
    }

    /// As `poll_transmit`, for a receive that has to answer. What a failure leaves is an alert: it is tried
    /// once, and the failure is told.
    fn poll_transmit_first(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let transmitted = self.poll_transmit(cx);
        if self.sender.failure().is_some() { Poll::Ready(()) } else { transmitted }
    }

    /// Writes what is outgoing; in a handshake that is the handshake alone.
    pub(crate) fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..STREAK {
            let Some(stream) = &mut self.stream else {
                return Poll::Ready(());
            };
            if !self.sender.has_outgoing() {
                return self.poll_flush_stream(cx);
            }
            let Poll::Ready(written) = poll_write_pieces(stream, &mut self.sender, cx) else {
                // What is in the stream is on its way, whatever becomes of the rest.
                let _ = self.poll_flush_stream(cx);
                return Poll::Pending;
            };
            match written {
                // There was nothing to write: a close without a notice, or a layer that has failed just now.
                Ok(0) if !self.sender.has_outgoing() => {}
                Ok(0) => self.sender.handle_lost(asyncnet_core::Loss::WriteZero),
                Ok(n) => {
                    self.sender.transmitted(n);
                    self.dirty = true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.lose(&error),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_flush_stream(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(()) };
        if self.dirty {
            if let Err(error) = ready!(Pin::new(stream).poll_flush(cx)) {
                self.lose(&error);
                return Poll::Ready(());
            }
            self.dirty = false;
        }
        if self.sender.loss().is_none() {
            self.flushed = self.sender.transmitted_total();
        }
        Poll::Ready(())
    }

    /// The write side is done for. Nothing is flushed any more.
    pub(crate) fn lose(&mut self, error: &io::Error) {
        self.sender.handle_lost(write_loss(error));
        self.dirty = false;
    }

    /// Waits until the first `ticket` bytes ever accepted are transmitted and flushed.
    pub(crate) fn poll_sent(
        &mut self,
        ticket: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        // What is out is out, whatever has happened since.
        while self.flushed < ticket {
            self.still_sends()?;
            let transmitted = self.poll_transmit(cx);
            if self.sender.transmitted_total() >= ticket {
                ready!(self.poll_flush_stream(cx));
            } else {
                ready!(transmitted);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Bytes that are queued now are sent when this many are. An error if bytes were lost before, or
    /// there is no stream any more.
    pub(crate) fn ticket(&self) -> Result<u64, SendError> {
        self.still_sends()?;
        Ok(self.sender.accepted_total())
    }

    /// Whether queued bytes can still leave: unlike `sender.check`, a close that flushes is no obstacle.
    fn still_sends(&self) -> Result<(), SendError> {
        match (self.sender.failure(), &self.stream) {
            (Some(failure), _) => Err(failure.into()),
            (None, None) => Err(SendError::Closed),
            (None, Some(_)) if self.sender.is_interrupted() => Err(SendError::Interrupted),
            (None, Some(_)) => Ok(()),
        }
    }

    /// One read into `receiver`.
    fn poll_fill(&mut self, receiver: &mut Receiver, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(stream) = self.stream.as_mut().filter(|_| !self.closing.has_begun()) else {
            receiver.handle_end(Cause::Closed);
            return Poll::Ready(Ok(()));
        };
        if self.sender.is_secure() {
            return self.poll_fill_secure(receiver, cx);
        }
        ready!(take_turn(&mut self.reads, cx));
        if receiver.wants_block() {
            receiver.lend(pool::take());
        }
        match Pin::new(stream).poll_read(cx, receiver.space()) {
            Poll::Ready(result) => Poll::Ready(self.handle_read(receiver, result)),
            Poll::Pending => {
                self.reads = 0;
                if let Some(block) = receiver.reclaim() {
                    pool::give(block);
                }
                Poll::Pending
            }
        }
    }

    fn handle_read(&mut self, receiver: &mut Receiver, read: io::Result<usize>) -> io::Result<()> {
        match read {
            Ok(0) => self.meet_end(receiver, Cause::Eof),
            Ok(n) => receiver.handle_read(n),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                let Some(cause) = read_end(&error) else {
                    return Err(error);
                };
                self.meet_end(receiver, cause);
                if let Cause::Reset(loss) = cause {
                    self.sender.handle_lost(loss);
                    self.dirty = false;
                }
            }
        }
        Ok(())
    }

    /// The input is at its end, as far as the stream says.
    fn meet_end(&self, receiver: &mut Receiver, seen: Cause) {
        let cause = self.sender.end_cause(seen);
        log::ended(cause);
        receiver.handle_end(cause);
    }

    /// Writes what the stream takes now. For those that cannot wait.
    pub(crate) fn try_transmit(&mut self) {
        // Nobody waits for this stream: it belongs to the caller alone.
        let _ = self.poll_transmit(&mut Context::from_waker(Waker::noop()));
    }
}

impl<S: Transport> Drop for Link<S> {
    /// Tries once to send what is queued, and a secure layer's close notice. A torn message must not look
    /// complete.
    fn drop(&mut self) {
        if self.sender.is_secure() {
            self.sender.close();
        }
        if self.sender.is_interrupted() {
            self.abort();
        } else {
            self.try_transmit();
        }
        if self.sender.is_secure() {
            self.try_drain_wire();
        }
    }
}

/// Counts a read. After many that did not have to wait, it is the other tasks' turn.
pub(crate) fn take_turn(reads: &mut u8, cx: &mut Context<'_>) -> Poll<()> {
    if *reads == STREAK {
        *reads = 0;
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    *reads += 1;
    Poll::Ready(())
}

fn poll_write_pieces<S: Transport>(
    stream: &mut S,
    sender: &mut Sender,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let stream = Pin::new(stream);
    let mut outgoing = sender.outgoing();
    let Some(first) = outgoing.next() else {
        return Poll::Ready(Ok(0));
    };
    let Some(second) = outgoing.next() else {
        return stream.poll_write(cx, first);
    };
    let mut pieces = [IoSlice::new(&[]); PIECES];
    pieces[0] = IoSlice::new(first);
    pieces[1] = IoSlice::new(second);
    let mut n = 2;
    for (slot, piece) in pieces[2..].iter_mut().zip(outgoing) {
        *slot = IoSlice::new(piece);
        n += 1;
    }
    stream.poll_write_vectored(cx, &pieces[..n])
}
