//! A secure layer without cryptography: records that anybody can read and write, and misbehaviour on demand.
//!
//! A record is its kind, the number of bytes of its body, and the body. A client begins with [`HELLO`]; each
//! end answers the other's until both have sent as many as there are round trips.

use std::mem;

use asyncnet_core::{Phase, SecureLayer, TlsError, TlsErrorKind, TlsSession};

/// A step of the handshake.
pub(crate) const HELLO: u8 = b'H';
/// Plaintext.
pub(crate) const DATA: u8 = b'D';
/// Wants to be answered by [`PONG`], as an update of the keys does.
pub(crate) const PING: u8 = b'P';
pub(crate) const PONG: u8 = b'p';
/// The close notice.
pub(crate) const NOTICE: u8 = b'N';
/// An error; its body is one byte that says which.
pub(crate) const ALERT: u8 = b'A';

/// What a layer says about a record that is none: `unexpected_message`.
pub(crate) const UNEXPECTED: u8 = 10;

/// One record. The body has at most 255 bytes.
pub(crate) fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u8::try_from(body.len()).expect("a short body");
    [&[kind, len][..], body].concat()
}

/// `plain` in as many records as it needs.
pub(crate) fn data(plain: &[u8]) -> Vec<u8> {
    plain.chunks(255).flat_map(|body| record(DATA, body)).collect()
}

#[derive(Debug)]
pub(crate) struct Fake {
    client: bool,
    /// How many hellos of the peer are still to come.
    rounds: usize,
    phase: Phase,
    /// The front of a record.
    partial: Vec<u8>,
    /// How many bytes came in.
    seen: usize,
    /// Which of them is one too many.
    pub(crate) fail_at: Option<usize>,
    pub(crate) fail_start: bool,
    pub(crate) fail_seal: bool,
}

impl Fake {
    fn new(client: bool, rounds: usize) -> Self {
        Self {
            client,
            rounds,
            phase: Phase::Handshaking,
            partial: Vec::new(),
            seen: 0,
            fail_at: None,
            fail_start: false,
            fail_seal: false,
        }
    }

    /// A client whose handshake takes so many round trips.
    pub(crate) fn client(rounds: usize) -> Self {
        Self::new(true, rounds)
    }

    pub(crate) fn server(rounds: usize) -> Self {
        Self::new(false, rounds)
    }

    fn fail(&mut self, kind: TlsErrorKind) -> TlsError {
        self.phase = Phase::Failed;
        TlsError::new(kind, "scripted")
    }

    fn unexpected(&mut self, out: &mut Vec<u8>) -> TlsError {
        out.extend(record(ALERT, &[UNEXPECTED]));
        self.fail(TlsErrorKind::Protocol)
    }

    /// Takes one more byte.
    fn byte(
        &mut self,
        byte: u8,
        out: &mut Vec<u8>,
        plain: &mut dyn FnMut(&[u8]),
    ) -> Result<(), TlsError> {
        if self.fail_at == Some(self.seen) {
            return Err(self.unexpected(out));
        }
        self.seen += 1;
        self.partial.push(byte);
        let (kind, len) = match self.partial[..] {
            [kind] => (kind, None),
            [kind, len, ..] => (kind, Some(usize::from(len))),
            [] => unreachable!("a byte was pushed"),
        };
        let open = self.phase == Phase::Open;
        if !(kind == ALERT || if open { b"DPpN".contains(&kind) } else { kind == HELLO }) {
            return Err(self.unexpected(out));
        }
        if len.is_none_or(|len| self.partial.len() < 2 + len) {
            return Ok(());
        }
        let record = mem::take(&mut self.partial);
        self.record(kind, &record[2..], out, plain)
    }

    fn record(
        &mut self,
        kind: u8,
        body: &[u8],
        out: &mut Vec<u8>,
        plain: &mut dyn FnMut(&[u8]),
    ) -> Result<(), TlsError> {
        match kind {
            DATA => plain(body),
            PING => out.extend(record(PONG, &[])),
            NOTICE => self.phase = Phase::PeerClosed,
            ALERT => {
                let code = body.first().copied().unwrap_or_default();
                return Err(self.fail(TlsErrorKind::Alert(code)));
            }
            HELLO => {
                self.rounds = self.rounds.saturating_sub(1);
                if !self.client || self.rounds > 0 {
                    out.extend(record(HELLO, &[]));
                }
                if self.rounds == 0 {
                    self.phase = Phase::Open;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl SecureLayer for Fake {
    fn phase(&self) -> Phase {
        self.phase
    }

    fn start(&mut self, out: &mut Vec<u8>) -> Result<(), TlsError> {
        if self.fail_start {
            return Err(self.fail(TlsErrorKind::Local));
        }
        if self.client {
            out.extend(record(HELLO, &[]));
        }
        Ok(())
    }

    fn received(
        &mut self,
        wire: &mut [u8],
        out: &mut Vec<u8>,
        plain: &mut dyn FnMut(&[u8]),
    ) -> Result<(), TlsError> {
        let mut rest = &*wire;
        while let Some((byte, behind)) = rest.split_first() {
            if self.phase == Phase::PeerClosed {
                break;
            }
            rest = behind;
            self.byte(*byte, out, plain)?;
            // All but the last byte of a body is of no interest.
            if let (None, [_, len, body @ ..]) = (self.fail_at, &self.partial[..]) {
                let n = usize::from(*len).saturating_sub(body.len() + 1).min(rest.len());
                self.partial.extend(&rest[..n]);
                rest = &rest[n..];
            }
        }
        // The slice may be written over: a second look at it finds nonsense.
        wire.fill(b'!');
        Ok(())
    }

    fn seal(&mut self, plain: &[&[u8]], out: &mut Vec<u8>) -> Result<(), TlsError> {
        assert!(matches!(self.phase, Phase::Open | Phase::PeerClosed), "sealed before it is open");
        if self.fail_seal {
            return Err(self.fail(TlsErrorKind::Local));
        }
        out.extend(data(&plain.concat()));
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        out.extend(record(NOTICE, &[]));
    }

    fn session(&self) -> TlsSession {
        TlsSession::default()
    }

    fn export_keying_material(
        &self,
        label: &[u8],
        _: Option<&[u8]>,
        key: &mut [u8],
    ) -> Result<(), TlsError> {
        if self.phase == Phase::Handshaking {
            return Err(TlsError::new(TlsErrorKind::Local, "not yet"));
        }
        key.fill(label.len() as u8);
        Ok(())
    }
}
