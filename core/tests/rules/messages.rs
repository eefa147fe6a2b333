//! N1 to N5: messages in a form of the program's own.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use asyncnet_core::{Cause, Config, Connection, Error, Items, LineError, Loss, Step, Unread};

use crate::play::{Answer, Ending, Play, WAYS, chunkings, in_any_chunking, read};

type Parse = fn(&mut Unread<'_>) -> Result<Vec<u8>, Error>;

/// A line, and a block as long as its text: the answer.
fn echo(unread: &mut Unread<'_>) -> Result<Vec<u8>, Error> {
    let len = unread.line()?.len();
    Ok(unread.block(len)?.to_vec())
}

/// One message, with its shortfall kept until the answer.
fn message(play: &mut Play<'_>, parse: Parse) -> Result<Option<Vec<u8>>, Error> {
    play.ask(|conn| conn.next_with(parse))
}

fn own(bytes: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    Ok(Some(bytes.to_vec()))
}

fn receiver(input: &[u8]) -> Connection {
    let mut conn = Connection::new(Config::default());
    assert_eq!(conn.handle_input(input), input.len());
    conn
}

fn batch(conn: &mut Connection) -> Items<'_> {
    conn.next_batch().expect("no error").ready().flatten().expect("a batch")
}

// ---- a model of all small inputs -----------------------------------------------------------------

const MAX: usize = 2;

/// What `echo` answers for `input`, written from the rules: L1, L4, N1.
fn model(input: &[u8]) -> Vec<Answer<'_>> {
    let (mut answers, mut rest) = (Vec::new(), input);
    loop {
        let lf = rest.iter().position(|byte| *byte == b'\n');
        let text = &rest[..lf.unwrap_or(rest.len())];
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let behind = lf.map_or(&[][..], |lf| &rest[lf + 1..]);
        if text.len() > MAX {
            answers.push(Answer::Bad(LineError::TooLong { max: MAX }));
        } else if lf.is_some() && behind.len() >= text.len() {
            answers.push(Answer::Line(&behind[..text.len()]));
            rest = &behind[text.len()..];
            continue;
        }
        if lf.is_none() || text.len() <= MAX {
            answers.push(Answer::End(Cause::Eof, rest.len()));
            return answers;
        }
        rest = behind;
    }
}

/// Asserts that a call gives the next answer of the model; whether that was the end.
fn check(told: &Result<Option<Vec<u8>>, Error>, expected: &Answer<'_>) -> bool {
    match (told, expected) {
        (Ok(Some(block)), Answer::Line(text)) => assert_eq!(block, text),
        (Err(Error::Line(error)), Answer::Bad(bad)) => assert_eq!(error, bad),
        (Ok(None), Answer::End(Cause::Eof, 0)) => return true,
        (Err(Error::Disconnected(end)), Answer::End(cause, partial)) => {
            assert_eq!((end.cause, end.partial), (*cause, *partial));
            return true;
        }
        _ => panic!("{told:?} instead of {expected:?}"),
    }
    false
}

/// The next message, out of batches.
fn out_of_a_batch(play: &mut Play<'_>) -> Result<Option<Vec<u8>>, Error> {
    play.ask(|conn| {
        for _ in 0..2 {
            match conn.next_batch()? {
                Step::NeedInput => return Ok(Step::NeedInput),
                Step::Ready(None) => return Ok(Step::Ready(None)),
                Step::Ready(Some(mut items)) => {
                    if let Some(block) = items.next_with(echo)? {
                        return Ok(Step::Ready(Some(block)));
                    }
                }
            }
        }
        panic!("a second batch without a message: it spins")
    })
}

#[test]
fn n1_messages_are_their_model_in_any_chunking_alone_and_in_batches() {
    let letters = |mut index: u32, len: u32| -> Vec<u8> {
        let mut letter = || {
            let letter = b"a\r\n"[(index % 3) as usize];
            index /= 3;
            letter
        };
        (0..len).map(|_| letter()).collect()
    };
    for len in 0..=7 {
        for input in (0..3u32.pow(len)).map(|index| letters(index, len)) {
            let expected = model(&input);
            for chunks in chunkings(&input) {
                let config = Config::default().max_line(MAX);
                let way = WAYS[input.len() % 2];
                let mut alone = Play::new(config, chunks.clone(), Ending::Eof, way);
                let mut batches = Play::new(config, chunks, Ending::Eof, way);
                for answer in &expected {
                    let over = check(&message(&mut alone, echo), answer);
                    assert_eq!(check(&out_of_a_batch(&mut batches), answer), over);
                }
                assert_eq!(alone.conn.partial(), batches.conn.partial());
                assert_eq!(alone.conn.stats(), batches.conn.stats());
            }
        }
    }
}

// ---- what is consumed ----------------------------------------------------------------------------

#[test]
fn n1_a_message_that_is_not_all_here_is_not_consumed() {
    let mut conn = receiver(b"123\nab");
    assert_eq!(conn.next_with(echo), Ok(Step::NeedInput));
    assert_eq!((conn.peek(), conn.stats().lines_received), (&b"123\nab"[..], 0));
    // Another call finds all of it.
    assert!(matches!(conn.next_line(), Ok(Step::Ready(Some(_)))));
    assert_eq!(conn.next_with(|unread| Ok(unread.block(2)?.to_vec())), {
        Ok(Step::Ready(Some(b"ab".to_vec())))
    });
}

#[test]
fn n1_an_end_in_the_middle_leaves_what_came_as_the_partial() {
    for (end, cause) in
        [(Ending::Eof, Cause::Eof), (Ending::Lost(Loss::Reset), Cause::Lost(Loss::Reset))]
    {
        in_any_chunking(Config::default(), b"1\na123\nab", end, |play| {
            assert_eq!(message(play, echo), own(b"a"));
            for _ in 0..2 {
                let told = message(play, echo);
                let Err(Error::Disconnected(end)) = told else { panic!("{told:?}") };
                assert_eq!((end.cause, end.partial), (cause, 6));
                assert_eq!(play.conn.partial(), b"123\nab");
            }
        });
    }
}

#[test]
fn n1_the_end_between_messages_is_clean_and_a_reset_is_not() {
    in_any_chunking(Config::default(), b"1\na", Ending::Eof, |play| {
        assert_eq!(message(play, echo), own(b"a"));
        assert_eq!((message(play, echo), message(play, echo)), (Ok(None), Ok(None)));
    });
    in_any_chunking(Config::default(), b"1\na", Ending::Lost(Loss::Reset), |play| {
        assert_eq!(message(play, echo), own(b"a"));
        assert_eq!(message(play, echo), Err(Error::Disconnected(Loss::Reset.into())));
    });
}

#[test]
fn n1_after_our_close_the_answer_is_closed() {
    let mut conn = receiver(b"1\na");
    conn.close();
    assert_eq!(conn.next_with(echo), Err(Error::Closed));
    assert_eq!(conn.next_batch().err(), Some(Error::Closed));
}

/// What an answer of the parser consumes of `abcdef`, of which it took three bytes.
fn left_by(answer: impl Fn() -> Result<(), Error>) -> Vec<u8> {
    let parse = |unread: &mut Unread<'_>| {
        unread.block(3)?;
        answer()
    };
    let mut alone = receiver(b"abcdef");
    let told = alone.next_with(parse);
    let mut conn = receiver(b"abcdef");
    match batch(&mut conn).next_with(parse) {
        Ok(None) => assert_eq!(told, Ok(Step::NeedInput)),
        answer => assert_eq!(answer.map(Step::Ready), told),
    }
    assert_eq!(alone.peek(), conn.peek());
    alone.peek().to_vec()
}

#[test]
fn n1_the_answer_says_what_is_consumed() {
    assert_eq!(left_by(|| Ok(())), b"def");
    assert_eq!(left_by(|| Err(Error::protocol("no"))), b"def");
    assert_eq!(left_by(|| Err(Error::Line(LineError::Utf8(b"abc".to_vec())))), b"def");
    assert_eq!(left_by(|| Err(Error::TooLarge { len: 9, max: 8 })), b"abcdef");
    assert_eq!(left_by(|| Err(Error::LineBreak)), b"abcdef");
    assert_eq!(left_by(|| Err(Error::Incomplete)), b"abcdef");
}

#[test]
fn n1_a_panic_of_the_parser_consumes_nothing() {
    let mut conn = receiver(b"abc");
    let parse = |unread: &mut Unread<'_>| -> Result<(), Error> {
        unread.block(2)?;
        panic!("the parser's own")
    };
    let alone = catch_unwind(AssertUnwindSafe(|| conn.next_with(parse)));
    assert!(alone.is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| batch(&mut conn).next_with(parse))).is_err());
    assert_eq!(conn.peek(), b"abc");
}

#[test]
fn n1_a_parser_that_ignores_what_is_missing_takes_what_came() {
    in_any_chunking(Config::default(), b"ab1234", Ending::Open, |play| {
        let most = |unread: &mut Unread<'_>| {
            let head = unread.block(2)?.to_vec();
            if unread.block(9).is_ok() { Err(Error::Closed) } else { Ok(head) }
        };
        assert_eq!(message(play, most), own(b"ab"));
    });
}

// ---- when the parser is called -------------------------------------------------------------------

#[test]
fn n2_the_parser_is_called_again_only_when_what_it_lacked_is_here() {
    let wire = [&[b'#'; 100][..], b"\n", &[b'.'; 100]].concat();
    for (buffered, way) in [(true, WAYS[0]), (true, WAYS[1]), (false, WAYS[0])] {
        let mut conn = Connection::new(Config::default().buffered(buffered));
        let (mut calls, mut rest) = (0, &wire[..]);
        let block = loop {
            let step = conn.next_with(|unread| {
                calls += 1;
                echo(unread)
            });
            match step.expect("no error") {
                Step::Ready(block) => break block.expect("no end"),
                Step::NeedInput => rest = &rest[read(&mut conn, &rest[..1], way)..],
            }
        };
        assert_eq!((block.len(), calls), (100, 3), "the first byte, the line, the block");
    }
}

#[test]
fn n2_seen_says_what_the_call_before_saw() {
    let mut conn = receiver(b"abc");
    let seen = Cell::new(Vec::new());
    let parse = |unread: &mut Unread<'_>| {
        seen.set([seen.take(), vec![unread.seen()]].concat());
        if unread.rest().len() < 5 { Err(unread.needs(unread.rest().len() + 1)) } else { Ok(()) }
    };
    assert_eq!(conn.next_with(parse), Ok(Step::NeedInput));
    assert_eq!(conn.handle_input(b"d"), 1);
    assert_eq!(conn.next_with(parse), Ok(Step::NeedInput));
    assert_eq!(conn.handle_input(b"ef"), 2);
    assert_eq!(conn.next_with(parse), Ok(Step::Ready(Some(()))));
    // A new message, though the bytes are those.
    let _ = conn.next_with(parse);
    assert_eq!(seen.take(), [0, 3, 4, 0]);
}

#[test]
fn n2_needs_of_what_is_here_means_one_byte_more() {
    for total in [0, 1, 3] {
        let mut conn = receiver(b"abc");
        let mut calls = 0;
        let mut poll = |conn: &mut Connection| {
            conn.next_with(|unread| {
                calls += 1;
                Err::<(), _>(unread.needs(total))
            })
        };
        for _ in 0..3 {
            assert_eq!(poll(&mut conn), Ok(Step::NeedInput));
        }
        assert_eq!(conn.handle_input(b"d"), 1);
        assert_eq!(poll(&mut conn), Ok(Step::NeedInput));
        conn.handle_eof();
        let told = poll(&mut conn);
        assert!(matches!(told, Err(Error::Disconnected(end)) if end.partial == 4), "{told:?}");
        assert_eq!(calls, 2);
    }
}

#[test]
fn n2_a_shortfall_of_other_bytes_is_void() {
    let mut conn = receiver(b"12\n");
    assert_eq!(conn.next_with(echo), Ok(Step::NeedInput));
    assert!(matches!(conn.next_line(), Ok(Step::Ready(Some(_)))));
    assert_eq!(conn.handle_input(b"\n"), 1);
    assert_eq!(conn.next_with(echo), Ok(Step::Ready(Some(Vec::new()))));
}

// ---- bad lines -----------------------------------------------------------------------------------

#[test]
fn n3_a_bad_line_takes_what_the_parser_took_and_is_reported_once() {
    let two = |unread: &mut Unread<'_>| {
        let mut text = unread.line()?.to_vec();
        text.extend(unread.line()?);
        Ok(text)
    };
    in_any_chunking(Config::default().max_line(2), b"a\n1234\nb\nc\n", Ending::Eof, |play| {
        let bad = Err(Error::Line(LineError::TooLong { max: 2 }));
        assert_eq!(message(play, two), bad);
        assert_eq!((message(play, two), message(play, two)), (own(b"bc"), Ok(None)));
        let stats = play.conn.stats();
        assert_eq!((stats.lines_received, stats.too_long), (3, 1));
    });
}

#[test]
fn n3_a_bad_line_wakes_a_parser_that_waits_for_a_line_behind_others() {
    let mut conn = Connection::new(Config::default().max_line(2));
    let two = |unread: &mut Unread<'_>| {
        unread.line()?;
        unread.line().map(<[u8]>::to_vec)
    };
    assert_eq!(conn.handle_input(b"a\n1"), 3);
    assert_eq!(conn.next_with(two), Ok(Step::NeedInput));
    assert_eq!(conn.handle_input(b"23"), 2);
    let bad = Err(Error::Line(LineError::TooLong { max: 2 }));
    assert_eq!(conn.next_with(two), bad);
    assert_eq!(conn.peek(), b"");
    assert!(conn.into_halves().0.is_discarding());
}

// ---- checkpoints ---------------------------------------------------------------------------------

/// Takes two lines, one after the other, and keeps them outside.
fn two_parts(play: &mut Play<'_>) -> Result<Option<Vec<Vec<u8>>>, Error> {
    let mut parts = Vec::new();
    let end = play.ask(|conn| {
        conn.next_with(|unread| {
            while parts.len() < 2 {
                parts.push(unread.line()?.to_vec());
                unread.checkpoint();
            }
            Ok(())
        })
    })?;
    Ok(end.map(|()| parts))
}

#[test]
fn n4_what_is_in_front_of_a_checkpoint_is_parsed_once() {
    in_any_chunking(Config::default(), b"a\nb\nc\nd\n", Ending::Eof, |play| {
        assert_eq!(two_parts(play), Ok(Some(vec![b"a".to_vec(), b"b".to_vec()])));
        assert_eq!(two_parts(play), Ok(Some(vec![b"c".to_vec(), b"d".to_vec()])));
        assert_eq!(two_parts(play), Ok(None));
    });
}

#[test]
fn n4_a_checkpoint_is_consumed_though_the_rest_is_not_here() {
    let mut conn = receiver(b"a\nb");
    let mut lines = 0;
    let mut poll = |conn: &mut Connection| {
        conn.next_with(|unread| {
            assert_eq!(unread.seen(), usize::from(lines > 0), "counted from the checkpoint");
            while lines < 2 {
                unread.line()?;
                lines += 1;
                unread.checkpoint();
                assert_eq!(unread.seen(), 0);
            }
            Ok(())
        })
    };
    assert_eq!(poll(&mut conn), Ok(Step::NeedInput));
    assert_eq!((conn.peek(), conn.stats().lines_received), (&b"b"[..], 1));
    assert_eq!(conn.handle_input(b"\n"), 1);
    assert_eq!(poll(&mut conn), Ok(Step::Ready(Some(()))));
    assert_eq!((conn.peek(), conn.stats().lines_received), (&b""[..], 2));
}

#[test]
fn n4_an_end_behind_a_checkpoint_is_not_a_clean_one() {
    for (wire, partial) in [(&b"a\n"[..], 0), (b"a\nb", 1)] {
        in_any_chunking(Config::default(), wire, Ending::Eof, |play| {
            for _ in 0..2 {
                let told = two_parts(play);
                let Err(Error::Disconnected(end)) = told else { panic!("{told:?}") };
                assert_eq!((end.cause, end.partial), (Cause::Eof, partial));
            }
        });
    }
    // Nor for a batch.
    let mut conn = receiver(b"a\n");
    let part = |unread: &mut Unread<'_>| {
        unread.line()?;
        unread.checkpoint();
        unread.line().map(|_| ())
    };
    assert_eq!(batch(&mut conn).next_with(part), Ok(None));
    conn.handle_eof();
    assert!(matches!(conn.next_batch(), Err(Error::Disconnected(_))));
}

// ---- limits --------------------------------------------------------------------------------------

#[test]
fn n5_no_message_is_larger_than_a_line_and_a_block() {
    let config = Config::default().max_line(4).max_block(8);
    let parsers: [Parse; 4] = [
        |unread| Ok(unread.block(9)?.to_vec()),
        |unread| Err(unread.needs(15)),
        |unread| {
            unread.block(8)?;
            Ok(unread.block(7)?.to_vec())
        },
        |unread| loop {
            unread.line()?;
        },
    ];
    for parse in parsers {
        in_any_chunking(config, b"aaa\nbbb\nccc\nddd\n", Ending::Open, |play| {
            let told = message(play, parse);
            assert!(matches!(told, Err(Error::TooLarge { len, max }) if len > max), "{told:?}");
            let rest = play.ask(|conn| Ok(conn.peek_block(4)?.map(|it| it[..4].to_vec())));
            assert_eq!(rest, Ok(b"aaa\n".to_vec()), "nothing is consumed");
        });
    }
}

#[test]
fn n5_a_checkpoint_begins_a_new_count() {
    let config = Config::default().max_line(4).max_block(8);
    in_any_chunking(config, &b"aaa\n".repeat(9), Ending::Open, |play| {
        let mut lines = 0;
        let end = play.ask(|conn: &mut Connection| {
            conn.next_with(|unread| {
                while lines < 9 {
                    unread.line()?;
                    unread.checkpoint();
                    lines += 1;
                }
                Ok(())
            })
        });
        assert_eq!(end, Ok(Some(())));
    });
}

#[test]
fn n5_a_parser_that_never_has_enough_is_an_error_in_the_end() {
    let mut conn = Connection::new(Config::default().max_line(4).max_block(8));
    for _ in 0..100 {
        let mut calls = 0;
        for _ in 0..2 {
            let told = conn.next_with(|_| {
                calls += 1;
                Err::<(), _>(Error::Incomplete)
            });
            if let Err(error) = told {
                return assert!(matches!(error, Error::TooLarge { .. }));
            }
        }
        assert!(calls <= 1, "it waits for input in between");
        conn.handle_input(&[b'x'; 1 << 10]);
    }
    panic!("the peer can fill the memory");
}
