//! D1 to D4 through the driver, on a clock that only the test moves.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use asyncnet::dot::DotReader;
use asyncnet::nim::Flags;
use asyncnet::tls::{Side, TlsErrorKind};
use asyncnet::{Cause, Config, Connection, Error, LineStream, Loss, Timeout};

use crate::clock;
use crate::layer::{Kind, Layer, frame};
use crate::pipe::{End, duplex};
use crate::tasks::{Tasks, turn};
use crate::{WIDE, flush_all, open_shared, poll_once, with_writer};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) type Line<'a> = Poll<Result<Option<&'a [u8]>, Error>>;

pub(crate) const fn line(text: &[u8]) -> Line<'_> {
    Poll::Ready(Ok(Some(text)))
}

const fn late<T>(partial: usize) -> Poll<Result<T, Error>> {
    Poll::Ready(Err(Error::TimedOut(Timeout::Receive { partial })))
}

const IDLE: Line<'_> = Poll::Ready(Err(Error::TimedOut(Timeout::Idle)));
const UNREAD: Error = Error::Disconnected(asyncnet::End::new(Cause::Lost(Loss::TimedOut), 0));

/// A connection with a clock and its peer. Both with a writer about and without.
pub(crate) fn open_both(capacity: usize, config: Config) -> [(Connection<End>, End); 2] {
    [false, true].map(|shared| {
        let (end, peer) = duplex(capacity);
        let mut conn = Connection::new(end.with_clock(), config);
        if shared {
            drop(conn.writer());
        }
        (conn, peer)
    })
}

/// Talks for 10 000 lines, a millisecond each. How often the clock was asked.
fn talk(config: Config) -> [clock::Calls; 2] {
    open_both(WIDE, config).map(|(mut conn, peer)| {
        let before = clock::calls();
        let mut tasks = Tasks::in_order();
        tasks.spawn("echo", async move {
            while let Some(mut batch) = conn.next_batch().await.unwrap() {
                while let Some(line) = batch.next_line().unwrap() {
                    batch.reply_line(line).unwrap();
                }
            }
        });
        for _ in 0..10_000 {
            peer.say(b"line\n");
            assert_eq!(tasks.run(), ["echo"]);
            assert_eq!(peer.hear(), b"line\r\n");
            clock::advance(Duration::from_millis(1));
        }
        peer.end();
        tasks.run_to_end();
        let after = clock::calls();
        clock::Calls {
            now: after.now - before.now,
            poll_alarm: after.poll_alarm - before.poll_alarm,
        }
    })
}

#[test]
fn d4_a_busy_connection_sets_no_alarm_per_line() {
    let config = Config::default();
    let config = config.receive_timeout(30 * SECOND).idle_timeout(60 * SECOND);
    for calls in talk(config.send_timeout(30 * SECOND)) {
        assert!((1..=3).contains(&calls.poll_alarm), "{calls:?}");
        // It asks what time it is when it is about to wait: once for each line here.
        assert!((10_000..=10_010).contains(&calls.now), "{calls:?}");
    }
    // Here the alarm itself is due now and then.
    for calls in talk(config.receive_timeout(SECOND)) {
        assert!((1..=50).contains(&calls.poll_alarm), "{calls:?}");
    }
}

/// Sends 10 000 lines at once, before they are received. How often the clock was asked.
fn pour(config: Config) -> [clock::Calls; 2] {
    open_both(WIDE, config).map(|(mut conn, peer)| {
        let before = clock::calls();
        peer.say(&b"line\n".repeat(10_000));
        for _ in 0..10_000 {
            assert_eq!(poll_once(conn.next_line()), line(b"line"));
        }
        let after = clock::calls();
        clock::Calls {
            now: after.now - before.now,
            poll_alarm: after.poll_alarm - before.poll_alarm,
        }
    })
}

#[test]
fn d4_a_connection_that_does_not_wait_asks_no_clock_whatever_is_bounded() {
    let config = Config::default().receive_timeout(30 * SECOND).idle_timeout(60 * SECOND);
    let config = config.send_timeout(30 * SECOND);
    let none = clock::Calls::default();
    assert_eq!(pour(Config::default()), [none, none]);
    assert_eq!(pour(config), [none, none]);
    assert_eq!(pour(config.max_lines_per_second(10_000)), [none, none]);
}

#[test]
fn d5_a_rate_that_is_not_reached_sets_no_alarm() {
    for calls in talk(Config::default().max_lines_per_second(2000)) {
        assert_eq!(calls.poll_alarm, 0);
        assert!((10_000..=10_010).contains(&calls.now), "{calls:?}");
    }
}

#[test]
fn d4_without_a_bound_no_clock_is_asked() {
    let none = clock::Calls::default();
    assert_eq!(talk(Config::default()), [none, none]);
}

#[test]
fn d1_bytes_that_trickle_in_do_not_restart_the_clock() {
    for (mut conn, peer) in open_both(WIDE, Config::default().receive_timeout(10 * SECOND)) {
        // The clock starts when it is first waited, not before.
        clock::advance(100 * SECOND);
        for _ in 0..9 {
            assert!(poll_once(conn.next_line()).is_pending());
            clock::advance(SECOND);
            peer.say(b"x");
        }
        assert!(poll_once(conn.next_line()).is_pending());
        clock::advance(SECOND);
        assert_eq!(poll_once(conn.next_line()), late(9));
        // Nothing is lost, and the next one has a fresh clock.
        assert!(poll_once(conn.next_line()).is_pending());
        clock::advance(9 * SECOND);
        peer.say(b"y\n");
        assert_eq!(poll_once(conn.next_line()), line(b"xxxxxxxxxy"));
        clock::advance(9 * SECOND);
        assert!(poll_once(conn.next_line()).is_pending());
    }
}

#[test]
fn d1_an_answer_gives_the_next_receive_a_fresh_clock() {
    for (mut conn, peer) in open_both(WIDE, Config::default().receive_timeout(10 * SECOND)) {
        for _ in 0..5 {
            assert!(poll_once(conn.next_line()).is_pending());
            clock::advance(6 * SECOND);
            peer.say(b"a\nb\n");
            assert_eq!(poll_once(conn.next_line()), line(b"a"));
            assert_eq!(poll_once(conn.next_line()), line(b"b"));
        }
    }
}

#[test]
fn d1_a_task_that_waits_is_woken_at_its_time() {
    for (mut conn, peer) in open_both(WIDE, Config::default().receive_timeout(10 * SECOND)) {
        let mut tasks = Tasks::in_order();
        tasks.spawn("receiver", async move {
            let late = conn.next_line().await;
            assert_eq!(late, Err(Error::TimedOut(Timeout::Receive { partial: 3 })));
            assert_eq!(conn.next_line().await, Ok(Some(&b"abcd"[..])));
        });
        assert_eq!(tasks.run(), ["receiver"]);
        peer.say(b"abc");
        tasks.run();
        clock::advance(10 * SECOND);
        assert_eq!(tasks.run(), ["receiver"]);
        peer.say(b"d\n");
        tasks.run_to_end();
    }
}

#[test]
fn d1_the_receiver_wakes_though_a_writer_polled_the_clock_last() {
    let config = Config::default().receive_timeout(10 * SECOND).send_timeout(30 * SECOND);
    let (mut conn, writer, _peer) = open_shared(8, config);
    let mut tasks = Tasks::in_order();
    tasks.spawn("receiver", async move {
        let late = conn.next_line().await;
        assert_eq!(late, Err(Error::TimedOut(Timeout::Receive { partial: 0 })));
        std::future::pending::<()>().await;
    });
    tasks.spawn("writer", async move {
        turn().await;
        assert_eq!(writer.send_all([b'x'; 100]).await, Err(UNREAD));
    });
    assert_eq!(tasks.run(), ["receiver", "writer"]);
    clock::advance(10 * SECOND);
    assert_eq!(tasks.run(), ["receiver", "writer"]);
    clock::advance(20 * SECOND);
    assert_eq!(tasks.run(), ["receiver"]);
}

#[test]
fn d1_the_receiver_wakes_though_a_writer_saw_first_that_it_is_late() {
    let config = Config::default().receive_timeout(10 * SECOND).send_timeout(30 * SECOND);
    let (mut conn, writer, _peer) = open_shared(8, config);
    let mut tasks = Tasks::in_order();
    tasks.spawn("receiver", async move {
        let late = conn.next_line().await;
        assert_eq!(late, Err(Error::TimedOut(Timeout::Receive { partial: 0 })));
    });
    assert_eq!(tasks.run(), ["receiver"]);
    clock::pass(10 * SECOND);
    // It puts the alarm off, before that has woken anything.
    assert!(poll_once(writer.send_all([b'x'; 100])).is_pending());
    tasks.run_to_end();
}

#[test]
fn t4_a_handshake_ends_in_time_though_a_receive_in_it_was_late() {
    let config = Config::default().handshake_timeout(10 * SECOND).receive_timeout(4 * SECOND);
    for (mut conn, _peer) in open_both(WIDE, config) {
        assert!(poll_once(conn.upgrade_tls(Side::custom(Layer::client(1)))).is_pending());
        assert!(poll_once(conn.next_line()).is_pending());
        let mut tasks = Tasks::in_order();
        tasks.spawn("handshake", async move {
            let error = conn.handshake().await.unwrap_err();
            assert!(matches!(error, Error::Tls(error) if error.kind() == TlsErrorKind::TimedOut));
        });
        assert_eq!(tasks.run(), ["handshake"]);
        for _ in 0..5 {
            clock::advance(2 * SECOND);
            tasks.run();
        }
        tasks.run_to_end();
    }
}

#[test]
fn d1_within_bounds_one_answer_and_goes_with_its_call() {
    for (mut conn, peer) in open_both(WIDE, Config::default()) {
        assert!(poll_once(conn.within(5 * SECOND).next_line()).is_pending());
        clock::advance(3 * SECOND);
        // A repetition does not restart it.
        assert!(poll_once(conn.within(5 * SECOND).next_line()).is_pending());
        clock::advance(2 * SECOND);
        assert_eq!(poll_once(conn.within(5 * SECOND).next_line()), late(0));
        // The next call has none.
        assert!(poll_once(conn.next_line()).is_pending());
        clock::advance(1000 * SECOND);
        assert!(poll_once(conn.next_line()).is_pending());
        peer.say(b"a\nb\n");
        assert_eq!(poll_once(conn.within(SECOND).next_line()), line(b"a"));
        assert_eq!(poll_once(conn.next_line()), line(b"b"));
        assert!(poll_once(conn.next_line()).is_pending());
        clock::advance(1000 * SECOND);
        assert!(poll_once(conn.next_line()).is_pending());
        assert!(poll_once(conn.within(SECOND).recv(3)).is_pending());
        clock::advance(SECOND);
        assert!(poll_once(conn.recv(3)).is_pending(), "that bound is gone");
    }
}

#[test]
fn d1_within_goes_before_the_setting() {
    for (mut conn, _peer) in open_both(WIDE, Config::default().receive_timeout(10 * SECOND)) {
        assert!(poll_once(conn.within(20 * SECOND).next_block(3)).is_pending());
        clock::advance(10 * SECOND);
        assert!(poll_once(conn.within(20 * SECOND).next_block(3)).is_pending());
        clock::advance(10 * SECOND);
        assert_eq!(poll_once(conn.within(20 * SECOND).next_block(3)), late(0));
        assert!(poll_once(conn.within(SECOND).next_batch()).is_pending());
        clock::advance(SECOND);
        assert!(matches!(
            poll_once(conn.within(SECOND).next_batch()),
            Poll::Ready(Err(Error::TimedOut(_)))
        ));
    }
}

#[test]
fn n_with_flags_is_for_one_receive_and_goes_with_its_future() {
    for (mut conn, peer) in open_both(WIDE, Config::default()) {
        assert!(poll_once(conn.with_flags(Flags::PEEK).recv(3)).is_pending());
        peer.say(b"abcdef\n");
        assert_eq!(poll_once(conn.recv(3)), Poll::Ready(Ok(b"abc".to_vec())));
        assert_eq!(
            poll_once(conn.with_flags(Flags::PEEK).recv(3)),
            Poll::Ready(Ok(b"def".to_vec()))
        );
        assert_eq!(poll_once(conn.recv(1)), Poll::Ready(Ok(b"d".to_vec())));
        // A typed call has no flags, and uses them up.
        assert_eq!(
            poll_once(conn.with_flags(Flags::PEEK).next_bytes(1)),
            Poll::Ready(Ok(&b"e"[..]))
        );
        assert_eq!(poll_once(conn.recv_line()), Poll::Ready(Ok("f".into())));
    }
}

/// The next receive waits for as long as it takes.
#[track_caller]
fn assert_unbounded(conn: &mut Connection<End>) {
    let mut line = pin!(conn.next_line());
    assert!(poll_once(line.as_mut()).is_pending());
    clock::advance(2 * SECOND);
    assert!(poll_once(line.as_mut()).is_pending());
}

#[test]
fn n_settings_for_one_receive_go_with_a_future_that_was_never_polled() {
    for (mut conn, peer) in open_both(WIDE, Config::default()) {
        peer.say(b"abcdef\n");
        drop(conn.with_flags(Flags::PEEK).recv(3));
        assert_eq!(poll_once(conn.recv(3)), Poll::Ready(Ok(b"abc".to_vec())));
        drop(conn.with_flags(Flags::PEEK).recv_line());
        assert_eq!(poll_once(conn.recv_line()), Poll::Ready(Ok("def".into())));
        drop(conn.within(SECOND).next_line());
        assert_unbounded(&mut conn);
        drop(conn.within(SECOND).next_batch());
        assert_unbounded(&mut conn);
    }
}

#[test]
fn d1_a_bound_goes_with_a_line_of_a_block_or_a_stream_that_was_never_polled() {
    for (mut conn, peer) in open_both(WIDE, Config::default()) {
        let mut block = DotReader::new(100);
        drop(block.next_line(conn.within(SECOND)));
        assert_unbounded(&mut conn);
        drop(LineStream::new(conn.within(SECOND)));
        assert_unbounded(&mut conn);
        peer.say(b".\n");
        assert_eq!(poll_once(block.next_line(&mut conn)), Poll::Ready(Ok(None)));
        // A block that is over takes the bound too.
        assert_eq!(poll_once(block.next_line(conn.within(SECOND))), Poll::Ready(Ok(None)));
        assert_unbounded(&mut conn);
    }
}

#[test]
fn d1_a_bound_in_front_of_a_call_that_receives_nothing_is_forgotten() {
    for (mut conn, _peer) in open_both(WIDE, Config::default()) {
        for n in 0..4 {
            let bounded = conn.within(SECOND);
            match n {
                0 => assert!(poll_once(bounded.send_line("hi")).is_ready()),
                1 => assert!(poll_once(bounded.send_all("hi")).is_ready()),
                2 => assert!(poll_once(bounded.flush()).is_ready()),
                _ => assert!(poll_once(bounded.handshake()).is_ready()),
            }
            assert_unbounded(&mut conn);
        }
    }
}

#[test]
fn d2_an_idle_connection_times_out_when_no_byte_has_moved() {
    for (mut conn, peer) in open_both(WIDE, Config::default().idle_timeout(60 * SECOND)) {
        assert!(poll_once(conn.next_line()).is_pending());
        clock::advance(59 * SECOND);
        peer.say(b"x");
        assert!(poll_once(conn.next_line()).is_pending());
        clock::advance(59 * SECOND);
        conn.feed(b"y").unwrap();
        assert!(poll_once(conn.next_line()).is_pending());
        clock::advance(59 * SECOND);
        assert!(poll_once(conn.next_line()).is_pending());
        clock::advance(SECOND);
        assert_eq!(poll_once(conn.next_line()), IDLE);
        // It is no end.
        assert!(poll_once(conn.next_line()).is_pending());
        peer.say(b"\n");
        assert_eq!(poll_once(conn.next_line()), line(b"x"));
    }
}

#[test]
fn d3_a_peer_that_takes_nothing_for_too_long_is_lost() {
    for (mut conn, peer) in open_both(8, Config::default().send_timeout(10 * SECOND)) {
        conn.feed([b'x'; 100]).unwrap();
        for _ in 0..5 {
            assert!(poll_once(conn.flush()).is_pending());
            clock::advance(9 * SECOND);
            assert_eq!(peer.hear().len(), 8);
        }
        assert!(poll_once(conn.flush()).is_pending());
        clock::advance(10 * SECOND);
        assert_eq!(poll_once(conn.flush()), Poll::Ready(Err(UNREAD)));
        assert_eq!(conn.feed(b"x"), Err(UNREAD));
        assert_eq!(conn.end().map(|end| end.cause), Some(Cause::Lost(Loss::TimedOut)));
        // So it does for receives, behind what has arrived.
        assert_eq!(poll_once(conn.next_line()), Poll::Ready(Err(UNREAD)));
    }
}

#[test]
fn d3_a_receive_that_waits_keeps_the_bound_for_a_writer() {
    let (mut conn, writer, peer) = open_shared(8, Config::default().send_timeout(10 * SECOND));
    let mut tasks = Tasks::in_order();
    let fed = writer.clone();
    tasks.spawn("receiver", async move {
        assert_eq!(conn.next_line().await, Err(UNREAD));
        assert_eq!(conn.flush().await, Err(UNREAD));
    });
    tasks.run();
    fed.feed([b'x'; 100]).unwrap();
    assert_eq!(tasks.run(), ["receiver"]);
    clock::advance(10 * SECOND);
    tasks.run_to_end();
    assert_eq!(writer.check(), Err(UNREAD));
    drop(peer);
}

#[test]
fn d3_a_large_send_that_makes_no_progress_ends_for_all() {
    let config = Config::default().send_timeout(10 * SECOND).max_queue(50);
    let (_conn, writer, _peer) = open_shared(8, config);
    let other = writer.clone();
    let mut tasks = Tasks::in_order();
    tasks.spawn("large", async move {
        assert_eq!(writer.send_all([b'x'; 1000]).await, Err(UNREAD));
    });
    tasks.spawn("behind it", async move {
        assert_eq!(other.send_line(b"x").await, Err(UNREAD));
    });
    assert_eq!(tasks.run(), ["large", "behind it"]);
    clock::advance(10 * SECOND);
    tasks.run_to_end();
}

#[test]
fn d1_a_receive_in_a_handshake_has_its_own_time() {
    let config = Config::default().handshake_timeout(10 * SECOND).receive_timeout(4 * SECOND);
    for (mut conn, peer) in open_both(WIDE, config) {
        assert!(poll_once(conn.upgrade_tls(Side::custom(Layer::client(1)))).is_pending());
        assert!(poll_once(conn.next_line()).is_pending());
        clock::advance(4 * SECOND);
        assert_eq!(poll_once(conn.next_line()), late(0));
        assert!(poll_once(conn.next_line()).is_pending());
        peer.say(&[frame(Kind::Hello, &[0]), frame(Kind::Data, b"a\n")].concat());
        assert_eq!(poll_once(conn.next_line()), line(b"a"));
    }
    for (mut conn, _peer) in open_both(WIDE, config.receive_timeout(None)) {
        assert!(poll_once(conn.upgrade_tls(Side::custom(Layer::client(1)))).is_pending());
        let (mut conn, writer) = with_writer(conn);
        let mut tasks = Tasks::in_order();
        let timed_out = |error: Error| matches!(error, Error::Tls(error) if error.kind() == TlsErrorKind::TimedOut);
        tasks.spawn("receiver", async move {
            assert!(timed_out(conn.next_line().await.unwrap_err()));
        });
        tasks.spawn("writer", async move {
            assert!(timed_out(writer.send_line(b"x").await.unwrap_err()));
        });
        assert_eq!(tasks.run(), ["receiver", "writer"]);
        clock::advance(9 * SECOND);
        assert_eq!(tasks.run(), ["receiver", "writer"]);
        clock::advance(SECOND);
        tasks.run_to_end();
    }
}

#[test]
fn d1_a_reader_that_is_held_up_times_out_too() {
    let config = Config::default().receive_timeout(10 * SECOND).high_water(50);
    for (mut conn, peer) in open_both(8, config) {
        peer.say(b"a\n");
        conn.feed([b'x'; 100]).unwrap();
        for _ in 0..3 {
            assert!(poll_once(conn.next_line()).is_pending());
            clock::advance(10 * SECOND);
            assert!(matches!(
                poll_once(conn.next_line()),
                Poll::Ready(Err(Error::TimedOut(Timeout::Receive { .. })))
            ));
        }
        flush_all(&mut conn, &peer);
        assert_eq!(poll_once(conn.next_line()), line(b"a"));
    }
}
