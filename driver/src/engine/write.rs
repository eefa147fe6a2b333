//! What goes out.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use asyncnet_core::Loss;
use asyncnet_core::driver::Link;

use super::{Engine, is_interrupted};
use crate::error::write_loss;
use crate::{Error, Transport};

/// How many pieces one write hands over at most.
const PIECES: usize = 32;

impl<S: Transport> Engine<S> {
    /// Transmits what is queued. Ready when nothing is left or the write side has failed, which
    /// `link.check()` tells.
    #[inline]
    pub(crate) fn poll_transmit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.link.is_unsettled() {
            let over = self.poll_handshake(cx);
            // It may go on to hear why, but nothing can leave any more.
            if over.is_pending() && !self.link.has_failed() {
                return Poll::Pending;
            }
        }
        if !self.link.has_outgoing() && !self.dirty {
            return Poll::Ready(());
        }
        self.poll_write_out(cx)
    }

    /// Writes what is outgoing; in a handshake that is the handshake alone.
    pub(super) fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(stream) = self.stream.as_mut().filter(|_| !self.phase.is_closed()) else {
                return Poll::Ready(());
            };
            if !self.link.has_outgoing() {
                return self.poll_flush_stream(cx);
            }
            ready!(self.turns.take_write(cx));
            let Poll::Ready(written) = poll_write_pieces(stream, &mut self.link, cx) else {
                self.turns.rest();
                // What is in the stream is on its way, whatever becomes of the rest. A flush that is done wakes
                // no task: the write is asked once more, so that it is the last to be asked.
                let flushes = self.dirty;
                if self.poll_flush_stream(cx).is_ready() && flushes {
                    continue;
                }
                return Poll::Pending;
            };
            match written {
                // There was nothing to write: a close without a notice, or a layer that has failed just now.
                Ok(0) if !self.link.has_outgoing() => {}
                Ok(0) => self.link.handle_write_lost(Loss::WriteZero),
                Ok(n) => {
                    self.link.transmitted(n);
                    self.dirty = true;
                }
                Err(error) if is_interrupted(&error) => {}
                Err(error) => self.lose(&error),
            }
        }
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
        if self.link.loss().is_none() {
            self.flushed = self.link.transmitted_total();
        }
        Poll::Ready(())
    }

    /// The write side has failed. Nothing is flushed any more.
    pub(super) fn lose(&mut self, error: &io::Error) {
        self.link.handle_write_lost(write_loss(error));
        self.dirty = false;
    }

    /// How many bytes are not sent yet; 1 if the stream has them all and only a flush is missing.
    pub(crate) const fn unsent(&self) -> usize {
        let unsent = self.link.unsent();
        if unsent == 0 && self.dirty { 1 } else { unsent }
    }

    /// How many bytes were ever handed to the stream and flushed.
    pub(crate) const fn flushed(&self) -> u64 {
        self.flushed
    }

    /// Waits until the first `ticket` bytes ever accepted are transmitted and flushed.
    pub(crate) fn poll_sent(
        &mut self,
        ticket: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        // What is out is out, whatever has happened since.
        while self.flushed < ticket {
            self.still_sends()?;
            let transmitted = self.poll_transmit(cx);
            let waits = if self.link.transmitted_total() >= ticket {
                self.poll_flush_stream(cx).is_pending()
            } else {
                transmitted.is_pending()
            };
            if waits {
                ready!(self.poll_alarm(cx));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// As `poll_transmit`, bounded in time.
    pub(crate) fn poll_drained(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.poll_transmit(cx).is_pending() {
            ready!(self.poll_alarm(cx));
        }
        Poll::Ready(())
    }

    /// The same for a send that waits for room: ready when there may be some.
    pub(crate) fn poll_make_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.poll_transmit(cx) {
            Poll::Pending => self.poll_alarm(cx),
            done => done,
        }
    }

    /// Bytes that are queued now are sent when this many are. An error if bytes were lost before, or the
    /// connection is closed.
    pub(crate) fn ticket(&self) -> Result<u64, Error> {
        self.still_sends()?;
        Ok(self.link.accepted_total())
    }

    /// Whether queued bytes can still leave: unlike `link.check`, a close that flushes is no obstacle.
    pub(crate) fn still_sends(&self) -> Result<(), Error> {
        if let Some(failure) = self.link.failure() {
            return Err(failure);
        }
        if self.stream().is_none() {
            return Err(Error::Closed);
        }
        if self.link.is_interrupted() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

fn poll_write_pieces<S: Transport>(
    stream: &mut S,
    link: &mut Link,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let stream = Pin::new(stream);
    let mut outgoing = link.outgoing();
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
