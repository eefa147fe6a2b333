//! What a TLS handshake came to.

use std::fmt;

use asyncnet_core::{TlsError, TlsSession};

use crate::{Connection, Transport};

/// What a TLS handshake came to; made by [`Connection::tls`](crate::Connection::tls). Before the handshake is
/// over, some of it is not known yet.
pub struct Session<'a, S: Transport> {
    facts: TlsSession,
    conn: &'a Connection<S>,
}

impl<'a, S: Transport> Session<'a, S> {
    pub(crate) const fn new(facts: TlsSession, conn: &'a Connection<S>) -> Self {
        Self { facts, conn }
    }

    /// The version of the protocol: `"TLSv1.3"`.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.facts.version.as_deref()
    }

    /// The cipher suite: `"TLS_AES_256_GCM_SHA384"`.
    #[must_use]
    pub fn cipher_suite(&self) -> Option<&str> {
        self.facts.cipher_suite.as_deref()
    }

    /// The application protocol that both ends agreed on (ALPN).
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.facts.alpn.as_deref()
    }

    /// At a server: the name that the client asked for (SNI).
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.facts.server_name.as_deref()
    }

    /// Whether an earlier session was resumed, which spares the certificates.
    #[must_use]
    pub const fn resumed(&self) -> Option<bool> {
        self.facts.resumed
    }

    /// The peer's certificates in DER, its own first; none at a server that asked for none. The handshake has
    /// verified them.
    #[doc(alias = "getPeerCertificates")]
    #[must_use]
    pub fn peer_certificates(&self) -> &[Vec<u8>] {
        &self.facts.peer_certificates
    }

    /// Fills `key` with keying material that both ends can derive, and no other (RFC 5705): for channel binding,
    /// as in SCRAM-PLUS (`EXPORTER-Channel-Binding`, 32 bytes, RFC 9266).
    ///
    /// # Errors
    ///
    /// Before the handshake is over.
    pub fn export_keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        key: &mut [u8],
    ) -> Result<(), TlsError> {
        self.conn.export_keying_material(label, context, key)
    }
}

impl<S: Transport> fmt::Debug for Session<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.facts.fmt(f)
    }
}
