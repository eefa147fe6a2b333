//! D5: rates with made-up time, to the microsecond.

mod times;

use std::time::Duration;

use asyncnet_core::driver::Link;
use asyncnet_core::{Cause, Config, Connection, Error, Loss, Step, Time, Timeout};

use proptest::collection::vec;
use proptest::prelude::*;

use crate::play::{Ending, Machine as _, Parts, WAYS, Way, chunkings, read};
use crate::world::{Line, SECOND, TICK, World, at};

/// `n` lines a second, as many at once.
fn lines(n: u32) -> Config {
    Config::default().max_lines_per_second(n)
}

fn bytes(n: u32) -> Config {
    Config::default().max_bytes_per_second(n)
}

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// Lets a transport that always has more bring `chunks`, and asks with `call` until there is an end or an error. When
/// what was answered.
fn play<T>(
    config: Config,
    chunks: Vec<&[u8]>,
    (way, ending): (Way, Ending),
    mut call: impl FnMut(&mut Connection) -> Result<Step<Option<T>>, Error>,
) -> Vec<(Time, Result<Option<T>, Error>)> {
    let mut world = World::new(config);
    let mut chunks = chunks.into_iter();
    let mut rest: &[u8] = b"";
    let mut answers = Vec::new();
    loop {
        match call(&mut world.conn) {
            Ok(Step::Ready(Some(answer))) => answers.push((world.now, Ok(Some(answer)))),
            Ok(Step::Ready(None)) => {
                answers.push((world.now, Ok(None)));
                return answers;
            }
            Err(error) if error.is_recoverable() => answers.push((world.now, Err(error))),
            Err(error) => {
                answers.push((world.now, Err(error)));
                return answers;
            }
            Ok(Step::NeedInput) => {
                let end = world.poll();
                if world.conn.wants_read() {
                    if rest.is_empty() {
                        rest = chunks.next().unwrap_or_default();
                    }
                    match (rest, ending) {
                        ([], Ending::Open) => return answers,
                        ([], Ending::Eof) => world.conn.handle_eof(),
                        ([], Ending::Lost(loss)) => world.conn.handle_lost(loss),
                        _ => rest = &rest[read(&mut world.conn, rest, way)..],
                    }
                } else {
                    let end = end.expect("bytes are held back, and nothing says for how long");
                    assert!(end >= world.now);
                    world.set(end);
                }
            }
        }
    }
}

fn next_line(conn: &mut Connection) -> Result<Step<Option<Vec<u8>>>, Error> {
    Ok(conn.next_line()?.map(|line| line.map(<[u8]>::to_vec)))
}

fn owned(line: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    Ok(Some(line.to_vec()))
}

#[test]
fn d5_lines_over_the_rate_come_at_their_time_in_any_chunking_and_the_end_behind_them() {
    let input = b"a\nbc\r\n\nd\ne\n";
    let texts: [&[u8]; 5] = [b"a", b"bc", b"", b"d", b"e"];
    let times = [0, 0, 500, 1000, 1500];
    let loss = Ending::Lost(Loss::Reset);
    for (chunks, way) in chunkings(input).into_iter().flat_map(|c| WAYS.map(|w| (c.clone(), w))) {
        for ending in [Ending::Eof, loss] {
            let answers = play(lines(2), chunks.clone(), (way, ending), next_line);
            let (end, lines) = answers.split_last().unwrap();
            let expected: Vec<_> =
                texts.iter().zip(times).map(|(text, time)| (at(ms(time)), owned(text))).collect();
            assert_eq!(lines, expected, "{chunks:?}");
            let expected = match ending {
                Ending::Lost(loss) => Err(Error::Disconnected(loss.into())),
                _ => Ok(None),
            };
            assert_eq!(*end, (at(ms(1500)), expected));
        }
    }
}

/// Where all but the last byte of the longest line is here, a line lacks exactly what a block would.
#[test]
fn d5_a_line_of_the_greatest_length_lets_no_others_through() {
    let line = [b'x'; 800];
    for (part, rest) in [(&b""[..], &b"\n"[..]), (b"\r", b"\n")] {
        let mut world = World::new(lines(1).max_line(line.len()));
        let front = [&line[..], part].concat();
        assert_eq!(world.conn.handle_input(&front), front.len());
        world.waits_until(None);
        let behind = [rest, &b"a\n".repeat(60)].concat();
        assert_eq!(world.conn.handle_input(&behind), behind.len());
        world.answers(&line);
        world.waits_until(Some(at(SECOND)));
        world.pass(SECOND);
        world.answers(b"a");
        world.waits_until(Some(at(2 * SECOND)));
    }
}

#[test]
fn d5_a_line_does_not_come_a_microsecond_before_its_time() {
    let mut world = World::new(lines(1));
    world.pass(9 * SECOND);
    world.waits_until(None);
    assert_eq!(world.conn.handle_input(b"a\nb\nc\n"), 6);
    world.answers(b"a");
    for text in [b"b", b"c"] {
        let end = world.now + SECOND;
        world.waits_until(Some(end));
        world.pass(SECOND - TICK);
        world.waits_until(Some(end));
        assert!(!world.conn.wants_read(), "it is not read");
        assert_eq!(world.conn.handle_input(b"x"), 0);
        world.pass(TICK);
        world.answers(text);
    }
    world.waits_until(None);
    assert!(world.conn.wants_read());
    world.conn.handle_eof();
    assert_eq!(world.line(), Ok(Step::Ready(None)));
}

#[test]
fn d5_bytes_over_the_rate_come_at_their_time_in_any_chunking() {
    for chunks in chunkings(b"abcdefgh\nij") {
        for way in WAYS {
            let (way, chunks) = ((way, Ending::Eof), chunks.clone());
            let bytes = bytes(4);
            let answers = play(bytes, chunks, way, |conn| {
                Ok(conn.next_bytes(100)?.map(|bytes| bytes.map(<[u8]>::to_vec)))
            });
            let mut so_far = 0;
            for (now, answer) in &answers {
                so_far += answer.as_ref().unwrap().as_ref().map_or(0, Vec::len);
                // Four at once, then one each quarter of a second.
                let due = 4 + now.since(Time::START).as_millis() as usize / 250;
                assert!(so_far <= due, "{so_far} by {now:?}");
            }
            assert_eq!(answers.last(), Some(&(at(ms(1750)), Ok(None))));
            assert_eq!(so_far, 11);
        }
    }
}

#[test]
fn d5_a_line_that_is_longer_than_the_burst_of_bytes_comes_when_it_is_whole() {
    let answers = play(bytes(4), vec![b"abcdefgh\r\ni\n"], (Way::Read, Ending::Eof), next_line);
    let expected =
        [(at(ms(1500)), owned(b"abcdefgh")), (at(ms(2000)), owned(b"i")), (at(ms(2000)), Ok(None))];
    assert_eq!(answers, expected);
}

#[test]
fn d5_both_rates_hold_at_once() {
    // What the bytes' bucket has no room for, while the lines wait, is gone.
    let config = lines(1).max_bytes_per_second(2);
    let answers = play(config, vec![b"\n\nabcd\n"], (Way::Read, Ending::Eof), next_line);
    let expected = [
        (at(ms(0)), owned(b"")),
        (at(ms(1000)), owned(b"")),
        (at(ms(3500)), owned(b"abcd")),
        (at(ms(3500)), Ok(None)),
    ];
    assert_eq!(answers, expected);
}

#[test]
fn d5_after_a_pause_a_burst_may_come_and_no_more() {
    let mut world = World::new(lines(10).rate_burst(ms(300)));
    for round in 0..3 {
        world.waits_until(None);
        // Input wakes it, and nobody asks what time it is before it waits again.
        world.now = world.now + 1000 * SECOND;
        assert_eq!(world.conn.handle_input(&b"a\n".repeat(5)), 10);
        if round > 0 {
            // It does not know yet how long the pause was.
            let now = world.now;
            world.waits_until(Some(now));
            world.set(now);
        }
        for _ in 0..3 {
            world.answers(b"a");
        }
        for _ in 0..2 {
            let end = world.now + ms(100);
            world.waits_until(Some(end));
            world.set(end);
            world.answers(b"a");
        }
    }
}

/// A call for a line, and how it says what it answers.
type Call = (&'static str, fn(&mut Connection) -> Result<Step<Option<Vec<u8>>>, Error>);

const CALLS: [Call; 6] = [
    ("next_line", next_line),
    ("recv_line", |conn| Ok(conn.recv_line()?.map(|line| (!line.is_empty()).then(|| line.into())))),
    ("recv_line_into", |conn| {
        let mut line = Vec::new();
        let step = conn.recv_line_into(&mut line)?;
        Ok(step.map(|()| (!line.is_empty()).then_some(line)))
    }),
    ("next_batch", |conn| {
        Ok(match conn.next_batch()? {
            Step::NeedInput => Step::NeedInput,
            Step::Ready(None) => Step::Ready(None),
            // One that takes only its first line leaves the rest where it is.
            Step::Ready(Some(mut batch)) => match batch.next_line()? {
                Some(line) => Step::Ready(Some(line.to_vec())),
                None => Step::NeedInput,
            },
        })
    }),
    ("next_with", |conn| conn.next_with(|unread| Ok(unread.line()?.to_vec()))),
    ("peek, then next_line", |conn| match conn.peek_line()? {
        Step::Ready(_) => next_line(conn),
        Step::NeedInput => Ok(Step::NeedInput),
    }),
];

#[test]
fn d5_the_rate_of_lines_holds_for_every_call_that_takes_lines() {
    let input = b"a\nb\nc\nd\n";
    for (name, call) in CALLS {
        for chunks in chunkings(input) {
            let answers = play(lines(2), chunks.clone(), (Way::Read, Ending::Eof), call);
            let times: Vec<_> = answers.iter().map(|(time, _)| time.since(Time::START)).collect();
            let expected = [0, 0, 500, 1000, 1000].map(ms);
            assert_eq!(times, expected, "{name} of {chunks:?}");
            assert!(answers[..4].iter().all(|(_, answer)| matches!(answer, Ok(Some(_)))), "{name}");
            assert_eq!(answers[4].1, Ok(None), "{name}");
        }
    }
}

#[test]
fn d5_a_whole_batch_holds_no_more_than_the_rate_allows() {
    let mut world = World::new(lines(3));
    assert_eq!(world.conn.handle_input(&b"a\n".repeat(10)), 20);
    let mut counts = Vec::new();
    while counts.iter().sum::<usize>() < 10 {
        let mut count = 0;
        if let Ok(Step::Ready(Some(mut batch))) = world.conn.next_batch() {
            while let Ok(Some(_)) = batch.next_line() {
                count += 1;
            }
        } else {
            let end = world.poll().unwrap();
            world.set(end);
        }
        if count > 0 {
            counts.push(count);
        }
    }
    assert_eq!(counts, [3, 1, 1, 1, 1, 1, 1, 1]);
    assert_eq!(world.now, at(7 * SECOND / 3 + Duration::from_nanos(1)));
}

#[test]
fn d5_bad_lines_count_too() {
    let input = b"toolong\na\ntoolong\nb\n";
    for chunks in chunkings(input) {
        let answers = play(lines(1).max_line(3), chunks, (Way::Read, Ending::Eof), next_line);
        let times: Vec<_> = answers.iter().map(|(time, _)| time.since(Time::START)).collect();
        assert_eq!(times, [0, 1000, 2000, 3000, 3000].map(ms));
        assert!(matches!(answers[2].1, Err(Error::Line(_))));
    }
}

#[test]
fn d5_blocks_do_not_wait_for_the_rate_of_lines_whatever_they_hold() {
    let mut world = World::new(lines(1));
    let mut wire = b"BLOCK\n".to_vec();
    wire.extend([b'\n'; 5000]);
    wire.extend(b"next\nlast\n");
    assert_eq!(world.conn.handle_input(&wire), wire.len());
    world.answers(b"BLOCK");
    assert_eq!(world.conn.next_block(1000), Ok(Step::Ready(&[b'\n'; 1000][..])));
    assert_eq!(world.conn.recv(1000), Ok(Step::Ready(vec![b'\n'; 1000])));
    assert_eq!(world.conn.next_bytes(1000), Ok(Step::Ready(Some(&[b'\n'; 1000][..]))));
    assert_eq!(world.conn.skip(&mut 2000), Ok(Step::Ready(())));
    // None of that was a line.
    world.waits_until(Some(at(SECOND)));
    world.pass(SECOND);
    world.answers(b"next");
    world.waits_until(Some(at(2 * SECOND)));
}

#[test]
fn d5_a_message_that_has_begun_is_whole_and_its_lines_are_paid_back() {
    let message = |conn: &mut Connection| {
        conn.next_with(|unread| {
            for _ in 0..10 {
                unread.line()?;
            }
            Ok(())
        })
    };
    for chunks in [vec![&b"\n".repeat(30)[..]], vec![b"\n"; 30]] {
        let answers =
            play(lines(10).rate_burst(ms(100)), chunks, (Way::Read, Ending::Eof), message);
        let times: Vec<_> = answers.iter().map(|(time, _)| time.since(Time::START)).collect();
        assert_eq!(times, [0, 1000, 2000, 2000].map(ms));
    }
}

#[test]
fn d5_a_parser_that_asks_for_one_byte_after_the_other_is_called_seldom() {
    let mut world = World::new(lines(1));
    let mut wire = b"first\n".to_vec();
    wire.extend([b'x'; 60_000]);
    wire.push(b'.');
    assert_eq!(world.conn.handle_input(&wire), wire.len());
    world.answers(b"first");
    assert_eq!(world.conn.peek_block(1), Ok(Step::Ready(&b"x"[..])));
    let mut calls = 0;
    let told = world.conn.next_with(|unread| {
        calls += 1;
        let n = unread.rest().len();
        if unread.rest().ends_with(b".") {
            return Ok(unread.block(n)?.len());
        }
        Err(unread.needs(n + 1))
    });
    assert_eq!(told, Ok(Step::Ready(Some(60_001))));
    assert!(calls < 200, "{calls}");
}

#[test]
fn d5_without_a_rate_nothing_is_held_and_no_time_is_asked() {
    let mut parts = Parts::new(Config::default());
    assert_eq!(parts.handle_input(&b"a\n".repeat(1000)), 2000);
    assert!(!parts.inbound.is_held());
    assert!(!parts.link.has_deadlines());
    // Nor is it for a rate that nothing was taken of.
    let mut parts = Parts::new(lines(1));
    let take = |parts: &mut Parts| parts.link.receive(&mut parts.inbound, |i| i.poll_line());
    assert_eq!(take(&mut parts), Ok(Step::NeedInput));
    assert!(!parts.link.has_deadlines());
    assert_eq!(parts.handle_input(b"a\nb\n"), 4);
    assert!(matches!(take(&mut parts), Ok(Step::Ready(Some(_)))));
    assert_eq!(take(&mut parts), Ok(Step::NeedInput));
    assert!(parts.link.has_deadlines());
    parts.link.handle_timeout(at(SECOND));
    assert_eq!(parts.link.poll_timeout(at(SECOND)), Some(at(2 * SECOND)));
    parts.link.handle_timeout(at(2 * SECOND));
    assert!(parts.link.is_let_go());
    assert_eq!(parts.link.poll_timeout(at(2 * SECOND)), None, "it is reported once");
    assert!(matches!(take(&mut parts), Ok(Step::Ready(Some(_)))));
    assert_eq!(take(&mut parts), Ok(Step::NeedInput));
    assert_eq!(parts.link.poll_timeout(at(2 * SECOND)), None);
    assert!(!parts.link.has_deadlines());
}

#[test]
fn d5_rates_change_on_a_live_connection_and_what_was_taken_counts() {
    let mut world = World::new(Config::default());
    assert_eq!(world.conn.handle_input(b"a\n"), 2);
    world.answers(b"a");
    world.conn.configure(|config| config.max_lines_per_second(2));
    assert_eq!(world.conn.handle_input(&b"b\n".repeat(9)), 18);
    world.answers(b"b");
    world.answers(b"b");
    world.waits_until(Some(at(ms(500))));
    // The same again, or more room, gives nothing back.
    for burst in [1, 100] {
        world.conn.configure(|config| config.rate_burst(burst * SECOND));
        world.waits_until(Some(at(ms(500))));
    }
    world.conn.configure(|config| config.max_lines_per_second(4));
    world.waits_until(Some(at(ms(250))));
    world.pass(ms(250));
    world.answers(b"b");
    world.waits_until(Some(at(ms(500))));
    world.conn.configure(|config| config.max_lines_per_second(None));
    for _ in 0..6 {
        world.answers(b"b");
    }
    world.waits_until(None);
}

#[test]
fn d5_a_close_and_a_stream_without_a_clock_lift_the_rates() {
    type Lift = fn(&mut Parts);
    let lifts: [Lift; 2] =
        [|parts| parts.link.close(), |parts| assert!(parts.link.lift_rates(), "one waits")];
    for lift in lifts {
        let mut parts = Parts::new(lines(1));
        assert_eq!(parts.handle_input(b"a\nb\nc\n"), 6);
        let take = |parts: &mut Parts| parts.link.receive(&mut parts.inbound, |i| i.poll_line());
        assert!(matches!(take(&mut parts), Ok(Step::Ready(Some(_)))));
        assert_eq!(take(&mut parts), Ok(Step::NeedInput));
        lift(&mut parts);
        for _ in 0..2 {
            assert!(matches!(take(&mut parts), Ok(Step::Ready(Some(_)))));
        }
        assert_eq!(take(&mut parts), Ok(Step::NeedInput));
        assert!(!parts.link.lift_rates(), "nothing waits");
    }
}

#[test]
fn d5_our_own_close_answers_before_what_is_held() {
    let mut world = World::new(lines(1));
    assert_eq!(world.conn.handle_input(b"a\nb\n"), 4);
    world.answers(b"a");
    world.waits_until(Some(at(SECOND)));
    world.conn.close();
    assert_eq!(world.line(), Err(Error::Closed));
    assert_eq!(world.conn.end().map(|end| end.cause), Some(Cause::Closed));
    let Parts { mut inbound, link } = Parts::new(lines(1));
    assert_eq!(inbound.handle_input(b"a\nb\n"), 4);
    link.close_inbound(&mut inbound);
    assert!(!inbound.is_held(), "its memory is free");
}

#[test]
fn d5_no_more_than_one_read_is_held() {
    let mut world = World::new(bytes(10));
    let wire = vec![b'x'; 1 << 20];
    for way in WAYS {
        let mut taken = 0;
        while world.conn.wants_read() && taken < wire.len() {
            taken += read(&mut world.conn, &wire[taken..], way);
        }
        assert!(taken <= 64 << 10, "{taken}");
        assert_eq!(world.conn.stats().bytes_received as usize, taken);
        world = World::new(lines(10));
    }
}
