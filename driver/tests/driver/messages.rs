//! Messages by a parser, and batches: nothing is lost wherever they are left.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use asyncnet::{Cause, Config, Connection, Error, Unread};

use crate::pipe::End;
use crate::tasks::{Tasks, turns};
use crate::{WIDE, open, poll_once};

/// A line with a number, and so many bytes behind it.
fn counted(unread: &mut Unread<'_>) -> Result<Vec<u8>, Error> {
    let header = std::str::from_utf8(unread.line()?).map_err(Error::protocol)?;
    let n = header.parse().map_err(Error::protocol)?;
    Ok(unread.block(n)?.to_vec())
}

/// A connection without and with a writer.
fn both(config: Config) -> [(Connection<End>, End); 2] {
    [false, true].map(|shared| {
        let (mut conn, peer) = open(WIDE, config);
        if shared {
            drop(conn.writer());
        }
        (conn, peer)
    })
}

#[test]
fn b_a_message_dropped_at_every_poll_loses_nothing() {
    for (mut conn, peer) in both(Config::default()) {
        for byte in b"5\r\nhello11\nhello world" {
            let polled = poll_once(conn.next_with(counted));
            assert!(polled.is_pending(), "{polled:?}");
            peer.say(&[*byte]);
            if *byte == b'o' && conn.stats().bytes_received == 7 {
                assert_eq!(
                    poll_once(conn.next_with(counted)),
                    Poll::Ready(Ok(Some(b"hello".to_vec())))
                );
            }
        }
        assert_eq!(
            poll_once(conn.next_with(counted)),
            Poll::Ready(Ok(Some(b"hello world".to_vec())))
        );
        peer.end();
        assert_eq!(poll_once(conn.next_with(counted)), Poll::Ready(Ok(None)));
    }
}

#[test]
fn b_a_message_is_parsed_when_what_it_asked_for_is_here() {
    for (mut conn, peer) in both(Config::default()) {
        let calls = Cell::new(0);
        let mut tasks = Tasks::in_order();
        tasks.spawn("receiver", async {
            let parse = |unread: &mut Unread<'_>| {
                calls.set(calls.get() + 1);
                counted(unread)
            };
            assert_eq!(conn.next_with(parse).await.unwrap().unwrap().len(), 1000);
        });
        tasks.run();
        peer.say(b"1000\n");
        for _ in 0..1000 {
            tasks.run();
            peer.say(b"x");
        }
        tasks.run_to_end();
        drop(tasks);
        assert!(calls.get() <= 4, "{} calls", calls.get());
    }
}

#[test]
fn b_a_parser_that_panics_consumes_nothing_and_harms_nothing() {
    for (mut conn, peer) in both(Config::default()) {
        let panics = |unread: &mut Unread<'_>| -> Result<(), Error> {
            unread.line()?;
            panic!("a bug of the program");
        };
        // Once for bytes that are here, once for bytes that it waited for.
        for waits in [false, true] {
            if !waits {
                peer.say(b"a\n");
            }
            let mut receive: Pin<Box<dyn Future<Output = _> + '_>> =
                Box::pin(conn.next_with(panics));
            let poll = |receive: &mut Pin<Box<dyn Future<Output = _> + '_>>| {
                catch_unwind(AssertUnwindSafe(|| poll_once(receive.as_mut()).is_pending()))
            };
            if waits {
                assert!(poll(&mut receive).unwrap());
                peer.say(b"b\n");
            }
            assert!(poll(&mut receive).is_err());
            drop(receive);
            assert_eq!(poll_once(conn.send_line(b"still here")), Poll::Ready(Ok(())));
            assert_eq!(peer.hear(), b"still here\r\n");
            let line: &[u8] = if waits { b"b" } else { b"a" };
            assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(line))));
        }
    }
}

#[test]
fn b_a_parser_may_use_a_writer_of_the_connection() {
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut conn, peer) = open(WIDE, Config::default());
        let writer = conn.writer();
        let parse = |unread: &mut Unread<'_>| {
            let line = unread.line()?.to_vec();
            writer.feed_line(&line)?;
            Ok(line)
        };
        let mut receive = Box::pin(conn.next_with(parse));
        assert!(poll_once(receive.as_mut()).is_pending());
        peer.say(b"a\n");
        assert_eq!(poll_once(receive.as_mut()), Poll::Ready(Ok(Some(b"a".to_vec()))));
        done.send(()).unwrap();
    });
    is_done.recv_timeout(std::time::Duration::from_secs(60)).expect("no deadlock");
}

#[test]
fn b_a_parser_that_asks_for_nothing_waits_for_more_and_does_not_spin() {
    type Parse = fn(&mut Unread<'_>) -> Error;
    let parsers: [Parse; 3] =
        [|unread| unread.needs(0), |_| Error::Incomplete, |unread| unread.needs(1)];
    for parse in parsers {
        for (mut conn, peer) in both(Config::default()) {
            let calls = Cell::new(0);
            let mut tasks = Tasks::in_order();
            tasks.spawn("receiver", async {
                let picky = |unread: &mut Unread<'_>| {
                    calls.set(calls.get() + 1);
                    if unread.rest().len() < 5 {
                        Err(parse(unread))
                    } else {
                        unread.line().map(<[u8]>::to_vec)
                    }
                };
                assert_eq!(conn.next_with(picky).await, Ok(Some(b"abcd".to_vec())));
            });
            for byte in b"abcd\n" {
                assert_eq!(tasks.run(), ["receiver"]);
                peer.say(&[*byte]);
            }
            tasks.run_to_end();
            drop(tasks);
            assert!(calls.get() <= 14, "{} calls", calls.get());
        }
    }
}

#[test]
fn b_an_end_in_the_middle_of_a_message_is_not_clean() {
    for (mut conn, peer) in both(Config::default()) {
        peer.say(b"5\nhel");
        peer.end();
        let polled = poll_once(conn.next_with(counted));
        assert!(matches!(polled, Poll::Ready(Err(Error::Disconnected(end))) if end.partial == 5));
        assert_eq!(conn.partial(), b"5\nhel");
    }
}

/// For a client that waits for a reply, an end is an error whether or not it is an orderly one.
#[test]
fn b_a_message_that_has_to_come_is_an_error_at_any_end_and_loses_nothing_before() {
    for (mut conn, peer) in both(Config::default()) {
        peer.say(b"1\na2\n");
        assert_eq!(poll_once(conn.expect_with(counted)), Poll::Ready(Ok(b"a".to_vec())));
        assert_eq!(poll_once(conn.expect_with(counted)), Poll::Pending);
        peer.say(b"bc");
        assert_eq!(poll_once(conn.expect_with(counted)), Poll::Ready(Ok(b"bc".to_vec())));
        peer.end();
        for _ in 0..2 {
            let polled = poll_once(conn.expect_with(counted));
            let Poll::Ready(Err(Error::Disconnected(end))) = polled else { panic!("{polled:?}") };
            assert_eq!((end.cause, end.partial), (Cause::Eof, 0));
        }
        assert_eq!(poll_once(conn.next_with(counted)), Poll::Ready(Ok(None)));
    }
}

#[test]
fn b_a_message_that_is_none_is_consumed_and_the_next_one_comes() {
    for (mut conn, peer) in both(Config::default()) {
        peer.say(b"x\n1\na");
        assert!(matches!(poll_once(conn.next_with(counted)), Poll::Ready(Err(Error::Protocol(_)))));
        assert_eq!(poll_once(conn.next_with(counted)), Poll::Ready(Ok(Some(b"a".to_vec()))));
    }
}

#[test]
fn b_a_batch_is_kept_across_an_await() {
    for (mut conn, peer) in both(Config::default()) {
        peer.say(b"a\nb\nc\n");
        let mut tasks = Tasks::in_order();
        tasks.spawn("receiver", async move {
            {
                let mut batch = conn.next_batch().await.unwrap().unwrap();
                let first = batch.next_line().unwrap().unwrap();
                turns(3).await;
                let second = batch.next_line().unwrap().unwrap();
                batch.reply_line(first).unwrap();
                turns(3).await;
                batch.reply_line(second).unwrap();
            }
            assert_eq!(conn.next_line().await, Ok(Some(&b"c"[..])));
            conn.flush().await.unwrap();
        });
        tasks.run_to_end();
        drop(tasks);
        assert_eq!(peer.hear(), b"a\r\nb\r\n");
    }
}

#[test]
fn b_lines_blocks_messages_and_answers_mix_in_any_chunking() {
    const ROUNDS: usize = 30;
    let wire = b"line\r\n3\nabc7\npayload\r\nrest!".repeat(ROUNDS);
    for chunk in 1..40 {
        for (mut conn, peer) in both(Config::default().high_water(60)) {
            peer.say(&wire);
            peer.end();
            peer.output.state().chunk = chunk;
            let mut tasks = Tasks::in_order();
            tasks.spawn("receiver", async move {
                // What comes next: a line, a message, a line with a number, a block, an empty line, bytes.
                let (mut at, mut block, mut left) = (0, 0, 0);
                while let Some(mut batch) = conn.next_batch().await.unwrap() {
                    loop {
                        let kind = at % 6;
                        let item = match kind {
                            1 => batch.next_with(counted).unwrap().map(|message| message.len()),
                            3 => batch.next_block(block).unwrap().map(|bytes| {
                                assert_eq!(bytes, b"payload");
                                bytes.len()
                            }),
                            5 => {
                                left = if left == 0 { 5 } else { left };
                                batch.next_bytes(left).map(|bytes| {
                                    left -= bytes.len();
                                    bytes.len()
                                })
                            }
                            _ => batch.next_line().unwrap().map(|line| {
                                let expected: &[u8] = [&b"line"[..], b"7", b""][kind / 2];
                                assert_eq!(line, expected);
                                block = 7;
                                line.len()
                            }),
                        };
                        let Some(len) = item else { break };
                        batch.reply_fmt(format_args!("{kind}:{len}")).unwrap();
                        at += usize::from(kind != 5 || left == 0);
                    }
                }
                assert_eq!(at, 6 * ROUNDS);
                conn.flush().await.unwrap();
            });
            tasks.run_to_end();
            drop(tasks);
            let heard = String::from_utf8(peer.hear()).unwrap();
            let kinds = heard.lines().filter(|answer| !answer.starts_with('5'));
            let expected = ["0:4", "1:3", "2:1", "3:7", "4:0"];
            assert!(kinds.eq(expected.into_iter().cycle().take(5 * ROUNDS)), "{heard}");
        }
    }
}

#[test]
fn b_a_batch_that_takes_nothing_waits_for_more_and_does_not_spin() {
    for (mut conn, peer) in both(Config::default()) {
        let mut tasks = Tasks::in_order();
        tasks.spawn("receiver", async move {
            while let Some(mut batch) = conn.next_batch().await.unwrap() {
                if let Some(line) = batch.next_line().unwrap() {
                    assert_eq!(line, b"abc");
                }
            }
        });
        for part in [&b"a"[..], b"b", b"c", b"\n"] {
            peer.say(part);
            assert_eq!(tasks.run(), ["receiver"]);
        }
        peer.end();
        tasks.run_to_end();
    }
}

#[test]
fn b_a_bad_line_in_a_batch_ends_it_and_the_next_one_goes_on() {
    for (mut conn, peer) in both(Config::default().max_line(3)) {
        peer.say(b"a\ntoo long\nb\n");
        {
            let polled = poll_once(conn.next_batch());
            let Poll::Ready(Ok(Some(mut batch))) = polled else { panic!("{polled:?}") };
            assert_eq!(batch.next_line(), Ok(Some(&b"a"[..])));
            assert!(matches!(batch.next_line(), Err(Error::Line(_))));
        }
        let polled = poll_once(conn.next_batch());
        let Poll::Ready(Ok(Some(mut batch))) = polled else { panic!("{polled:?}") };
        assert_eq!(batch.next_line(), Ok(Some(&b"b"[..])));
    }
}
