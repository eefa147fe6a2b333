//! Certificates and keys in PEM.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::error::ContextError;

/// What one end shows: its certificate, those in between, and the key.
pub(super) struct Identity {
    pair: Pair,
    /// The files that it came from: the chain's and the key's.
    pub(super) files: Option<(PathBuf, PathBuf)>,
}

enum Pair {
    Read(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>),
    Made(Arc<CertifiedKey>),
}

impl Identity {
    pub(super) fn parse(chain: &[u8], key: &[u8]) -> Result<Self, ContextError> {
        Self::parse_named(chain, key, None)
    }

    pub(super) fn read(chain: &Path, key: &Path) -> Result<Self, ContextError> {
        let files = Some((chain.into(), key.into()));
        Self::parse_named(&read(chain)?, &read(key)?, files)
    }

    /// One that is in use already.
    pub(super) const fn made(key: Arc<CertifiedKey>) -> Self {
        Self { pair: Pair::Made(key), files: None }
    }

    fn parse_named(
        chain: &[u8],
        key: &[u8],
        files: Option<(PathBuf, PathBuf)>,
    ) -> Result<Self, ContextError> {
        let (chain_file, key_file) = files.as_ref().map(|(a, b)| (&**a, &**b)).unzip();
        let chain = certificates(chain, chain_file)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
            let is_encrypted = key.windows(9).any(|word| word == b"ENCRYPTED");
            let why = if is_encrypted { "the private key is encrypted" } else { "no private key" };
            wrong(key, key_file, why, &error)
        })?;
        Ok(Self { pair: Pair::Read(chain, key), files })
    }

    /// The pair, checked to be one.
    pub(super) fn certified(
        self,
        provider: &CryptoProvider,
    ) -> Result<Arc<CertifiedKey>, ContextError> {
        match self.pair {
            Pair::Read(chain, key) => Ok(Arc::new(CertifiedKey::from_der(chain, key, provider)?)),
            Pair::Made(key) => Ok(key),
        }
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, ContextError> {
    fs::read(path).map_err(|error| ContextError::Read(path.into(), error))
}

/// At least one certificate.
fn certificates(
    pem: &[u8],
    file: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>, ContextError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        found => {
            let error = found.err().unwrap_or(rustls::pki_types::pem::Error::NoItemsFound);
            Err(wrong(pem, file, "no certificate", &error))
        }
    }
}

/// Adds the certificates in `pem`, which came from `file`, to those that are trusted.
pub(super) fn add_roots(
    roots: &mut RootCertStore,
    pem: &[u8],
    file: Option<&Path>,
) -> Result<(), ContextError> {
    for certificate in certificates(pem, file)? {
        roots.add(certificate)?;
    }
    Ok(())
}

/// What is wrong with `pem`, with the file and the line; `missing` if it is whole and lacks what is needed.
fn wrong(
    pem: &[u8],
    file: Option<&Path>,
    missing: &str,
    error: &rustls::pki_types::pem::Error,
) -> ContextError {
    let file = file.map(|file| file.display().to_string());
    let what = match (fault(pem), error) {
        (Some((line, why)), _) => {
            let place = file.map_or_else(String::new, |file| format!("{file}, "));
            return ContextError::Pem(format!("{place}line {line}: {why}"));
        }
        (None, rustls::pki_types::pem::Error::NoItemsFound) => missing.to_owned(),
        (None, error) => format!("{missing} ({error})"),
    };
    ContextError::Pem(file.map_or_else(|| what.clone(), |file| format!("{file}: {what}")))
}

/// The first line that is no PEM, from 1, and why.
fn fault(pem: &[u8]) -> Option<(usize, &'static str)> {
    let mut begun = None;
    for (n, line) in (1..).zip(pem.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.starts_with(b"-----BEGIN ") {
            if begun.is_some() || !line.ends_with(b"-----") {
                return Some((n, "a section cannot begin here"));
            }
            begun = Some(n);
        } else if line.starts_with(b"-----END ") && line.ends_with(b"-----") {
            begun = None;
        } else if begun.is_some() && line.starts_with(b"Proc-Type:") {
            return Some((n, "the private key is encrypted"));
        } else if begun.is_some() && !line.iter().all(|byte| is_base64(*byte)) {
            return Some((n, "this is not base64"));
        }
    }
    begun.map(|n| (n, "the section that begins here has no end"))
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}
