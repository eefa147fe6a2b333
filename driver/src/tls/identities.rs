//! The certificates of a server, which can be replaced while it runs.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use asyncnet_core::driver::Date;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};

use super::error::ContextError;
use super::pem::Identity;
use crate::log;

/// A certificate that has less time left than this is worth a word.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// What a server shows, one of several by the name that the client asks for.
pub(super) struct Identities {
    provider: Arc<CryptoProvider>,
    /// Never empty.
    shown: RwLock<Arc<[Shown]>>,
}

struct Shown {
    key: Arc<CertifiedKey>,
    expiry: Option<Date>,
    /// The files that it came from.
    files: Option<(PathBuf, PathBuf)>,
}

impl Identities {
    /// Those of `identities`, at least one. One that has expired is taken all the same: the program may have no
    /// other.
    pub(super) fn new(
        identities: Vec<Identity>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, ContextError> {
        let shown = load(identities, &provider)?;
        Ok(Self { provider, shown: RwLock::new(shown) })
    }

    fn shown(&self) -> Arc<[Shown]> {
        Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shows `identities` from here on. What is shown now stays if one of them has expired or does not fit.
    pub(super) fn replace(&self, identities: Vec<Identity>) -> Result<(), ContextError> {
        let shown = load(identities, &self.provider)?;
        let now = now();
        if let Some(expiry) = shown.iter().filter_map(|it| it.expiry).find(|at| at.0 < now) {
            return Err(ContextError::Expired(expired(expiry)));
        }
        let old = std::mem::replace(
            &mut *self.shown.write().unwrap_or_else(PoisonError::into_inner),
            shown,
        );
        drop(old);
        Ok(())
    }

    /// Reads the files again. Identities that came from no file stay.
    pub(super) fn reload(&self) -> Result<(), ContextError> {
        let shown = self.shown();
        if shown.iter().all(|it| it.files.is_none()) {
            return Err(ContextError::Fixed("the server's certificates were not read from files"));
        }
        let again = shown.iter().map(|it| match &it.files {
            Some((chain, key)) => Identity::read(chain, key),
            None => Ok(Identity::made(Arc::clone(&it.key))),
        });
        self.replace(again.collect::<Result<_, _>>()?)
    }

    /// When the first of them expires.
    pub(super) fn expiry(&self) -> Option<SystemTime> {
        let first = self.shown().iter().filter_map(|it| it.expiry).map(|at| at.0).min()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(first))
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.shown();
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let signs = |it: &&Shown| it.key.key.choose_scheme(hello.signature_schemes()).is_some();
        let is_for = |it: &&Shown| name.as_ref().is_some_and(|name| is_for(&it.key, name));
        let best = match &*shown {
            [only] => only,
            all => all
                .iter()
                .find(|it| is_for(it) && signs(it))
                .or_else(|| all.iter().find(signs))
                .or(all.first())?,
        };
        Some(Arc::clone(&best.key))
    }
}

impl fmt::Debug for Identities {
    /// No secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities").field("count", &self.shown().len()).finish_non_exhaustive()
    }
}

fn load(
    identities: Vec<Identity>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<[Shown]>, ContextError> {
    if identities.is_empty() {
        return Err(ContextError::Missing);
    }
    let load = |identity: Identity| {
        let files = identity.files.clone();
        let key = identity.certified(provider)?;
        let expiry = key.cert.first().and_then(|certificate| expiry(certificate, provider));
        Ok(Shown { key, expiry, files })
    };
    identities.into_iter().map(load).collect()
}

/// Whether the certificate is for this name.
fn is_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let Ok(certificate) = key.end_entity_cert() else { return false };
    ParsedCertificate::try_from(certificate)
        .is_ok_and(|certificate| verify_server_name(&certificate, name).is_ok())
}

/// When a certificate of our own expires; says so if that was, or is soon. `None` if it cannot be told.
pub(super) fn expiry(
    certificate: &CertificateDer<'_>,
    provider: &Arc<CryptoProvider>,
) -> Option<Date> {
    let expiry = ask_expiry(certificate, provider)?;
    let left = expiry.0.saturating_sub(now());
    if left < SOON.as_secs() {
        log::certificate_expires(expired(expiry), left == 0);
    }
    Some(expiry)
}

/// Asks the verifier that is here anyway: in the far future it refuses the certificate, and says since when.
fn ask_expiry(certificate: &CertificateDer<'_>, provider: &Arc<CryptoProvider>) -> Option<Date> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone().into_owned()).ok()?;
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider));
    // It comes to the time before it comes to the name.
    let name = ServerName::try_from("localhost").ok()?;
    let far = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    match verifier.build().ok()?.verify_server_cert(certificate, &[], &name, &[], far) {
        Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext {
            not_after,
            ..
        })) => Some(Date(not_after.as_secs())),
        _ => None,
    }
}

fn now() -> u64 {
    UnixTime::now().as_secs()
}

/// How the error and the warning name an expiry.
fn expired(at: Date) -> String {
    let tense = if at.0 < now() { "expired" } else { "expires" };
    format!("the certificate {tense} on {at}")
}
