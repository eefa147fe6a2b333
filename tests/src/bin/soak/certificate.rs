//! A certificate for the run, and who trusts it.

use std::io;
use std::sync::Arc;

use asyncnet::tls::rustls::crypto::ring;
use asyncnet::tls::rustls::pki_types::{CertificateDer, pem::PemObject};
use asyncnet::tls::rustls::{ClientConfig, RootCertStore};

/// The name that the certificate is for.
pub(crate) const NAME: &str = "soak.test";

/// What the server shows, and the settings of clients that trust it.
pub(crate) struct Certificate {
    /// The certificate and its key.
    pub(crate) pem: String,
    pub(crate) clients: Arc<ClientConfig>,
}

impl Certificate {
    pub(crate) fn new() -> io::Result<Self> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]);
        let rcgen::CertifiedKey { cert, signing_key } = made.map_err(io::Error::other)?;
        let certificate = cert.pem();
        let clients = Arc::new(trusting(&certificate)?);
        Ok(Self { pem: certificate + &signing_key.serialize_pem(), clients })
    }
}

fn trusting(certificate: &str) -> io::Result<ClientConfig> {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
