//! The functions that move bytes. Each stands here once, for plain and secure connections, and for whole
//! and shared ones.

use alloc::vec::Vec;

use super::Link;
use crate::inbox::LARGEST_READ;
use crate::outbox::Outgoing;
use crate::wire::Wire;
use crate::{Cause, Inbound, Loss};

impl Link {
    // ---- from the transport ----------------------------------------------------------------------

    /// Room for a read from the transport. It is empty only without an `inbound`, which is legal while a
    /// handshake is under way and not otherwise.
    #[inline]
    pub fn space<'a>(&'a mut self, inbound: Option<&'a mut Inbound>) -> &'a mut [u8] {
        match (&mut self.wire, inbound) {
            (Some(wire), _) => wire.space(),
            (None, Some(inbound)) => inbound.space(),
            (None, None) => &mut [],
        }
    }

    /// The transport put `n` bytes into the last [`space`](Self::space). Without an `inbound`, what they
    /// hold waits for the next call that has one.
    ///
    /// # Panics
    ///
    /// If `n` is more than `space` had offered.
    #[inline]
    pub fn handle_read(&mut self, inbound: Option<&mut Inbound>, n: usize) {
        if n > 0 {
            self.deadlines.moved();
        }
        match (&mut self.wire, inbound) {
            (Some(wire), mut inbound) => {
                wire.filled(n, inbound.as_deref_mut());
                self.after_input(inbound);
            }
            (None, Some(inbound)) => inbound.handle_read(n),
            (None, None) => {}
        }
    }

    /// Takes a copy of `wire`, or of its front, and returns how many bytes it took. `inbound` as in
    /// [`space`](Self::space).
    pub fn handle_input(&mut self, mut inbound: Option<&mut Inbound>, wire: &[u8]) -> usize {
        let wants_read = inbound.as_ref().is_none_or(|inbound| self.wants_read(inbound));
        if !wants_read || wire.is_empty() {
            return 0;
        }
        self.deadlines.moved();
        let Some(layer) = &mut self.wire else {
            return inbound.map_or(0, |inbound| inbound.handle_input(wire));
        };
        let wire = &wire[..wire.len().min(LARGEST_READ)];
        layer.received(&mut wire.to_vec(), inbound.as_deref_mut());
        self.after_input(inbound);
        wire.len()
    }

    /// The transport read 0 bytes: the peer ended its side, in good order if there is no secure layer that
    /// knows better.
    pub fn handle_eof(&mut self, inbound: Option<&mut Inbound>) {
        self.handle_end(inbound, Cause::Eof);
    }

    /// The transport is a secure stream of another library, and ended without a close notice.
    pub fn handle_truncated(&mut self, inbound: Option<&mut Inbound>) {
        self.handle_end(inbound, Cause::Truncated);
    }

    /// A read met this loss. Nothing can be sent any more either.
    pub fn handle_lost(&mut self, inbound: Option<&mut Inbound>, loss: Loss) {
        self.handle_end(inbound, Cause::Lost(loss));
    }

    fn handle_end(&mut self, mut inbound: Option<&mut Inbound>, seen: Cause) {
        let lost = if let Cause::Lost(loss) = seen { Some(loss) } else { None };
        match (&mut self.wire, inbound.as_deref_mut()) {
            (Some(wire), _) => wire.handle_end(lost.or(self.loss)),
            (None, Some(inbound)) => inbound.handle_end(self.end_cause(seen)),
            (None, None) => {}
        }
        if let Some(loss) = lost {
            self.handle_write_lost(loss);
        }
        self.after_input(inbound);
    }

    /// Whether reading the transport can still bring anything.
    #[must_use]
    #[inline]
    pub fn wants_read(&self, inbound: &Inbound) -> bool {
        // What was queued before our close may wait for the rest of a handshake.
        let waits = || self.is_handshaking() && self.unsent() > 0;
        inbound.wants_read() && !inbound.is_held() || waits()
    }

    fn after_input(&mut self, inbound: Option<&mut Inbound>) {
        if let (Some(wire), Some(_)) = (&mut self.wire, self.loss) {
            // What the layer answers will not leave either.
            wire.clear();
        }
        self.drop_after_failure();
        if let Some(inbound) = inbound {
            self.pass_on(inbound);
        }
    }

    /// Hands `inbound` what it does not know yet: plaintext that came in without it, and then the end. Returns
    /// whether there was anything.
    #[inline]
    pub fn pass_on(&mut self, inbound: &mut Inbound) -> bool {
        let news = self.gave_up || self.wire.as_deref().is_some_and(Wire::has_news);
        news && self.pass_on_more(inbound)
    }

    fn pass_on_more(&mut self, inbound: &mut Inbound) -> bool {
        let passed = self.pass_on_secure(inbound);
        if self.gave_up && inbound.wants_read() {
            inbound.handle_end(Cause::Lost(Loss::TimedOut));
            return true;
        }
        passed
    }

    fn pass_on_secure(&mut self, inbound: &mut Inbound) -> bool {
        let Some(wire) = &mut self.wire else {
            return false;
        };
        let early = wire.take_early();
        inbound.handle_plain(&early);
        let Some(end) = wire.end().filter(|_| inbound.wants_read()) else {
            return !early.is_empty();
        };
        match (end, wire.failure()) {
            (Cause::TlsFailed, Some(error)) => {
                // A loss that was reported stays the cause; the error says more.
                let cause = self.loss.map_or(end, Cause::Lost);
                inbound.handle_failed(error.clone(), cause);
            }
            _ => inbound.handle_end(self.end_cause(end)),
        }
        true
    }

    pub(super) fn drop_after_failure(&mut self) {
        if self.tls_error().is_some() {
            self.drop_queued();
        }
    }

    // ---- storage ---------------------------------------------------------------------------------

    /// Lends storage for the next read, where there is none: an idle connection holds no buffer. `block` makes
    /// one, of [`Inbound::BLOCK`] bytes.
    #[inline]
    pub fn lend(&mut self, inbound: Option<&mut Inbound>, mut block: impl FnMut() -> Vec<u8>) {
        if let Some(wire) = self.wire.as_mut().filter(|wire| wire.wants_block()) {
            wire.lend(block());
        }
        if let Some(inbound) = inbound.filter(|inbound| inbound.wants_block()) {
            inbound.lend(block());
        }
    }

    /// Takes the storage back as far as nothing lies in it. To be called when a read has to wait.
    #[inline]
    pub fn reclaim(&mut self, inbound: Option<&mut Inbound>, mut give: impl FnMut(Vec<u8>)) {
        if let Some(block) = self.wire.as_mut().and_then(|wire| wire.reclaim()) {
            give(block);
        }
        if let Some(block) = inbound.and_then(Inbound::reclaim) {
            give(block);
        }
    }

    // ---- to the transport ------------------------------------------------------------------------

    /// The bytes to put on the wire. Over a secure layer: records, made now of what is queued.
    #[must_use]
    #[inline]
    pub fn outgoing(&mut self) -> Outgoing<'_> {
        if self.wire.is_some() {
            self.seal();
        }
        match &self.wire {
            Some(wire) => Outgoing::one(wire.outgoing()),
            None => self.queue.outbox.outgoing(),
        }
    }

    /// Whether [`outgoing`](Self::outgoing) has anything.
    #[must_use]
    #[inline]
    pub fn has_outgoing(&self) -> bool {
        match &self.wire {
            None => self.unsent() > 0,
            Some(wire) => {
                let notice = self.closed && self.loss.is_none();
                // After a torn message the layer alone still speaks.
                let more = || !self.interrupted && (self.unsent() > 0 || notice) && wire.can_seal();
                !wire.outgoing().is_empty() || more()
            }
        }
    }

    /// The first `n` outgoing bytes are on the wire.
    ///
    /// # Panics
    ///
    /// If `n` is more than was outgoing.
    #[inline]
    pub fn transmitted(&mut self, n: usize) {
        if n > 0 {
            self.deadlines.transmitted();
        }
        let n = match &mut self.wire {
            Some(wire) => wire.transmitted(n),
            None => n,
        };
        self.queue.transmitted(n);
    }

    /// A write met this loss: what is queued will never leave. The first loss stays, or the failure of a secure
    /// layer that came before it.
    pub fn handle_write_lost(&mut self, loss: Loss) {
        if !self.has_failed() {
            self.loss = Some(loss);
        }
        self.drop_queued();
        if let Some(wire) = &mut self.wire {
            wire.clear();
        }
    }

    /// Drops what is queued: it will never leave.
    pub fn drop_queued(&mut self) {
        self.dropped |= self.unsent() > 0;
        self.queue.clear();
        if let Some(wire) = &mut self.wire {
            // A record that is on the wire in part is not torn.
            wire.forget_sealed();
        }
    }

    /// Seals what is queued, if the secure layer is ready for it.
    fn seal(&mut self) {
        let Some(wire) = self.wire.as_mut().filter(|_| !self.interrupted) else {
            return;
        };
        if !wire.can_seal() {
            return;
        }
        if self.queue.outbox.len() > 0 {
            if !wire.has_sealed() {
                wire.seal(&self.queue.outbox);
            }
        } else if self.closed && self.loss.is_none() {
            wire.close();
        }
        self.drop_after_failure();
    }
}
