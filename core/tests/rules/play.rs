//! Plays one input through a connection in many chunkings: the answers must not differ (L5).

use std::fmt::Debug;
use std::vec;

use asyncnet_core::driver::{Inbound, Link};
use asyncnet_core::{Cause, Config, Connection, Error, Flags, LineError, Loss, Step};

/// How the input ends once all chunks were read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// It does not: a call that needs more fails the test.
    Open,
    Eof,
    Lost(Loss),
}

/// Which of the two ways in the bytes take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// `space`, then `handle_read`.
    Read,
    /// `handle_input`.
    Input,
}

pub(crate) const WAYS: [Way; 2] = [Way::Read, Way::Input];

/// What takes in bytes: a connection, or its parts as a driver holds them.
pub(crate) trait Machine {
    fn space(&mut self) -> &mut [u8];
    fn handle_read(&mut self, n: usize);
    fn handle_input(&mut self, wire: &[u8]) -> usize;
}

impl Machine for Connection {
    fn space(&mut self) -> &mut [u8] {
        self.space()
    }

    fn handle_read(&mut self, n: usize) {
        self.handle_read(n);
    }

    fn handle_input(&mut self, wire: &[u8]) -> usize {
        self.handle_input(wire)
    }
}

/// The parts of a connection as a driver holds them: for what a driver alone can do, such as to lend storage.
pub(crate) struct Parts {
    pub(crate) inbound: Inbound,
    pub(crate) link: Link,
}

impl Parts {
    pub(crate) fn new(config: Config) -> Self {
        let (inbound, link) = Connection::new(config).into_halves();
        Self { inbound, link }
    }
}

impl Machine for Parts {
    fn space(&mut self) -> &mut [u8] {
        self.link.space(Some(&mut self.inbound))
    }

    fn handle_read(&mut self, n: usize) {
        self.link.handle_read(Some(&mut self.inbound), n);
    }

    fn handle_input(&mut self, wire: &[u8]) -> usize {
        self.link.handle_input(Some(&mut self.inbound), wire)
    }
}

/// Makes one Nim-style call with flags of its own.
pub(crate) fn with_flags<T>(
    conn: &mut Connection,
    flags: Flags,
    call: impl FnOnce(&mut Connection) -> T,
) -> T {
    let own = conn.config().nim_flags;
    conn.configure(|config| config.nim_flags(flags));
    let answer = call(conn);
    conn.configure(|config| config.nim_flags(own));
    answer
}

/// A peek of the Nim-style calls, which hides the ends.
pub(crate) const PEEK: Flags = Flags::SAFE_DISCONN.union(Flags::PEEK);

/// One read: as much of `wire` as the machine takes at once. Returns how much that was.
pub(crate) fn read(machine: &mut impl Machine, wire: &[u8], way: Way) -> usize {
    match way {
        Way::Input => machine.handle_input(wire),
        Way::Read => {
            let space = machine.space();
            let n = space.len().min(wire.len());
            space[..n].copy_from_slice(&wire[..n]);
            machine.handle_read(n);
            n
        }
    }
}

/// Cuts `input` in front of every index that `at` names.
pub(crate) fn cut(input: &[u8], at: impl Fn(usize) -> bool) -> Vec<&[u8]> {
    let mut chunks = Vec::new();
    let mut start = 0;
    for end in 1..=input.len() {
        if end == input.len() || at(end) {
            chunks.push(&input[start..end]);
            start = end;
        }
    }
    chunks
}

/// All 2^(n-1) chunkings of an input of up to seven bytes; of a longer one the whole, each single cut,
/// and byte by byte.
pub(crate) fn chunkings(input: &[u8]) -> Vec<Vec<&[u8]>> {
    let len = input.len();
    if len <= 7 {
        let masks = 0..1 << len.saturating_sub(1);
        return masks.map(|mask: u32| cut(input, |at| mask >> (at - 1) & 1 == 1)).collect();
    }
    let single = (1..=len).map(|k| cut(input, |at| at == k));
    single.chain([cut(input, |_| true)]).collect()
}

/// A connection and what its transport will still bring.
pub(crate) struct Play<'a> {
    pub(crate) conn: Connection,
    chunks: vec::IntoIter<&'a [u8]>,
    end: Ending,
    way: Way,
}

impl<'a> Play<'a> {
    pub(crate) fn new(config: Config, chunks: Vec<&'a [u8]>, end: Ending, way: Way) -> Self {
        let conn = Connection::new(config);
        let chunks = chunks.into_iter();
        Self { conn, chunks, end, way }
    }

    /// Repeats `call` until it answers, with the next chunk, and at last the end, whenever it waits.
    pub(crate) fn ask<T>(
        &mut self,
        mut call: impl FnMut(&mut Connection) -> Result<Step<T>, Error>,
    ) -> Result<T, Error> {
        loop {
            if let Step::Ready(answer) = call(&mut self.conn)? {
                return Ok(answer);
            }
            match self.chunks.next() {
                Some(chunk) => self.bring(chunk),
                None => self.finish(),
            }
        }
    }

    /// Brings the next chunk, or tells the end behind the last, though no call waits for it.
    pub(crate) fn push(&mut self) {
        match self.chunks.next() {
            Some(chunk) => self.bring(chunk),
            None if matches!(self.end, Ending::Open) => {}
            None => self.finish(),
        }
    }

    fn bring(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() {
            let n = read(&mut self.conn, chunk, self.way);
            assert!(n > 0, "a waiting connection takes no input");
            chunk = &chunk[n..];
        }
    }

    fn finish(&mut self) {
        match std::mem::replace(&mut self.end, Ending::Open) {
            Ending::Open => panic!("a call waits for more than there is"),
            Ending::Eof => self.conn.handle_eof(),
            Ending::Lost(loss) => self.conn.handle_lost(loss),
        }
    }
}

/// What a line call can answer, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer<'a> {
    Line(&'a [u8]),
    Bad(LineError),
    /// The cause of the end, and how many bytes of an unfinished line came before it.
    End(Cause, usize),
}

impl Play<'_> {
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

    /// Asserts that `next_line` gives these answers, the last of them again and again if it is an end.
    pub(crate) fn expect_lines(&mut self, answers: &[Answer<'_>]) {
        let repeated = answers.last().filter(|last| matches!(last, Answer::End(..)));
        for expected in answers.iter().chain(repeated) {
            match (self.line(), expected) {
                (Ok(Some(line)), Answer::Line(text)) => assert_eq!(line, *text),
                (Err(Error::Line(error)), Answer::Bad(bad)) => assert_eq!(error, *bad),
                (Ok(None), Answer::End(Cause::Eof, 0)) => self.expect_end(expected),
                (Err(Error::Disconnected(end)), Answer::End(cause, partial)) => {
                    assert_eq!((end.cause, end.partial), (*cause, *partial));
                    assert!(!end.is_clean(), "a clean end is no error");
                    self.expect_end(expected);
                }
                (actual, _) => panic!("{actual:?} instead of {expected:?}"),
            }
        }
    }

    fn expect_end(&self, expected: &Answer<'_>) {
        let end = self.conn.end().expect("a receive met the end");
        assert_eq!(Answer::End(end.cause, end.partial), *expected);
    }
}

/// Runs `script` over `input` in every chunking and by both ways in. All answers must be equal; they
/// are returned.
pub(crate) fn in_any_chunking<T: PartialEq + Debug>(
    config: Config,
    input: &[u8],
    end: Ending,
    script: impl Fn(&mut Play<'_>) -> T,
) -> T {
    let run = |chunks, way| script(&mut Play::new(config, chunks, end, way));
    let answer = run(vec![input], Way::Input);
    for chunks in chunkings(input) {
        for way in WAYS {
            let shown = format!("{way:?} of {chunks:?}");
            assert_eq!(run(chunks.clone(), way), answer, "{shown}");
        }
    }
    answer
}

/// Asserts that `next_line` gives `answers` for `input`, in every chunking and by both ways in.
pub(crate) fn expect_lines(config: Config, input: &[u8], end: Ending, answers: &[Answer<'_>]) {
    in_any_chunking(config, input, end, |play| play.expect_lines(answers));
}
