//! What comes in: reads, and the part of a close that reads.

use std::io::{self, BufRead as _};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use asyncnet_core::Cause;
use asyncnet_core::driver::Inbound;

use super::{Engine, is_interrupted};
use crate::engine::pool;
use crate::error::read_end;
use crate::transport::poll_discard;
use crate::{Transport, log};

/// How many reads a drop makes, of 64 KiB each.
const DRAINED_BY_DROP: usize = 4;

impl<S: Transport> Engine<S> {
    /// One read into `inbound`.
    pub(super) fn poll_fill(
        &mut self,
        inbound: &mut Inbound,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_closing() || self.stream.is_none() {
            inbound.handle_end(Cause::Closed);
            return Poll::Ready(Ok(()));
        }
        if !self.link.wants_read(inbound) {
            // What `take` wants is beyond the end.
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_read(Some(&mut *inbound), cx))?;
        if let Some(cause) = inbound.input_end() {
            log::ended(cause);
            self.link.reclaim(None, pool::give);
        }
        Poll::Ready(Ok(()))
    }

    /// One read; without an `inbound` while a handshake is under way alone.
    pub(super) fn poll_read(
        &mut self,
        mut inbound: Option<&mut Inbound>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(stream) = &mut self.stream else {
            self.link.handle_eof(inbound);
            return Poll::Ready(Ok(()));
        };
        if let Some(early) = &mut self.early {
            let taken = self.link.handle_input(inbound, early.fill_buf()?);
            early.consume(taken);
            if early.fill_buf()?.is_empty() {
                self.early = None;
            }
            return Poll::Ready(Ok(()));
        }
        ready!(self.turns.take_read(cx));
        self.link.lend(inbound.as_deref_mut(), pool::take);
        match Pin::new(stream).poll_read(cx, self.link.space(inbound.as_deref_mut())) {
            Poll::Ready(read) => Poll::Ready(self.handle_read(inbound, read)),
            Poll::Pending => {
                self.turns.rest();
                self.link.reclaim(inbound, pool::give);
                Poll::Pending
            }
        }
    }

    fn handle_read(
        &mut self,
        inbound: Option<&mut Inbound>,
        read: io::Result<usize>,
    ) -> io::Result<()> {
        match read {
            Ok(0) => self.link.handle_eof(inbound),
            Ok(n) => self.link.handle_read(inbound, n),
            Err(error) if is_interrupted(&error) => {}
            Err(error) => match read_end(&error) {
                Some(Cause::Lost(loss)) => {
                    self.link.handle_lost(inbound, loss);
                    self.dirty = false;
                }
                Some(_) => self.link.handle_truncated(inbound),
                None => return Err(error),
            },
        }
        Ok(())
    }

    /// Reads and drops until the peer's end, a limit, or the deadline.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut block = pool::take();
        let drained = self.poll_drain_into(&mut block, cx);
        pool::give(block);
        drained
    }

    fn poll_drain_into(&mut self, block: &mut [u8], cx: &mut Context<'_>) -> Poll<()> {
        let mut left = self.link.drained(0);
        while left > 0 {
            // The deadline comes first, however much the peer sends.
            self.keep_time(cx);
            if self.link.close_timed_out() || self.phase.is_closed() {
                break;
            }
            ready!(self.turns.take_read(cx));
            let Some(stream) = &mut self.stream else { break };
            let room = block.len().min(left);
            match poll_discard(stream, cx, &mut block[..room]) {
                Poll::Ready(Ok(n)) if n > 0 => left = self.link.drained(n),
                Poll::Ready(Err(error)) if is_interrupted(&error) => {}
                Poll::Ready(_) => break,
                // Without a clock nothing bounds a wait, so there is none.
                Poll::Pending if stream.clock().is_none() => break,
                Poll::Pending => {
                    self.turns.rest();
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(())
    }

    /// Reads and drops what is there, before the stream is dropped. The system resets a socket that has unread
    /// input, and a task that only sends would lose its last bytes to session tickets that it never asked for.
    pub(super) fn try_drain(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        let (mut block, mut cx) = (pool::take(), Context::from_waker(Waker::noop()));
        for _ in 0..DRAINED_BY_DROP {
            match poll_discard(stream, &mut cx, &mut block) {
                Poll::Ready(Ok(n)) if n > 0 => {}
                _ => break,
            }
        }
        pool::give(block);
    }
}
