//! The settings of a server.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{KeyLogFile, RootCertStore, ServerConfig};

use super::TlsContext;
use super::error::ContextError;
use super::identities::Identities;
use super::pem::{Identity, add_roots, read};
use super::shared::{Shared, shared_settings};

/// Whether a server wants to see a certificate of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientCertificates {
    /// A client without one is refused.
    Required,
    /// A client may have one: see [`Session::peer_certificates`](super::Session::peer_certificates).
    Optional,
}

/// Builds the settings of a TLS server; made by [`TlsContext::server`].
#[must_use = "call `build` to get a context"]
pub struct ServerBuilder {
    shared: Shared,
    identities: Vec<Identity>,
    clients: Option<(RootCertStore, ClientCertificates)>,
}

/// How many sessions a server remembers (TLS 1.2; those of TLS 1.3 too, by their tickets).
const SESSIONS: usize = 1024;

impl ServerBuilder {
    pub(super) fn new() -> Self {
        Self { shared: Shared::default(), identities: Vec::new(), clients: None }
    }

    /// Shows this certificate (and those in between) to clients.
    ///
    /// Call it, or [`identity_files`](Self::identity_files), several times for several certificates: a client gets
    /// the first that is for the name it asks for and whose kind of signature it supports; if there is none, the first
    /// whose kind of signature it supports. They can be replaced later: see [`TlsContext::reload`].
    ///
    /// # Errors
    ///
    /// If either holds none.
    pub fn identity_pem(mut self, chain: &[u8], key: &[u8]) -> Result<Self, ContextError> {
        self.identities.push(Identity::parse(chain, key)?);
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
    ) -> Result<Self, ContextError> {
        self.identities.push(Identity::read(chain.as_ref(), key.as_ref())?);
        Ok(self)
    }

    /// Asks clients for a certificate that one of those in `pem` has signed. Default: does not ask.
    ///
    /// In TLS 1.3 a client's handshake is over before the server has judged its certificate: a refusal is
    /// what the client's first receive tells ([`Error::Tls`](crate::Error), alert 42 to 49 or 116).
    ///
    /// # Errors
    ///
    /// If there is none in it.
    pub fn client_ca_pem(
        self,
        pem: &[u8],
        certificates: ClientCertificates,
    ) -> Result<Self, ContextError> {
        self.client_ca(pem, None, certificates)
    }

    fn client_ca(
        mut self,
        pem: &[u8],
        file: Option<&Path>,
        certificates: ClientCertificates,
    ) -> Result<Self, ContextError> {
        let mut roots = RootCertStore::empty();
        add_roots(&mut roots, pem, file)?;
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
    ) -> Result<Self, ContextError> {
        let path = path.as_ref();
        self.client_ca(&read(path)?, Some(path), certificates)
    }

    /// Speaks these application protocols, the best first; a client that offers others alone is refused.
    /// Default: does not care.
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.shared.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Whether clients may resume their sessions. Default: yes, the last 1024.
    pub const fn resumption(mut self, on: bool) -> Self {
        self.shared.resumption = on;
        self
    }

    shared_settings!();

    /// The settings. A certificate that has expired, or expires within 14 days, is used all the same: there is a
    /// `tracing` warning, and [`TlsContext::expiry`] has the date.
    ///
    /// # Errors
    ///
    /// [`ContextError::Pem`] without an identity; [`ContextError::Refused`] if the key does not fit
    /// the certificate.
    pub fn build(self) -> Result<TlsContext, ContextError> {
        let Shared { provider, alpn, resumption, key_log } = self.shared;
        let identities = Arc::new(Identities::new(self.identities, Arc::clone(&provider))?);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match self.clients {
            None => builder.with_no_client_auth(),
            Some((roots, certificates)) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                let verifier = match certificates {
                    ClientCertificates::Required => verifier,
                    ClientCertificates::Optional => verifier.allow_unauthenticated(),
                };
                let refused = |error| rustls::Error::General(format!("{error}"));
                builder.with_client_cert_verifier(verifier.build().map_err(refused)?)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::<Identities>::clone(&identities));
        config.alpn_protocols = alpn;
        if resumption {
            config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        } else {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        if key_log {
            config.key_log = Arc::new(KeyLogFile::new());
        }
        Ok(TlsContext::of_server(Arc::new(config), identities))
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("alpn", &self.shared.alpn).finish_non_exhaustive()
    }
}
