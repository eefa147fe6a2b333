//! T8, T13, and the table of ends over a secure layer.

use asyncnet_core::{Cause, Config, Error, Flags, LineError, Loss, Step, TlsErrorKind, Truncation};

use crate::bed::{
    Ending, Play, failed, hello, in_any_chunking, notice, open, started, told, transmit,
};
use crate::fake::{ALERT, Fake, PING, UNEXPECTED, data, record};

const HIDE: Flags = Flags::SAFE_DISCONN;
const TELL: Flags = Flags::empty();
const FLAGS: [Flags; 2] = [HIDE, TELL];

fn config(flags: Flags) -> Config {
    Config::default().nim_flags(flags)
}

/// Every call that can answer an error answers this one, again and again.
fn expect_failure(play: &mut Play<'_>, kind: TlsErrorKind, partial: &[u8]) {
    for _ in 0..2 {
        assert_eq!(failed(play.line()), Some(kind));
        assert_eq!(failed(play.block(100)), Some(kind));
        assert_eq!(failed(play.recv(100)), Some(kind));
        assert_eq!(failed(play.recv_line()), Some(kind));
        assert_eq!(failed(play.ask(|conn| conn.recv_into(&mut [0]))), Some(kind));
        assert_eq!(failed(play.ask(|conn| conn.recv_line_into(&mut Vec::new()))), Some(kind));
        assert_eq!(failed(play.conn.next_batch()), Some(kind));
        assert_eq!(failed(play.conn.next_with(|_| Ok(()))), Some(kind));
        assert_eq!(failed(play.conn.next_bytes(1)), Some(kind));
        assert_eq!(failed(play.conn.peek_line()), Some(kind));
        assert_eq!(play.end(), Some((Cause::TlsFailed, partial.len())));
        assert_eq!(play.conn.partial(), partial);
        assert_eq!(failed(play.conn.send(b"x")), Some(kind));
        assert_eq!(failed(play.conn.feed_line(b"x")), Some(kind));
        // Whatever comes behind it is nothing.
        assert_eq!(play.conn.handle_input(&data(b"late\n")), 0);
        play.conn.handle_eof();
        assert!(!play.conn.wants_read());
    }
}

#[test]
fn t8_plaintext_comes_before_the_error_behind_it() {
    for flags in FLAGS {
        let wire = [data(b"a\n"), b"X".to_vec()].concat();
        in_any_chunking(
            || open(config(flags)),
            &wire,
            Ending::Open,
            |play| {
                assert_eq!(play.line(), Ok(Some(b"a".to_vec())));
                expect_failure(play, TlsErrorKind::Protocol, b"");
                play.out.extend(transmit(&mut play.conn));
                assert_eq!(play.out, record(ALERT, &[UNEXPECTED]), "T7: the alert leaves, once");
            },
        );
        let wire = [data(b"a\nbc"), record(ALERT, &[42]), data(b"d\n")].concat();
        in_any_chunking(
            || open(config(flags)),
            &wire,
            Ending::Eof,
            |play| {
                assert_eq!(play.recv_line().as_deref(), Ok("a"));
                expect_failure(play, TlsErrorKind::Alert(42), b"bc");
                assert_eq!(play.out, b"");
            },
        );
    }
}

#[test]
fn t8_an_error_at_any_byte_leaves_what_was_whole_before_it() {
    let wire = [hello(), data(b"a\nb\n"), data(b"c\n"), notice()].concat();
    for at in 0..wire.len() {
        let conn = || {
            let mut layer = Fake::client(1);
            layer.fail_at = Some(at);
            started(Config::default(), layer)
        };
        let lines = match at {
            0..8 => 0,
            8..12 => 2,
            _ => 3,
        };
        in_any_chunking(conn, &wire, Ending::Open, |play| {
            for line in &[b"a", b"b", b"c"][..lines] {
                assert_eq!(play.line(), Ok(Some(line.to_vec())));
            }
            expect_failure(play, TlsErrorKind::Protocol, b"");
        });
    }
}

#[test]
fn t8_plaintext_in_the_same_read_as_the_end_of_the_handshake_is_taken() {
    for rounds in [1, 3] {
        let wire = [hello().repeat(rounds), data(b"a\n"), notice()].concat();
        for client in [true, false] {
            let layer = || if client { Fake::client(rounds) } else { Fake::server(rounds) };
            in_any_chunking(
                || started(Config::default(), layer()),
                &wire,
                Ending::Eof,
                |play| {
                    assert_eq!(play.line(), Ok(Some(b"a".to_vec())));
                    assert_eq!(play.line(), Ok(None));
                    assert_eq!(play.out, hello().repeat(rounds));
                },
            );
        }
    }
}

#[test]
fn table_close_notice_is_an_eof_whatever_follows_it() {
    let followed = [notice(), [notice(), b"X".to_vec(), data(b"no\n")].concat()];
    for (flags, last) in
        FLAGS.into_iter().flat_map(|flags| followed.clone().map(|last| (flags, last)))
    {
        for ending in [Ending::Open, Ending::Eof, Ending::Lost(Loss::Reset)] {
            let wire = [data(b"a\n"), last.clone()].concat();
            in_any_chunking(
                || open(config(flags)),
                &wire,
                ending,
                |play| {
                    for _ in 0..9 {
                        if play.conn.wants_read() {
                            play.push();
                        }
                    }
                    assert_eq!(play.recv_line().as_deref(), Ok("a"));
                    for _ in 0..2 {
                        assert_eq!(play.recv_line().as_deref(), Ok(""));
                        assert_eq!(play.recv(1), Ok(Vec::new()));
                        assert_eq!(play.line(), Ok(None));
                        assert_eq!(play.end(), Some((Cause::Eof, 0)));
                    }
                },
            );
        }
        let wire = [data(b"bc"), last].concat();
        in_any_chunking(
            || open(config(flags)),
            &wire,
            Ending::Open,
            |play| {
                assert_eq!(play.recv_line().as_deref(), Ok(""));
                assert_eq!(told(play.line()), Some((Cause::Eof, 2)));
                assert_eq!(play.conn.partial(), b"bc");
            },
        );
        in_any_chunking(
            || open(config(flags)),
            &wire,
            Ending::Open,
            |play| {
                assert_eq!(play.recv(5), Ok(b"bc".to_vec()));
                assert_eq!(play.recv(5), Ok(Vec::new()));
                assert_eq!(play.end(), Some((Cause::Eof, 0)));
            },
        );
        in_any_chunking(
            || open(config(flags)),
            &wire,
            Ending::Open,
            |play| {
                assert_eq!(told(play.block(5)), Some((Cause::Eof, 2)));
            },
        );
    }
}

/// What the views make of an end of this cause. `hidden`: Nim-style calls do not tell it.
fn check_end(config: Config, ending: Ending, cause: Cause, hidden: bool) {
    let clean = cause == Cause::Eof;
    let conn = || open(config);
    let nim = |end: Option<(Cause, usize)>, answer: Result<Vec<u8>, Error>| {
        if hidden || clean {
            assert_eq!(answer, Ok(Vec::new()));
        } else {
            assert_eq!(told(answer), end);
        }
    };
    // The last of them ends inside a record: no byte of that was ever plaintext.
    for between in [data(b"a\n"), [data(b"a\n"), b"D\x05bcde".to_vec()].concat()] {
        in_any_chunking(conn, &between, ending, |play| {
            let end = Some((cause, 0));
            assert_eq!(play.recv_line().as_deref(), Ok("a"));
            for _ in 0..2 {
                nim(end, play.recv_line().map(String::into_bytes));
                nim(end, play.recv(1));
                let mut line = b"old".to_vec();
                let into = play.ask(|conn| conn.recv_line_into(&mut line));
                nim(end, into.map(|()| line));
                let into = play.ask(|conn| conn.recv_into(&mut [0]));
                nim(end, into.map(|n| vec![b'x'; n]));
                if clean {
                    assert_eq!(play.line(), Ok(None));
                    assert!(matches!(play.conn.next_bytes(1), Ok(Step::Ready(None))));
                    assert!(matches!(play.conn.next_batch(), Ok(Step::Ready(None))));
                } else {
                    assert_eq!(told(play.line()), end);
                    assert_eq!(told(play.conn.next_bytes(1)), end);
                    assert_eq!(told(play.conn.next_batch()), end);
                }
                assert_eq!(play.end(), end);
            }
        });
    }
    in_any_chunking(conn, &data(b"a\nbc"), ending, |play| {
        let end = Some((cause, 2));
        assert_eq!(play.line(), Ok(Some(b"a".to_vec())));
        nim(end, play.recv_line().map(String::into_bytes));
        assert_eq!(told(play.line()), end, "a part of a line is never a clean end");
        assert_eq!((play.end(), play.conn.partial()), (end, &b"bc"[..]));
    });
    in_any_chunking(conn, &data(b"bc"), ending, |play| {
        assert_eq!(play.recv(5), Ok(b"bc".to_vec()), "bytes come first");
        nim(Some((cause, 0)), play.recv(5));
    });
    in_any_chunking(conn, &data(b"bc"), ending, |play| {
        assert_eq!(told(play.block(5)), Some((cause, 2)));
    });
}

#[test]
fn t13_an_eof_without_close_notice_is_what_the_policy_says() {
    use Truncation::*;
    for (policy, flags, cause, hidden) in [
        (Report, HIDE, Cause::Truncated, true),
        (Report, TELL, Cause::Truncated, false),
        (Strict, HIDE, Cause::Truncated, false),
        (Strict, TELL, Cause::Truncated, false),
        (Allow, HIDE, Cause::Eof, true),
        (Allow, TELL, Cause::Eof, true),
    ] {
        check_end(config(flags).truncation(policy), Ending::Eof, cause, hidden);
    }
}

#[test]
fn t13_the_policy_is_not_for_resets() {
    for policy in [Truncation::Report, Truncation::Strict, Truncation::Allow] {
        for flags in FLAGS {
            let cause = Cause::Lost(Loss::Reset);
            let ending = Ending::Lost(Loss::Reset);
            check_end(config(flags).truncation(policy), ending, cause, flags == HIDE);
        }
    }
}

#[test]
fn t13_no_policy_hides_an_error_or_an_end_in_the_handshake() {
    for policy in [Truncation::Report, Truncation::Strict, Truncation::Allow] {
        let config = config(HIDE).truncation(policy);
        in_any_chunking(
            || open(config),
            b"X",
            Ending::Open,
            |play| {
                expect_failure(play, TlsErrorKind::Protocol, b"");
            },
        );
        let conn = || started(config, Fake::client(3));
        for came in [&b""[..], b"H", b"H\0", b"H\0H\0", b"H\0H\0H"] {
            in_any_chunking(conn, came, Ending::Eof, |play| {
                expect_failure(play, TlsErrorKind::LeftInHandshake, b"");
                assert!(!play.conn.is_handshaking());
            });
        }
    }
}

#[test]
fn t4_a_loss_in_the_handshake_is_an_error_in_every_view() {
    for flags in FLAGS {
        in_any_chunking(
            || started(config(flags), Fake::client(2)),
            b"H\0H",
            Ending::Lost(Loss::Reset),
            |play| {
                expect_failure(play, TlsErrorKind::LeftInHandshake, b"");
                assert!(!play.conn.is_handshaking());
            },
        );
    }
}

#[test]
fn table_closed_by_us() {
    for flags in FLAGS {
        let mut conn = open(config(flags));
        assert_eq!(conn.handle_input(&data(b"a\n")), 4);
        conn.close();
        for _ in 0..2 {
            assert_eq!(conn.next_line(), Err(Error::Closed));
            assert_eq!(conn.recv(1), Err(Error::Closed));
            assert_eq!(conn.end().map(|end| end.cause), Some(Cause::Closed));
            assert_eq!(conn.feed(b"x"), Err(Error::Closed));
            conn.space()[0] = b'X';
            conn.handle_read(1);
            conn.handle_eof();
        }
    }
}

#[test]
fn e4_a_line_error_leaves_everything_and_discards_across_records() {
    let wire = [data(b"12345"), data(b"67"), data(b"8\n9\n"), notice()].concat();
    in_any_chunking(
        || open(Config::default().max_line(3)),
        &wire,
        Ending::Open,
        |play| {
            assert_eq!(play.line(), Err(Error::Line(LineError::TooLong { max: 3 })));
            assert_eq!(play.conn.feed(b"x"), Ok(()));
            assert_eq!(play.line(), Ok(Some(b"9".to_vec())));
            assert_eq!(play.line(), Ok(None));
        },
    );
}

#[test]
fn e5_a_reset_met_by_a_write_is_told_behind_what_still_comes() {
    for last in [vec![], notice()] {
        let wire = [data(b"a\nbc"), last].concat();
        for ending in [Ending::Eof, Ending::Lost(Loss::Reset)] {
            let conn = || {
                let mut conn = open(config(TELL));
                assert_eq!(conn.feed(b"x"), Ok(()));
                assert!(conn.outgoing().next().is_some());
                conn.handle_write_lost(Loss::BrokenPipe);
                assert_eq!((conn.unsent(), conn.outgoing().next()), (0, None));
                conn
            };
            in_any_chunking(conn, &wire, ending, |play| {
                assert_eq!(play.line(), Ok(Some(b"a".to_vec())));
                assert_eq!(told(play.line()), Some((Cause::Lost(Loss::BrokenPipe), 2)));
            });
        }
    }
}

#[test]
fn e5_behind_a_write_lost_in_the_handshake_the_peer_has_left_in_it() {
    for ending in [Ending::Eof, Ending::Lost(Loss::Reset)] {
        let conn = || {
            let mut conn = started(config(TELL), Fake::client(2));
            assert_eq!(conn.feed(b"queued"), Ok(()));
            conn.transmitted(1);
            conn.handle_write_lost(Loss::BrokenPipe);
            conn
        };
        in_any_chunking(conn, b"H", ending, |play| {
            assert_eq!(failed(play.line()), Some(TlsErrorKind::LeftInHandshake));
            assert_eq!(play.end(), Some((Cause::Lost(Loss::BrokenPipe), 0)));
            assert_eq!(play.out, b"");
            assert_eq!(play.conn.unsent(), 0);
        });
    }
}

#[test]
fn nothing_is_put_out_behind_a_loss() {
    let mut conn = open(Config::default());
    conn.handle_write_lost(Loss::BrokenPipe);
    assert_eq!(conn.handle_input(&[record(PING, &[]), data(b"a\n")].concat()), 6);
    assert_eq!(conn.outgoing().next(), None);
    assert!(matches!(conn.next_line(), Ok(step) if step.ready() == Some(Some(b"a"))));
}

#[test]
fn e1_the_error_of_a_layer_stays_when_the_transport_breaks_behind_it() {
    let mut conn = open(config(HIDE));
    assert_eq!(conn.handle_input(b"X"), 1);
    let told = conn.end();
    assert_eq!(told.map(|end| end.cause), Some(Cause::TlsFailed));
    // The alert meets a closed socket.
    conn.handle_write_lost(Loss::BrokenPipe);
    assert_eq!(conn.end(), told);
    assert_eq!(failed(conn.feed(b"")), Some(TlsErrorKind::Protocol));
    assert_eq!(conn.outgoing().next(), None);
}

#[test]
fn e1_a_reset_that_end_has_told_stays_when_the_layer_fails_behind_it() {
    let mut conn = open(config(HIDE));
    conn.handle_write_lost(Loss::BrokenPipe);
    let told = conn.end();
    assert_eq!(told.map(|end| end.cause), Some(Cause::Lost(Loss::BrokenPipe)));
    assert_eq!(conn.handle_input(&record(ALERT, &[116])), 3);
    assert_eq!(conn.end(), told);
}
