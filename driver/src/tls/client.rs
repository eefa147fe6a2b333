//! The settings of a client.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, ConfigBuilder, KeyLogFile, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::pem::{Identity, add_roots, read};
use super::{TlsContext, TlsContextError};

/// Whom a client trusts.
enum Roots {
    /// Whom the system trusts.
    Platform,
    Given(RootCertStore),
}

/// Builds the settings of a TLS client; made by [`TlsContext::client`].
#[must_use = "it is nothing until it is built"]
pub struct TlsClientBuilder {
    provider: Arc<CryptoProvider>,
    roots: Roots,
    identity: Option<Identity>,
    alpn: Vec<Vec<u8>>,
    resumption: bool,
    key_log: bool,
}

impl TlsClientBuilder {
    pub(super) fn new() -> Self {
        Self {
            provider: Arc::new(ring::default_provider()),
            roots: Roots::Platform,
            identity: None,
            alpn: Vec::new(),
            resumption: true,
            key_log: false,
        }
    }

    /// Trusts the authorities that Mozilla trusts, in the edition that the crate `webpki-roots` was built
    /// with; and those given besides, but not the system's.
    pub fn mozilla_roots(mut self) -> Self {
        self.given().extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        self
    }

    /// Trusts the certificates in `pem`, and not the system's.
    ///
    /// # Errors
    ///
    /// If there is none in it.
    pub fn ca_pem(mut self, pem: &[u8]) -> Result<Self, TlsContextError> {
        add_roots(self.given(), pem)?;
        Ok(self)
    }

    /// Trusts the certificates in a PEM file, and not the system's.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or there is none in it.
    pub fn ca_file(self, path: impl AsRef<Path>) -> Result<Self, TlsContextError> {
        let pem = read(path.as_ref())?;
        self.ca_pem(&pem)
    }

    fn given(&mut self) -> &mut RootCertStore {
        if matches!(self.roots, Roots::Platform) {
            self.roots = Roots::Given(RootCertStore::empty());
        }
        match &mut self.roots {
            Roots::Given(roots) => roots,
            Roots::Platform => unreachable!("it was replaced above"),
        }
    }

    /// Shows this certificate (and those in between) to a server that asks for one.
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

    /// Offers these application protocols, the best first. Default: none.
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Whether later connections may resume the sessions of earlier ones. Default: yes.
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
    /// [`TlsContextError::Refused`]: a key that does not fit, or a system that trusts nobody.
    pub fn build(self) -> Result<TlsContext, TlsContextError> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?;
        let builder: ConfigBuilder<ClientConfig, WantsClientCert> = match self.roots {
            Roots::Given(roots) => builder.with_root_certificates(roots),
            Roots::Platform => {
                let verifier = Arc::new(Verifier::new(self.provider)?);
                // Not dangerous: it verifies as the system does.
                builder.dangerous().with_custom_certificate_verifier(verifier)
            }
        };
        let mut config = match self.identity {
            Some(Identity { chain, key }) => builder.with_client_auth_cert(chain, key)?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn;
        if !self.resumption {
            config.resumption = Resumption::disabled();
        }
        if self.key_log {
            config.key_log = Arc::new(KeyLogFile::new());
        }
        Ok(Arc::new(config).into())
    }
}

impl fmt::Debug for TlsClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClientBuilder").field("alpn", &self.alpn).finish_non_exhaustive()
    }
}
