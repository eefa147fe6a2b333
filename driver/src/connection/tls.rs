//! A connection that is, or becomes, secure.

use asyncnet_core::{SecureLayer, TlsError, TlsErrorKind};

use super::Connection;
use crate::net::handshakes::Slot;
use crate::tls::{Session, Side};
use crate::{Error, Transport};

/// # TLS
impl<S: Transport> Connection<S> {
    /// Waits for the end of a TLS handshake that is under way; ready at once without TLS. Every receive and every
    /// send does the same by itself.
    ///
    /// # Errors
    ///
    /// [`Error::Tls`] if the handshake fails: [`close`](Self::close) tells the peer why.
    /// [`Error::Disconnected`] if the connection ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the handshake lives in the connection, and the next call goes on with it.
    pub async fn handshake(&mut self) -> Result<(), Error> {
        self.begin_other();
        let Self { receiver, handle } = self;
        let inbound = &mut receiver.inbound;
        handle.wait(|engine, cx| engine.poll_secure(inbound, cx)).await
    }

    /// Goes over to TLS (STARTTLS): from here on nothing leaves in plaintext. Ready when the handshake is over, which
    /// [`Config::handshake_timeout`](crate::Config) bounds. What writers send meanwhile waits for its end.
    ///
    /// Call it as the client once the server has agreed, and as the server once that answer is sent. What was
    /// queued with `feed` or a batch's `reply` has to be flushed first, on both sides. What a writer sends before the
    /// upgrade begins leaves in plaintext. Do not trust what was learnt in plaintext before: forget it.
    ///
    /// ```
    /// # #[cfg(feature = "tls")]
    /// # use asyncnet::{Connection, Error, TlsContext, Transport};
    /// # #[cfg(feature = "tls")]
    /// async fn starttls<S: Transport>(
    ///     conn: &mut Connection<S>,
    ///     context: &TlsContext,
    /// ) -> Result<(), Error> {
    ///     conn.send_line("STARTTLS").await?;
    ///     if !conn.expect_line().await?.starts_with(b"220") {
    ///         return Err(Error::protocol("the server has no TLS"));
    ///     }
    ///     // Refuses if anything was smuggled in after the answer.
    ///     conn.upgrade_tls(context.as_client("mail.example.org")).await?;
    ///     assert!(conn.tls().is_some());
    ///     Ok(())
    /// }
    /// ```
    ///
    /// Rule [T5](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t5).
    ///
    /// # Errors
    ///
    /// [`Error::Upgrade`] if any plaintext is left over on either side, or `side` has settings that cannot be
    /// used; nothing is changed then. [`Error::Tls`] if the handshake fails: [`close`](Self::close) tells the peer
    /// why.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the handshake lives in the connection. The next upgrade goes on with it, and so does
    /// [`handshake`](Self::handshake), any receive and any send. One that has failed returns the same error again, and one
    /// that is over returns [`AlreadyTls`](crate::tls::UpgradeRefused::AlreadyTls).
    #[doc(alias = "wrapConnectedSocket")]
    #[doc(alias = "starttls")]
    pub async fn upgrade_tls(&mut self, side: Side) -> Result<(), Error> {
        let goes_on = self.handle.look(|engine| {
            engine.link.is_unsettled() || (engine.link.is_secure() && engine.link.has_failed())
        });
        if !goes_on {
            self.start_tls(side.into_layer()?)?;
        }
        self.handshake().await
    }

    /// What the TLS handshake came to: certificates, protocols, names, keying material. `None` without TLS.
    #[doc(alias = "isSsl")]
    #[doc(alias = "getPeerCertificates")]
    #[must_use]
    pub fn tls(&self) -> Option<Session<'_, S>> {
        let facts = self.handle.look(|engine| engine.link.tls_session())?;
        Some(Session::new(facts, self))
    }

    pub(crate) fn export_keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        key: &mut [u8],
    ) -> Result<(), TlsError> {
        self.handle.look(|engine| engine.link.export_keying_material(label, context, key))
    }

    /// Begins a handshake whose first bytes were read already. They are processed when the connection is used.
    pub(crate) fn begin_tls(
        &mut self,
        layer: Box<dyn SecureLayer>,
        early: Vec<u8>,
    ) -> Result<(), Error> {
        self.start_tls(layer)?;
        self.handle.with(|engine| engine.set_early(early));
        Ok(())
    }

    /// The handshake waits for this slot.
    pub(crate) fn bound_handshake(&mut self, slot: Slot) {
        self.handle.with(|engine| engine.slot = Some(Box::new(slot)));
    }

    fn start_tls(&mut self, layer: Box<dyn SecureLayer>) -> Result<(), Error> {
        let Self { receiver, handle } = self;
        let inbound = &mut receiver.inbound;
        handle.give_up_leaked();
        handle.with(|engine| engine.link.start_tls(inbound, layer))
    }

    /// Ends a connection that no program gets to see, because its handshake failed: tells the peer why, and waits
    /// until it knows, unless it has shown already that it does not listen.
    pub(crate) async fn end_failed_handshake(mut self) {
        let late = self.handle.look(|engine| {
            engine.link.tls_error().is_some_and(|error| error.kind() == TlsErrorKind::TimedOut)
        });
        if !late {
            // The error of the handshake is what counts.
            drop(self.close().await);
        }
    }
}
