//! Random streams, random chunkings and random calls.

use asyncnet_core::driver::Inbound;
use asyncnet_core::{Config, Connection, End, Error, Flags, Framing, Loss, Stats, Step, Unread};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::play::{Ending, Machine as _, Parts, Play, WAYS, Way, cut, with_flags};

/// A call whose answer depends on the bytes alone.
#[derive(Clone, Copy, Debug)]
enum Call {
    NextLine,
    LineOfBatch,
    NextWith,
    NextBlock(usize),
    NextByte,
    Recv(usize),
    RecvInto(usize),
    RecvLine,
    RecvLineInto,
    PeekLine,
    PeekBlock(usize),
    RecvPeekByte,
    RecvLinePeek,
    RecvLineIntoPeek,
}

type Answer = Result<Option<Vec<u8>>, Error>;

fn own(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(bytes.to_vec())
}

/// A line, and a block of at most 18 bytes that is as long as the line.
fn message(unread: &mut Unread<'_>) -> Result<Vec<u8>, Error> {
    let line = unread.line()?;
    Ok([line, unread.block(line.len().min(18))?].concat())
}

fn line_of_batch(conn: &mut Connection) -> Result<Step<Option<Vec<u8>>>, Error> {
    for _ in 0..2 {
        match conn.next_batch()? {
            Step::NeedInput => return Ok(Step::NeedInput),
            Step::Ready(None) => return Ok(Step::Ready(None)),
            Step::Ready(Some(mut items)) => {
                if let Some(line) = items.next_line()? {
                    return Ok(Step::Ready(own(line)));
                }
            }
        }
    }
    panic!("two batches without a line: it spins")
}

impl Call {
    fn run(self, conn: &mut Connection) -> Result<Step<Option<Vec<u8>>>, Error> {
        let Config { nim_flags, buffered, .. } = *conn.config();
        let peek = nim_flags | Flags::PEEK;
        // An unbuffered `recv` answers what one read gave.
        let most = |n: usize| if buffered { n } else { n.min(1) };
        Ok(match self {
            Self::NextLine => conn.next_line()?.map(|line| own(line?)),
            Self::LineOfBatch => line_of_batch(conn)?,
            Self::NextWith => conn.next_with(message)?,
            Self::NextBlock(n) => conn.next_block(n)?.map(own),
            Self::NextByte => conn.next_bytes(1)?.map(|bytes| own(bytes?)),
            Self::Recv(n) => conn.recv(most(n))?.map(Some),
            Self::RecvInto(n) => {
                let mut buf = vec![0; most(n)];
                let step = conn.recv_into(&mut buf)?;
                step.map(|n| own(&buf[..n]))
            }
            Self::RecvLine => conn.recv_line()?.map(|line| own(line.as_bytes())),
            Self::RecvLineInto => {
                let mut line = b"old".to_vec();
                conn.recv_line_into(&mut line)?.map(|()| Some(line))
            }
            Self::RecvLineIntoPeek => {
                let mut line = b"old".to_vec();
                let step = with_flags(conn, peek, |conn| conn.recv_line_into(&mut line))?;
                step.map(|()| Some(line))
            }
            Self::PeekLine => conn.peek_line()?.map(|line| own(line?)),
            Self::PeekBlock(n) => conn.peek_block(n)?.map(|bytes| own(&bytes[..n])),
            Self::RecvPeekByte => with_flags(conn, peek, |conn| conn.recv(1))?.map(Some),
            Self::RecvLinePeek => {
                with_flags(conn, peek, Connection::recv_line)?.map(|line| own(line.as_bytes()))
            }
        })
    }
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => Just(Call::NextLine),
        2 => Just(Call::LineOfBatch),
        1 => Just(Call::NextWith),
        1 => (0..20usize).prop_map(Call::NextBlock),
        1 => Just(Call::NextByte),
        1 => (0..20usize).prop_map(Call::Recv),
        1 => (0..20usize).prop_map(Call::RecvInto),
        2 => Just(Call::RecvLine),
        1 => Just(Call::RecvLineInto),
        1 => Just(Call::PeekLine),
        1 => (0..20usize).prop_map(Call::PeekBlock),
        1 => Just(Call::RecvPeekByte),
        1 => Just(Call::RecvLinePeek),
        1 => Just(Call::RecvLineIntoPeek),
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

fn config() -> impl Strategy<Value = Config> {
    let framing = prop_oneof![Just(Framing::Lenient), Just(Framing::CrLf)];
    let flags = prop_oneof![Just(Flags::SAFE_DISCONN), Just(Flags::empty())];
    let max_line = prop_oneof![0..15usize, Just(usize::MAX)];
    let buffered = prop::bool::weighted(0.8);
    (framing, flags, max_line, buffered).prop_map(|(framing, flags, max, buffered)| {
        let config = Config::default().framing(framing).nim_flags(flags).buffered(buffered);
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

fn play<'a>(config: Config, stream: &'a [u8], ending: Ending, reads: &Reads) -> Play<'a> {
    let sizes = reads.sizes.iter().cycle();
    let starts = sizes.scan(0, |at, size| Some(std::mem::replace(at, *at + size)));
    let starts: Vec<usize> = starts.take_while(|at| *at < stream.len()).collect();
    let chunks = cut(stream, |at| starts.contains(&at));
    Play::new(config, chunks, ending, reads.way)
}

/// The answers, and what is left: the end, the partial and the numbers.
type Outcome = (Vec<Answer>, Option<End>, Vec<u8>, Stats);

/// Makes all calls, reads the rest line by line, and then makes all calls once more: E1.
fn outcome(mut play: Play<'_>, calls: &[Call], eager: bool) -> Outcome {
    let mut ask = |call: &Call| {
        if eager {
            play.push();
        }
        play.ask(|conn| call.run(conn))
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
    let again = calls.iter().map(|call| play.ask(|conn| call.run(conn)));
    answers.extend(again);
    assert_eq!(play.conn.end(), end, "E1");
    (answers, end, play.conn.partial().to_vec(), play.conn.stats())
}

/// Takes everything by calls that answer what there is, and asserts that each answer is what `stream` holds
/// where the one before it ended.
fn conserve(mut play: Play<'_>, framing: Framing, stream: &[u8], sizes: &[usize]) {
    let mut rest = stream;
    let mut sizes = sizes.iter().cycle();
    while play.conn.end().is_none() {
        let size = *sizes.next().expect("a cycle");
        let taken = match size % 4 {
            // Too large a block would take nothing.
            0 => take_block(&mut play, rest, size.min(18)),
            1 => take_bytes(&mut play, rest, size),
            2 => skip(&mut play, size),
            _ => take_lines(&mut play, framing, rest, size),
        };
        rest = &rest[taken..];
    }
    let end = play.conn.end().expect("the end");
    assert_eq!(end.partial, rest.len());
    let partial = play.conn.partial();
    assert!(partial == rest || partial.is_empty(), "{partial:?} {rest:?}");
}

fn take_bytes(play: &mut Play<'_>, rest: &[u8], size: usize) -> usize {
    let flags = play.conn.config().nim_flags | Flags::PEEK;
    let peeked = play.ask(|conn| with_flags(conn, flags, |conn| conn.recv(size)));
    let bytes = play.ask(|conn| Ok(conn.next_bytes(size)?.map(|bytes| own(bytes?))));
    let bytes = bytes.ok().flatten().unwrap_or_default();
    assert_eq!(peeked.unwrap_or_default(), bytes, "a peek tells what comes");
    assert!(bytes.len() <= size && rest.starts_with(&bytes));
    bytes.len()
}

fn take_block(play: &mut Play<'_>, rest: &[u8], size: usize) -> usize {
    let block = play.ask(|conn| Ok(conn.next_block(size)?.map(<[u8]>::to_vec)));
    let Ok(block) = block else {
        return 0;
    };
    assert!(block.len() == size && rest.starts_with(&block));
    size
}

fn skip(play: &mut Play<'_>, size: usize) -> usize {
    let mut left = size as u64;
    let skipped = play.ask(|conn| conn.skip(&mut left));
    assert_eq!(skipped.is_ok(), left == 0);
    size - usize::try_from(left).expect("a small number")
}

/// Takes at most so many lines of one batch.
fn take_lines(play: &mut Play<'_>, framing: Framing, rest: &[u8], most: usize) -> usize {
    let lines = play.ask(|conn| {
        Ok(match conn.next_batch()? {
            Step::NeedInput => Step::NeedInput,
            Step::Ready(None) => Step::Ready(Vec::new()),
            Step::Ready(Some(mut items)) => {
                let next = |_| items.next_line().map(|line| own(line?)).transpose();
                let lines: Vec<_> = (0..most).map_while(next).collect();
                if lines.is_empty() { Step::NeedInput } else { Step::Ready(lines) }
            }
        })
    });
    let mut taken = 0;
    for line in lines.unwrap_or_default() {
        let rest = &rest[taken..];
        taken += match line {
            Ok(line) => {
                assert!(rest.starts_with(&line));
                let end = &rest[line.len()..];
                let cr = end.starts_with(b"\r");
                assert!(cr || framing == Framing::Lenient);
                assert_eq!(end[usize::from(cr)], b'\n');
                line.len() + usize::from(cr) + 1
            }
            Err(_) => {
                let end = if framing == Framing::CrLf { b"\r\n" as &[u8] } else { b"\n" };
                let at = rest.windows(end.len()).position(|bytes| bytes == end);
                // Without a terminator all of it is dropped, and counted at the end.
                at.map_or(0, |at| at + end.len())
            }
        };
    }
    taken
}

/// The lines of `stream`, while storage is lent and taken back as `storage` says, over and over.
fn lines_in_lent_storage(
    config: Config,
    stream: &[u8],
    ending: Ending,
    storage: &[u8],
) -> Vec<Answer> {
    let mut parts = Parts::new(config);
    let (mut rest, mut answers, mut storage) = (stream, Vec::new(), storage.iter().cycle());
    loop {
        let turn = storage.next().expect("a cycle");
        match turn % 4 {
            0 => parts.link.lend(Some(&mut parts.inbound), || vec![0; usize::from(*turn)]),
            1 => parts.link.reclaim(Some(&mut parts.inbound), drop),
            _ => {}
        }
        let step = parts.link.receive(&mut parts.inbound, Inbound::poll_line);
        let answer = step.map(|step| step.map(|span| own(parts.inbound.bytes(span?))));
        match answer {
            Ok(Step::Ready(line)) => answers.push(Ok(line)),
            Err(error) => answers.push(Err(error)),
            Ok(Step::NeedInput) if rest.is_empty() => match ending {
                Ending::Lost(loss) => parts.link.handle_lost(Some(&mut parts.inbound), loss),
                _ => parts.link.handle_eof(Some(&mut parts.inbound)),
            },
            Ok(Step::NeedInput) => {
                let space = parts.space();
                let n = space.len().min(rest.len()).min(1 + usize::from(turn % 9));
                space[..n].copy_from_slice(&rest[..n]);
                parts.handle_read(n);
                rest = &rest[n..];
            }
        }
        if matches!(answers.last(), Some(Ok(None) | Err(Error::Disconnected(_)))) {
            return answers;
        }
    }
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

proptest! {
    #![proptest_config(cases(500))]

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

    #[test]
    fn l5_storage_that_is_lent_and_taken_back_changes_no_answer(
        config in config(),
        stream in stream(),
        ending in ending(),
        storage in vec(1..255u8, 1..9),
    ) {
        let reads = Reads { way: Way::Input, eager: false, sizes: vec![9999] };
        let (expected, ..) = outcome(play(config, &stream, ending, &reads), &[], false);
        prop_assert_eq!(lines_in_lent_storage(config, &stream, ending, &storage), expected);
    }
}
