//! The settings of a client.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::CryptoProvider;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ConfigBuilder, KeyLogFile, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::TlsContext;
use super::error::ContextError;
use super::identities::expiry;
use super::pem::{Identity, add_roots, read};
use super::shared::{Shared, shared_settings};

/// Whom a client trusts.
enum Roots {
    /// Whom the system trusts.
    Platform,
    Given(RootCertStore),
}

/// Builds the settings of a TLS client; made by [`TlsContext::client`].
#[must_use = "call `build` to get a context"]
pub struct ClientBuilder {
    shared: Shared,
    identity: Option<Identity>,
    roots: Roots,
}

impl ClientBuilder {
    pub(super) fn new() -> Self {
        Self { shared: Shared::default(), identity: None, roots: Roots::Platform }
    }

    /// Trusts the authorities that Mozilla trusts, in the edition that the crate `webpki-roots` was built
    /// with, and those given in addition; not the system's.
    pub fn mozilla_roots(mut self) -> Self {
        self.given().extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        self
    }

    /// Trusts the certificates in `pem`, and not the system's.
    ///
    /// # Errors
    ///
    /// If there is none in it.
    pub fn ca_pem(mut self, pem: &[u8]) -> Result<Self, ContextError> {
        add_roots(self.given(), pem, None)?;
        Ok(self)
    }

    /// Trusts the certificates in a PEM file, and not the system's.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or there is none in it.
    pub fn ca_file(mut self, path: impl AsRef<Path>) -> Result<Self, ContextError> {
        let path = path.as_ref();
        add_roots(self.given(), &read(path)?, Some(path))?;
        Ok(self)
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
    pub fn identity_pem(mut self, chain: &[u8], key: &[u8]) -> Result<Self, ContextError> {
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
    ) -> Result<Self, ContextError> {
        self.identity = Some(Identity::read(chain.as_ref(), key.as_ref())?);
        Ok(self)
    }

    /// Offers these application protocols, the best first. Default: none.
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.shared.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Whether later connections may resume the sessions of earlier ones. Default: yes.
    pub const fn resumption(mut self, on: bool) -> Self {
        self.shared.resumption = on;
        self
    }

    shared_settings!();

    /// The settings.
    ///
    /// # Errors
    ///
    /// [`ContextError::Refused`]: a key that does not fit, or a system without trusted authorities.
    pub fn build(self) -> Result<TlsContext, ContextError> {
        let Shared { provider, alpn, resumption, key_log } = self.shared;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder: ConfigBuilder<ClientConfig, WantsClientCert> = match self.roots {
            Roots::Given(roots) => builder.with_root_certificates(roots),
            Roots::Platform => {
                let verifier = Arc::new(Verifier::new(Arc::clone(&provider))?);
                // Not dangerous: it verifies as the system does.
                builder.dangerous().with_custom_certificate_verifier(verifier)
            }
        };
        let mut config = match self.identity {
            Some(identity) => {
                let key = identity.certified(&provider)?;
                // Says so if it has expired, or soon will.
                key.cert.first().and_then(|certificate| expiry(certificate, &provider));
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn;
        if !resumption {
            config.resumption = Resumption::disabled();
        }
        if key_log {
            config.key_log = Arc::new(KeyLogFile::new());
        }
        Ok(Arc::new(config).into())
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("alpn", &self.shared.alpn).finish_non_exhaustive()
    }
}
