//! A secure layer that hides plaintext from the eye and from nothing else: frames of a kind, a length and a
//! body. Its handshake takes as many round trips as it is told to.

use asyncnet::tls::{Phase, SecureLayer, TlsError, TlsErrorKind, TlsSession};

const HEAD: usize = 3;
/// Few bytes in a frame, so that every message is cut.
const BODY: usize = 50;
const MASK: u8 = 0x80;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Hello = 1,
    Data,
    Close,
    Alert,
    /// Asks for an `Answer`.
    Question,
    Answer,
    /// Of no meaning; what a server puts out when it opens.
    Ticket,
}

const KINDS: [Kind; 7] =
    [Kind::Hello, Kind::Data, Kind::Close, Kind::Alert, Kind::Question, Kind::Answer, Kind::Ticket];

/// One frame; the body of one that holds data is masked.
pub(crate) fn frame(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind as u8, 0, u8::try_from(body.len()).unwrap()];
    frame.extend(body.iter().map(|byte| byte ^ MASK));
    frame
}

/// Takes the first frame off `wire`, if it is whole.
fn next(wire: &mut Vec<u8>) -> Option<Result<(Kind, Vec<u8>), ()>> {
    let len = usize::from(*wire.get(2)?);
    let kind = KINDS.into_iter().find(|kind| *kind as u8 == wire[0]);
    let (Some(kind), 0) = (kind, wire[1]) else { return Some(Err(())) };
    let body = wire.get(HEAD..HEAD + len)?.iter().map(|byte| byte ^ MASK).collect();
    wire.drain(..HEAD + len);
    Some(Ok((kind, body)))
}

/// All the frames in `wire`, which has to hold whole ones but for the last.
pub(crate) fn frames(wire: &[u8]) -> Vec<(Kind, Vec<u8>)> {
    let mut wire = wire.to_vec();
    std::iter::from_fn(|| next(&mut wire)).map(|frame| frame.expect("nothing in plain")).collect()
}

/// The plaintext in `wire`.
pub(crate) fn plaintext(wire: &[u8]) -> Vec<u8> {
    let data = frames(wire).into_iter().filter(|(kind, _)| *kind == Kind::Data);
    data.flat_map(|(_, body)| body).collect()
}

#[derive(Debug)]
pub(crate) struct Layer {
    phase: Phase,
    is_client: bool,
    /// How many hellos each end says.
    hellos: u8,
    said: u8,
    heard: u8,
    input: Vec<u8>,
    /// Its close notice is nothing before it is open.
    pub(crate) closes_late: bool,
    /// How often it still seals.
    pub(crate) seals: usize,
}

impl Layer {
    fn new(is_client: bool, hellos: u8) -> Box<Self> {
        let (phase, input) = (Phase::Handshaking, Vec::new());
        let (said, heard, closes_late, seals) = (0, 0, false, usize::MAX);
        Box::new(Self { phase, is_client, hellos, said, heard, input, closes_late, seals })
    }

    /// A client, which also says the last word of the handshake.
    pub(crate) fn client(round_trips: u8) -> Box<Self> {
        Self::new(true, round_trips)
    }

    pub(crate) fn server(round_trips: u8) -> Box<Self> {
        Self::new(false, round_trips)
    }

    fn say_hello(&mut self, out: &mut Vec<u8>) {
        out.extend(frame(Kind::Hello, &[self.said]));
        self.said += 1;
    }

    fn hello(&mut self, body: &[u8], out: &mut Vec<u8>) -> Result<(), TlsError> {
        if self.phase != Phase::Handshaking || body != [self.heard] {
            return Err(self.fail(out));
        }
        self.heard += 1;
        let last = if self.is_client { self.hellos } else { self.hellos + 1 };
        if self.is_client || self.heard < last {
            self.say_hello(out);
        }
        if self.heard == last {
            self.phase = Phase::Open;
            if !self.is_client {
                out.extend(frame(Kind::Ticket, &[0; 20]));
            }
        }
        Ok(())
    }

    fn fail(&mut self, out: &mut Vec<u8>) -> TlsError {
        self.phase = Phase::Failed;
        out.extend(frame(Kind::Alert, &[10]));
        TlsError::new(TlsErrorKind::Protocol, "")
    }
}

impl SecureLayer for Layer {
    fn phase(&self) -> Phase {
        self.phase
    }

    fn start(&mut self, out: &mut Vec<u8>) -> Result<(), TlsError> {
        if self.is_client {
            self.say_hello(out);
        }
        Ok(())
    }

    fn received(
        &mut self,
        wire: &mut [u8],
        out: &mut Vec<u8>,
        plain: &mut dyn FnMut(&[u8]),
    ) -> Result<(), TlsError> {
        assert_ne!(self.phase, Phase::Failed, "input for a layer that has failed");
        self.input.extend_from_slice(wire);
        while self.phase != Phase::PeerClosed {
            let Some(next) = next(&mut self.input) else { break };
            let Ok((kind, body)) = next else { return Err(self.fail(out)) };
            match kind {
                Kind::Hello => self.hello(&body, out)?,
                Kind::Data if self.phase == Phase::Open => plain(&body),
                Kind::Close if self.phase == Phase::Open => self.phase = Phase::PeerClosed,
                Kind::Question => out.extend(frame(Kind::Answer, &body)),
                Kind::Answer | Kind::Ticket => {}
                Kind::Alert => {
                    self.phase = Phase::Failed;
                    return Err(TlsError::new(TlsErrorKind::Alert(body[0]), ""));
                }
                Kind::Data | Kind::Close => return Err(self.fail(out)),
            }
        }
        Ok(())
    }

    fn seal(&mut self, plain: &[&[u8]], out: &mut Vec<u8>) -> Result<(), TlsError> {
        assert!(matches!(self.phase, Phase::Open | Phase::PeerClosed), "nothing can be sealed now");
        if self.seals == 0 {
            self.phase = Phase::Failed;
            return Err(TlsError::new(TlsErrorKind::Local, ""));
        }
        self.seals -= 1;
        for body in plain.iter().flat_map(|piece| piece.chunks(BODY)) {
            out.extend(frame(Kind::Data, body));
        }
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.phase != Phase::Handshaking || !self.closes_late {
            out.extend(frame(Kind::Close, &[]));
        }
    }

    fn owes_flight(&self) -> bool {
        self.is_client
    }

    fn session(&self) -> TlsSession {
        TlsSession::default()
    }

    fn export_keying_material(
        &self,
        _: &[u8],
        _: Option<&[u8]>,
        _: &mut [u8],
    ) -> Result<(), TlsError> {
        Err(TlsError::new(TlsErrorKind::Local, ""))
    }
}
