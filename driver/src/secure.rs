//! The loop's part for a secure layer: the handshake, and reads that bring ciphertext.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use asyncnet_core::{Cause, Receiver, SecureLayer, TlsError, TlsErrorKind};

use crate::error::{read_end, write_loss};
use crate::link::{Link, take_turn};
use crate::transport::poll_discard;
use crate::{BoxSleep, Transport, UpgradeError, log, pool};

/// How many reads a drop makes, of 64 KiB each.
const DRAINED_BY_DROP: usize = 4;

/// A handshake, and how long it may take. It lives in the connection: whichever call is polled next goes on
/// with it.
#[derive(Default)]
pub(crate) struct Handshake {
    under_way: bool,
    /// None without a clock.
    deadline: Option<BoxSleep>,
}

impl Handshake {
    #[inline]
    pub(crate) const fn is_under_way(&self) -> bool {
        self.under_way
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.deadline {
            Some(deadline) => deadline.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("under_way", &self.under_way).finish_non_exhaustive()
    }
}

impl<S: Transport> Link<S> {
    /// Puts a secure layer under the connection and begins the handshake.
    pub(crate) fn start_tls(
        &mut self,
        receiver: &mut Receiver,
        layer: Box<dyn SecureLayer>,
    ) -> Result<(), UpgradeError> {
        // A send whose future was leaked, and so never dropped, is given up now.
        self.sender.give_up_large();
        self.sender.start_tls(receiver, layer)?;
        self.handshake.under_way = true;
        self.handshake.deadline = self.timer.map(|timer| timer(receiver.config().handshake));
        Ok(())
    }

    /// Ready when the handshake is over: with `Ok` if the connection is secure.
    pub(crate) fn poll_upgrade(
        &mut self,
        receiver: &mut Receiver,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), UpgradeError>> {
        if self.handshake.is_under_way() {
            ready!(self.poll_handshake(cx));
        }
        self.sender.pass_on(receiver);
        if let Some(error) = self.sender.tls_error() {
            return Poll::Ready(Err(UpgradeError::Tls(error.clone())));
        }
        if let Some(end) = receiver.end_after(self.sender.coming_end()) {
            return Poll::Ready(Err(UpgradeError::Ended(end)));
        }
        Poll::Ready(self.sender.check().map_err(|error| UpgradeError::CannotSend(error.into())))
    }

    /// Drives the handshake. Ready when it is over, for good or ill.
    #[cold]
    pub(crate) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // A close that has nothing to send waits for no handshake.
        let needless = self.closing.has_begun() && self.sender.unsent() == 0;
        while !needless && self.is_handshaking() {
            if self.poll_handshake_step(cx).is_pending() {
                ready!(self.handshake.poll_deadline(cx));
                self.sender.fail_tls(TlsError::new(TlsErrorKind::TimedOut, ""));
            }
        }
        self.handshake.under_way = false;
        self.handshake.deadline = None;
        self.reclaim_wire();
        if let Some(error) = self.sender.tls_error() {
            log::handshake_failed(error);
            // One attempt to tell the peer why. A close tries harder.
            let _ = self.poll_write_out(cx);
        }
        Poll::Ready(())
    }

    /// Whether the handshake has to be waited for: also for its last bytes, if the peer waits for them.
    fn is_handshaking(&self) -> bool {
        // After a failure nothing can leave, but the peer may have said why it left.
        let owes = || self.sender.failure().is_none() && self.sender.owes_flight();
        self.sender.is_handshaking() || owes()
    }

    fn poll_handshake_step(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_write_out(cx));
        if self.sender.is_handshaking() {
            if let Err(error) = ready!(self.poll_read_wire(None, cx)) {
                self.sender.handle_wire_lost(write_loss(&error));
            }
        }
        Poll::Ready(())
    }

    /// Reads and forgets what is there, before the stream is dropped. A socket with unread input is reset, and
    /// who only sends would lose its last bytes to session tickets that it never asked for.
    pub(crate) fn try_drain_wire(&mut self) {
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

    /// Brings `receiver` plaintext, or the end.
    pub(crate) fn poll_fill_secure(
        &mut self,
        receiver: &mut Receiver,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.sender.pass_on(receiver) {
            ready!(self.poll_read_wire(Some(receiver), cx))?;
            self.sender.pass_on(receiver);
        }
        if let Some(cause) = receiver.input_end() {
            log::ended(cause);
            self.reclaim_wire();
        }
        Poll::Ready(Ok(()))
    }

    /// Nothing is read for now, or any more.
    fn reclaim_wire(&mut self) {
        self.sender.reclaim_wire().into_iter().for_each(pool::give);
    }

    /// One read of ciphertext.
    fn poll_read_wire(
        &mut self,
        mut receiver: Option<&mut Receiver>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(stream) = &mut self.stream else {
            self.sender.handle_wire_eof();
            return Poll::Ready(Ok(()));
        };
        ready!(take_turn(&mut self.reads, cx));
        if self.sender.wants_wire_block() {
            self.sender.lend_wire(pool::take());
        }
        match poll_read_behind(&mut self.early, stream, cx, self.sender.wire_space()) {
            Poll::Ready(Ok(0)) => self.sender.handle_wire_eof(),
            Poll::Ready(Ok(n)) => {
                if let Some(receiver) = receiver.as_deref_mut().filter(|it| it.wants_block()) {
                    receiver.lend(pool::take());
                }
                self.sender.handle_wire(n, receiver);
            }
            Poll::Ready(Err(error)) => return Poll::Ready(self.handle_read_error(error)),
            Poll::Pending => {
                self.reads = 0;
                self.reclaim_wire();
                receiver.and_then(Receiver::reclaim).into_iter().for_each(pool::give);
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn handle_read_error(&mut self, error: io::Error) -> io::Result<()> {
        match read_end(&error) {
            _ if error.kind() == ErrorKind::Interrupted => {}
            Some(Cause::Reset(loss)) => {
                self.sender.handle_wire_lost(loss);
                self.dirty = false;
            }
            Some(_) => self.sender.handle_wire_eof(),
            None => return Err(error),
        }
        Ok(())
    }
}

/// Reads from `early` as long as it has any, then from `stream`.
fn poll_read_behind<S: Transport>(
    early: &mut Vec<u8>,
    stream: &mut S,
    cx: &mut Context<'_>,
    space: &mut [u8],
) -> Poll<io::Result<usize>> {
    if early.is_empty() {
        return Pin::new(stream).poll_read(cx, space);
    }
    let n = early.len().min(space.len());
    space[..n].copy_from_slice(&early[..n]);
    early.drain(..n);
    if early.is_empty() {
        *early = Vec::new();
    }
    Poll::Ready(Ok(n))
}
