//! The table of ends and the rules behind it, as far as they show without TLS.

use asyncnet_core::driver::Inbound;
use asyncnet_core::{Cause, Config, Connection, End, Error, Flags, LineError, Loss, Step};

use crate::play::{Ending, Parts, Play, Way, in_any_chunking, read, with_flags};

const LOSSES: [Loss; 9] = [
    Loss::Reset,
    Loss::Aborted,
    Loss::BrokenPipe,
    Loss::TimedOut,
    Loss::HostUnreachable,
    Loss::NetworkUnreachable,
    Loss::NetworkDown,
    Loss::WriteZero,
    Loss::Other,
];

fn hide() -> Config {
    Config::default()
}

fn tell() -> Config {
    Config::default().nim_flags(Flags::empty())
}

fn after(config: Config, input: &[u8]) -> Connection {
    let mut conn = Connection::new(config);
    assert_eq!(conn.handle_input(input), input.len());
    conn
}

fn cause_and_partial(end: Option<End>) -> Option<(Cause, usize)> {
    end.map(|end| (end.cause, end.partial))
}

/// What an error says about the end.
fn told<T>(result: Result<T, Error>) -> Option<(Cause, usize)> {
    match result {
        Err(Error::Disconnected(end)) => cause_and_partial(Some(end)),
        _ => None,
    }
}

#[test]
fn table_eof_between_lines() {
    for config in [hide(), tell()] {
        in_any_chunking(config, b"a\n", Ending::Eof, |play| {
            assert_eq!(play.recv_line().as_deref(), Ok("a"));
            assert_eq!(play.recv_line().as_deref(), Ok(""));
            assert_eq!(play.recv(1), Ok(Vec::new()));
            assert_eq!(play.line(), Ok(None));
            assert!(matches!(play.conn.next_bytes(1), Ok(Step::Ready(None))));
            assert!(matches!(play.conn.next_batch(), Ok(Step::Ready(None))));
            assert_eq!(play.conn.next_with(|_| Ok(())), Ok(Step::Ready(None)));
            assert_eq!(cause_and_partial(play.conn.end()), Some((Cause::Eof, 0)));
            assert!(play.conn.end().is_some_and(|end| end.is_clean()));
        });
    }
}

#[test]
fn table_eof_inside_a_line() {
    for config in [hide(), tell()] {
        in_any_chunking(config, b"a\nbc", Ending::Eof, |play| {
            assert_eq!(play.recv_line().as_deref(), Ok("a"));
            assert_eq!(play.recv_line().as_deref(), Ok(""));
            let end = Some((Cause::Eof, 2));
            assert_eq!(told(play.line()), end);
            assert_eq!(cause_and_partial(play.conn.end()), end);
        });
    }
}

#[test]
fn table_eof_inside_a_block() {
    for config in [hide(), tell()] {
        in_any_chunking(config, b"abc", Ending::Eof, |play| {
            assert_eq!(play.recv(5), Ok(b"abc".to_vec()));
            assert_eq!(play.recv(5), Ok(Vec::new()));
            assert_eq!(cause_and_partial(play.conn.end()), Some((Cause::Eof, 0)));
        });
        in_any_chunking(config, b"abc", Ending::Eof, |play| {
            let end = Some((Cause::Eof, 3));
            assert_eq!(told(play.block(5)), end);
            assert_eq!(cause_and_partial(play.conn.end()), end);
            assert_eq!(play.conn.partial(), b"abc");
        });
    }
    let mut conn = after(hide(), b"");
    conn.handle_eof();
    assert_eq!(told(conn.next_block(1)), Some((Cause::Eof, 0)));
}

#[test]
fn table_reset_aborted_broken_pipe_timed_out_or_unreachable() {
    for loss in LOSSES {
        let lost = |config, input| {
            let mut conn = after(config, input);
            conn.handle_lost(loss);
            conn
        };
        let cause = Cause::Lost(loss);
        let end = Some((cause, 0));
        let mut conn = lost(hide(), b"");
        assert_eq!(conn.recv_line(), Ok(Step::Ready(String::new())));
        assert_eq!(conn.recv(1), Ok(Step::Ready(Vec::new())));
        assert_eq!(conn.recv_into(&mut [0]), Ok(Step::Ready(0)));
        let mut line = b"old".to_vec();
        assert_eq!(conn.recv_line_into(&mut line), Ok(Step::Ready(())));
        assert_eq!(line, b"");
        assert_eq!(cause_and_partial(conn.end()), end);

        let tells = Flags::empty();
        assert_eq!(told(with_flags(&mut conn, tells, Connection::recv_line)), end);
        assert_eq!(told(with_flags(&mut conn, tells, |conn| conn.recv(1))), end);
        assert_eq!(told(with_flags(&mut conn, tells, |conn| conn.recv_into(&mut [0]))), end);
        assert_eq!(told(with_flags(&mut conn, tells, |conn| conn.recv_line_into(&mut line))), end);

        assert_eq!(told(lost(hide(), b"").next_line()), end);
        assert_eq!(told(lost(hide(), b"").next_bytes(1)), end);
        assert_eq!(told(lost(hide(), b"").next_batch()), end);
        assert_eq!(told(lost(hide(), b"").next_with(|_| Ok(()))), end);
        assert_eq!(told(lost(hide(), b"").skip(&mut 1)), end);
        assert_eq!(told(lost(hide(), b"ab").next_line()), Some((cause, 2)));
        assert_eq!(told(lost(hide(), b"ab").next_block(3)), Some((cause, 2)));

        let mut conn = lost(tell(), b"ab");
        assert_eq!(conn.recv(3), Ok(Step::Ready(b"ab".to_vec())));
        assert_eq!(told(conn.recv(3)), end);
    }
}

/// A secure stream of another library; our own layers are in `../secure`.
#[test]
fn table_truncation_of_a_secure_stream() {
    let end = Some((Cause::Truncated, 2));
    let Parts { mut inbound, mut link } = Parts::new(hide());
    assert_eq!(link.handle_input(Some(&mut inbound), b"a\nbc"), 4);
    link.handle_truncated(Some(&mut inbound));
    assert!(inbound.take_line().is_some());
    let line = link.receive(&mut inbound, |inbound| inbound.recv_line(Flags::SAFE_DISCONN));
    assert_eq!(line, Ok(Step::Ready(String::new())));
    let line = link.receive(&mut inbound, |inbound| inbound.recv_line(Flags::empty()));
    assert_eq!(told(line), end);
    assert_eq!(cause_and_partial(inbound.end()), end);
}

#[test]
fn table_the_connection_passes_its_setting_to_nim_style_calls() {
    for loss in LOSSES {
        let end = Some((Cause::Lost(loss), 0));
        let mut conn = after(tell(), b"");
        conn.handle_lost(loss);
        assert_eq!(told(conn.recv(1)), end);
        assert_eq!(told(conn.recv_into(&mut [0])), end);
        assert_eq!(told(conn.recv_line()), end);
        assert_eq!(told(conn.recv_line_into(&mut Vec::new())), end);
        assert_eq!(cause_and_partial(conn.end()), end);
    }
}

#[test]
fn table_closed_by_us() {
    for config in [hide(), tell()] {
        let mut conn = after(config, b"line\n");
        conn.close();
        for _ in 0..2 {
            assert_eq!(conn.recv(1), Err(Error::Closed));
            assert_eq!(conn.recv_into(&mut [0]), Err(Error::Closed));
            assert_eq!(conn.recv_line(), Err(Error::Closed));
            assert_eq!(conn.recv_line_into(&mut Vec::new()), Err(Error::Closed));
            assert_eq!(conn.next_line(), Err(Error::Closed));
            assert_eq!(conn.next_batch().err(), Some(Error::Closed));
            assert_eq!(conn.next_with(|_| Ok(())), Err(Error::Closed));
            assert_eq!(conn.next_block(1), Err(Error::Closed));
            assert_eq!(conn.next_bytes(1), Err(Error::Closed));
            assert_eq!(conn.peek_line(), Err(Error::Closed));
            assert_eq!(cause_and_partial(conn.end()), Some((Cause::Closed, 0)));
            assert!(conn.is_closed() && conn.is_disconnected());
            assert!(!conn.wants_read());
            assert_eq!(conn.handle_input(b"more\n"), 0);
            conn.close();
        }
    }
}

#[test]
fn e1_an_end_is_final_and_repeats_whatever_comes_after_it() {
    for (end, cause) in
        [(Ending::Eof, Cause::Eof), (Ending::Lost(Loss::Reset), Cause::Lost(Loss::Reset))]
    {
        in_any_chunking(hide(), b"abc", end, |play| {
            for _ in 0..3 {
                assert_eq!(told(play.line()), Some((cause, 3)));
                assert_eq!(told(play.block(2)), Some((cause, 3)));
                assert_eq!(play.recv(2), Ok(Vec::new()));
                assert_eq!(play.recv_line().as_deref(), Ok(""));
                play.conn.handle_lost(Loss::TimedOut);
                play.conn.handle_eof();
                assert!(!play.conn.wants_read());
                assert_eq!(play.conn.handle_input(b"d\n"), 0);
                let _ = play.conn.space();
                play.conn.handle_read(1);
            }
        });
    }
}

#[test]
fn e1_the_first_end_that_the_transport_tells_stays() {
    let mut conn = after(tell(), b"a\n");
    conn.handle_eof();
    conn.handle_lost(Loss::Reset);
    assert_eq!(conn.recv_line(), Ok(Step::Ready("a".into())));
    assert_eq!(conn.next_line(), Ok(Step::Ready(None)));
    let mut conn = after(tell(), b"");
    conn.handle_lost(Loss::Aborted);
    conn.handle_eof();
    assert_eq!(told(conn.next_line()), Some((Cause::Lost(Loss::Aborted), 0)));
}

#[test]
fn e1_a_clean_end_stays_clean_for_every_call() {
    let mut conn = after(tell(), b"");
    conn.handle_eof();
    for _ in 0..2 {
        assert_eq!(conn.next_line(), Ok(Step::Ready(None)));
        assert!(conn.next_block(1).is_err());
        assert_eq!(conn.recv(1), Ok(Step::Ready(Vec::new())));
    }
}

#[test]
fn e2_the_partial_stays_readable_and_never_becomes_a_line() {
    let mut conn = after(hide(), b"a\nbc\r");
    conn.handle_eof();
    assert_eq!(conn.recv_line(), Ok(Step::Ready("a".into())));
    assert_eq!((conn.partial(), conn.peek()), (&b""[..], &b"bc\r"[..]));
    assert_eq!(conn.recv_line(), Ok(Step::Ready(String::new())));
    for _ in 0..2 {
        assert_eq!((conn.partial(), conn.peek()), (&b"bc\r"[..], &b""[..]));
        assert!(conn.next_batch().is_err());
        let _ = conn.space();
        conn.handle_read(1);
    }
    conn.close();
    assert_eq!(conn.partial(), b"bc\r");
    assert_eq!(cause_and_partial(conn.end()), Some((Cause::Eof, 3)));
    assert_eq!(conn.next_line(), Err(Error::Closed));
}

#[test]
fn e2_the_partial_outlives_its_storage_block() {
    let mut parts = Parts::new(hide());
    assert_eq!(read(&mut parts, b"abc", Way::Read), 3);
    let Parts { mut inbound, mut link } = parts;
    link.handle_eof(Some(&mut inbound));
    assert!(inbound.poll_line().is_err());
    link.lend(Some(&mut inbound), Inbound::new_block);
    assert_eq!(inbound.partial(), b"abc");
    let mut blocks = Vec::new();
    link.reclaim(Some(&mut inbound), |block| blocks.push(block));
    assert_eq!(blocks.len(), 1);
    assert_eq!(inbound.partial(), b"abc");
}

#[test]
fn e2_the_lines_that_are_here_after_the_end_are_none() {
    let mut conn = after(hide(), b"abc");
    assert_eq!(conn.next_line(), Ok(Step::NeedInput));
    conn.handle_eof();
    assert!(conn.next_line().is_err());
    assert!(conn.next_batch().is_err());
    assert_eq!(conn.try_next_line(), Ok(None));
    assert_eq!(conn.partial(), b"abc");
}

#[test]
fn e2_bytes_of_a_reported_line_are_counted_and_not_kept() {
    in_any_chunking(hide().max_line(2), b"a\n12345\r", Ending::Eof, |play| {
        assert_eq!(play.line(), Ok(Some(b"a".to_vec())));
        assert!(matches!(play.line(), Err(Error::Line(LineError::TooLong { max: 2 }))));
        assert_eq!(told(play.line()), Some((Cause::Eof, 6)));
        assert_eq!(play.conn.partial(), b"");
    });
}

#[test]
fn e3_a_nim_style_send_to_a_peer_that_is_gone_succeeds_if_ends_are_hidden() {
    for loss in LOSSES {
        let lost = || Err(Error::Disconnected(loss.into()));
        for (config, nim) in [(hide(), Ok(())), (tell(), lost())] {
            let mut conn = Connection::new(config);
            assert_eq!(conn.send(b"queued"), Ok(()));
            conn.handle_write_lost(loss);
            assert_eq!(conn.send(b"x"), nim);
            assert_eq!(conn.feed(b"x"), lost());
            assert_eq!(conn.feed_shared(b"x".to_vec().into()), lost());
            assert_eq!(conn.feed_line(b"x"), lost());
            assert_eq!((conn.unsent(), conn.outgoing().next()), (0, None));
            assert!(conn.is_disconnected());
            assert_eq!(conn.end().map(|end| end.cause), Some(Cause::Lost(loss)));
        }
    }
}

#[test]
fn e3_hidden_ends_hide_no_other_send_error() {
    let mut conn = Connection::new(hide().max_queue(3));
    assert_eq!(conn.send(b"1234"), Err(Error::TooLarge { len: 4, max: 3 }));
    assert_eq!(conn.send(b"123"), Ok(()));
    assert!(matches!(conn.send(b"4"), Err(Error::Full { .. })));
    conn.close();
    assert_eq!(conn.send(b"1"), Err(Error::Closed));
}

#[test]
fn e4_a_line_error_leaves_everything() {
    let mut conn = after(hide().max_line(1), b"12\n3\n");
    assert!(conn.next_line().is_err());
    assert_eq!(conn.end(), None);
    assert!(conn.wants_read());
    assert_eq!(conn.send(b"x"), Ok(()));
    assert_eq!(conn.next_line(), Ok(Step::Ready(Some(&b"3"[..]))));
}

#[test]
fn e4_an_orderly_end_leaves_sending_and_a_reset_does_not() {
    let mut conn = after(tell(), b"");
    conn.handle_eof();
    assert_eq!(conn.next_line(), Ok(Step::Ready(None)));
    assert_eq!(conn.send(b"still there"), Ok(()));
    assert_eq!(conn.unsent(), 11);
    conn.handle_lost(Loss::Reset);
    assert_eq!(conn.send(b"gone"), Err(Error::Disconnected(Loss::Reset.into())));
    assert_eq!(conn.unsent(), 0);
}

#[test]
fn e4_our_half_close_leaves_receiving() {
    let mut conn = after(hide(), b"a\n");
    assert_eq!(conn.send(b"bye"), Ok(()));
    conn.close_write();
    assert_eq!(conn.send(b"more"), Err(Error::Closed));
    assert_eq!(conn.outgoing().next(), Some(&b"bye"[..]));
    assert_eq!((conn.end(), conn.is_closed()), (None, false));
    assert_eq!(conn.recv_line(), Ok(Step::Ready("a".into())));
    assert!(conn.wants_read());
}

#[test]
fn e5_a_reset_met_by_a_write_is_told_behind_what_still_comes() {
    for end in [Ending::Eof, Ending::Lost(Loss::Reset)] {
        in_any_chunking(hide(), b"a\nbc", end, |play: &mut Play<'_>| {
            play.conn.handle_write_lost(Loss::Reset);
            assert!(play.conn.wants_read());
            assert_eq!(play.line(), Ok(Some(b"a".to_vec())));
            assert_eq!(told(play.line()), Some((Cause::Lost(Loss::Reset), 2)));
            assert_eq!(play.conn.partial(), b"bc");
        });
    }
}

#[test]
fn e5_any_end_of_the_peer_is_taken_for_the_reset_that_was_told() {
    type Ends = fn(&mut Parts);
    let ends: [(Ends, Cause); 3] = [
        (|it| it.link.handle_eof(Some(&mut it.inbound)), Cause::Eof),
        (|it| it.link.handle_truncated(Some(&mut it.inbound)), Cause::Truncated),
        (
            |it| it.link.handle_lost(Some(&mut it.inbound), Loss::Aborted),
            Cause::Lost(Loss::Aborted),
        ),
    ];
    for (end, seen) in ends {
        let mut parts = Parts::new(hide());
        end(&mut parts);
        assert_eq!(parts.inbound.input_end(), Some(seen));
        let mut parts = Parts::new(hide());
        parts.link.handle_write_lost(Loss::Reset);
        parts.link.handle_write_lost(Loss::TimedOut);
        end(&mut parts);
        assert_eq!(parts.inbound.input_end(), Some(Cause::Lost(Loss::Reset)));
    }
}

#[test]
fn e1_a_reset_that_end_has_told_stays_when_a_read_names_another() {
    let mut conn = after(hide(), b"");
    conn.handle_write_lost(Loss::BrokenPipe);
    let told = Some(Cause::Lost(Loss::BrokenPipe));
    assert_eq!(conn.end().map(|end| end.cause), told);
    conn.handle_lost(Loss::Reset);
    assert_eq!(conn.end().map(|end| end.cause), told);
    assert!(conn.next_line().is_err());
    assert_eq!(conn.end().map(|end| end.cause), told);
}

#[test]
fn e1_a_reset_that_end_has_told_stays_when_we_close() {
    let mut conn = after(hide(), b"");
    conn.handle_write_lost(Loss::BrokenPipe);
    let told = Some(Cause::Lost(Loss::BrokenPipe));
    assert_eq!(conn.end().map(|end| end.cause), told);
    conn.close();
    assert_eq!(conn.end().map(|end| end.cause), told);
}

/// In a log an end or an error can be told from any other.
#[test]
fn e4_every_end_and_error_says_something_of_its_own() {
    let causes = [Cause::Eof, Cause::Truncated, Cause::TlsFailed, Cause::Closed];
    let mut said: Vec<String> = LOSSES.iter().map(ToString::to_string).collect();
    said.extend(causes.iter().map(ToString::to_string));
    let different = said.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert!(different == said.len() && said.iter().all(|text| !text.is_empty()), "{said:?}");

    for loss in LOSSES {
        assert_eq!(Cause::Lost(loss).to_string(), loss.to_string());
    }
    for (unfinished, behind) in [(0, ""), (1, "1 byte "), (7, "7 bytes ")] {
        let mut conn = after(hide(), &b"1234567"[..unfinished]);
        conn.handle_eof();
        let _ = conn.next_line();
        let text = conn.end().expect("it ended").to_string();
        assert!(text.starts_with(&Cause::Eof.to_string()), "{text}");
        assert!(text.contains(behind) && text.contains("unfinished") == (unfinished > 0), "{text}");
    }
}
