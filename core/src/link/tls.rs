//! Going over to a secure layer, and what it says about itself.

use alloc::boxed::Box;

use super::Link;
use crate::wire::{SecureLayer, TlsError, TlsErrorKind, TlsSession, Wire};
use crate::{Error, Inbound, UpgradeRefused};

impl Link {
    /// Puts a secure layer under the connection and begins the handshake. From here on nothing leaves in
    /// plain.
    ///
    /// # Errors
    ///
    /// [`Error::Upgrade`] if any plaintext is left over on either side, and otherwise what a receive or a
    /// send would answer; nothing is changed then.
    pub fn start_tls(
        &mut self,
        inbound: &mut Inbound,
        layer: Box<dyn SecureLayer>,
    ) -> Result<(), Error> {
        if self.wire.is_some() {
            return Err(UpgradeRefused::AlreadyTls.into());
        }
        self.check()?;
        inbound.check_start_tls()?;
        if self.unsent() > 0 || self.has_large() {
            return Err(UpgradeRefused::UnsentPlaintext(self.unsent()).into());
        }
        let mut wire = Wire::new(layer);
        wire.start();
        self.wire = Some(Box::new(wire));
        self.deadlines.begin_handshake();
        self.pass_on(inbound);
        Ok(())
    }

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

    /// Whether a handshake has to be driven, until [`settle_handshake`](Self::settle_handshake) says that it is
    /// over.
    #[must_use]
    #[inline]
    pub fn is_unsettled(&self) -> bool {
        self.wire.as_ref().is_some_and(|wire| wire.unsettled)
    }

    /// Whether the handshake has more to send or to receive.
    #[must_use]
    pub fn needs_handshake(&self) -> bool {
        // After a failure nothing can leave, but the peer may have said why it left.
        let owes =
            || !self.has_failed() && self.wire.as_ref().is_some_and(|wire| wire.owes_flight());
        self.is_handshaking() || owes()
    }

    /// The handshake is over, for good or ill.
    pub fn settle_handshake(&mut self) {
        if let Some(wire) = &mut self.wire {
            wire.unsettled = false;
        }
        self.deadlines.end_handshake();
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

    /// Keying material that both ends can derive, and no other.
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

    /// The handshake has taken too long. The peer gets an alert or a close notice.
    pub(super) fn give_up_handshake(&mut self) {
        if let Some(wire) = &mut self.wire {
            wire.close();
            wire.fail(TlsError::new(TlsErrorKind::TimedOut, ""));
        }
        self.drop_after_failure();
    }
}
