//! A connection that is, or becomes, secure.

use std::future::poll_fn;
use std::task::{Context, Poll};

use asyncnet_core::{SecureLayer, TlsError, TlsErrorKind, TlsSession};

use super::Connection;
#[cfg(feature = "tls")]
use crate::tls::{Layers, TlsContext, TlsRole};
use crate::{Transport, UpgradeError};

impl<S: Transport> Connection<S> {
    /// Goes over to TLS (STARTTLS): from here on nothing leaves in plain. Ready when the handshake is over,
    /// which is bounded by [`Config::handshake`](crate::Config) where the connection has a clock.
    ///
    /// Call it as the client once the server has agreed, and as the server once that answer is sent (`send`
    /// or `flush`, not `feed` alone). What was learnt in plain before is worth nothing: forget it.
    ///
    /// ```
    /// # use asyncnet::{Connection, TlsContext, TlsRole, Transport};
    /// async fn starttls<S: Transport>(
    ///     conn: &mut Connection<S>,
    ///     context: &TlsContext,
    /// ) -> Result<(), Box<dyn std::error::Error>> {
    ///     conn.send_line(b"STARTTLS").await?;
    ///     let answer = conn.next_line().await?.unwrap_or_default();
    ///     if !answer.starts_with(b"220") {
    ///         return Err("the server has no TLS".into());
    ///     }
    ///     // Refuses if anything was smuggled in behind the answer.
    ///     conn.upgrade_tls(context, TlsRole::Client { server_name: "mail.example.org" }).await?;
    ///     assert!(conn.is_tls());
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`UpgradeError::BufferedPlaintext`] and its kin if anything in plain is left over, on either side;
    /// nothing is changed then. [`UpgradeError::Tls`] if the handshake fails: `close` tells the peer why.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the handshake lives in the connection. The next call goes on with it, and so does any
    /// receive or send; once one of those has finished it, the next upgrade answers
    /// [`UpgradeError::AlreadyTls`].
    #[cfg(feature = "tls")]
    #[doc(alias = "wrapConnectedSocket")]
    #[doc(alias = "starttls")]
    pub async fn upgrade_tls(
        &mut self,
        context: &TlsContext,
        role: TlsRole<'_>,
    ) -> Result<(), UpgradeError> {
        if self.link.sender.is_secure() {
            return self.go_on_with_upgrade().await;
        }
        let layer = match role {
            TlsRole::Client { server_name } => context.client_layer(Some(server_name))?,
            TlsRole::Server => context.server_layer()?,
        };
        self.upgrade_with(layer).await
    }

    /// As `upgrade_tls` with a layer of any make: a TLS library of your own choice, or one for tests that
    /// encrypts nothing.
    ///
    /// # Errors
    ///
    /// As `upgrade_tls`.
    ///
    /// # Cancel safety
    ///
    /// As `upgrade_tls`; a layer that is given to a call which goes on is dropped.
    pub async fn upgrade_with(&mut self, layer: Box<dyn SecureLayer>) -> Result<(), UpgradeError> {
        if !self.link.sender.is_secure() {
            self.start_tls(layer)?;
        }
        self.go_on_with_upgrade().await
    }

    /// Waits until the TLS handshake of this connection is over, and answers what it came to. Ready at once
    /// in plain, and when the handshake is over already.
    ///
    /// A TLS listener hands out connections whose handshake has yet to be done. It goes on in whichever task
    /// calls this, and any receive or send does the same implicitly.
    ///
    /// # Errors
    ///
    /// As [`upgrade_with`](Self::upgrade_with); the failure of a handshake is answered again by every call.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the handshake lives in the connection, and the next call goes on with it.
    pub async fn handshake(&mut self) -> Result<(), UpgradeError> {
        let begun = self.link.handshake.is_under_way() || self.link.sender.failure().is_some();
        if !self.link.sender.is_secure() || !begun {
            return Ok(());
        }
        poll_fn(|cx| self.poll_upgrade(cx)).await
    }

    pub(crate) fn start_tls(&mut self, layer: Box<dyn SecureLayer>) -> Result<(), UpgradeError> {
        self.link.start_tls(&mut self.receiver, layer)
    }

    pub(crate) fn poll_upgrade(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UpgradeError>> {
        self.link.poll_upgrade(&mut self.receiver, cx)
    }

    /// Ends a connection that nobody gets to see, because its handshake failed: tells the peer why, unless
    /// it has shown already that it does not listen.
    pub(crate) fn poll_end_failed_handshake(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let late = |error: &TlsError| error.kind() == TlsErrorKind::TimedOut;
        if self.link.sender.tls_error().is_some_and(late) {
            self.abort();
            return Poll::Ready(());
        }
        self.receiver.close(self.link.sender.coming_end());
        self.link.poll_close(cx).map(drop)
    }

    pub(crate) async fn end_failed_handshake(&mut self) {
        poll_fn(|cx| self.poll_end_failed_handshake(cx)).await;
    }

    /// Goes on with an upgrade that was dropped, or answers again what became of a failed one.
    async fn go_on_with_upgrade(&mut self) -> Result<(), UpgradeError> {
        if !self.link.handshake.is_under_way() && self.link.sender.failure().is_none() {
            return Err(UpgradeError::AlreadyTls);
        }
        poll_fn(|cx| self.poll_upgrade(cx)).await
    }

    /// Whether what is sent and received here is sealed by TLS.
    #[doc(alias = "isSsl")]
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.link.sender.is_secure()
    }

    /// What the TLS handshake came to; `None` for a connection in plain.
    #[must_use]
    pub fn tls_session(&self) -> Option<TlsSession> {
        self.link.sender.tls_session()
    }

    /// The peer's certificates in DER, its own first; none in plain, and at a server that asked for none.
    /// They were verified by the handshake.
    #[doc(alias = "getPeerCertificates")]
    #[must_use]
    pub fn peer_certificates(&self) -> Vec<Vec<u8>> {
        self.tls_session().map(|session| session.peer_certificates).unwrap_or_default()
    }

    /// The application protocol that both ends agreed on (ALPN).
    #[must_use]
    pub fn alpn(&self) -> Option<Vec<u8>> {
        self.tls_session()?.alpn
    }

    /// At a server: the name that the client asked for (SNI).
    #[must_use]
    pub fn server_name(&self) -> Option<String> {
        self.tls_session()?.server_name
    }

    /// Fills `key` with keying material that both ends can derive and nobody else (RFC 5705): for channel
    /// binding, as in SCRAM-PLUS (`EXPORTER-Channel-Binding`, 32 bytes, RFC 9266).
    ///
    /// # Errors
    ///
    /// In plain, and before the handshake is over.
    pub fn export_keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        key: &mut [u8],
    ) -> Result<(), TlsError> {
        self.link.sender.export_keying_material(label, context, key)
    }
}
