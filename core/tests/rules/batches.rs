//! N6 to N8: batches.

use std::mem::needs_drop;

use asyncnet_core::{Config, Connection, Error, Framing, Items, LineError, Step, Unread};

use crate::play::{Ending, in_any_chunking};

fn receiver(config: Config, input: &[u8]) -> Connection {
    let mut conn = Connection::new(config);
    assert_eq!(conn.handle_input(input), input.len());
    conn
}

fn batch(conn: &mut Connection) -> Items<'_> {
    match conn.next_batch() {
        Ok(Step::Ready(Some(items))) => items,
        other => panic!("no batch: {other:?}"),
    }
}

fn waits(conn: &mut Connection) -> bool {
    matches!(conn.next_batch(), Ok(Step::NeedInput))
}

#[test]
fn n6_a_batch_hands_out_lines_blocks_and_bytes_that_live_as_long_as_it() {
    let mut conn = receiver(Config::default(), b"5\nhello12\r\nabcdefg\nrest");
    let mut items = batch(&mut conn);
    let head = items.next_line();
    let block = items.next_block(5);
    let line = items.next_line();
    let some = items.next_bytes(3);
    let more = items.next_bytes(99);
    assert_eq!((head, block), (Ok(Some(&b"5"[..])), Ok(Some(&b"hello"[..]))));
    assert_eq!((line, some), (Ok(Some(&b"12"[..])), Some(&b"abc"[..])));
    assert_eq!((more, items.next_bytes(1)), (Some(&b"defg\nrest"[..]), None));
    assert_eq!(conn.stats().lines_received, 2);
}

#[test]
fn n6_a_batch_is_plain_borrows_without_a_destructor() {
    assert!(!needs_drop::<Items<'_>>());
}

#[test]
fn n6_a_message_out_of_a_batch_borrows_the_received_bytes() {
    fn pair<'a>(unread: &mut Unread<'a>) -> Result<(&'a [u8], &'a [u8]), Error> {
        let head = unread.line()?;
        Ok((head, unread.block(head.len())?))
    }
    let mut conn = receiver(Config::default(), b"ab\n12c\n3d\n");
    let mut items = batch(&mut conn);
    let one = items.next_with(pair).expect("no error").expect("a message");
    let two = items.next_with(pair).expect("no error").expect("a message");
    assert_eq!(items.next_with(pair), Ok(None));
    assert_eq!([one, two], [(&b"ab"[..], &b"12"[..]), (b"c", b"3")]);
    assert_eq!(conn.peek(), b"d\n");
}

/// Many short lines, so that the batch looks ahead, with blocks, bytes and messages in between.
#[test]
fn n6_a_look_ahead_holds_for_lines_alone() {
    let wire = b"a\nbb\n\nc\r\n".repeat(40);
    for between in 0..4 {
        let mut conn = receiver(Config::default(), &wire);
        let mut items = batch(&mut conn);
        let (mut taken, mut count) = (Vec::new(), 0);
        loop {
            let line = items.next_line().expect("no error");
            let Some(line) = line else { break };
            taken.push(line.to_vec());
            count += 1;
            if count % 3 == 0 {
                let next = match between {
                    0 => None,
                    1 => items.next_block(1).expect("no error"),
                    2 => items.next_bytes(1),
                    _ => items.next_with(|unread| unread.block(1)).expect("no error"),
                };
                taken.extend(next.map(<[u8]>::to_vec));
            }
        }
        let mut rest = &wire[..];
        for item in taken {
            // Terminators are between the items, and all else is in them.
            while !rest.starts_with(&item) {
                assert!(b"\r\n".contains(&rest[0]), "{between}: {item:?}");
                rest = &rest[1..];
            }
            rest = &rest[item.len()..];
        }
        assert!(rest.iter().all(|byte| b"\r\n".contains(byte)));
    }
}

#[test]
fn n7_the_next_batch_waits_for_exactly_what_this_one_lacked() {
    let mut conn = receiver(Config::default(), b"line\n1234");
    let mut items = batch(&mut conn);
    assert_eq!(items.next_line(), Ok(Some(&b"line"[..])));
    assert_eq!(items.next_block(8), Ok(None));
    for byte in b"567" {
        assert!(waits(&mut conn));
        assert_eq!(conn.handle_input(&[*byte]), 1);
    }
    assert!(waits(&mut conn));
    assert_eq!(conn.handle_input(b"8"), 1);
    assert_eq!(batch(&mut conn).next_block(8), Ok(Some(&b"12345678"[..])));
    assert!(waits(&mut conn));
}

#[test]
fn n7_a_line_that_is_not_all_here_is_waited_for() {
    for framing in [Framing::Lenient, Framing::CrLf, Framing::Lf, Framing::Byte(0)] {
        let mut conn = receiver(Config::default().framing(framing), b"12");
        assert_eq!(batch(&mut conn).next_line(), Ok(None));
        assert_eq!(conn.handle_input(b"3"), 1);
        assert!(waits(&mut conn));
        conn.handle_input(framing.terminator());
        assert_eq!(batch(&mut conn).next_line(), Ok(Some(&b"123"[..])));
    }
}

#[test]
fn n7_a_message_that_is_not_all_here_is_waited_for() {
    let two = |unread: &mut Unread<'_>| {
        unread.line()?;
        unread.line().map(<[u8]>::to_vec)
    };
    let mut conn = receiver(Config::default(), b"a\nb");
    assert_eq!(batch(&mut conn).next_with(two), Ok(None));
    assert_eq!(conn.handle_input(b"c"), 1);
    assert!(waits(&mut conn));
    assert_eq!(conn.handle_input(b"\n"), 1);
    assert_eq!(batch(&mut conn).next_with(two), Ok(Some(b"bc".to_vec())));
}

#[test]
fn n7_a_batch_that_took_nothing_and_lacked_nothing_waits_for_one_byte_more() {
    let mut conn = receiver(Config::default(), b"abc");
    let _ = batch(&mut conn);
    assert!(waits(&mut conn) && waits(&mut conn));
    assert_eq!(conn.handle_input(b"d"), 1);
    assert_eq!(batch(&mut conn).next_bytes(2), Some(&b"ab"[..]));
    assert_eq!(batch(&mut conn).next_bytes(9), Some(&b"cd"[..]), "it took something");
    assert!(waits(&mut conn), "it took all");
}

#[test]
fn n7_an_empty_item_is_an_item() {
    let mut conn = receiver(Config::default(), b"abc");
    assert_eq!(batch(&mut conn).next_block(0), Ok(Some(&b""[..])));
    assert_eq!(batch(&mut conn).next_bytes(0), Some(&b""[..]));
    assert_eq!(batch(&mut conn).next_with(|_| Ok(())), Ok(Some(())));
    assert_eq!(batch(&mut conn).next_block(3), Ok(Some(&b"abc"[..])));
}

#[test]
fn n7_at_the_end_what_is_no_whole_item_is_the_partial() {
    in_any_chunking(Config::default(), b"a\nbc", Ending::Eof, |play| {
        let mut lines = Vec::new();
        let end = play.ask(|conn: &mut Connection| {
            for _ in 0..3 {
                match conn.next_batch()? {
                    Step::Ready(None) => return Ok(Step::Ready(())),
                    Step::NeedInput => return Ok(Step::NeedInput),
                    Step::Ready(Some(mut items)) => {
                        while let Some(line) = items.next_line()? {
                            lines.push(line.to_vec());
                        }
                    }
                }
            }
            panic!("it spins")
        });
        assert!(matches!(end, Err(Error::Disconnected(end)) if end.partial == 2), "{end:?}");
        assert_eq!((lines, play.conn.partial()), (vec![b"a".to_vec()], &b"bc"[..]));
    });
}

#[test]
fn n7_unbuffered_a_batch_reads_no_more_than_it_lacks() {
    let mut conn = Connection::new(Config::default().buffered(false));
    assert!(waits(&mut conn));
    assert_eq!(conn.handle_input(b"12345678"), 1);
    assert_eq!(batch(&mut conn).next_block(4), Ok(None));
    assert!(waits(&mut conn));
    assert_eq!(conn.handle_input(b"2345678"), 3);
    assert_eq!(batch(&mut conn).next_block(4), Ok(Some(&b"1234"[..])));
}

#[test]
fn n8_a_bad_line_is_reported_once_and_what_is_behind_it_comes_next() {
    let mut conn = receiver(Config::default().max_line(2), b"a\n1234\nb\n5678");
    let too_long = || Err(Error::Line(LineError::TooLong { max: 2 }));
    let mut items = batch(&mut conn);
    assert_eq!(items.next_line(), Ok(Some(&b"a"[..])));
    assert_eq!(items.next_line(), too_long());
    assert_eq!(items.next_line(), Ok(Some(&b"b"[..])));
    assert_eq!(items.next_line(), too_long());
    // Its rest has not come: nothing is here until it has.
    assert_eq!((items.next_line(), items.next_block(1)), (Ok(None), Ok(None)));
    assert_eq!((items.next_bytes(1), items.next_with(Unread::line)), (None, Ok(None)));
    assert!(waits(&mut conn) && conn.peek().is_empty());
    assert_eq!(conn.handle_input(b"9\nc\n"), 4);
    assert_eq!(batch(&mut conn).next_line(), Ok(Some(&b"c"[..])));
    assert_eq!((conn.stats().lines_received, conn.stats().too_long), (3, 2));
}

#[test]
fn n8_a_bad_line_of_strict_framing_leaves_no_half_terminator() {
    let config = Config::default().framing(Framing::CrLf);
    let mut conn = receiver(config, b"a\nb\r");
    let mut items = batch(&mut conn);
    assert_eq!(items.next_line(), Err(Error::Line(LineError::BareLf)));
    assert_eq!((items.next_line(), items.next_block(1)), (Ok(None), Ok(None)));
    assert_eq!(conn.handle_input(b"\nc\r\n"), 4);
    assert_eq!(batch(&mut conn).next_line(), Ok(Some(&b"c"[..])));
}

#[test]
fn n8_a_block_that_is_too_large_is_an_error_and_nothing_is_taken() {
    let mut conn = receiver(Config::default().max_block(2), b"abc");
    let mut items = batch(&mut conn);
    assert_eq!(items.next_block(3), Err(Error::TooLarge { len: 3, max: 2 }));
    assert_eq!(items.next_bytes(9), Some(&b"abc"[..]), "in pieces it can be taken");
    assert!(waits(&mut conn));
}

#[test]
fn n8_behind_an_error_the_next_batch_is_what_is_here() {
    let mut conn = receiver(Config::default().max_block(2), b"abc");
    assert_eq!(batch(&mut conn).next_block(3), Err(Error::TooLarge { len: 3, max: 2 }));
    let told = batch(&mut conn).next_with(|_| Err::<(), _>(Error::protocol("no")));
    assert_eq!(told, Err(Error::protocol("no")));
    assert_eq!(batch(&mut conn).next_bytes(9), Some(&b"abc"[..]));
}
