//! The settings of a server.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{KeyLogFile, RootCertStore, ServerConfig};

use super::pem::{Identity, add_roots, read};
use super::{TlsContext, TlsContextError};

/// Whether a server wants to see a certificate of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientCertificates {
    /// A client without one is refused.
    Required,
    /// A client may have one;
    /// [`peer_certificates`](crate::Connection::peer_certificates) tells.
    Optional,
}

/// Builds the settings of a TLS server; made by [`TlsContext::server`].
#[must_use = "it is nothing until it is built"]
pub struct TlsServerBuilder {
    provider: Arc<CryptoProvider>,
    identity: Option<Identity>,
    clients: Option<(RootCertStore, ClientCertificates)>,
    alpn: Vec<Vec<u8>>,
    resumption: bool,
    key_log: bool,
}

/// How many sessions a server remembers (TLS 1.2; those of TLS 1.3 too, by their tickets).
const SESSIONS: usize = 1024;

impl TlsServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            provider: Arc::new(ring::default_provider()),
            identity: None,
            clients: None,
            alpn: Vec::new(),
            resumption: true,
            key_log: false,
        }
    }

    /// Shows this certificate (and those in between) to every client.
    ///
    /// # Errors
    ///
    /// If either holds none.
    pub fn identity_pem(mut self, chain: &[u8], key: &[u8]) -> Result<Self, TlsContextError> {
        self.identity = Some(Identity::parse(chain, key)?);
        Ok(self)
    }

    /// As [`identity_pem`](Self::identity_pem), from files.
    ///
    /// # Errors
    ///
    /// If one cannot be read, or holds none.
    pub fn identity_files(
        mut self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsContextError> {
        self.identity = Some(Identity::read(chain.as_ref(), key.as_ref())?);
        Ok(self)
    }

    /// Asks clients for a certificate that one of those in `pem` has signed. Default: does not ask.
    ///
    /// In TLS 1.3 a client's handshake is over before the server has judged its certificate: a refusal is
    /// what the client's first receive tells ([`RecvError::Tls`](crate::RecvError), alert 42 to 49 or 116).
    ///
    /// # Errors
    ///
    /// If there is none in it.
    pub fn client_ca_pem(
        mut self,
        pem: &[u8],
        certificates: ClientCertificates,
    ) -> Result<Self, TlsContextError> {
        let mut roots = RootCertStore::empty();
        add_roots(&mut roots, pem)?;
        self.clients = Some((roots, certificates));
        Ok(self)
    }

    /// As [`client_ca_pem`](Self::client_ca_pem), from a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or there is none in it.
    pub fn client_ca_file(
        self,
        path: impl AsRef<Path>,
        certificates: ClientCertificates,
    ) -> Result<Self, TlsContextError> {
        let pem = read(path.as_ref())?;
        self.client_ca_pem(&pem, certificates)
    }

    /// Speaks these application protocols, the best first; a client that offers others alone is refused.
    /// Default: does not care.
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Whether clients may resume their sessions. Default: yes, the last 1024.
    pub const fn resumption(mut self, on: bool) -> Self {
        self.resumption = on;
        self
    }

    /// Writes the keys of all connections to the file that `SSLKEYLOGFILE` names, for tools that look into
    /// recorded traffic. Default: no, whatever that variable says.
    pub const fn key_log(mut self, on: bool) -> Self {
        self.key_log = on;
        self
    }

    /// Takes the cryptography from this provider. Default: ring.
    pub fn provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = provider;
        self
    }

    /// The settings.
    ///
    /// # Errors
    ///
    /// [`TlsContextError::Pem`] without an identity; [`TlsContextError::Refused`] if the key does not fit
    /// the certificate.
    pub fn build(self) -> Result<TlsContext, TlsContextError> {
        let Some(Identity { chain, key }) = self.identity else {
            return Err(TlsContextError::Pem("a server needs a certificate and a key".into()));
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?;
        let builder = match self.clients {
            None => builder.with_no_client_auth(),
            Some((roots, certificates)) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(roots.into(), self.provider);
                let verifier = match certificates {
                    ClientCertificates::Required => verifier,
                    ClientCertificates::Optional => verifier.allow_unauthenticated(),
                };
                let refused = |error| rustls::Error::General(format!("{error}"));
                builder.with_client_cert_verifier(verifier.build().map_err(refused)?)
            }
        };
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = self.alpn;
        if self.resumption {
            config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        } else {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        if self.key_log {
            config.key_log = Arc::new(KeyLogFile::new());
        }
        Ok(Arc::new(config).into())
    }
}

impl fmt::Debug for TlsServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServerBuilder").field("alpn", &self.alpn).finish_non_exhaustive()
    }
}
