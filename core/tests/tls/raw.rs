//! An end that is rustls and nothing of ours, and that changes its keys whenever it likes.

#[expect(clippy::disallowed_types, reason = "rustls reads from a slice and writes into a Vec")]
use std::io::{Read as _, Write as _};

use asyncnet_core::{Phase, SecureLayer, TlsError, TlsErrorKind, TlsSession};
use rustls::Connection;

#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) conn: Connection,
    phase: Phase,
    /// After how many sealings the keys change.
    every: usize,
    sealed: usize,
}

impl Raw {
    pub(crate) fn new(conn: impl Into<Connection>, every: usize) -> Self {
        let mut conn = conn.into();
        conn.set_buffer_limit(None);
        Self { conn, phase: Phase::Handshaking, every, sealed: 0 }
    }

    pub(crate) fn put_out(&mut self, out: &mut Vec<u8>) {
        while self.conn.wants_write() {
            self.conn.write_tls(out).expect("a Vec takes everything");
        }
    }

    /// Changes the keys and says so.
    pub(crate) fn update_keys(&mut self, out: &mut Vec<u8>) {
        self.conn.refresh_traffic_keys().expect("an open connection of TLS 1.3");
        self.put_out(out);
    }
}

impl SecureLayer for Raw {
    fn phase(&self) -> Phase {
        self.phase
    }

    fn start(&mut self, out: &mut Vec<u8>) -> Result<(), TlsError> {
        self.put_out(out);
        Ok(())
    }

    fn received(
        &mut self,
        mut wire: &mut [u8],
        out: &mut Vec<u8>,
        plain: &mut dyn FnMut(&[u8]),
    ) -> Result<(), TlsError> {
        while !wire.is_empty() && self.phase != Phase::PeerClosed {
            let n = self.conn.read_tls(&mut &*wire).unwrap_or(0);
            wire = &mut wire[n..];
            let state = self.conn.process_new_packets();
            let mut buf = [0; 20_000];
            while let Ok(n @ 1..) = self.conn.reader().read(&mut buf) {
                plain(&buf[..n]);
            }
            self.put_out(out);
            let state = state.map_err(|error| {
                self.phase = Phase::Failed;
                TlsError::new(TlsErrorKind::Protocol, error.to_string())
            })?;
            if state.peer_has_closed() {
                self.phase = Phase::PeerClosed;
            } else if !self.conn.is_handshaking() {
                self.phase = Phase::Open;
            }
        }
        Ok(())
    }

    fn seal(&mut self, plain: &[&[u8]], out: &mut Vec<u8>) -> Result<(), TlsError> {
        self.sealed += 1;
        if self.every > 0 && self.sealed % self.every == 0 {
            self.update_keys(out);
        }
        for piece in plain {
            self.conn.writer().write_all(piece).expect("no limit");
        }
        self.put_out(out);
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        self.conn.send_close_notify();
        self.put_out(out);
    }

    fn session(&self) -> TlsSession {
        TlsSession::default()
    }

    fn export_keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        key: &mut [u8],
    ) -> Result<(), TlsError> {
        let exported = self.conn.export_keying_material(key, label, context);
        exported.map(drop).map_err(|e| TlsError::new(TlsErrorKind::Local, e.to_string()))
    }
}
