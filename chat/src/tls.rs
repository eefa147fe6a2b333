//! The certificate that a server shows.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

use asyncnet::TlsContext;
use asyncnet::net::host_name;
use asyncnet::tls::rustls::pki_types::CertificateDer;
use asyncnet::tls::rustls::pki_types::pem::PemObject;
use ring::digest::{SHA256, digest};
use tracing::{info, warn};

use crate::cli;

/// What a server shows.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) context: TlsContext,
    /// The SHA-256 of the certificate, for people to compare and for `join --fingerprint`.
    pub(crate) fingerprint: String,
    /// The file that it came from.
    cert: Option<PathBuf>,
}

#[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has the signal for it"))]
impl Shown {
    pub(crate) const fn is_from_files(&self) -> bool {
        self.cert.is_some()
    }

    /// Reads the certificate and its key again.
    pub(crate) fn reload(&self) {
        if let Err(error) = self.context.reload() {
            warn!("the certificate was not replaced: {error}");
            return;
        }
        let fingerprint = self.cert.as_deref().map(fingerprint_of_file).transpose();
        let fingerprint = fingerprint.ok().flatten().unwrap_or_default();
        info!(fingerprint, "the certificate was replaced");
    }
}

/// What the server of these options shows; `None` if it speaks in plain.
pub(crate) fn server(options: &cli::Serve) -> io::Result<Option<Shown>> {
    let tls = &options.tls;
    if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
        let context = TlsContext::server().identity_files(cert, key)?.build()?;
        let fingerprint = fingerprint_of_file(cert)?;
        return Ok(Some(Shown { context, fingerprint, cert: Some(cert.clone()) }));
    }
    if tls.tls_self_signed { self_signed(options).map(Some) } else { Ok(None) }
}

fn self_signed(options: &cli::Serve) -> io::Result<Shown> {
    // A Unix address has no host.
    let host = host_name(&options.listen).unwrap_or_default();
    let names = BTreeSet::from(["localhost", "127.0.0.1", "::1", host]);
    let names = names.into_iter().filter(|name| !name.is_empty()).map(String::from);
    let made = rcgen::generate_simple_self_signed(Vec::from_iter(names));
    let rcgen::CertifiedKey { cert, signing_key } = made.map_err(io::Error::other)?;
    let pem = cert.pem();
    if let Some(path) = &options.tls.cert_out {
        let failed = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
        };
        fs::write(path, &pem).map_err(failed)?;
    }
    let key = signing_key.serialize_pem();
    let context = TlsContext::server().identity_pem(pem.as_bytes(), key.as_bytes())?.build()?;
    Ok(Shown { context, fingerprint: fingerprint(cert.der()), cert: None })
}

/// The fingerprint of the first certificate in a PEM file, which is the one that the server shows.
fn fingerprint_of_file(path: &Path) -> io::Result<String> {
    let pem = fs::read(path)?;
    let cert = CertificateDer::from_pem_slice(&pem).map_err(io::Error::other)?;
    Ok(fingerprint(&cert))
}

/// `AB:CD:..`, as `openssl x509 -fingerprint -sha256` writes it.
fn fingerprint(der: &[u8]) -> String {
    let mut text = String::new();
    for byte in digest(&SHA256, der).as_ref() {
        let colon = if text.is_empty() { "" } else { ":" };
        // A String takes everything.
        let _ = write!(text, "{colon}{byte:02X}");
    }
    text
}
