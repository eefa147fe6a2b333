//! Certificates: the one that a server shows, and those that a client trusts.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::{fs, io};

use asyncnet::TlsContext;
use ring::digest::{SHA256, digest};

use crate::cli;

/// What a server shows.
pub(crate) struct Shown {
    pub(crate) context: TlsContext,
    /// The SHA-256 of a certificate made here, for people to compare.
    pub(crate) fingerprint: Option<String>,
}

/// What the server of these options shows; `None` if it speaks in plain.
pub(crate) fn server(options: &cli::Serve) -> io::Result<Option<Shown>> {
    let tls = &options.tls;
    if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
        let context = TlsContext::server().identity_files(cert, key)?.build()?;
        return Ok(Some(Shown { context, fingerprint: None }));
    }
    if tls.tls_self_signed { self_signed(options).map(Some) } else { Ok(None) }
}

fn self_signed(options: &cli::Serve) -> io::Result<Shown> {
    let names = BTreeSet::from(["localhost", "127.0.0.1", "::1", host(&options.listen)]);
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
    Ok(Shown { context, fingerprint: Some(fingerprint(cert.der())) })
}

/// The host of `"host:port"`, as a certificate has it; the listener says what is wrong with another text.
fn host(at: &str) -> &str {
    let host = at.rsplit_once(':').map_or(at, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
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

/// What a client trusts; `None` if it speaks in plain.
pub(crate) fn client(options: &cli::Join) -> io::Result<Option<TlsContext>> {
    if !options.tls {
        return Ok(None);
    }
    let trusted = match &options.ca {
        Some(path) => TlsContext::client().ca_file(path)?,
        None => TlsContext::client(),
    };
    let context = trusted.build()?;
    Ok(Some(match &options.name {
        Some(name) => context.for_server(name)?,
        None => context,
    }))
}
