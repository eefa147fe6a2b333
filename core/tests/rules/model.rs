//! Random streams, random chunkings and random calls of both styles.

use asyncnet_core::{
    Config, End, Ends, Error, Framing, Items, Loss, Receiver, RecvStats, Shortfall, Step, Unread,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::play::{Ending, Play, WAYS, Way, cut};

/// A call whose answer depends on the bytes alone, and the two that move the storage.
#[derive(Clone, Copy, Debug)]
enum Call {
    NextLine,
    OneOfNextLines,
    LineOfBatch,
    BlockOfBatch(usize),
    MessageOfBatch,
    Message,
    TwoParts,
    Skip(u64),
    PeekBlock(usize),
    Configure(Framing, usize),
    NextBlock(usize),
    NextByte,
    Recv(usize),
    RecvInto(usize),
    RecvLine,
    RecvLineInto,
    PeekLine,
    PeekByte,
    RecvPeekByte,
    RecvLinePeek,
    RecvLineIntoPeek,
    Lend,
    Reclaim,
}

type Answer = Result<Option<Vec<u8>>, Error>;

fn own(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(bytes.to_vec())
}

/// A line, and a block as long as the rest of a division of its length.
fn message<'a>(unread: &mut Unread<'a>) -> Result<&'a [u8], Error> {
    let len = unread.line()?.len();
    unread.block(len % 5)
}

/// The first item of a batch that has one.
fn of_batch(
    conn: &mut Receiver,
    take: impl for<'a> Fn(&mut Items<'a>) -> Result<Option<&'a [u8]>, Error>,
) -> Result<Step<Option<Vec<u8>>>, Error> {
    for _ in 0..2 {
        match conn.poll_items()? {
            Step::NeedInput => return Ok(Step::NeedInput),
            Step::Ready(None) => return Ok(Step::Ready(None)),
            Step::Ready(Some(mut items)) => {
                if let Some(item) = take(&mut items)? {
                    return Ok(Step::Ready(own(item)));
                }
            }
        }
    }
    panic!("a second batch without an item: it spins")
}

/// What a call keeps until it has an answer.
#[derive(Default)]
struct Kept {
    short: Shortfall,
    parts: Vec<Vec<u8>>,
    skipped: u64,
}

impl Call {
    fn run(self, conn: &mut Receiver, kept: &mut Kept) -> Result<Step<Option<Vec<u8>>>, Error> {
        let Config { ends, buffered, .. } = *conn.config();
        // An unbuffered `recv` answers what one read gave.
        let most = |n: usize| if buffered { n } else { n.min(1) };
        Ok(match self {
            Self::NextLine => conn.poll_line()?.map(|span| own(conn.bytes(span?))),
            Self::OneOfNextLines => conn.next_lines()?.map(|lines| own(lines?.next()?)),
            Self::LineOfBatch => of_batch(conn, |items| items.next_line())?,
            Self::BlockOfBatch(n) => of_batch(conn, |items| items.next_block(n))?,
            Self::MessageOfBatch => of_batch(conn, |items| items.next_with(message))?,
            Self::Message => {
                conn.poll_with(&mut kept.short, |unread| message(unread).map(<[u8]>::to_vec))?
            }
            Self::TwoParts => {
                let parts = &mut kept.parts;
                let step = conn.poll_with(&mut kept.short, |unread| {
                    while parts.len() < 2 {
                        parts.push(unread.line()?.to_vec());
                        unread.checkpoint();
                    }
                    Ok(parts.concat())
                });
                step?
            }
            Self::Skip(n) => {
                let mut left = n - kept.skipped;
                let step = conn.poll_skip(&mut left);
                kept.skipped = n - left;
                step?.map(|()| None)
            }
            Self::PeekBlock(n) => conn.peek_block(n)?.map(own),
            Self::Configure(framing, max) => {
                let config = conn.config().framing(framing).max_line(max);
                conn.configure(config);
                Step::Ready(None)
            }
            Self::NextBlock(n) => conn.poll_block(n)?.map(|span| own(conn.bytes(span))),
            Self::NextByte => conn.poll_bytes(1)?.map(|span| own(conn.bytes(span?))),
            Self::Recv(n) => conn.recv(most(n), ends)?.map(Some),
            Self::RecvInto(n) => {
                let mut buf = vec![0; most(n)];
                let step = conn.recv_into(&mut buf, ends)?;
                step.map(|n| own(&buf[..n]))
            }
            Self::RecvLine => conn.recv_line(ends)?.map(|line| own(line.as_bytes())),
            Self::RecvLineInto => {
                let mut line = b"old".to_vec();
                conn.recv_line_into(&mut line, ends)?.map(|()| Some(line))
            }
            Self::RecvLineIntoPeek => {
                let mut line = b"old".to_vec();
                conn.recv_line_into_peek(&mut line, ends)?.map(|()| Some(line))
            }
            Self::PeekLine => conn.peek_line()?.map(|line| own(line?)),
            Self::PeekByte => conn.peek_bytes(1)?.map(own),
            Self::RecvPeekByte => conn.recv_peek(1, ends)?.map(Some),
            Self::RecvLinePeek => conn.recv_line_peek(ends)?.map(|line| own(line.as_bytes())),
            Self::Lend => {
                conn.lend(Vec::with_capacity(100));
                Step::Ready(None)
            }
            Self::Reclaim => {
                drop(conn.reclaim());
                Step::Ready(None)
            }
        })
    }
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => Just(Call::NextLine),
        1 => Just(Call::OneOfNextLines),
        2 => Just(Call::LineOfBatch),
        1 => (0..20usize).prop_map(Call::BlockOfBatch),
        1 => Just(Call::MessageOfBatch),
        2 => Just(Call::Message),
        1 => Just(Call::TwoParts),
        1 => (0..20u64).prop_map(Call::Skip),
        1 => (0..20usize).prop_map(Call::PeekBlock),
        1 => (framing(), max_line()).prop_map(|(framing, max)| Call::Configure(framing, max)),
        1 => (0..20usize).prop_map(Call::NextBlock),
        1 => Just(Call::NextByte),
        1 => (0..20usize).prop_map(Call::Recv),
        1 => (0..20usize).prop_map(Call::RecvInto),
        2 => Just(Call::RecvLine),
        1 => Just(Call::RecvLineInto),
        1 => Just(Call::PeekLine),
        1 => Just(Call::PeekByte),
        1 => Just(Call::RecvPeekByte),
        1 => Just(Call::RecvLinePeek),
        1 => Just(Call::RecvLineIntoPeek),
        1 => Just(Call::Lend),
        1 => Just(Call::Reclaim),
    ]
}

/// Bytes as lines are made of: mostly line ends and runs of text, at times any byte.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        3 => Just(b"\r\n".to_vec()),
        1 => Just(b"\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        3 => (1..12usize).prop_map(|n| vec![b'a'; n]),
        1 => (12..60usize).prop_map(|n| vec![b'b'; n]),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    vec(part, 0..30).prop_map(|parts| parts.concat())
}

fn framing() -> impl Strategy<Value = Framing> {
    prop_oneof![
        3 => Just(Framing::Lenient),
        3 => Just(Framing::CrLf),
        1 => Just(Framing::Lf),
        1 => Just(Framing::Byte(b'a')),
    ]
}

fn max_line() -> impl Strategy<Value = usize> {
    prop_oneof![0..15usize, Just(usize::MAX)]
}

fn config() -> impl Strategy<Value = Config> {
    let ends = prop_oneof![Just(Ends::Hide), Just(Ends::Tell)];
    let buffered = prop::bool::weighted(0.8);
    (framing(), ends, max_line(), buffered).prop_map(|(framing, ends, max, buffered)| {
        let config = Config::default().framing(framing).ends(ends).buffered(buffered);
        config.max_line(max).max_block(18)
    })
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![Just(Ending::Eof), Just(Ending::Lost(Loss::Reset))]
}

/// How the bytes come in.
#[derive(Debug)]
struct Reads {
    way: Way,
    /// A chunk comes before every call, and not only when one waits.
    eager: bool,
    /// The sizes of the chunks, over and over.
    sizes: Vec<usize>,
}

fn reads() -> impl Strategy<Value = Reads> {
    let way = proptest::sample::select(WAYS.to_vec());
    let sizes = prop_oneof![Just(vec![1]), Just(vec![9999]), vec(1..10usize, 1..9)];
    (way, any::<bool>(), sizes).prop_map(|(way, eager, sizes)| Reads { way, eager, sizes })
}

fn play<'a>(config: Config, stream: &'a [u8], ending: Ending, reads: &Reads) -> Play<'a, Receiver> {
    let sizes = reads.sizes.iter().cycle();
    let starts = sizes.scan(0, |at, size| Some(std::mem::replace(at, *at + size)));
    let starts: Vec<usize> = starts.take_while(|at| *at < stream.len()).collect();
    let chunks = cut(stream, |at| starts.contains(&at));
    Play::new(config, chunks, ending, reads.way)
}

/// The answers, and what is left: the end, the partial and the numbers.
type Outcome = (Vec<Answer>, Option<End>, Vec<u8>, RecvStats);

/// Makes all calls, reads the rest line by line, and then makes all calls once more: E1.
fn outcome(mut play: Play<'_, Receiver>, calls: &[Call], eager: bool) -> Outcome {
    let mut ask = |call: &Call| {
        if eager {
            play.push();
        }
        let mut kept = Kept::default();
        play.ask(|conn| call.run(conn, &mut kept))
    };
    let mut answers: Vec<Answer> = calls.iter().map(&mut ask).collect();
    loop {
        let answer = ask(&Call::NextLine);
        let over = matches!(answer, Ok(None) | Err(Error::Disconnected(_)));
        answers.push(answer);
        if over {
            break;
        }
    }
    let end = play.conn.end();
    let again = calls.iter().map(|call| {
        let mut kept = Kept::default();
        play.ask(|conn| call.run(conn, &mut kept))
    });
    answers.extend(again);
    assert_eq!(play.conn.end(), end, "E1");
    (answers, end, play.conn.partial().to_vec(), play.conn.stats())
}

/// Takes everything by calls that answer what there is, and asserts that each answer is what `stream` holds
/// where the one before it ended.
fn conserve(mut play: Play<'_, Receiver>, framing: Framing, stream: &[u8], sizes: &[usize]) {
    let mut rest = stream;
    let mut sizes = sizes.iter().cycle();
    while play.conn.end().is_none() {
        let size = *sizes.next().expect("a cycle");
        let taken = match size % 3 {
            // Too large a block would take nothing.
            0 => take_block(&mut play, rest, size.min(18)),
            1 => take_bytes(&mut play, rest, size),
            _ => take_lines(&mut play, framing, rest, size),
        };
        rest = &rest[taken..];
    }
    let end = play.conn.end().expect("the end");
    assert_eq!(end.partial, rest.len());
    let partial = play.conn.partial();
    assert!(partial == rest || partial.is_empty(), "{partial:?} {rest:?}");
}

fn take_bytes(play: &mut Play<'_, Receiver>, rest: &[u8], size: usize) -> usize {
    let peeked = play.ask(|conn| Ok(conn.peek_bytes(size)?.map(<[u8]>::to_vec)));
    let bytes = play.ask(|conn| Ok(conn.poll_bytes(size)?.map(|span| own(conn.bytes(span?)))));
    let bytes = bytes.ok().flatten().unwrap_or_default();
    assert_eq!(peeked.unwrap_or_default(), bytes, "a peek tells what comes");
    assert!(bytes.len() <= size && rest.starts_with(&bytes));
    bytes.len()
}

fn take_block(play: &mut Play<'_, Receiver>, rest: &[u8], size: usize) -> usize {
    let block = play.ask(|conn| Ok(conn.poll_block(size)?.map(|span| conn.bytes(span).to_vec())));
    let Ok(block) = block else {
        return 0;
    };
    assert!(block.len() == size && rest.starts_with(&block));
    size
}

fn take_lines(play: &mut Play<'_, Receiver>, framing: Framing, rest: &[u8], most: usize) -> usize {
    let own = |lines: Items<'_>| lines.take(most).map(<[u8]>::to_vec).collect();
    let lines = play.ask(|conn| Ok(conn.next_lines()?.map(|lines| lines.map(own))));
    let mut taken = 0;
    match lines {
        Ok(lines) => {
            let lines: Vec<Vec<u8>> = lines.unwrap_or_default();
            for line in lines {
                assert!(rest[taken..].starts_with(&line));
                taken += line.len();
                let bare = framing == Framing::Lenient && rest[taken..].starts_with(b"\n");
                let end = if bare { b"\n" } else { framing.terminator() };
                assert!(rest[taken..].starts_with(end));
                taken += end.len();
            }
        }
        Err(Error::Line(_)) => {
            let end = if framing == Framing::Lenient { b"\n" } else { framing.terminator() };
            let at = rest.windows(end.len()).position(|bytes| bytes == end);
            // Without a terminator all of it is dropped, and counted at the end.
            taken = at.map_or(0, |at| at + end.len());
        }
        Err(_) => {}
    }
    taken
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn l5_two_chunkings_give_the_same_answers(
        config in config(),
        stream in stream(),
        ending in ending(),
        calls in vec(call(), 0..40),
        reads in [reads(), reads()],
    ) {
        let [one, two] = reads.map(|reads| {
            let play = play(config, &stream, ending, &reads);
            outcome(play, &calls, reads.eager)
        });
        prop_assert_eq!(one, two);
    }

    #[test]
    fn b3_no_byte_is_lost_and_none_comes_twice(
        config in config(),
        stream in stream(),
        ending in ending(),
        reads in reads(),
        sizes in vec(1..30usize, 1..9),
    ) {
        let play = play(config, &stream, ending, &reads);
        conserve(play, config.framing, &stream, &sizes);
    }
}
