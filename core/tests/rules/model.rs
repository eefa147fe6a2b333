//! Random streams, random chunkings and random calls of both views.

use asyncnet_core::{Config, End, Ends, Framing, Lines, Loss, Receiver, RecvError, Step};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::play::{Ending, Play, WAYS, Way, cut};

/// A call whose answer depends on the bytes alone, and the two that move the storage.
#[derive(Clone, Copy, Debug)]
enum Call {
    NextLine,
    OneOfNextLines,
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

type Answer = Result<Option<Vec<u8>>, RecvError>;

fn own(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(bytes.to_vec())
}

impl Call {
    fn run(self, conn: &mut Receiver, ends: Ends) -> Result<Step<Option<Vec<u8>>>, RecvError> {
        Ok(match self {
            Self::NextLine => conn.poll_line()?.map(|span| own(conn.bytes(span?))),
            Self::OneOfNextLines => conn.next_lines()?.map(|lines| own(lines?.next()?)),
            Self::NextBlock(n) => conn.poll_block(n)?.map(|span| own(conn.bytes(span))),
            Self::NextByte => conn.poll_bytes(1)?.map(|span| own(conn.bytes(span?))),
            Self::Recv(n) => conn.recv(n, ends)?.map(Some),
            Self::RecvInto(n) => {
                let mut buf = vec![0; n];
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

fn config() -> impl Strategy<Value = Config> {
    let framing = prop_oneof![Just(Framing::Lenient), Just(Framing::Crlf)];
    let ends = prop_oneof![Just(Ends::Hide), Just(Ends::Tell)];
    let max_line = prop_oneof![0..15usize, Just(usize::MAX)];
    (framing, ends, max_line).prop_map(|(framing, ends, max)| {
        let config = Config::default().framing(framing).ends(ends);
        config.max_line(max).max_block(18)
    })
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![Just(Ending::Eof), Just(Ending::Lost(Loss::Reset))]
}

/// A way in, and the sizes of the chunks, over and over.
fn reads() -> impl Strategy<Value = (Way, Vec<usize>)> {
    let sizes = prop_oneof![Just(vec![1]), Just(vec![9999]), vec(1..10usize, 1..9)];
    (proptest::sample::select(WAYS.to_vec()), sizes)
}

fn play<'a>(
    config: Config,
    stream: &'a [u8],
    ending: Ending,
    (way, sizes): &(Way, Vec<usize>),
) -> Play<'a, Receiver> {
    let sizes = sizes.iter().cycle();
    let starts = sizes.scan(0, |at, size| Some(std::mem::replace(at, *at + size)));
    let starts: Vec<usize> = starts.take_while(|at| *at < stream.len()).collect();
    let chunks = cut(stream, |at| starts.contains(&at));
    Play::new(config, chunks, ending, *way)
}

/// The answers, and what is left: the end if a call met it, and the partial.
type Outcome = (Vec<Answer>, Option<End>, Vec<u8>);

fn outcome(mut play: Play<'_, Receiver>, calls: &[Call], ends: Ends) -> Outcome {
    let ask = |call: &Call| play.ask(|conn| call.run(conn, ends));
    let answers = calls.iter().map(ask).collect();
    (answers, play.conn.end(), play.conn.partial().to_vec())
}

/// Takes everything by calls that answer what there is, and asserts that each answer is what `stream` holds
/// where the one before it ended.
fn conserve(mut play: Play<'_, Receiver>, framing: Framing, stream: &[u8], sizes: &[usize]) {
    let mut rest = stream;
    let mut sizes = sizes.iter().cycle();
    while play.conn.end().is_none() {
        let size = *sizes.next().expect("a cycle");
        let taken = if size % 2 == 0 {
            take_bytes(&mut play, rest, size)
        } else {
            take_lines(&mut play, framing, rest, size)
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

fn take_lines(play: &mut Play<'_, Receiver>, framing: Framing, rest: &[u8], most: usize) -> usize {
    let own = |lines: Lines<'_>| lines.take(most).map(<[u8]>::to_vec).collect();
    let lines = play.ask(|conn| Ok(conn.next_lines()?.map(|lines| lines.map(own))));
    let mut taken = 0;
    match lines {
        Ok(lines) => {
            let lines: Vec<Vec<u8>> = lines.unwrap_or_default();
            for line in lines {
                assert!(rest[taken..].starts_with(&line));
                taken += line.len();
                let cr = rest[taken..].starts_with(b"\r");
                assert!(cr || framing == Framing::Lenient);
                taken += usize::from(cr) + 1;
                assert_eq!(rest[taken - 1], b'\n');
            }
        }
        Err(RecvError::Line(_)) => {
            let end = if framing == Framing::Crlf { b"\r\n" as &[u8] } else { b"\n" };
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
            outcome(play, &calls, config.ends)
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
