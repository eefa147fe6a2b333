//! Certificates, and the settings of both ends.

use std::sync::{Arc, OnceLock};

use asyncnet_core::{SecureLayer, TlsLayer};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

/// The name that the certificate of the server is for.
pub(crate) const NAME: &str = "server.test";

pub(crate) type Version = &'static SupportedProtocolVersion;

pub(crate) const VERSIONS: [Version; 2] = [&TLS12, &TLS13];

/// A certificate that signs itself, and its key.
pub(crate) struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identity {
    pub(crate) fn new(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new([NAME.to_owned()]).expect("a name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").der().clone();
        Self { certificate, key: key.serialize_der() }
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone().try_into().expect("a key")
    }
}

/// The server's own, made once.
pub(crate) fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| Identity::new(|_| {}))
}

pub(crate) fn roots(identity: &Identity) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(identity.certificate.clone()).expect("a root");
    roots
}

/// A server that shows `shown`, and asks for the certificate `asked` if there is one.
pub(crate) fn server(version: Version, shown: &Identity, asked: Option<&Identity>) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(&[version]).expect("a version");
    let builder = match asked {
        None => builder.with_no_client_auth(),
        Some(asked) => {
            let roots = Arc::new(roots(asked));
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        }
    };
    builder.with_single_cert(vec![shown.certificate.clone()], shown.key()).expect("an identity")
}

/// A client that trusts `trusted`, and shows `shown` if there is one.
pub(crate) fn client(
    version: Version,
    trusted: &Identity,
    shown: Option<&Identity>,
) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(&[version]).expect("a version");
    let builder = builder.with_root_certificates(roots(trusted));
    match shown {
        None => builder.with_no_client_auth(),
        Some(shown) => {
            let shown = (vec![shown.certificate.clone()], shown.key());
            builder.with_client_auth_cert(shown.0, shown.1).expect("an identity")
        }
    }
}

pub(crate) fn name(name: &'static str) -> ServerName<'static> {
    name.try_into().expect("a name")
}

pub(crate) fn client_layer(config: &Arc<ClientConfig>) -> Box<dyn SecureLayer> {
    Box::new(TlsLayer::client(Arc::clone(config), name(NAME)).expect("a client"))
}

pub(crate) fn server_layer(config: &Arc<ServerConfig>) -> Box<dyn SecureLayer> {
    Box::new(TlsLayer::server(Arc::clone(config)).expect("a server"))
}

/// The settings of two ends that get on with each other. Behind the first handshake of a pair the next
/// ones resume its session.
pub(crate) fn pair(version: Version) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let identity = identity();
    (Arc::new(client(version, identity, None)), Arc::new(server(version, identity, None)))
}
