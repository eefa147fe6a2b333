//! Lines in plain, and `start_tls` somewhere among them (T5): it is refused exactly if anything is left over,
//! and behind it nothing is taken or sent in plain.

use arbitrary::{Result, Unstructured};
use asyncnet_core::{Connection, Error, Loss, Step, UpgradeRefused};

use crate::fake::{DATA, Fake, HELLO, data, record};
use crate::input;

/// How many operations a case has at most.
const MOST_OPS: usize = 100;

#[derive(Clone, Copy, Debug)]
enum Op {
    /// The peer sends so many bytes of its stream: in plain, or in a record.
    Input(usize, bool),
    /// It sends its hello, and so has done with the handshake.
    Hello,
    /// It goes on in plain, though TLS has begun.
    Leftover(usize),
    Line,
    Bytes(usize),
    Peek,
    Feed(usize),
    Transmit(usize),
    StartTls(bool),
    Eof,
    Lost(Loss),
    CloseWrite,
    Close,
}

impl Op {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match u.int_in_range(0..=63)? {
            0..=11 => Self::Input(input::size(u)?, u.arbitrary()?),
            12..=15 => Self::Hello,
            16 => Self::Leftover(input::size(u)?),
            17..=26 => Self::Line,
            27..=32 => Self::Bytes(input::size(u)?),
            33 => Self::Peek,
            34..=43 => Self::Feed(input::size(u)?),
            44..=51 => Self::Transmit(input::size(u)?),
            52..=59 => Self::StartTls(u.arbitrary()?),
            60 => Self::Eof,
            61 => Self::Lost(input::loss(u)?),
            62 => Self::CloseWrite,
            _ => Self::Close,
        })
    }
}

struct World {
    conn: Connection,
    /// What the peer will still send.
    stream: Vec<u8>,
    /// What it has sent and the connection took, in plain or in records, behind the last answer.
    coming: Vec<u8>,
    /// A line was too long or otherwise bad: what is left of `coming` is no longer known.
    lost_track: bool,
    said_hello: bool,
    /// What was fed behind the last change to TLS, or since the beginning.
    fed: Vec<u8>,
    /// What left since then.
    wire: Vec<u8>,
}

impl World {
    fn take(&mut self, n: usize) -> Vec<u8> {
        let n = n.min(self.stream.len());
        self.stream.drain(..n).collect()
    }

    /// Hands all of `records` in, as a driver would, however much is taken at once. Returns whether it was taken:
    /// not behind an end.
    fn input_all(&mut self, mut records: &[u8], by_space: bool) -> bool {
        let mut took = records.is_empty();
        while !records.is_empty() {
            let n = self.input(records, by_space);
            if n == 0 {
                break;
            }
            took = true;
            records = &records[n..];
        }
        took
    }

    /// Hands `wire` in, or as much of its front as is taken at once, by one of the two ways.
    fn input(&mut self, wire: &[u8], by_space: bool) -> usize {
        if !by_space || !self.conn.wants_read() {
            return self.conn.handle_input(wire);
        }
        let space = self.conn.space();
        let n = space.len().min(wire.len());
        space[..n].copy_from_slice(&wire[..n]);
        self.conn.handle_read(n);
        n
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Input(n, by_space) => {
                let plain = self.take(n);
                if !self.conn.is_secure() {
                    let took = self.input(&plain, by_space);
                    self.coming.extend(&plain[..took]);
                } else if self.said_hello && self.input_all(&data(&plain), by_space) {
                    self.coming.extend(plain);
                }
            }
            Op::Hello if self.conn.is_secure() && !self.said_hello => {
                self.said_hello = self.input(&record(HELLO, &[]), false) > 0;
            }
            Op::Hello => {}
            Op::Leftover(n) => {
                // No record begins with any of these.
                let wire: Vec<u8> = self.take(n).iter().map(|byte| byte | 0x80).collect();
                if self.conn.is_secure() && self.input(&wire, false) > 0 {
                    assert!(!self.conn.is_handshaking(), "T5: plaintext was taken");
                    assert!(self.conn.end().is_some());
                }
            }
            Op::Line => match self.conn.next_line() {
                Ok(Step::Ready(Some(line))) => {
                    let line = line.to_vec();
                    self.came(&line);
                    let end = if self.coming.starts_with(b"\r\n") { 2 } else { 1 };
                    self.coming.drain(..end.min(self.coming.len()));
                }
                Err(Error::Line(_)) => self.lost_track = true,
                _ => {}
            },
            Op::Bytes(n) => {
                if let Ok(Step::Ready(Some(bytes))) = self.conn.next_bytes(n) {
                    let bytes = bytes.to_vec();
                    self.came(&bytes);
                }
            }
            Op::Peek => drop(self.conn.peek_line().map(|_| ())),
            Op::Feed(n) => {
                let message: Vec<u8> = (0..n).map(|i| (self.fed.len() + i) as u8).collect();
                if self.conn.feed(&message).is_ok() {
                    self.fed.extend(message);
                }
            }
            Op::Transmit(n) => self.transmit(n),
            Op::StartTls(client) => self.start_tls(client),
            Op::Eof => self.conn.handle_eof(),
            Op::Lost(loss) => self.conn.handle_lost(loss),
            Op::CloseWrite => self.conn.close_write(),
            Op::Close => self.conn.close(),
        }
    }

    fn came(&mut self, bytes: &[u8]) {
        if !self.lost_track {
            let rest = self.coming.strip_prefix(bytes);
            self.coming = rest.expect("what the peer sent, in order").to_vec();
        }
    }

    fn transmit(&mut self, n: usize) {
        let first = self.conn.outgoing().next().unwrap_or_default();
        let n = n.min(first.len());
        self.wire.extend(&first[..n]);
        self.conn.transmitted(n);
    }

    /// What the wire has carried of what was fed.
    fn check_wire(&self) {
        if !self.conn.is_secure() {
            assert!(self.fed.starts_with(&self.wire));
            return;
        }
        let (mut rest, mut fed) = (&self.wire[..], &self.fed[..]);
        while let [kind, len, behind @ ..] = rest {
            assert!(b"HDpNA".contains(kind), "T5: plaintext leaves");
            let n = usize::from(*len).min(behind.len());
            if *kind == DATA {
                fed = fed.strip_prefix(&behind[..n]).expect("once and in order");
            }
            rest = &behind[n..];
        }
    }

    fn start_tls(&mut self, client: bool) {
        let conn = &mut self.conn;
        let before = (conn.peek().to_vec(), conn.unsent(), conn.end(), conn.stats());
        let secure = conn.is_secure();
        let layer = if client { Fake::client(1) } else { Fake::server(1) };
        match conn.start_tls(Box::new(layer)) {
            Ok(()) => {
                assert!(!secure && conn.is_secure());
                assert_eq!((before.0, before.1, before.2), (Vec::new(), 0, None), "T5: left over");
                assert_eq!(self.wire, self.fed, "all in plain has left");
                (self.wire, self.fed) = (Vec::new(), Vec::new());
                assert!(self.coming.is_empty() || self.lost_track, "T5: received and not answered");
                self.lost_track = false;
                self.coming.clear();
            }
            Err(why) => {
                let after = (conn.peek().to_vec(), conn.unsent(), conn.end(), conn.stats());
                assert_eq!(before, after, "T5: nothing changes");
                assert_eq!(secure, conn.is_secure());
                match why {
                    Error::Upgrade(UpgradeRefused::AlreadyTls) => assert!(secure),
                    Error::Upgrade(UpgradeRefused::BufferedPlaintext(n)) => {
                        assert_eq!(n, before.0.len());
                    }
                    Error::Upgrade(UpgradeRefused::UnsentPlaintext(n)) => assert_eq!(n, before.1),
                    Error::Upgrade(UpgradeRefused::Discarding) => assert!(self.lost_track),
                    // An end, met or not, or a side that cannot send.
                    _ => assert!(!self.conn.wants_read() || self.conn.feed(b"").is_err()),
                }
            }
        }
    }
}

fn case(mut u: Unstructured<'_>) -> Result<()> {
    let config = input::config(&mut u)?;
    let ops = input::list(&mut u, MOST_OPS as u8, Op::new)?;
    let mut world = World {
        conn: Connection::new(config),
        stream: input::stream(u)?,
        coming: Vec::new(),
        lost_track: false,
        said_hello: false,
        fed: Vec::new(),
        wire: Vec::new(),
    };
    for op in ops {
        world.apply(op);
        world.check_wire();
    }
    Ok(())
}

/// The body of the target.
pub fn run(bytes: &[u8]) {
    // An input that is too short is no case.
    let _ = case(Unstructured::new(bytes));
}
