//! L5: the same bytes give the same answers to the same calls, however they came in.
//!
//! One stream is played twice through a `Receiver`, each time cut in another way, handed in by another of
//! the two ways, with storage lent and taken back or not, and asked for before or only when a call waits.

use arbitrary::{Result, Unstructured};
use asyncnet_core::{Cause, Config, End, Error, Receiver, RecvStats, Step};

use crate::input;

/// How often the calls are repeated before the rest is read line by line.
const ROUNDS: usize = 8;

/// A receive whose answer depends on the bytes alone. (What `recv` of more than one byte answers when
/// unbuffered does not.)
#[derive(Clone, Copy, Debug)]
enum Call {
    Line,
    FirstOfLines,
    Block(usize),
    Byte,
    Recv(usize),
    RecvInto(usize),
    RecvLine,
    RecvLineInto,
    PeekLine,
    PeekByte,
    RecvPeek,
    RecvLinePeek,
    RecvLineIntoPeek,
}

type Answer = Result<Option<Vec<u8>>, Error>;

impl Call {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match u.int_in_range(0..=12)? {
            0 => Self::Line,
            1 => Self::FirstOfLines,
            2 => Self::Block(input::size(u)?),
            3 => Self::Byte,
            4 => Self::Recv(input::size(u)?),
            5 => Self::RecvInto(input::size(u)?),
            6 => Self::RecvLine,
            7 => Self::RecvLineInto,
            8 => Self::PeekLine,
            9 => Self::PeekByte,
            10 => Self::RecvPeek,
            11 => Self::RecvLinePeek,
            _ => Self::RecvLineIntoPeek,
        })
    }

    fn run(self, conn: &mut Receiver) -> Result<Step<Option<Vec<u8>>>, Error> {
        let Config { ends, buffered, .. } = *conn.config();
        let most = |n: usize| if buffered { n } else { n.min(1) };
        let own = |bytes: &[u8]| Some(bytes.to_vec());
        Ok(match self {
            Self::Line => conn.poll_line()?.map(|span| own(conn.bytes(span?))),
            Self::FirstOfLines => conn.next_lines()?.map(|lines| own(lines?.next()?)),
            Self::Block(n) => conn.poll_block(n)?.map(|span| own(conn.bytes(span))),
            Self::Byte => conn.poll_bytes(1)?.map(|span| own(conn.bytes(span?))),
            Self::Recv(n) => conn.recv(most(n), ends)?.map(Some),
            Self::RecvInto(n) => {
                let mut buf = vec![0; most(n)];
                conn.recv_into(&mut buf, ends)?.map(|n| own(&buf[..n]))
            }
            Self::RecvLine => conn.recv_line(ends)?.map(|line| own(line.as_bytes())),
            Self::RecvLineInto => {
                let mut line = b"old".to_vec();
                conn.recv_line_into(&mut line, ends)?.map(|()| Some(line))
            }
            Self::PeekLine => conn.peek_line()?.map(|line| own(line?)),
            Self::PeekByte => conn.peek_bytes(1)?.map(own),
            Self::RecvPeek => conn.recv_peek(1, ends)?.map(Some),
            Self::RecvLinePeek => conn.recv_line_peek(ends)?.map(|line| own(line.as_bytes())),
            Self::RecvLineIntoPeek => {
                let mut line = b"old".to_vec();
                conn.recv_line_into_peek(&mut line, ends)?.map(|()| Some(line))
            }
        })
    }
}

/// How the bytes come in.
#[derive(Debug)]
struct Reads {
    /// Through `space` and `handle_read`, and not through `handle_input`.
    into_space: bool,
    /// One read before every call, and not only when a call waits.
    eager: bool,
    /// Storage is lent before a read and taken back behind it.
    lend: bool,
    /// The sizes of the reads, over and over.
    sizes: Vec<usize>,
}

/// How many reads a stream takes, roughly: a long one in tiny reads shows nothing that a short one hides.
const READS: usize = 2000;

impl Reads {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        let flags = u.arbitrary::<u8>()?;
        let sizes = input::list(u, 7, |u| Ok(input::size(u)?.max(1)))?;
        let [into_space, eager, lend] = [1, 2, 4].map(|bit| flags & bit != 0);
        Ok(Self { into_space, eager, lend, sizes })
    }
}

/// A receiver, and what will still come.
struct Play<'a> {
    conn: Receiver,
    wire: &'a [u8],
    end: Cause,
    reads: &'a Reads,
    /// How many reads there were, and the least that one brings.
    count: usize,
    least: usize,
}

impl Play<'_> {
    fn ask(&mut self, call: Call) -> Answer {
        if self.reads.eager {
            self.read();
        }
        loop {
            if let Step::Ready(answer) = call.run(&mut self.conn)? {
                return Ok(answer);
            }
            assert!(self.conn.wants_read(), "{call:?} waits for what cannot come");
            self.read();
        }
    }

    /// One read, or the end where nothing is left.
    fn read(&mut self) {
        if self.wire.is_empty() {
            return self.conn.handle_end(self.end);
        }
        if self.reads.lend && self.conn.wants_block() {
            self.conn.lend(Vec::with_capacity(100));
        }
        let sizes = &self.reads.sizes;
        let size = if sizes.is_empty() { usize::MAX } else { sizes[self.count % sizes.len()] };
        self.count += 1;
        let chunk = &self.wire[..self.wire.len().min(size.max(self.least))];
        let n = if self.reads.into_space {
            let space = self.conn.space();
            let n = space.len().min(chunk.len());
            space[..n].copy_from_slice(&chunk[..n]);
            self.conn.handle_read(n);
            n
        } else {
            self.conn.handle_input(chunk)
        };
        assert!(n > 0, "an open connection takes no input");
        self.wire = &self.wire[n..];
        if self.reads.lend {
            drop(self.conn.reclaim());
        }
    }
}

/// What there is to compare: every answer, and what is left behind the last.
#[derive(Debug, PartialEq)]
struct Outcome {
    answers: Vec<Answer>,
    end: Option<End>,
    partial: Vec<u8>,
    stats: RecvStats,
}

fn play(config: Config, calls: &[Call], wire: &[u8], end: Cause, reads: &Reads) -> Outcome {
    let (conn, least) = (Receiver::new(config), wire.len() / READS);
    let mut play = Play { conn, wire, end, reads, count: 0, least };
    let mut answers = Vec::new();
    for _ in 0..ROUNDS {
        answers.extend(calls.iter().map(|call| play.ask(*call)));
        answers.push(play.ask(Call::Byte));
        if play.conn.end().is_some() {
            break;
        }
    }
    while play.conn.end().is_none() {
        answers.push(play.ask(Call::Line));
    }
    // E1: from here on nothing new is told.
    answers.extend(calls.iter().map(|call| play.ask(*call)));
    let Play { conn, .. } = play;
    let (end, partial, stats) = (conn.end(), conn.partial().to_vec(), conn.stats());
    Outcome { answers, end, partial, stats }
}

fn case(mut u: Unstructured<'_>) -> Result<()> {
    let config = input::config(&mut u)?;
    let end = match u.int_in_range(0..=2)? {
        0 => Cause::Eof,
        1 => Cause::Truncated,
        _ => Cause::Lost(input::loss(&mut u)?),
    };
    let reads = [Reads::new(&mut u)?, Reads::new(&mut u)?];
    let calls = input::list(&mut u, 20, Call::new)?;
    let mut stream = input::stream(u)?;
    if !config.buffered {
        stream.truncate(READS);
    }
    let [one, two] = reads.each_ref().map(|reads| play(config, &calls, &stream, end, reads));
    for (at, (a, b)) in one.answers.iter().zip(&two.answers).enumerate() {
        assert_eq!(a, b, "L5: answer {at}: {config:?} {calls:?} {reads:?}");
    }
    assert_eq!(one, two, "L5: {config:?} {calls:?} {reads:?}");
    Ok(())
}

/// The body of the target.
pub fn run(data: &[u8]) {
    // An input that is too short is no case.
    let _ = case(Unstructured::new(data));
}
