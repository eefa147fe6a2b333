//! Section "Blocks" of the contract.

use asyncnet_core::{Config, Connection, Error, Flags, LineError, Loss, Step};

use crate::play::{Ending, PEEK, Play, WAYS, in_any_chunking, read, with_flags};

fn buffered() -> Config {
    Config::default()
}

fn unbuffered() -> Config {
    Config::default().buffered(false)
}

const ENDINGS: [Ending; 2] = [Ending::Eof, Ending::Lost(Loss::Reset)];

#[test]
fn b1_recv_waits_for_n_and_is_shorter_only_at_the_end() {
    for end in ENDINGS {
        in_any_chunking(buffered(), b"1234567", end, |play| {
            assert_eq!(play.recv(4), Ok(b"1234".to_vec()));
            assert_eq!(play.recv(4), Ok(b"567".to_vec()));
            assert_eq!(play.recv(4), Ok(Vec::new()));
            assert_eq!(play.conn.end().map(|end| end.partial), Some(0));
        });
    }
}

#[test]
fn b1_recv_of_nothing_answers_at_once() {
    for config in [buffered(), unbuffered()] {
        let mut conn = Connection::new(config.max_line(0));
        assert_eq!(conn.recv(0), Ok(Step::Ready(Vec::new())));
        assert_eq!(conn.recv_into(&mut []), Ok(Step::Ready(0)));
        assert_eq!(conn.next_block(0), Ok(Step::Ready(&b""[..])));
        assert_eq!(conn.handle_input(b"x"), 1);
        assert!(conn.next_line().is_err());
        assert_eq!(conn.recv(0), Ok(Step::Ready(Vec::new())), "discarding");
        conn.handle_lost(Loss::Reset);
        assert!(conn.next_line().is_err());
        assert_eq!(conn.recv(0), Ok(Step::Ready(Vec::new())), "ended");
        conn.close();
        assert_eq!(conn.recv(0), Err(Error::Closed));
    }
}

#[test]
fn b1_unbuffered_recv_is_what_one_read_gives() {
    for way in WAYS {
        let chunks = vec![b"12".as_slice(), b"345678"];
        let mut play = Play::new(unbuffered(), chunks, Ending::Eof, way);
        assert_eq!(play.recv(4), Ok(b"12".to_vec()));
        assert_eq!(play.block(1), Ok(b"3".to_vec()));
    }
    let mut conn = Connection::new(unbuffered());
    assert_eq!(conn.recv(4), Ok(Step::NeedInput));
    assert_eq!(conn.handle_input(b"345678"), 4);
    assert_eq!(conn.recv(3), Ok(Step::Ready(b"345".to_vec())));
    assert_eq!(conn.recv(3), Ok(Step::Ready(b"6".to_vec())));
    assert_eq!(conn.recv(3), Ok(Step::NeedInput));
}

#[test]
fn b1_recv_into_keeps_the_bytes_in_the_inbox_until_it_completes() {
    for way in WAYS {
        let mut conn = Connection::new(buffered());
        let mut buf = *b"....";
        assert_eq!(read(&mut conn, b"123", way), 3);
        assert_eq!(conn.recv_into(&mut buf), Ok(Step::NeedInput));
        assert_eq!((buf, conn.peek()), (*b"....", &b"123"[..]));
        assert_eq!(read(&mut conn, b"45", way), 2);
        assert_eq!(conn.recv_into(&mut buf), Ok(Step::Ready(4)));
        assert_eq!((buf, conn.peek()), (*b"1234", &b"5"[..]));
        conn.handle_eof();
        assert_eq!(conn.recv_into(&mut buf), Ok(Step::Ready(1)));
        assert_eq!(buf, *b"5234");
        assert_eq!(conn.recv_into(&mut buf), Ok(Step::Ready(0)));
    }
}

/// Whether this is the error of asking for 4 where 3 are allowed.
fn too_large<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::TooLarge { len: 4, max: 3 }))
}

#[test]
fn b2_a_block_above_max_block_is_an_error_before_anything_is_read() {
    for config in [buffered().max_block(3), unbuffered().max_block(3)] {
        let mut conn = Connection::new(config);
        for received in [b"" as &[u8], b"123456"] {
            for &byte in received {
                assert_eq!(conn.handle_input(&[byte]), 1);
            }
            assert!(too_large(conn.next_block(4)));
            assert!(too_large(conn.recv(4)));
            assert!(too_large(conn.recv_into(&mut [0; 4])));
            assert_eq!(conn.peek(), received);
        }
        assert_eq!(conn.next_block(3), Ok(Step::Ready(&b"123"[..])));
        assert_eq!(conn.recv(3), Ok(Step::Ready(b"456".to_vec())));
    }
}

#[test]
fn b3_lines_and_blocks_see_one_stream() {
    let input = b"SIZE 5\r\n\r\n\n12ab\rcd\r\nend";
    in_any_chunking(buffered(), input, Ending::Eof, |play| {
        assert_eq!(play.line(), Ok(Some(b"SIZE 5".to_vec())));
        assert_eq!(play.block(5), Ok(b"\r\n\n12".to_vec()));
        assert_eq!(play.recv(1), Ok(b"a".to_vec()));
        assert_eq!(play.recv_line().as_deref(), Ok("b\rcd"));
        assert_eq!(play.recv(9), Ok(b"end".to_vec()));
        assert_eq!(play.line(), Ok(None));
    });
}

#[test]
fn b3_a_terminator_may_be_shared_by_a_block_and_a_line() {
    in_any_chunking(buffered(), b"a\r\nb\n", Ending::Eof, |play| {
        let peek = |conn: &mut Connection| Ok(conn.peek_line()?.map(|_| ()));
        assert_eq!(play.ask(peek), Ok(()));
        assert_eq!(play.block(2), Ok(b"a\r".to_vec()));
        assert_eq!(play.line(), Ok(Some(Vec::new())));
        assert_eq!(play.ask(peek), Ok(()));
        assert_eq!(play.block(1), Ok(b"b".to_vec()));
        assert_eq!(play.line(), Ok(Some(Vec::new())));
    });
}

#[test]
fn b3_a_block_may_take_what_a_line_call_had_searched() {
    in_any_chunking(buffered().max_line(4), b"12345\n6\n", Ending::Eof, |play| {
        let peek = |conn: &mut Connection| Ok(conn.peek_line()?.map(|_| ()));
        let too_long = Error::Line(LineError::TooLong { max: 4 });
        assert_eq!(play.ask(peek), Err(too_long));
        assert_eq!(play.block(2), Ok(b"12".to_vec()));
        assert_eq!(play.line(), Ok(Some(b"345".to_vec())));
        assert_eq!(play.line(), Ok(Some(b"6".to_vec())));
    });
}

#[test]
fn b4_a_peek_consumes_nothing() {
    in_any_chunking(buffered(), b"one\r\ntwo\r\n", Ending::Eof, |play| {
        for _ in 0..2 {
            let line =
                play.ask(|conn: &mut Connection| with_flags(conn, PEEK, Connection::recv_line));
            assert_eq!(line.as_deref(), Ok("one"));
            let line = play.ask(|conn| Ok(conn.peek_line()?.map(|line| line.map(<[u8]>::to_vec))));
            assert_eq!(line, Ok(Some(b"one".to_vec())));
            let mut line = b"old".to_vec();
            let peek =
                play.ask(|conn| with_flags(conn, PEEK, |conn| conn.recv_line_into(&mut line)));
            assert_eq!((peek, line.as_slice()), (Ok(()), &b"one"[..]));
            let byte = play.ask(|conn| with_flags(conn, PEEK, |conn| conn.recv(1)));
            assert_eq!(byte, Ok(b"o".to_vec()));
        }
        let all = play.ask(|conn| conn.recv(99));
        assert_eq!(all, Ok(b"one\r\ntwo\r\n".to_vec()));
    });
}

#[test]
fn b4_a_peek_of_bytes_waits_for_one_and_a_peek_of_a_line_for_the_line() {
    let mut conn = Connection::new(buffered());
    assert_eq!(with_flags(&mut conn, PEEK, |conn| conn.recv(4)), Ok(Step::NeedInput));
    assert_eq!(with_flags(&mut conn, PEEK, |conn| conn.recv(0)), Ok(Step::Ready(Vec::new())));
    assert_eq!(conn.handle_input(b"a"), 1);
    assert_eq!(with_flags(&mut conn, PEEK, |conn| conn.recv(4)), Ok(Step::Ready(b"a".to_vec())));
    assert_eq!(with_flags(&mut conn, PEEK, Connection::recv_line), Ok(Step::NeedInput));
    assert_eq!(conn.handle_input(b"bcde\n"), 5);
    assert_eq!(with_flags(&mut conn, PEEK, |conn| conn.recv(4)), Ok(Step::Ready(b"abcd".to_vec())));
    assert_eq!(with_flags(&mut conn, PEEK, Connection::recv_line), Ok(Step::Ready("abcde".into())));
}

#[test]
fn b4_a_peek_is_empty_only_at_the_end() {
    let mut conn = Connection::new(buffered());
    assert_eq!(conn.handle_input(b"a"), 1);
    conn.handle_eof();
    assert_eq!(with_flags(&mut conn, PEEK, Connection::recv_line), Ok(Step::Ready(String::new())));
    assert_eq!(conn.end(), None, "a peek meets no end");
    assert_eq!(with_flags(&mut conn, PEEK, |conn| conn.recv(4)), Ok(Step::Ready(b"a".to_vec())));
    assert_eq!(conn.recv(4), Ok(Step::Ready(b"a".to_vec())));
    assert_eq!(with_flags(&mut conn, PEEK, |conn| conn.recv(4)), Ok(Step::Ready(Vec::new())));
    assert_eq!(conn.peek_line(), Ok(Step::Ready(None)));
}

#[test]
fn b4_an_end_that_is_told_is_told_to_a_peek_too() {
    let mut conn = Connection::new(buffered());
    conn.handle_lost(Loss::Reset);
    let told = with_flags(&mut conn, Flags::PEEK, |conn| conn.recv(4));
    assert!(matches!(told, Err(Error::Disconnected(_))));
    let told = with_flags(&mut conn, Flags::PEEK, Connection::recv_line);
    assert!(matches!(told, Err(Error::Disconnected(_))));
    assert_eq!(with_flags(&mut conn, PEEK, |conn| conn.recv(4)), Ok(Step::Ready(Vec::new())));
    assert_eq!(with_flags(&mut conn, PEEK, Connection::recv_line), Ok(Step::Ready(String::new())));
}

/// What a read may ask for while `call` waits.
fn asks_for<T>(
    conn: &mut Connection,
    call: impl FnOnce(&mut Connection) -> Result<Step<T>, Error>,
) -> usize {
    assert!(matches!(call(conn), Ok(Step::NeedInput)));
    conn.space().len()
}

#[test]
fn b5_an_unbuffered_read_asks_for_no_more_than_the_call_still_needs() {
    let mut conn = Connection::new(unbuffered());
    let line = |conn: &mut Connection| Ok(conn.next_line()?.map(drop));
    let bytes = |conn: &mut Connection| Ok(conn.next_bytes(7)?.map(drop));
    let block = |conn: &mut Connection| Ok(conn.next_block(7)?.map(drop));
    let peek = |conn: &mut Connection| conn.peek_block(7).map(|step| step.map(drop));
    assert_eq!(asks_for(&mut conn, line), 1);
    assert_eq!(asks_for(&mut conn, bytes), 7);
    assert_eq!(asks_for(&mut conn, block), 7);
    assert_eq!(conn.handle_input(b"12"), 2);
    assert_eq!(asks_for(&mut conn, block), 5);
    assert_eq!(conn.handle_input(b"34567890"), 5);
    assert_eq!(peek(&mut conn), Ok(Step::Ready(())));
    assert_eq!(asks_for(&mut conn, line), 1);
}

#[test]
fn b5_an_unbuffered_line_is_read_byte_by_byte_good_or_bad() {
    for way in WAYS {
        let mut conn = Connection::new(unbuffered().max_line(3));
        let mut wire = b"1234\r\n56\r\n7890".as_slice();
        let mut reads = 0;
        let mut errors = 0;
        let line = loop {
            match conn.next_line() {
                Ok(Step::Ready(line)) => break line.map(<[u8]>::to_vec),
                Ok(Step::NeedInput) => {
                    wire = &wire[read(&mut conn, wire, way)..];
                    reads += 1;
                }
                Err(_) => errors += 1,
            }
        };
        assert_eq!(line.as_deref(), Some(&b"56"[..]));
        assert_eq!((reads, errors, wire), (10, 1, &b"7890"[..]));
    }
}

#[test]
fn b5_peeked_bytes_count_as_asked_for_and_come_first() {
    let mut conn = Connection::new(unbuffered());
    assert_eq!(with_flags(&mut conn, PEEK, |conn| conn.recv(3)), Ok(Step::NeedInput));
    assert_eq!(conn.handle_input(b"123456"), 3);
    assert_eq!(with_flags(&mut conn, PEEK, |conn| conn.recv(5)), Ok(Step::Ready(b"123".to_vec())));
    assert_eq!(conn.recv(2), Ok(Step::Ready(b"12".to_vec())));
    assert_eq!(asks_for(&mut conn, |conn| Ok(conn.next_block(4)?.map(drop))), 3);
    assert_eq!(conn.recv(4), Ok(Step::Ready(b"3".to_vec())));
}

#[test]
fn b6_a_block_above_max_block_can_be_taken_in_pieces_or_thrown_away() {
    in_any_chunking(buffered().max_block(3), b"12345678ab\n", Ending::Eof, |play| {
        let mut pieces = Vec::new();
        while pieces.len() < 4 {
            let left = 4 - pieces.len();
            let piece =
                |conn: &mut Connection| Ok(conn.next_bytes(left)?.map(|it| it.map(<[u8]>::to_vec)));
            pieces.extend(play.ask(piece).expect("bytes").expect("no end"));
        }
        assert_eq!(pieces, b"1234");
        play.block(2).expect("a block that fits");
        assert_eq!(play.line(), Ok(Some(b"78ab".to_vec())));
    });
    in_any_chunking(buffered().max_block(3), b"12345678ab\n", Ending::Eof, |play| {
        let mut left = 8;
        assert_eq!(play.ask(|conn: &mut Connection| conn.skip(&mut left)), Ok(()));
        assert_eq!(left, 0);
        let rest = play.ask(|conn| conn.recv_line());
        assert_eq!(rest.as_deref(), Ok("ab"));
    });
}

#[test]
fn b6_a_skip_goes_on_where_it_was_and_meets_the_end_as_a_block_does() {
    let mut conn = Connection::new(buffered());
    let mut left = u64::MAX;
    for _ in 0..3 {
        assert_eq!(conn.handle_input(b"123"), 3);
        assert_eq!(conn.skip(&mut left), Ok(Step::NeedInput));
    }
    assert_eq!((left, conn.peek()), (u64::MAX - 9, &b""[..]));
    assert_eq!(conn.skip(&mut 0), Ok(Step::Ready(())), "nothing is waited for");
    conn.handle_eof();
    assert!(matches!(conn.skip(&mut left), Err(Error::Disconnected(_))), "not a clean end");
    assert_eq!(conn.skip(&mut 0), Ok(Step::Ready(())));
    conn.close();
    assert_eq!(conn.skip(&mut left), Err(Error::Closed));
}

#[test]
fn b6_an_end_behind_a_skip_that_was_given_up_is_not_a_clean_one() {
    for (said, is_clean) in [(&b"12345"[..], false), (b"123456", true)] {
        let mut conn = Connection::new(buffered());
        let mut left = 6;
        assert_eq!(conn.handle_input(said), said.len());
        assert_eq!(conn.skip(&mut left).map(|step| step == Step::Ready(())), Ok(is_clean));
        conn.handle_eof();
        assert_eq!(conn.next_line().is_ok(), is_clean);
    }
}

#[test]
fn b6_unbuffered_a_skip_reads_no_more_than_it_skips() {
    let mut conn = Connection::new(unbuffered());
    let mut left = 5;
    assert_eq!(conn.skip(&mut left), Ok(Step::NeedInput));
    assert_eq!(conn.handle_input(b"12345678"), 5);
    assert_eq!((conn.skip(&mut left), conn.peek()), (Ok(Step::Ready(())), &b""[..]));
}

#[test]
fn b4_a_peek_at_a_block_waits_for_all_of_it_and_consumes_nothing() {
    for end in ENDINGS {
        in_any_chunking(buffered().max_block(4), b"12345", end, |play| {
            let mut peek = |n| {
                play.ask(|conn: &mut Connection| Ok(conn.peek_block(n)?.map(|it| it[..n].to_vec())))
            };
            assert_eq!((peek(4), peek(2)), (Ok(b"1234".to_vec()), Ok(b"12".to_vec())));
            assert_eq!(peek(5), Err(Error::TooLarge { len: 5, max: 4 }));
            assert!(play.ask(|conn| Ok(conn.next_block(4)?.map(drop))).is_ok());
            let told = play.ask(|conn| Ok(conn.peek_block(2)?.map(<[u8]>::to_vec)));
            assert!(matches!(told, Err(Error::Disconnected(end)) if end.partial == 1), "{told:?}");
            // The byte in front of the end can still be had.
            assert_eq!(play.recv(2), Ok(b"5".to_vec()));
        });
    }
}
