//! The handshake of a secure layer. It lives in the connection: whichever call is polled next goes on with it.

use std::task::{Context, Poll, ready};

use asyncnet_core::driver::Inbound;

use super::{Engine, pool};
use crate::error::write_loss;
use crate::net::handshakes::Slot;
use crate::{Error, Transport, log};

impl<S: Transport> Engine<S> {
    /// Ready when the handshake is over: with `Ok` if the connection is secure, or plain.
    pub(crate) fn poll_secure(
        &mut self,
        inbound: &mut Inbound,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if self.link.is_unsettled() {
            ready!(self.poll_handshake(cx));
        }
        self.link.pass_on(inbound);
        if let Some(error) = self.link.tls_error() {
            return Poll::Ready(Err(Error::Tls(error.clone())));
        }
        if let Some(end) = inbound.end_after(self.link.coming_end()) {
            return Poll::Ready(Err(Error::Disconnected(end)));
        }
        Poll::Ready(self.link.check())
    }

    /// Drives the handshake. Ready when it is over, for good or ill.
    #[cold]
    pub(super) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // A close that has nothing to send waits for no handshake.
        while !(self.is_closing() && self.link.unsent() == 0) && self.link.needs_handshake() {
            if self.poll_handshake_step(cx).is_pending() {
                ready!(self.poll_alarm(cx));
                let is_late = self.link.is_late() || self.link.close_timed_out();
                if is_late && self.link.needs_handshake() {
                    // Not the handshake's time: that of the call which waits for it. The handshake's goes on.
                    self.keep_time(cx);
                    return Poll::Pending;
                }
            }
        }
        self.link.settle_handshake();
        if !self.is_shared {
            drop(self.take_slot());
        }
        self.link.reclaim(None, pool::give);
        if let Some(error) = self.link.tls_error() {
            log::handshake_failed(error);
            if let Some(permit) = &mut self.permit {
                permit.count_failure(error);
            }
            // One attempt to tell the peer why. A close tries harder.
            let _ = self.poll_write_out(cx);
        }
        Poll::Ready(())
    }

    /// The slot of a handshake that is over.
    pub(super) fn take_slot(&mut self) -> Option<Box<Slot>> {
        if self.slot.is_none() || self.link.is_unsettled() { None } else { self.slot.take() }
    }

    fn poll_handshake_step(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(slot) = &mut self.slot {
            ready!(slot.poll_take(cx));
        }
        ready!(self.poll_write_out(cx));
        if self.link.is_handshaking() {
            if let Err(error) = ready!(self.poll_read(None, cx)) {
                self.link.handle_lost(None, write_loss(&error));
            }
        }
        Poll::Ready(())
    }
}
