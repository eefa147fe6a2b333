//! Section "Lines" of the contract.

use asyncnet_core::{Cause, Config, Connection, EMPTY_LINE, Error, Framing, LineError, Loss, Step};

use crate::play::Answer::{Bad, End, Line};
use crate::play::{
    Answer, Ending, PEEK, Play, WAYS, expect_lines, in_any_chunking, read, with_flags,
};

const CLEAN: Answer<'_> = End(Cause::Eof, 0);

fn lenient() -> Config {
    Config::default()
}

fn strict() -> Config {
    Config::default().framing(Framing::CrLf)
}

fn too_long(max: usize) -> Answer<'static> {
    Bad(LineError::TooLong { max })
}

#[test]
fn l1_lf_ends_a_line_and_takes_one_cr_along() {
    let input = b"unix\nnet\r\n\n\r\nend\n";
    let lines = [b"unix" as &[u8], b"net", b"", b"", b"end"].map(Line);
    let answers = [lines.as_slice(), &[CLEAN]].concat();
    expect_lines(lenient(), input, Ending::Eof, &answers);
}

#[test]
fn l1_any_other_cr_is_data_and_never_eats_its_neighbour() {
    for (input, text) in [
        (b"a\rbc\n" as &[u8], b"a\rbc" as &[u8]),
        (b"a\r\r\n", b"a\r"),
        (b"\r\r\n", b"\r"),
        (b"\ra\n", b"\ra"),
        (b"\r\r\ra\r\n", b"\r\r\ra"),
    ] {
        expect_lines(lenient(), input, Ending::Eof, &[Line(text), CLEAN]);
    }
}

#[test]
fn l1_a_cr_at_the_end_of_input_ends_no_line() {
    let answers = [Line(b"a"), End(Cause::Eof, 2)];
    expect_lines(lenient(), b"a\nb\r", Ending::Eof, &answers);
}

#[test]
fn l2_only_cr_lf_ends_a_strict_line() {
    let answers = [Line(b"a"), Line(b""), Line(b"bc"), CLEAN];
    expect_lines(strict(), b"a\r\n\r\nbc\r\n", Ending::Eof, &answers);
}

#[test]
fn l2_a_bare_cr_or_lf_is_reported_once_and_its_line_discarded() {
    let (cr, lf) = (Bad(LineError::BareCr), Bad(LineError::BareLf));
    for (input, error) in [
        (b"a\rb\r\nok\r\n" as &[u8], &cr),
        (b"a\r\r\nok\r\n", &cr),
        (b"\r\r\r\nok\r\n", &cr),
        (b"a\nb\r\nok\r\n", &lf),
        (b"\n\r\nok\r\n", &lf),
        (b"\n\r\n\nx\r\n", &lf),
        (b"a\rb\nc\rd\n\r\nok\r\n", &cr),
        (b"a\nb\rc\n\r\r\nok\r\n", &lf),
    ] {
        let next = if input.ends_with(b"ok\r\n") { Line(b"ok") } else { lf.clone() };
        expect_lines(strict(), input, Ending::Open, &[error.clone(), next]);
    }
}

#[test]
fn l3_nul_and_invalid_utf8_pass() {
    let answers = [Line(b"\0"), Line(b"\xff\xfe\0x"), CLEAN];
    expect_lines(lenient(), b"\0\n\xff\xfe\0x\r\n", Ending::Eof, &answers);
    expect_lines(strict(), b"\0\r\n\xff\xfe\0x\r\n", Ending::Eof, &answers);
}

#[test]
fn l3_only_the_string_call_checks_utf8_and_its_error_holds_the_consumed_line() {
    in_any_chunking(lenient(), b"\xc3\xa4\n\xc3(\r\nok\n\xc3\n", Ending::Eof, |play| {
        assert_eq!(play.recv_line().as_deref(), Ok("\u{e4}"));
        let bad = || Error::Line(LineError::Utf8(b"\xc3(".to_vec()));
        assert_eq!(play.recv_line(), Err(bad()));
        assert_eq!(play.recv_line().as_deref(), Ok("ok"));
        let mut line = Vec::new();
        assert_eq!(play.ask(|conn| conn.recv_line_into(&mut line)), Ok(()));
        assert_eq!(line, b"\xc3");
    });
}

#[test]
fn l3_a_line_that_is_no_text_is_counted_by_the_call_that_consumes_it_as_text() {
    let mut conn = Connection::new(lenient());
    assert_eq!(conn.handle_input(b"\xff\n\xfe\n\xfd\n"), 6);
    let counted = |conn: &Connection| (conn.stats().lines_received, conn.stats().not_utf8);
    assert!(with_flags(&mut conn, PEEK, Connection::recv_line).is_err());
    assert_eq!(counted(&conn), (0, 0), "a peek consumes nothing");
    assert!(conn.recv_line().is_err());
    assert_eq!(counted(&conn), (1, 1));
    assert_eq!(conn.recv_line_into(&mut Vec::new()), Ok(Step::Ready(())));
    assert!(conn.next_line().is_ok());
    assert_eq!(counted(&conn), (3, 1), "bytes are no text");
}

#[test]
fn l3_a_peek_at_a_line_that_is_no_text_leaves_it() {
    in_any_chunking(lenient(), b"\xff\n", Ending::Open, |play| {
        let bad = || Error::Line(LineError::Utf8(b"\xff".to_vec()));
        let peek = |conn: &mut Connection| with_flags(conn, PEEK, Connection::recv_line);
        assert_eq!(play.ask(peek), Err(bad()));
        assert_eq!(play.ask(peek), Err(bad()));
        assert_eq!(play.ask(|conn| conn.recv(2)), Ok(b"\xff\n".to_vec()));
    });
}

#[test]
fn l4_exactly_max_is_delivered_in_any_chunking() {
    let answers = [Line(b"hello"), Line(b"hell\r"), Line(b"world"), CLEAN];
    let input = b"hello\r\nhell\r\r\nworld\n";
    expect_lines(lenient().max_line(5), input, Ending::Eof, &answers);
    let answers = [Line(b"hello"), Line(b"world"), CLEAN];
    expect_lines(strict().max_line(5), b"hello\r\nworld\r\n", Ending::Eof, &answers);
}

#[test]
fn l4_one_byte_more_is_reported_once_and_the_next_line_follows() {
    for config in [lenient().max_line(5), strict().max_line(5)] {
        let answers = [too_long(5), Line(b"ok"), too_long(5), Line(b""), CLEAN];
        let input = b"hello!\r\nok\r\nhello, world\r\n\r\n";
        expect_lines(config, input, Ending::Eof, &answers);
    }
    let answers = [too_long(5), Line(b"ok")];
    expect_lines(lenient().max_line(5), b"hello\r\r\nok\n", Ending::Open, &answers);
}

#[test]
fn l4_a_line_too_long_is_discarded_through_its_own_terminator() {
    let answers = [too_long(3), Line(b"ok")];
    let input = b"1234\n\r5\r\r\nok\r\n";
    expect_lines(strict().max_line(3), input, Ending::Open, &answers);
    let answers = [too_long(3), too_long(3), Line(b"ok")];
    expect_lines(lenient().max_line(3), b"1234\n1234\nok\n", Ending::Open, &answers);
}

#[test]
fn l4_a_line_is_reported_at_its_first_byte_too_many() {
    for config in [lenient().max_line(5), strict().max_line(5)] {
        for way in WAYS {
            let mut conn = Connection::new(config);
            assert_eq!(read(&mut conn, b"hello", way), 5);
            assert_eq!(conn.next_line(), Ok(Step::NeedInput));
            assert_eq!(read(&mut conn, b"!", way), 1);
            let error = LineError::TooLong { max: 5 };
            assert_eq!(conn.next_line(), Err(Error::Line(error)));
            assert_eq!(conn.next_line(), Ok(Step::NeedInput));
        }
    }
}

/// How often bytes are searched cannot be seen from here; how often they are copied can, in `memory.rs`.
#[test]
fn l5_a_long_stream_gives_the_same_lines_in_any_read_size() {
    let text = |i: usize| "x".repeat(i * 7919 % 3000);
    let input: String = (0..400).map(|i| text(i) + "\r\n").collect();
    for size in [1000, 1 << 14, (1 << 14) + 1, 1 << 16, input.len()] {
        for way in WAYS {
            let chunks = input.as_bytes().chunks(size).collect();
            let mut play = Play::new(lenient(), chunks, Ending::Eof, way);
            for i in 0..400 {
                assert_eq!(play.line(), Ok(Some(text(i).into_bytes())), "{way:?} {size}");
            }
            assert_eq!(play.line(), Ok(None));
        }
    }
}

/// Lines of these lengths: as they arrive, with LF and CR LF by turns, and as they are answered.
fn text_of(lengths: &[usize]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let lines: Vec<_> = lengths.iter().map(|len| vec![b'a' + (len % 26) as u8; *len]).collect();
    let ends = [b"\n" as &[u8], b"\r\n"].into_iter().cycle();
    let text = lines.iter().zip(ends).flat_map(|(line, end)| [line, end].concat()).collect();
    (text, lines)
}

/// Takes up to `most` lines, good or bad, of each batch.
fn in_batches(config: Config, text: &[u8], most: usize) -> Vec<Result<Vec<u8>, Error>> {
    let (mut conn, mut lines) = (Connection::new(config), Vec::new());
    assert_eq!(conn.handle_input(text), text.len());
    while let Ok(Step::Ready(Some(mut batch))) = conn.next_batch() {
        let next = |_| batch.next_line().map(|line| line.map(<[u8]>::to_vec)).transpose();
        lines.extend((0..most).map_while(next));
    }
    let good = lines.iter().filter(|line| line.is_ok()).count();
    assert_eq!(conn.stats().lines_received, good as u64);
    lines
}

fn good(lines: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Vec<Result<Vec<u8>, Error>> {
    lines.into_iter().map(|line| Ok(line.into())).collect()
}

#[test]
fn l5_a_batch_finds_lines_of_all_lengths_however_many_are_taken_of_it() {
    for first in 0..70 {
        for second in 0..70 {
            let (text, lines) = text_of(&[first, 1, second, 0, first, 23, second, 130, 2, 2, 2]);
            for most in [1, 2, 5, usize::MAX] {
                let found = in_batches(lenient(), &text, most);
                assert_eq!(found, good(lines.clone()), "{first} {second} {most}");
            }
        }
    }
}

#[test]
fn l4_a_batch_reports_a_line_too_long_between_short_ones() {
    for max in [3, 22, 62, 63, 64, 65, 200] {
        let (text, lines) = text_of(&[1, 0, 2, 3, max, 1, max + 1, 1]);
        let config = lenient().max_line(max);
        let mut expected = good(lines);
        expected[6] = Err(Error::Line(LineError::TooLong { max }));
        for most in [1, 2, usize::MAX] {
            assert_eq!(in_batches(config, &text, most), expected, "{max}");
        }
    }
}

#[test]
fn l1_every_lf_of_a_batch_ends_a_line_wherever_it_stands() {
    let mut text = vec![b'.'; 3 * 64];
    text[0] = b'\n';
    for at in 1..191 {
        for also in at + 1..191 {
            let mut text = text.clone();
            (text[at], text[also]) = (b'\n', b'\n');
            text.push(b'\n');
            let lines: Vec<_> = text[..text.len() - 1].split(|b| *b == b'\n').collect();
            assert_eq!(in_batches(lenient(), &text, usize::MAX), good(lines), "{at} {also}");
        }
    }
}

#[test]
fn l2_a_batch_of_short_strict_lines_reports_a_bare_lf() {
    let many = b"a\r\n".repeat(40);
    let text = [&many, b"b\nc\r\n" as &[u8], &many].concat();
    let mut expected = good([b"a"; 40]);
    expected.push(Err(Error::Line(LineError::BareLf)));
    expected.extend(good([b"a"; 40]));
    assert_eq!(in_batches(strict(), &text, usize::MAX), expected);
}

#[test]
fn l6_lines_that_arrived_come_before_the_end_and_before_an_error() {
    let lines = [Line(b"a"), Line(b"b")];
    for (end, cause) in
        [(Ending::Eof, Cause::Eof), (Ending::Lost(Loss::Reset), Cause::Lost(Loss::Reset))]
    {
        let answers = [lines.as_slice(), &[End(cause, 1)]].concat();
        expect_lines(lenient(), b"a\nb\nc", end, &answers);
    }
    let answers = [lines.as_slice(), &[too_long(1), Line(b"c"), CLEAN]].concat();
    expect_lines(lenient().max_line(1), b"a\nb\n12\nc\n", Ending::Eof, &answers);
}

#[test]
fn l6_an_end_that_is_known_already_waits_behind_the_lines() {
    let mut conn = Connection::new(lenient());
    assert_eq!(conn.handle_input(b"a\nb\n"), 4);
    conn.handle_lost(Loss::Reset);
    assert_eq!(conn.next_line(), Ok(Step::Ready(Some(&b"a"[..]))));
    assert_eq!(conn.recv_line(), Ok(Step::Ready("b".into())));
    assert!(matches!(conn.next_line(), Err(Error::Disconnected(_))));
}

#[test]
fn l7_an_empty_line_is_cr_lf_in_nim_style_calls_and_empty_in_the_typed() {
    for config in [lenient(), strict()] {
        in_any_chunking(config, b"\r\n\r\n\r\n", Ending::Eof, |play| {
            assert_eq!(play.recv_line().as_deref(), Ok(EMPTY_LINE));
            assert_eq!(play.line(), Ok(Some(Vec::new())));
            let mut line = b"the line before".to_vec();
            assert_eq!(play.ask(|conn| conn.recv_line_into(&mut line)), Ok(()));
            assert_eq!(line, EMPTY_LINE.as_bytes());
            assert_eq!(play.recv_line().as_deref(), Ok(""));
            assert_eq!(play.ask(|conn| conn.recv_line_into(&mut line)), Ok(()));
            assert_eq!(line, b"");
        });
    }
    in_any_chunking(lenient(), b"\n", Ending::Eof, |play| {
        let peek = |conn: &mut Connection| with_flags(conn, PEEK, Connection::recv_line);
        assert_eq!(play.ask(peek).as_deref(), Ok(EMPTY_LINE));
        let mut line = b"the line before".to_vec();
        let peek = play.ask(|conn| with_flags(conn, PEEK, |conn| conn.recv_line_into(&mut line)));
        assert_eq!((peek, line.as_slice()), (Ok(()), EMPTY_LINE.as_bytes()));
    });
}

/// A receive of bytes or lines, as text.
type Receive = fn(&mut Connection) -> Result<Step<String>, Error>;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every receive there is, each asking for two bytes or for a line.
const RECEIVES: [(&str, Receive); 11] = [
    ("next_line", |conn| Ok(conn.next_line()?.map(|line| text(line.unwrap_or_default())))),
    ("next_batch", |conn| match conn.next_batch()? {
        Step::Ready(Some(mut batch)) => {
            Ok(Step::Ready(text(batch.next_line()?.unwrap_or(b"none"))))
        }
        step => Ok(step.map(|_| String::new())),
    }),
    ("next_with", |conn| {
        let line = conn.next_with(|unread| Ok(text(unread.line()?)))?;
        Ok(line.map(Option::unwrap_or_default))
    }),
    ("next_block", |conn| Ok(conn.next_block(2)?.map(text))),
    ("next_bytes", |conn| Ok(conn.next_bytes(2)?.map(|bytes| text(bytes.unwrap_or_default())))),
    ("peek_block", |conn| Ok(conn.peek_block(2)?.map(|bytes| text(&bytes[..2])))),
    ("recv", |conn| Ok(conn.recv(2)?.map(|bytes| text(&bytes)))),
    ("recv_line", Connection::recv_line),
    ("peek_line", |conn| Ok(conn.peek_line()?.map(|line| text(line.unwrap_or_default())))),
    (
        "recv_peek",
        |conn| Ok(with_flags(conn, PEEK, |conn| conn.recv(2))?.map(|bytes| text(&bytes))),
    ),
    ("recv_line_peek", |conn| with_flags(conn, PEEK, Connection::recv_line)),
];

#[test]
fn l8_every_receive_first_finishes_discarding() {
    for config in [lenient().max_line(4), strict().max_line(4)] {
        for (name, receive) in RECEIVES {
            let mut conn = Connection::new(config);
            assert_eq!(conn.handle_input(b"12345"), 5);
            assert!(conn.next_line().is_err());
            for rest in [b"6" as &[u8], b"7\r"] {
                assert_eq!(receive(&mut conn), Ok(Step::NeedInput), "{name}");
                assert!(matches!(conn.next_batch(), Ok(Step::NeedInput)));
                assert_eq!(conn.try_next_line(), Ok(None));
                assert_eq!(conn.peek(), b"");
                assert_eq!(conn.handle_input(rest), rest.len());
            }
            assert_eq!(conn.handle_input(b"\nok\r\n"), 5);
            assert_eq!(receive(&mut conn), Ok(Step::Ready("ok".into())), "{name}");
        }
    }
}

#[test]
fn l8_a_peek_reports_a_bad_line_and_leaves_it() {
    in_any_chunking(lenient().max_line(3), b"12345\nok\n", Ending::Open, |play| {
        let bad = || Error::Line(LineError::TooLong { max: 3 });
        let peek = |conn: &mut Connection| Ok(conn.peek_line()?.map(|_| ()));
        assert_eq!(play.ask(peek), Err(bad()));
        assert_eq!(play.ask(peek), Err(bad()));
        assert_eq!(play.ask(|conn| conn.recv(1)), Ok(b"1".to_vec()));
        assert_eq!(play.ask(Connection::recv_line), Err(bad()));
        assert_eq!(
            play.ask(|conn| with_flags(conn, PEEK, Connection::recv_line)).as_deref(),
            Ok("ok")
        );
        assert_eq!(play.ask(|conn| conn.recv_line()).as_deref(), Ok("ok"));
    });
}

#[test]
fn l8_after_max_line_bytes_and_a_cr_the_answer_waits_for_one_more_byte() {
    let input = |rest: &[u8]| {
        let mut conn = Connection::new(lenient().max_line(3));
        assert_eq!(conn.handle_input(b"123\r"), 4);
        assert_eq!(conn.next_line(), Ok(Step::NeedInput));
        assert_eq!(conn.handle_input(rest), rest.len());
        conn
    };
    assert_eq!(input(b"\n").next_line(), Ok(Step::Ready(Some(&b"123"[..]))));
    let too_long = || Error::Line(LineError::TooLong { max: 3 });
    assert_eq!(input(b"\r").next_line(), Err(too_long()));
    assert_eq!(input(b"4").next_line(), Err(too_long()));
}

#[test]
fn a_batch_consumes_line_by_line_and_leaves_the_rest() {
    for way in WAYS {
        let mut conn = Connection::new(lenient());
        assert_eq!(read(&mut conn, b"a\r\nb\n\nc\n", way), 8);
        let batch = |conn: &mut Connection, n| -> Vec<Vec<u8>> {
            let batch = conn.next_batch().expect("lines").ready().flatten();
            let mut batch = batch.expect("a batch");
            let next = |_| batch.next_line().expect("no error").map(<[u8]>::to_vec);
            (0..n).map_while(next).collect()
        };
        assert_eq!(batch(&mut conn, 0), [b""; 0]);
        assert_eq!(read(&mut conn, b"d", way), 1);
        assert_eq!(batch(&mut conn, 1), [b"a"]);
        assert_eq!(conn.next_line(), Ok(Step::Ready(Some(&b"b"[..]))));
        assert_eq!(batch(&mut conn, 9), [b"" as &[u8], b"c"]);
        assert!(matches!(conn.next_batch(), Ok(Step::NeedInput)));
        assert_eq!(conn.peek(), b"d");
    }
}

#[test]
fn a_batch_reports_a_bad_line_and_the_next_answer_is_behind_it() {
    let mut conn = Connection::new(lenient().max_line(2));
    assert_eq!(conn.handle_input(b"a\nb\n123\nc\n"), 10);
    let batch = conn.next_batch().expect("lines").ready().flatten();
    let mut batch = batch.expect("a batch");
    assert_eq!(batch.next_line(), Ok(Some(&b"a"[..])));
    assert_eq!(batch.next_line(), Ok(Some(&b"b"[..])));
    assert_eq!(batch.next_line(), Err(Error::Line(LineError::TooLong { max: 2 })));
    assert_eq!(conn.next_line(), Ok(Step::Ready(Some(&b"c"[..]))));
}

#[test]
fn a_span_is_good_until_the_next_receive_and_an_old_one_is_empty() {
    let mut conn = Connection::new(lenient());
    assert_eq!(conn.handle_input(b"first\nsecond\n"), 13);
    let span = |conn: &mut Connection| {
        conn.poll_line().expect("no error").ready().flatten().expect("a line")
    };
    let first = span(&mut conn);
    assert_eq!(conn.line(first), b"first");
    let second = span(&mut conn);
    assert_eq!((conn.line(first), conn.line(second)), (&b""[..], &b"second"[..]));
    let _ = conn.space();
    assert_eq!(conn.line(second), b"");
}

#[test]
fn l6_a_line_that_is_here_whole_can_be_had_without_a_wait() {
    let mut conn = Connection::new(lenient().max_line(3));
    let try_line = |conn: &mut Connection| Ok(conn.try_next_line()?.map(<[u8]>::to_vec));
    assert_eq!(try_line(&mut conn), Ok(None));
    assert_eq!(conn.handle_input(b"a\n1234"), 6);
    assert_eq!(try_line(&mut conn), Ok(Some(b"a".to_vec())));
    assert_eq!(try_line(&mut conn), Err(Error::Line(LineError::TooLong { max: 3 })));
    assert_eq!(try_line(&mut conn), Ok(None), "its rest has not come");
    assert_eq!(conn.handle_input(b"5\nb\nc"), 5);
    conn.handle_eof();
    assert_eq!(try_line(&mut conn), Ok(Some(b"b".to_vec())));
    assert_eq!((try_line(&mut conn), conn.end()), (Ok(None), None), "it meets no end");
    conn.close();
    assert_eq!(try_line(&mut conn), Err(Error::Closed));
}
