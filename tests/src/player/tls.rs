//! The operations that need TLS.
//!
//! - `wrap` before a connect or a listen is `AsyncSocket::wrap_tls`. A listener is adopted anew for it.
//! - `wrap` of a connection is `Connection::upgrade_tls`, which is done when the handshake is; with `begin`
//!   it is only begun, and the next call goes on with it.
//! - `is_ssl` and `peer_cert_count` ask `Connection::tls`.
//!
//! What stands in the way of an upgrade leaves the connection as it was, in plain. The rest of the script
//! is not meant for that: the player drops the connection, as a program does that returns the error. With
//! `keep` it stays.

use std::rc::Rc;
use std::sync::Arc;

use asyncnet::tls::ContextError;
use asyncnet::tls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use asyncnet::tls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use asyncnet::tls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use asyncnet::tls::rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsFailure, SignatureScheme,
};
use asyncnet::{AsyncSocket, Connection, Error, TlsContext, Transport};
use futures_lite::future::poll_once;

use super::answer::{Answer, Failure, ok};
use super::table::{Listening, Socket};
use super::{Op, Stage};
use crate::bed::System;
use crate::tls::Role;

impl<R: System> Stage<R> {
    pub(super) async fn wrap(&self, op: &Op) -> Answer {
        let context = self.context(op)?;
        let mode = op.text("mode").unwrap_or("wrap");
        match (self.socket(op)?, mode) {
            (Socket::Fresh(fresh), "wrap") => fresh.socket.lock().await.wrap_tls(&context),
            (Socket::Listener(listening), "wrap") => {
                let socket = AsyncSocket::<R>::adopt(
                    listening.listener.os_socket().expect("a socket").try_clone_to_owned()?,
                )?;
                let mut socket = socket.with_config(self.config(self.settings.buffered));
                socket.wrap_tls(&context);
                let listening = Listening::of(socket.into_listener()?);
                self.put(op.socket(), Socket::Listener(Rc::new(listening)));
            }
            (Socket::Whole(connection), "connected_client" | "connected_server") => {
                let connection = &mut *connection.lock().await;
                return self.upgrade(op, connection, &context).await;
            }
            (other, _) => {
                self.put(op.socket(), Socket::Dropped);
                return Err(other.has_no(if mode == "wrap" { "wrap_tls" } else { "upgrade_tls" }));
            }
        }
        self.wrapped.borrow_mut().insert(op.socket().into());
        ok(true)
    }

    async fn upgrade(
        &self,
        op: &Op,
        connection: &mut Connection<R::Stream>,
        context: &TlsContext,
    ) -> Answer {
        let role = match op.text("mode") {
            Some("connected_server") => Role::Server,
            _ => Role::Client { server_name: self.server_name(op)? },
        };
        let upgrade = connection.upgrade_tls(role.of(context));
        let upgraded = match op.is("begin") {
            true => poll_once(upgrade).await.unwrap_or(Ok(())),
            false => upgrade.await,
        };
        let goes_on = op.is("keep") || matches!(upgraded, Ok(()) | Err(Error::Tls(_)));
        if !goes_on {
            self.put(op.socket(), Socket::Dropped);
        }
        upgraded?;
        ok(true)
    }

    /// Whom a client expects. Who verifies nothing expects nobody, but has to say a name.
    fn server_name<'a>(&'a self, op: &'a Op) -> Result<&'a str, Failure> {
        match op.text("hostname") {
            Some(name) if !name.is_empty() => Ok(name),
            _ if op.is("verify") => Err(Failure::by_type("a client says whom it expects")),
            _ => Ok(self.settings.host()),
        }
    }

    /// The settings that a script asks for.
    fn context(&self, op: &Op) -> Result<TlsContext, Failure> {
        let read = |name: &str| (self.settings.certs)(name);
        if op.text("ctx") == Some("server") {
            let name = op.text("cert").unwrap_or("good");
            let (chain, key) = (read(&format!("{name}.pem"))?, read(&format!("{name}.key"))?);
            return Ok(TlsContext::server().identity_pem(&chain, &key)?.build()?);
        }
        if op.is("verify") {
            return Ok(TlsContext::client().ca_pem(&read("ca.pem")?)?.build()?);
        }
        unverified()
    }

    pub(super) async fn is_tls(&self, op: &Op) -> Answer {
        ok(match self.socket(op)? {
            Socket::Whole(connection) => connection.lock().await.tls().is_some(),
            Socket::Shared(shared) => shared.is_tls,
            // There is no such call; the program that wrapped it knows.
            _ => self.wrapped.borrow().contains(op.socket()),
        })
    }

    pub(super) async fn peer_cert_count(&self, op: &Op) -> Answer {
        ok(match self.socket(op)? {
            Socket::Whole(connection) => certificates(&*connection.lock().await),
            Socket::Shared(shared) => certificates(&*shared.connection.lock().await),
            other => return Err(other.has_no("peer_certificates")),
        })
    }
}

/// How many certificates the peer has shown.
fn certificates<S: Transport>(connection: &Connection<S>) -> usize {
    connection.tls().map_or(0, |session| session.peer_certificates().len())
}

/// The settings of a client that verifies, from files.
pub(super) fn new_context(op: &Op) -> Answer {
    let file = |key: &str| op.text(key).unwrap_or_default();
    let mut client = TlsContext::client();
    if !file("caFile").is_empty() {
        client = client.ca_file(file("caFile"))?;
    }
    if !file("certFile").is_empty() {
        client = client.identity_files(file("certFile"), file("keyFile"))?;
    }
    client.build()?;
    ok(true)
}

impl From<ContextError> for Failure {
    fn from(error: ContextError) -> Self {
        std::io::Error::from(error).into()
    }
}

/// The settings of a client that verifies nothing. The library has no switch for it: whoever wants this has
/// to write a verifier, as here, and the scripts that want it are those which ask for no `verify`. The
/// rest of such a script can then be played.
fn unverified() -> Result<TlsContext, Failure> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions();
    let config = config.map_err(ContextError::from)?;
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)));
    Ok(Arc::new(config.with_no_client_auth()).into())
}

/// Takes every certificate; the peer still has to prove that it is its own.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

type Judged = Result<HandshakeSignatureValid, TlsFailure>;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsFailure> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Judged {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Judged {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
