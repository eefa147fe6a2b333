//! What the two ends show and trust, made anew in every process: an authority (`ca`), a certificate that
//! it signed for this machine (`good`) and one for another (`wrong`), and one that nobody signed (`self`).

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, OnceLock};

use asyncnet::tls::rustls::crypto::ring;
use asyncnet::tls::rustls::pki_types::pem::PemObject;
use asyncnet::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use asyncnet::tls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

const HERE: [&str; 2] = ["localhost", "127.0.0.1"];
const ELSEWHERE: [&str; 1] = ["elsewhere.test"];

/// `ca.pem`, `good.pem`, `good.key` and so on.
pub(crate) fn file(name: &str) -> io::Result<Vec<u8>> {
    static FILES: OnceLock<HashMap<String, String>> = OnceLock::new();
    let files = FILES.get_or_init(|| make().expect("they can be made"));
    let file = files.get(name).ok_or(io::ErrorKind::NotFound)?;
    Ok(file.clone().into_bytes())
}

fn make() -> Result<HashMap<String, String>, rcgen::Error> {
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "authority of the tests");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let mut files = HashMap::from([("ca.pem".into(), ca.self_signed(&key)?.pem())]);
    let authority = Issuer::new(ca, key);
    for (name, places, signed) in
        [("good", &HERE[..], true), ("wrong", &ELSEWHERE, true), ("self", &HERE, false)]
    {
        let places: Vec<_> = places.iter().map(|&place| place.to_owned()).collect();
        let (params, key) = (CertificateParams::new(places)?, KeyPair::generate()?);
        let certificate =
            if signed { params.signed_by(&key, &authority)? } else { params.self_signed(&key)? };
        files.insert(format!("{name}.pem"), certificate.pem());
        files.insert(format!("{name}.key"), key.serialize_pem());
    }
    Ok(files)
}

fn certificate(name: &str) -> Result<CertificateDer<'static>, String> {
    let pem = file(&format!("{name}.pem")).map_err(|error| error.to_string())?;
    CertificateDer::from_pem_slice(&pem).map_err(|error| error.to_string())
}

/// The settings of a peer that is the server, and shows `name`.
pub(crate) fn server(name: &str) -> Result<Arc<ServerConfig>, String> {
    let key = file(&format!("{name}.key")).map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| error.to_string())?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("versions");
    let config = config.with_no_client_auth().with_single_cert(vec![certificate(name)?], key);
    Ok(Arc::new(config.map_err(|error| error.to_string())?))
}

/// The settings of a peer that is the client, and trusts the authority.
pub(crate) fn client() -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate("ca")?).map_err(|error| error.to_string())?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("versions");
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
