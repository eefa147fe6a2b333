//! F1: the framing in both directions, and settings that change on a live connection.

use asyncnet_core::{Cause, Config, Connection, Error, Framing, LineError, Step};

use crate::play::Answer::{Bad, End, Line};
use crate::play::{Ending, Play, expect_lines, in_any_chunking};

const ALL: [Framing; 5] =
    [Framing::Lenient, Framing::CrLf, Framing::Lf, Framing::Byte(0), Framing::Byte(b'\n')];

fn by(framing: Framing) -> Config {
    Config::default().framing(framing)
}

#[test]
fn f1_a_cr_is_data_where_lf_alone_ends_a_line() {
    let answers = [Line(b"a\r"), Line(b"\r"), Line(b""), End(Cause::Eof, 1)];
    expect_lines(by(Framing::Lf), b"a\r\n\r\n\n\r", Ending::Eof, &answers);
}

#[test]
fn f1_a_byte_ends_lines_and_line_breaks_are_data() {
    let answers = [Line(b"a\r\n"), Line(b""), Line(b"\n"), End(Cause::Eof, 1)];
    expect_lines(by(Framing::Byte(0)), b"a\r\n\0\0\n\0b", Ending::Eof, &answers);
}

#[test]
fn f1_a_line_that_is_too_long_is_discarded_through_its_own_terminator() {
    for (framing, input) in
        [(Framing::Lf, b"123\r456\nok\n"), (Framing::Byte(0), b"123\n456\0ok\0")]
    {
        let answers = [Bad(LineError::TooLong { max: 2 }), Line(b"ok"), End(Cause::Eof, 0)];
        expect_lines(by(framing).max_line(2), input, Ending::Eof, &answers);
    }
}

#[test]
fn f1_a_sent_line_ends_as_the_framing_says_and_comes_back_as_the_same_line() {
    for framing in ALL {
        let mut conn = Connection::new(by(framing));
        let text: Vec<u8> = (0..=255).filter(|byte| !framing.holds_line_break(&[*byte])).collect();
        assert_eq!(conn.feed_line(&text), Ok(()));
        let wire = conn.outgoing().next().expect("a line").to_vec();
        assert_eq!(wire, [&text, framing.terminator()].concat());
        expect_lines(by(framing), &wire, Ending::Eof, &[Line(&text), End(Cause::Eof, 0)]);
    }
}

#[test]
fn f1_s4_a_line_break_is_what_ends_a_line_and_is_refused() {
    for (framing, breaks) in [
        (Framing::Lenient, &b"\r\n"[..]),
        (Framing::CrLf, b"\r\n"),
        (Framing::Lf, b"\n"),
        (Framing::Byte(0), b"\0"),
    ] {
        for byte in 0..=255 {
            let text = [b'a', byte, b'b'];
            let refused = breaks.contains(&byte);
            assert_eq!(framing.holds_line_break(&text), refused);
            let fed = Connection::new(by(framing)).feed_line(&text);
            assert_eq!(fed, if refused { Err(Error::LineBreak) } else { Ok(()) });
        }
    }
}

fn line(play: &mut Play<'_>) -> Result<Option<Vec<u8>>, Error> {
    play.line()
}

fn text(line: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    Ok(Some(line.to_vec()))
}

#[test]
fn f1_a_new_framing_holds_from_the_next_line_on_buffered_bytes_included() {
    in_any_chunking(by(Framing::Lenient), b"\x61\nb\0c\n\0d\n", Ending::Eof, |play| {
        assert_eq!(line(play), text(b"a"));
        // All that is here is searched for an LF before the framing changes.
        let _ = play.conn.next_bytes(0);
        play.conn.configure(|_| by(Framing::Byte(0)));
        assert_eq!((line(play), line(play)), (text(b"b"), text(b"c\n")));
        play.conn.configure(|_| by(Framing::Lf));
        assert_eq!((line(play), line(play)), (text(b"d"), Ok(None)));
    });
}

#[test]
fn f1_what_was_searched_for_one_line_end_is_searched_again_for_another() {
    let mut conn = Connection::new(by(Framing::Byte(0)));
    assert_eq!(conn.handle_input(b"a\nb"), 3);
    assert_eq!(conn.next_line(), Ok(Step::NeedInput));
    conn.configure(|_| by(Framing::Lf));
    assert_eq!(conn.next_line(), Ok(Step::Ready(Some(&b"a"[..]))));
}

#[test]
fn f1_a_smaller_max_line_holds_for_the_line_that_has_begun_to_arrive() {
    for framing in ALL {
        let mut conn = Connection::new(by(framing));
        assert_eq!(conn.handle_input(b"123456"), 6);
        assert_eq!(conn.next_line(), Ok(Step::NeedInput));
        conn.configure(|_| by(framing).max_line(3));
        assert_eq!(conn.next_line(), Err(Error::Line(LineError::TooLong { max: 3 })));
    }
}

#[test]
fn f1_a_larger_max_line_takes_what_was_too_long_before() {
    in_any_chunking(by(Framing::Lf).max_line(1), b"12\n34\n", Ending::Eof, |play| {
        assert_eq!(line(play), Err(Error::Line(LineError::TooLong { max: 1 })));
        play.conn.configure(|_| by(Framing::Lf).max_line(2));
        assert_eq!((line(play), line(play)), (text(b"34"), Ok(None)));
    });
}

#[test]
fn f1_a_reported_line_ends_as_it_would_have_before_the_framing_changed() {
    in_any_chunking(by(Framing::Lenient).max_line(1), b"12\x003\n4\0", Ending::Eof, |play| {
        assert_eq!(line(play), Err(Error::Line(LineError::TooLong { max: 1 })));
        play.conn.configure(|_| by(Framing::Byte(0)));
        assert_eq!((line(play), line(play)), (text(b"4"), Ok(None)));
    });
}

#[test]
fn f1_a_new_max_block_holds_from_the_next_block_on() {
    let mut conn = Connection::new(Config::default().max_block(2));
    assert_eq!(conn.handle_input(b"123"), 3);
    assert_eq!(conn.next_block(3), Err(Error::TooLarge { len: 3, max: 2 }));
    conn.configure(|_| Config::default().max_block(3));
    assert!(matches!(conn.next_block(3), Ok(Step::Ready(_))));
}
