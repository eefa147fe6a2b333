//! L5: the same bytes give the same answers to the same calls, however they came in.
//!
//! One stream is played twice through a `Connection`, each time cut in another way, handed in by another of
//! the two ways, and asked for before or only when a call waits.

use arbitrary::{Result, Unstructured};
use asyncnet_core::{Config, Connection, End, Error, Flags, Loss, Stats, Step, Unread};

use crate::input;

/// How often the calls are repeated before the rest is read line by line.
const ROUNDS: usize = 8;

/// A receive whose answer depends on the bytes alone. (What `recv` of more than one byte answers when
/// unbuffered does not.)
#[derive(Clone, Copy, Debug)]
enum Call {
    Line,
    LineOfBatch,
    Message,
    Block(usize),
    Byte,
    Recv(usize),
    RecvInto(usize),
    RecvLine,
    RecvLineInto,
    PeekLine,
    PeekBlock(usize),
    RecvPeek,
    RecvLinePeek,
    RecvLineIntoPeek,
}

type Answer = Result<Option<Vec<u8>>, Error>;

/// A line, and a block that is as long as its text.
fn message(unread: &mut Unread<'_>) -> Result<Vec<u8>, Error> {
    let line = unread.line()?;
    Ok([line, unread.block(line.len())?].concat())
}

fn line_of_batch(conn: &mut Connection) -> Result<Step<Option<Vec<u8>>>, Error> {
    for _ in 0..2 {
        match conn.next_batch()? {
            Step::NeedInput => return Ok(Step::NeedInput),
            Step::Ready(None) => return Ok(Step::Ready(None)),
            Step::Ready(Some(mut items)) => {
                if let Some(line) = items.next_line()? {
                    return Ok(Step::Ready(Some(line.to_vec())));
                }
            }
        }
    }
    panic!("N7: two batches without a line")
}

impl Call {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match u.int_in_range(0..=13)? {
            0 => Self::Line,
            1 => Self::LineOfBatch,
            2 => Self::Block(input::size(u)?),
            3 => Self::Byte,
            4 => Self::Recv(input::size(u)?),
            5 => Self::RecvInto(input::size(u)?),
            6 => Self::RecvLine,
            7 => Self::RecvLineInto,
            8 => Self::PeekLine,
            9 => Self::PeekBlock(input::size(u)?),
            10 => Self::RecvPeek,
            11 => Self::RecvLinePeek,
            12 => Self::RecvLineIntoPeek,
            _ => Self::Message,
        })
    }

    fn run(self, conn: &mut Connection) -> Result<Step<Option<Vec<u8>>>, Error> {
        let Config { nim_flags, buffered, .. } = *conn.config();
        let peeks = matches!(self, Self::RecvPeek | Self::RecvLinePeek | Self::RecvLineIntoPeek);
        if peeks && !nim_flags.contains(Flags::PEEK) {
            conn.configure(|config| config.nim_flags(nim_flags | Flags::PEEK));
            let answer = self.run(conn);
            conn.configure(|config| config.nim_flags(nim_flags));
            return answer;
        }
        let most = |n: usize| if buffered { n } else { n.min(1) };
        let own = |bytes: &[u8]| Some(bytes.to_vec());
        Ok(match self {
            Self::Line => conn.next_line()?.map(|line| own(line?)),
            Self::LineOfBatch => line_of_batch(conn)?,
            Self::Message => conn.next_with(message)?,
            Self::Block(n) => conn.next_block(n)?.map(own),
            Self::Byte => conn.next_bytes(1)?.map(|bytes| own(bytes?)),
            Self::Recv(n) => conn.recv(most(n))?.map(Some),
            Self::RecvInto(n) => {
                let mut buf = vec![0; most(n)];
                conn.recv_into(&mut buf)?.map(|n| own(&buf[..n]))
            }
            Self::RecvLine | Self::RecvLinePeek => {
                conn.recv_line()?.map(|line| own(line.as_bytes()))
            }
            Self::RecvLineInto | Self::RecvLineIntoPeek => {
                let mut line = b"old".to_vec();
                conn.recv_line_into(&mut line)?.map(|()| Some(line))
            }
            Self::PeekLine => conn.peek_line()?.map(|line| own(line?)),
            Self::PeekBlock(n) => conn.peek_block(n)?.map(|bytes| own(&bytes[..n])),
            Self::RecvPeek => conn.recv(1)?.map(Some),
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
    /// The sizes of the reads, over and over.
    sizes: Vec<usize>,
}

/// How many reads a stream takes, roughly: a long one in tiny reads shows nothing that a short one hides.
const READS: usize = 2000;

impl Reads {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        let flags = u.arbitrary::<u8>()?;
        let sizes = input::list(u, 7, |u| Ok(input::size(u)?.max(1)))?;
        let [into_space, eager] = [1, 2].map(|bit| flags & bit != 0);
        Ok(Self { into_space, eager, sizes })
    }
}

/// A connection, and what will still come.
struct Play<'a> {
    conn: Connection,
    wire: &'a [u8],
    /// How it ends: in good order, if it is not lost.
    end: Option<Loss>,
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
            return match self.end {
                Some(loss) => self.conn.handle_lost(loss),
                None => self.conn.handle_eof(),
            };
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
    }
}

/// What there is to compare: every answer, and what is left behind the last.
#[derive(Debug, PartialEq)]
struct Outcome {
    answers: Vec<Answer>,
    end: Option<End>,
    partial: Vec<u8>,
    stats: Stats,
}

/// Whether the last answer, of bytes or a line, is the end.
fn has_ended(answers: &[Answer]) -> bool {
    matches!(answers.last(), Some(Ok(None) | Err(Error::Disconnected(_))))
}

fn play(config: Config, calls: &[Call], wire: &[u8], end: Option<Loss>, reads: &Reads) -> Outcome {
    let (conn, least) = (Connection::new(config), wire.len() / READS);
    let mut play = Play { conn, wire, end, reads, count: 0, least };
    let mut answers = Vec::new();
    for _ in 0..ROUNDS {
        answers.extend(calls.iter().map(|call| play.ask(*call)));
        answers.push(play.ask(Call::Byte));
        if has_ended(&answers) {
            break;
        }
    }
    while !has_ended(&answers) {
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
        0 | 1 => None,
        _ => Some(input::loss(&mut u)?),
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
