//! Which certificates `join` trusts: those of the system's authorities, those in a file, or the one with a given
//! fingerprint.

use std::io;
use std::str::FromStr;
use std::sync::Arc;

use ::ring::digest::{SHA256, digest};
use asyncnet::TlsContext;
use asyncnet::tls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use asyncnet::tls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use asyncnet::tls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use asyncnet::tls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
};

use crate::cli;

/// The settings of these options; `None` for a room in plain.
pub(crate) fn context(options: &cli::Join) -> io::Result<Option<TlsContext>> {
    if !options.tls {
        return Ok(None);
    }
    let context = match (options.fingerprint, &options.ca) {
        (Some(fingerprint), _) => pinned(fingerprint)?,
        (None, Some(path)) => TlsContext::client().ca_file(path)?.build()?,
        (None, None) => TlsContext::client().build()?,
    };
    Ok(Some(match &options.name {
        Some(name) => context.for_server(name)?,
        // The fingerprint says who it is. A Unix address has no name.
        None if options.fingerprint.is_some() => context.for_server("localhost")?,
        None => context,
    }))
}

/// The SHA-256 of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(certificate: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, certificate).as_ref());
        Self(bytes)
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    /// Reads `AB:CD:..`, with or without colons, in capitals or not.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a SHA-256 fingerprint is 64 hexadecimal digits, as in AB:CD:..".to_owned();
        let digits: Option<Vec<u8>> = text
            .chars()
            .filter(|c| *c != ':')
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        let digits = digits.filter(|digits| digits.len() == 64).ok_or_else(wrong)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self(bytes))
    }
}

fn pinned(fingerprint: Fingerprint) -> io::Result<TlsContext> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Pinned { fingerprint, provider: Arc::clone(&provider) });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        // Not dangerous: no other certificate has that fingerprint, and the server proves that it has the key.
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config).into())
}

/// Takes the one certificate that has the fingerprint; its name, its dates and its issuer do not count.
#[derive(Debug)]
struct Pinned {
    fingerprint: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if Fingerprint::of(certificate) == self.fingerprint {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::Fingerprint;

    #[test]
    fn a_fingerprint_is_read_as_openssl_writes_it_or_without_colons() {
        let colons = ["AB"; 32].join(":");
        assert_eq!(colons.parse(), Ok(Fingerprint([0xab; 32])));
        assert_eq!("ab".repeat(32).parse(), Ok(Fingerprint([0xab; 32])));
        for wrong in ["", "AB", &"ab".repeat(33), &"xy".repeat(32)] {
            wrong.parse::<Fingerprint>().expect_err(wrong);
        }
    }
}
