//! Certificates and keys in PEM.

use std::fs;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::ContextError;

/// What one end shows: its certificate, those in between, and the key.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(super) fn parse(chain: &[u8], key: &[u8]) -> Result<Self, ContextError> {
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| ContextError::Pem(format!("no private key ({error})")))?;
        Ok(Self { chain: certificates(chain)?, key })
    }

    pub(super) fn read(chain: &Path, key: &Path) -> Result<Self, ContextError> {
        Self::parse(&read(chain)?, &read(key)?)
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, ContextError> {
    fs::read(path).map_err(|error| ContextError::Read(path.into(), error))
}

/// At least one certificate.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ContextError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(ContextError::Pem("no certificate".into())),
        Ok(found) => Ok(found),
        Err(error) => Err(ContextError::Pem(error.to_string())),
    }
}

/// Adds the certificates in `pem` to those that are trusted.
pub(super) fn add_roots(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), ContextError> {
    for certificate in certificates(pem)? {
        roots.add(certificate)?;
    }
    Ok(())
}
