//! A connection over the fake layer, and a peer that writes its records by hand.

use std::fmt::Debug;

use asyncnet_core::{Cause, Config, Connection, Error, Loss, Step, TlsErrorKind};

use crate::fake::{Fake, HELLO, NOTICE, record};

/// How the transport ends once all chunks were read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// It does not: a call that needs more fails the test.
    Open,
    Eof,
    Lost(Loss),
}

pub(crate) fn hello() -> Vec<u8> {
    record(HELLO, &[])
}

pub(crate) fn notice() -> Vec<u8> {
    record(NOTICE, &[])
}

/// A connection in the middle of this handshake.
pub(crate) fn started(config: Config, layer: Fake) -> Connection {
    let mut conn = Connection::new(config);
    assert_eq!(conn.start_tls(Box::new(layer)), Ok(()));
    assert!(conn.is_secure());
    conn
}

/// A client behind its handshake, with nothing on the wire.
pub(crate) fn open(config: Config) -> Connection {
    let mut conn = started(config, Fake::client(1));
    assert_eq!(transmit(&mut conn), hello());
    assert_eq!(conn.handle_input(&hello()), 2);
    assert!(!conn.is_handshaking());
    conn
}

/// Transmits everything, at most `step` bytes at a time.
pub(crate) fn transmit_by(conn: &mut Connection, step: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    while let Some(first) = conn.outgoing().next() {
        let n = first.len().min(step);
        assert!(n > 0, "an empty slice would be transmitted for ever");
        wire.extend_from_slice(&first[..n]);
        conn.transmitted(n);
    }
    wire
}

pub(crate) fn transmit(conn: &mut Connection) -> Vec<u8> {
    transmit_by(conn, usize::MAX)
}

/// All 2^(n-1) chunkings of a wire of up to nine bytes; of a longer one the whole, each single cut, and
/// byte by byte.
pub(crate) fn chunkings(wire: &[u8]) -> Vec<Vec<&[u8]>> {
    let len = wire.len();
    let cut = |mask: &dyn Fn(usize) -> bool| {
        let ends = (1..=len).filter(|end| *end == len || mask(*end));
        let mut start = 0;
        ends.map(|end| &wire[std::mem::replace(&mut start, end)..end]).collect::<Vec<_>>()
    };
    if len <= 9 {
        let masks = 0..1_u32 << len.saturating_sub(1);
        return masks.map(|mask| cut(&|end| mask >> (end - 1) & 1 == 1)).collect();
    }
    let single = (1..=len).map(|k| cut(&|end| end == k));
    single.chain([cut(&|_| true)]).collect()
}

/// A connection and what its transport will still bring.
pub(crate) struct Play<'a> {
    pub(crate) conn: Connection,
    chunks: std::vec::IntoIter<&'a [u8]>,
    end: Ending,
    /// Whether bytes come in by `space` and `handle_read`, or by `handle_input`.
    by_space: bool,
    /// What the connection has put out.
    pub(crate) out: Vec<u8>,
}

impl Play<'_> {
    /// Repeats `call` until it answers. Whenever it waits, everything leaves, and the next chunk, or at
    /// last the end, comes in.
    pub(crate) fn ask<T>(
        &mut self,
        mut call: impl FnMut(&mut Connection) -> Result<Step<T>, Error>,
    ) -> Result<T, Error> {
        loop {
            if let Step::Ready(answer) = call(&mut self.conn)? {
                return Ok(answer);
            }
            self.push();
        }
    }

    pub(crate) fn push(&mut self) {
        self.out.extend(transmit(&mut self.conn));
        match self.chunks.next() {
            Some(chunk) if self.by_space => {
                self.conn.space()[..chunk.len()].copy_from_slice(chunk);
                self.conn.handle_read(chunk.len());
            }
            Some(chunk) => assert_eq!(self.conn.handle_input(chunk), chunk.len()),
            None => match std::mem::replace(&mut self.end, Ending::Open) {
                Ending::Open => panic!("a call waits for more than there is"),
                Ending::Eof => self.conn.handle_eof(),
                Ending::Lost(loss) => self.conn.handle_lost(loss),
            },
        }
        self.out.extend(transmit(&mut self.conn));
    }

    pub(crate) fn line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        self.ask(|conn| Ok(conn.next_line()?.map(|line| line.map(<[u8]>::to_vec))))
    }

    pub(crate) fn block(&mut self, n: usize) -> Result<Vec<u8>, Error> {
        self.ask(|conn| Ok(conn.next_block(n)?.map(<[u8]>::to_vec)))
    }

    pub(crate) fn recv(&mut self, n: usize) -> Result<Vec<u8>, Error> {
        self.ask(|conn| conn.recv(n))
    }

    pub(crate) fn recv_line(&mut self) -> Result<String, Error> {
        self.ask(Connection::recv_line)
    }

    /// The cause and the partial, as `end()` tells them.
    pub(crate) fn end(&self) -> Option<(Cause, usize)> {
        self.conn.end().map(|end| (end.cause, end.partial))
    }
}

/// What an error says about the end.
pub(crate) fn told<T>(result: Result<T, Error>) -> Option<(Cause, usize)> {
    match result {
        Err(Error::Disconnected(end)) => Some((end.cause, end.partial)),
        _ => None,
    }
}

/// How the layer failed.
pub(crate) fn failed<T>(result: Result<T, Error>) -> Option<TlsErrorKind> {
    match result {
        Err(Error::Tls(error)) => Some(error.kind()),
        _ => None,
    }
}

/// Runs `script` with a connection to which `wire` comes in every chunking and by both ways in. All answers
/// must be equal; they are returned.
pub(crate) fn in_any_chunking<T: PartialEq + Debug>(
    conn: impl Fn() -> Connection,
    wire: &[u8],
    end: Ending,
    script: impl Fn(&mut Play<'_>) -> T,
) -> T {
    let run = |chunks: Vec<_>, by_space| {
        let chunks = chunks.into_iter();
        script(&mut Play { conn: conn(), chunks, end, by_space, out: Vec::new() })
    };
    let answer = run(vec![wire], false);
    for chunks in chunkings(wire) {
        for by_space in [false, true] {
            let shown = format!("by space: {by_space}, {chunks:?}");
            assert_eq!(run(chunks.clone(), by_space), answer, "{shown}");
        }
    }
    answer
}
