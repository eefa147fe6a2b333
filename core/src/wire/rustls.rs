//! TLS by rustls, as a [`SecureLayer`].

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
#[expect(clippy::disallowed_types, reason = "rustls reads from a slice and writes into a Vec")]
use std::io::{BufRead, Write};

use ::rustls::pki_types::ServerName;
use ::rustls::{
    CertificateError, ClientConfig, ClientConnection, Connection, Error, HandshakeKind, OtherError,
    ProtocolVersion, ServerConfig, ServerConnection,
};

use super::date::Date;
use crate::{CertificateFault, Phase, SecureLayer, TlsError, TlsErrorKind, TlsSession};

/// One end of a TLS connection.
///
/// ```
/// # fn client(config: std::sync::Arc<rustls::ClientConfig>) -> Result<(), Box<dyn std::error::Error>> {
/// use asyncnet_core::{Config, Connection, TlsLayer};
///
/// let mut conn = Connection::new(Config::default());
/// conn.start_tls(Box::new(TlsLayer::client(config, "example.org".try_into()?)?))?;
/// assert!(conn.is_handshaking());
/// # Ok(()) }
/// ```
pub struct TlsLayer {
    conn: Connection,
    phase: Phase,
}

impl TlsLayer {
    /// The client's end. `name` is the server that the certificate has to be for.
    ///
    /// # Errors
    ///
    /// If rustls refuses the settings.
    pub fn client(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, TlsError> {
        ClientConnection::new(config, name).map(Self::new).map_err(|error| describe(&error))
    }

    /// The server's end.
    ///
    /// # Errors
    ///
    /// If rustls refuses the settings.
    pub fn server(config: Arc<ServerConfig>) -> Result<Self, TlsError> {
        ServerConnection::new(config).map(Self::new).map_err(|error| describe(&error))
    }

    fn new(conn: impl Into<Connection>) -> Self {
        let mut conn = conn.into();
        // What waits is counted by the outbox; a second limit would stop a sealing half-way.
        conn.set_buffer_limit(None);
        Self { conn, phase: Phase::Handshaking }
    }

    /// Moves what rustls has for the peer to `out`.
    fn put_out(&mut self, out: &mut Vec<u8>) {
        while self.conn.wants_write() {
            // A Vec takes everything.
            let _ = self.conn.write_tls(out);
        }
    }

    /// Moves what was decrypted to `plain`.
    fn hand_out(&mut self, plain: &mut dyn FnMut(&[u8])) {
        let mut reader = self.conn.reader();
        // At the end rustls answers an error: there is nothing to hand out then.
        while let Ok(chunk) = reader.fill_buf() {
            let n = chunk.len();
            if n == 0 {
                break;
            }
            plain(chunk);
            reader.consume(n);
        }
    }

    /// What was given to rustls is processed: plaintext first, then the error.
    fn process(&mut self, out: &mut Vec<u8>, plain: &mut dyn FnMut(&[u8])) -> Result<(), TlsError> {
        let state = self.conn.process_new_packets();
        self.hand_out(plain);
        self.put_out(out);
        match state {
            Ok(state) if state.peer_has_closed() => self.phase = Phase::PeerClosed,
            Ok(_) if self.phase == Phase::Handshaking && !self.conn.is_handshaking() => {
                self.phase = Phase::Open;
            }
            Ok(_) => {}
            Err(error) => {
                self.phase = Phase::Failed;
                if !matches!(error, Error::AlertReceived(_)) {
                    self.say_farewell(out);
                }
                return Err(describe(&error));
            }
        }
        Ok(())
    }

    /// Behind a few of its errors rustls says nothing: the peer gets a close notice then. Where it has sent an alert,
    /// it sends nothing more.
    fn say_farewell(&mut self, out: &mut Vec<u8>) {
        self.conn.send_close_notify();
        self.put_out(out);
    }

    fn check(&self) -> Result<(), TlsError> {
        match self.phase {
            Phase::Failed => Err(TlsError::new(TlsErrorKind::Local, "TLS has failed before")),
            _ => Ok(()),
        }
    }
}

impl SecureLayer for TlsLayer {
    fn phase(&self) -> Phase {
        self.phase
    }

    fn start(&mut self, out: &mut Vec<u8>) -> Result<(), TlsError> {
        self.put_out(out);
        Ok(())
    }

    fn received(
        &mut self,
        wire: &mut [u8],
        out: &mut Vec<u8>,
        plain: &mut dyn FnMut(&[u8]),
    ) -> Result<(), TlsError> {
        self.check()?;
        let mut rest = &*wire;
        while !rest.is_empty() && self.phase != Phase::PeerClosed {
            // It takes 4 KiB at a time, and refuses more once it holds a record or two. Nothing is decrypted
            // for the parts.
            let before = rest.len();
            while !rest.is_empty() && self.conn.read_tls(&mut rest).is_ok_and(|n| n > 0) {}
            self.process(out, plain)?;
            if rest.len() == before && self.phase != Phase::PeerClosed {
                // It holds 64 KiB of records that together are not one message yet, and takes no more.
                self.phase = Phase::Failed;
                self.say_farewell(out);
                let why = "the peer cuts a handshake message into too many records";
                return Err(TlsError::new(TlsErrorKind::Protocol, why));
            }
        }
        Ok(())
    }

    fn seal(&mut self, plain: &[&[u8]], out: &mut Vec<u8>) -> Result<(), TlsError> {
        self.check()?;
        for piece in plain {
            if let Err(error) = self.conn.writer().write_all(piece) {
                self.phase = Phase::Failed;
                return Err(TlsError::new(TlsErrorKind::Local, error.to_string()));
            }
        }
        self.put_out(out);
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.phase != Phase::Failed {
            self.say_farewell(out);
        }
    }

    fn owes_flight(&self) -> bool {
        let tickets = Some(ProtocolVersion::TLSv1_3);
        matches!(self.conn, Connection::Client(_)) || self.conn.protocol_version() != tickets
    }

    fn session(&self) -> TlsSession {
        let server_name = match &self.conn {
            Connection::Server(conn) => conn.server_name().map(String::from),
            Connection::Client(_) => None,
        };
        TlsSession {
            version: self.conn.protocol_version().and_then(|version| named(&version)),
            cipher_suite: self
                .conn
                .negotiated_cipher_suite()
                .and_then(|suite| named(&suite.suite())),
            alpn: self.conn.alpn_protocol().map(<[u8]>::to_vec),
            server_name,
            resumed: self.conn.handshake_kind().map(|kind| kind == HandshakeKind::Resumed),
            peer_certificates: self
                .conn
                .peer_certificates()
                .unwrap_or_default()
                .iter()
                .map(|certificate| certificate.to_vec())
                .collect(),
        }
    }

    fn export_keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        key: &mut [u8],
    ) -> Result<(), TlsError> {
        let exported = self.conn.export_keying_material(key, label, context);
        exported.map(drop).map_err(|error| describe(&error))
    }
}

impl fmt::Debug for TlsLayer {
    /// No secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsLayer").field("phase", &self.phase).finish_non_exhaustive()
    }
}

/// The name of a version or a suite, as rustls writes it, in the spelling of the standard.
fn named(value: &impl fmt::Debug) -> Option<String> {
    let mut name = String::new();
    write!(name, "{value:?}").ok()?;
    Some(match name.strip_prefix("TLSv1_") {
        Some(minor) => alloc::format!("TLSv1.{minor}"),
        None => name.replace("TLS13_", "TLS_"),
    })
}

/// What an error of rustls is in our words.
fn describe(error: &Error) -> TlsError {
    let kind = match error {
        Error::InvalidCertificate(error) => TlsErrorKind::Certificate(fault(error)),
        Error::NoCertificatesPresented => TlsErrorKind::Certificate(CertificateFault::Missing),
        Error::AlertReceived(alert) => TlsErrorKind::Alert(u8::from(*alert)),
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => TlsErrorKind::Incompatible,
        Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::InvalidEncryptedClientHello(_)
        | Error::InvalidMessage(_)
        | Error::DecryptError
        | Error::PeerMisbehaved(_)
        | Error::PeerSentOversizedRecord => TlsErrorKind::Protocol,
        _ => TlsErrorKind::Local,
    };
    TlsError::new(kind, detail(error))
}

/// What rustls says, with a date where it would say seconds.
fn detail(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            alloc::format!("it was valid until {}", Date(not_after.as_secs()))
        }
        Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. }) => {
            alloc::format!("it is valid from {} on", Date(not_before.as_secs()))
        }
        Error::InvalidCertificate(CertificateError::Other(other)) if is_of_an_authority(other) => {
            "it is the certificate of a CA; a server needs one with basicConstraints CA:FALSE"
                .into()
        }
        other => other.to_string(),
    }
}

/// Whether the peer shows the certificate of a CA, which is what `openssl req -x509` makes by default. The text is compared
/// because the type of this error belongs to a crate behind rustls.
fn is_of_an_authority(error: &OtherError) -> bool {
    alloc::format!("{error:?}").contains("CaUsedAsEndEntity")
}

fn fault(error: &CertificateError) -> CertificateFault {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateFault::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateFault::NotYetValid
        }
        CertificateError::Revoked => CertificateFault::Revoked,
        // A signature does not verify where an authority was made again under its old name: its name is
        // known, its key is not.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            CertificateFault::UnknownIssuer
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateFault::WrongName
        }
        _ => CertificateFault::Other,
    }
}
