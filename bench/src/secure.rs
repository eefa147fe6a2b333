//! What both sides of the workload over TLS have in common: a certificate, and a socket.

use std::fs;
use std::io::{self, BufReader, IoSlice, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ServerSessionMemoryCache;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// A certificate for `localhost`, and its key.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Identity {
    /// That in `dir`.
    pub(crate) fn at(dir: &Path) -> Self {
        Self { cert: dir.join("cert.pem"), key: dir.join("key.pem") }
    }

    /// Makes one, and puts it into `dir`.
    pub(crate) fn make(dir: &Path) -> io::Result<Self> {
        let this = Self::at(dir);
        let made = rcgen::generate_simple_self_signed(["localhost".into()]);
        let rcgen::CertifiedKey { cert, signing_key } = made.map_err(io::Error::other)?;
        fs::write(&this.cert, cert.pem())?;
        fs::write(&this.key, signing_key.serialize_pem())?;
        Ok(this)
    }

    fn certificate(&self) -> io::Result<CertificateDer<'static>> {
        CertificateDer::from_pem_file(&self.cert).map_err(io::Error::other)
    }

    /// The settings of a server that is not ours: what ours does by default.
    pub(crate) fn server(&self) -> io::Result<Arc<ServerConfig>> {
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(io::Error::other)?;
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth();
        let config = builder.with_single_cert(vec![self.certificate()?], key);
        let mut config = config.map_err(io::Error::other)?;
        config.session_storage = ServerSessionMemoryCache::new(1024);
        Ok(Arc::new(config))
    }

    /// The settings of the load generator.
    pub(crate) fn client(&self, resumes: bool) -> io::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate()?).map_err(io::Error::other)?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        if !resumes {
            config.resumption = Resumption::disabled();
        }
        Ok(Arc::new(config))
    }
}

/// A blocking socket that is read in large pieces: rustls itself asks for 4 KiB at a time.
pub(crate) struct Pieces(BufReader<TcpStream>);

impl Pieces {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self(BufReader::with_capacity(64 << 10, stream))
    }
}

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Pieces {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(buf)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.get_mut().write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
