//! The sending half of a connection that is secure. It also owns the layer: both directions of the wire
//! go through here, and what comes in is passed on to the receiving half.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Large, Sender};
use crate::outbox::Outbox;
use crate::secure::Wire;
use crate::{
    Cause, Error, Loss, Receiver, SecureLayer, TlsError, TlsErrorKind, TlsSession, UpgradeRefused,
};

/// How many bytes of the outbox are sealed at once: enough for full records and one large write.
const BATCH: usize = 64 << 10;
/// How many pieces of it at most.
const PIECES: usize = 32;

impl Sender {
    /// Puts a secure layer under the connection whose other half is `receiver`, and begins the handshake.
    /// From here on nothing leaves in plain.
    ///
    /// # Errors
    ///
    /// If anything in plain is left over on either side, or the connection is over; nothing is changed
    /// then.
    pub fn start_tls(
        &mut self,
        receiver: &Receiver,
        layer: Box<dyn SecureLayer>,
    ) -> Result<(), Error> {
        if self.wire.is_some() {
            return Err(UpgradeRefused::AlreadyTls.into());
        }
        self.check()?;
        receiver.check_start_tls()?;
        if self.unsent() > 0 || self.large != Large::No {
            return Err(UpgradeRefused::UnsentPlaintext(self.unsent()).into());
        }
        let mut wire = Wire::new(layer);
        wire.start();
        self.wire = Some(Box::new(wire));
        Ok(())
    }

    // ---- getters ---------------------------------------------------------------------------------

    /// Whether a secure layer lies under the connection.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.wire.is_some()
    }

    /// Whether a handshake is under way: what is queued waits for it.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.wire.as_ref().is_some_and(|wire| wire.is_handshaking())
    }

    /// Whether the peer waits for what the end of the handshake has put out, and not all of that is
    /// transmitted.
    #[must_use]
    pub fn owes_flight(&self) -> bool {
        self.wire.as_ref().is_some_and(|wire| wire.owes_flight())
    }

    /// Why the secure layer failed, if it did.
    #[must_use]
    pub fn tls_error(&self) -> Option<&TlsError> {
        self.wire.as_ref().and_then(|wire| wire.failure())
    }

    /// What the handshake came to; `None` if there is no secure layer.
    #[must_use]
    pub fn tls_session(&self) -> Option<TlsSession> {
        self.wire.as_ref().map(|wire| wire.layer.session())
    }

    /// Keying material that both ends can derive and nobody else.
    ///
    /// # Errors
    ///
    /// Before the handshake is over, and if there is no secure layer.
    pub fn export_keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        key: &mut [u8],
    ) -> Result<(), TlsError> {
        match &self.wire {
            Some(wire) => wire.layer.export_keying_material(label, context, key),
            None => Err(TlsError::new(TlsErrorKind::Local, "the connection is not secure")),
        }
    }

    // ---- handle_*: what the transport did --------------------------------------------------------

    /// Whether [`lend_wire`](Self::lend_wire) would save the layer from making a block of its own.
    #[must_use]
    pub fn wants_wire_block(&self) -> bool {
        self.wire.as_ref().is_some_and(|wire| wire.wants_block())
    }

    /// Lends storage for ciphertext: [`Receiver::new_block`], or one taken back before.
    pub fn lend_wire(&mut self, block: Vec<u8>) {
        if let Some(wire) = &mut self.wire {
            wire.lend(block);
        }
    }

    /// Takes the storage back, to be called when a read would wait. The layer gives back what it can too.
    pub fn reclaim_wire(&mut self) -> Option<Vec<u8>> {
        self.wire.as_mut()?.reclaim()
    }

    /// Room for a read of ciphertext from the transport; empty without a secure layer.
    pub fn wire_space(&mut self) -> &mut [u8] {
        match &mut self.wire {
            Some(wire) => wire.space(),
            None => &mut [],
        }
    }

    /// The transport put `n` bytes into the last [`wire_space`](Self::wire_space). What they hold goes to
    /// `receiver`; without one it waits for the next call of [`pass_on`](Self::pass_on).
    ///
    /// # Panics
    ///
    /// If `n` is more than `wire_space` had offered.
    pub fn handle_wire(&mut self, n: usize, mut receiver: Option<&mut Receiver>) {
        if let Some(wire) = &mut self.wire {
            wire.filled(n, receiver.as_deref_mut());
            self.after_input(receiver);
        }
    }

    /// The twin of [`handle_wire`](Self::handle_wire) for transports that bring their own buffer. What the
    /// slice holds afterwards is of no use to anybody.
    pub fn handle_wire_input(&mut self, input: &mut [u8], mut receiver: Option<&mut Receiver>) {
        if let Some(wire) = &mut self.wire {
            wire.received(input, receiver.as_deref_mut());
            self.after_input(receiver);
        }
    }

    fn after_input(&mut self, receiver: Option<&mut Receiver>) {
        if let (Some(wire), Some(_)) = (&mut self.wire, self.loss) {
            // What the layer answers will not leave either.
            wire.clear();
        }
        self.drop_after_failure();
        if let Some(receiver) = receiver {
            self.pass_on(receiver);
        }
    }

    /// The transport read 0 bytes, before the peer's close notice or behind it.
    pub fn handle_wire_eof(&mut self) {
        if let Some(wire) = &mut self.wire {
            wire.handle_end(self.loss);
        }
        self.drop_after_failure();
    }

    /// A read met this loss. Nothing can be sent any more either.
    pub fn handle_wire_lost(&mut self, loss: Loss) {
        if let Some(wire) = &mut self.wire {
            wire.handle_end(Some(loss));
        }
        self.handle_lost(loss);
    }

    /// Gives the secure layer up, for a reason that it does not know itself: a handshake took too long.
    pub fn fail_tls(&mut self, error: TlsError) {
        if let Some(wire) = &mut self.wire {
            wire.fail(error);
        }
        self.drop_after_failure();
    }

    fn drop_after_failure(&mut self) {
        if self.tls_error().is_some() {
            self.drop_queued();
        }
    }

    /// Tells `receiver` what it does not know yet: plaintext that came in without it, and the end. Returns
    /// whether there was anything.
    pub fn pass_on(&mut self, receiver: &mut Receiver) -> bool {
        let Some(wire) = &mut self.wire else {
            return false;
        };
        let early = wire.take_early();
        receiver.handle_plain(&early);
        let Some(end) = wire.end().filter(|_| receiver.wants_read()) else {
            return !early.is_empty();
        };
        match (end, wire.failure()) {
            (Cause::TlsFailed, Some(error)) => {
                // A loss that was told stays the cause; the error says more.
                let cause = self.loss.map_or(end, Cause::Lost);
                receiver.handle_failed(error.clone(), cause);
            }
            _ => receiver.handle_end(self.end_cause(end)),
        }
        true
    }

    // ---- output ----------------------------------------------------------------------------------

    /// Seals what is queued, if a secure layer lies in between and is ready for it.
    pub(super) fn seal(&mut self) {
        let Some(wire) = self.wire.as_mut().filter(|_| !self.interrupted) else {
            return;
        };
        if !wire.can_seal() {
            return;
        }
        if self.outbox.len() > 0 {
            if !wire.has_sealed() {
                seal_front(wire, &self.outbox);
            }
        } else if self.closed && self.loss.is_none() {
            wire.close();
        }
        self.drop_after_failure();
    }

    /// Whether [`outgoing`](Self::outgoing) has anything.
    #[must_use]
    pub fn has_outgoing(&self) -> bool {
        let Some(wire) = &self.wire else {
            return self.outbox.len() > 0;
        };
        let notice = self.closed && self.loss.is_none();
        // After a torn message the layer alone still speaks.
        let more = || !self.interrupted && (self.outbox.len() > 0 || notice) && wire.can_seal();
        !wire.outgoing().is_empty() || more()
    }

    /// How the connection broke, as an error of whoever wants to send.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        match (self.loss, self.tls_error()) {
            (Some(loss), _) => Some(Error::Disconnected(loss.into())),
            (None, error) => error.cloned().map(Error::Tls),
        }
    }

    /// The end that a failure on this side will be, for a receiver that has not met it.
    #[must_use]
    pub fn coming_end(&self) -> Option<Cause> {
        self.loss.map(Cause::Lost).or_else(|| self.tls_error().map(|_| Cause::TlsFailed))
    }
}

/// Seals the front of `outbox`.
fn seal_front(wire: &mut Wire, outbox: &Outbox) {
    let mut pieces = [&[][..]; PIECES];
    let (mut n, mut count) = (0, 0);
    for (slot, piece) in pieces.iter_mut().zip(outbox.outgoing()) {
        let piece = &piece[..piece.len().min(BATCH - n)];
        (*slot, n, count) = (piece, n + piece.len(), count + 1);
        if n == BATCH {
            break;
        }
    }
    wire.seal(&pieces[..count], n);
}
