//! D5 and D6 through the driver, on a clock that only the test moves.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use asyncnet::{Config, Connection, Error, LineStream, Timeout};
use futures_lite::{AsyncBufReadExt as _, StreamExt as _};

use crate::pipe::{End, duplex};
use crate::tasks::Tasks;
use crate::timeouts::{SECOND, line, open_both};
use crate::{WIDE, clock, open_shared, poll_once};

/// `n` lines a second, one at once.
fn lines(n: u32) -> Config {
    Config::default().max_lines_per_second(n).rate_burst(Duration::ZERO)
}

/// Asserts that a call waits, also a nanosecond before `time` is over.
macro_rules! waits {
    ($call:expr, $time:expr) => {
        assert!(poll_once($call).is_pending());
        clock::advance($time - Duration::from_nanos(1));
        assert!(poll_once($call).is_pending());
        clock::advance(Duration::from_nanos(1));
    };
}

#[test]
fn d5_lines_over_the_rate_wait_the_stream_is_not_read_and_the_end_comes_behind_them() {
    for (mut conn, peer) in open_both(8, lines(1)) {
        peer.say(b"a\nb\nc\n");
        peer.end();
        assert_eq!(poll_once(conn.next_line()), line(b"a"));
        waits!(conn.next_line(), SECOND);
        assert_eq!(poll_once(conn.next_line()), line(b"b"));
        waits!(conn.next_line(), SECOND);
        assert_eq!(conn.end(), None);
        assert_eq!(poll_once(conn.next_line()), line(b"c"));
        assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(None)));
    }
    for (mut conn, peer) in open_both(WIDE, lines(1)) {
        peer.say(&b"a\n".repeat(1 << 20));
        for _ in 0..5 {
            assert_eq!(poll_once(conn.next_line()), line(b"a"));
            waits!(conn.next_line(), SECOND);
        }
        assert!(conn.stats().bytes_received <= 64 << 10, "it was read on");
    }
}

#[test]
fn d5_the_alarm_wakes_a_task_that_a_rate_holds_up() {
    for (mut conn, peer) in open_both(WIDE, lines(1)) {
        let mut tasks = Tasks::in_order();
        tasks.spawn("receiver", async move {
            for _ in 0..3 {
                assert_eq!(conn.next_line().await, Ok(Some(&b"a"[..])));
            }
        });
        peer.say(b"a\na\na\n");
        assert_eq!(tasks.run(), ["receiver"]);
        clock::advance(SECOND);
        assert_eq!(tasks.run(), ["receiver"]);
        clock::advance(SECOND);
        tasks.run_to_end();
    }
}

#[test]
fn d5_the_receiver_wakes_though_a_writer_saw_first_that_more_may_go_on() {
    let (mut conn, writer, peer) = open_shared(8, lines(1).send_timeout(30 * SECOND));
    peer.say(b"a\nb\n");
    let mut tasks = Tasks::in_order();
    tasks.spawn("receiver", async move {
        assert_eq!(conn.next_line().await, Ok(Some(&b"a"[..])));
        assert_eq!(conn.next_line().await, Ok(Some(&b"b"[..])));
    });
    assert_eq!(tasks.run(), ["receiver"]);
    clock::pass(SECOND);
    // It puts the alarm off, before that has woken anything, and does not wait for the receiver.
    assert!(poll_once(writer.send_all([b'x'; 100])).is_pending());
    tasks.run_to_end();
}

#[test]
fn d5_every_way_to_take_lines_has_the_rate_and_blocks_have_none() {
    for (mut conn, peer) in open_both(WIDE, lines(1)) {
        peer.say(&b"a\n".repeat(100));
        assert_eq!(poll_once(conn.expect_line()), Poll::Ready(Ok(&b"a"[..])));
        waits!(conn.recv_line(), SECOND);
        assert_eq!(poll_once(conn.recv_line()), Poll::Ready(Ok("a".into())));
        waits!(conn.next_batch(), SECOND);
        let Poll::Ready(Ok(Some(mut batch))) = poll_once(conn.next_batch()) else {
            panic!("there is a line");
        };
        assert_eq!(batch.next_line(), Ok(Some(&b"a"[..])));
        assert_eq!(batch.next_line(), Ok(None));
        waits!(conn.next_with(|unread| unread.line().map(drop)), SECOND);
        assert!(poll_once(conn.next_with(|unread| unread.line().map(drop))).is_ready());
        waits!(LineStream::new(&mut conn).next(), SECOND);
        assert!(poll_once(LineStream::new(&mut conn).next()).is_ready());
        assert!(poll_once(conn.next_line()).is_pending());
        assert_eq!(conn.try_next_line(), Ok(None), "it does not wait, and nothing is let through");
        // Those who take bytes for lines have the rate of bytes alone.
        assert_eq!(poll_once(conn.next_block(4)), Poll::Ready(Ok(&b"a\na\n"[..])));
        assert_eq!(poll_once(conn.recv(4)), Poll::Ready(Ok(b"a\na\n".to_vec())));
        assert_eq!(poll_once(conn.skip(4)), Poll::Ready(Ok(())));
        let mut text = String::new();
        assert!(matches!(poll_once(conn.read_line(&mut text)), Poll::Ready(Ok(2))));
        // What such a reader was shown and left is here, and what is then taken as lines is paid back.
        assert_eq!(poll_once(conn.next_line()), line(b"a"));
    }
}

#[test]
fn d5_bytes_over_the_rate_wait_in_every_call() {
    let config = Config::default().max_bytes_per_second(4).rate_burst(SECOND);
    for (mut conn, peer) in open_both(WIDE, config) {
        peer.say(b"abcdefg\nijklmnopqrstu");
        assert_eq!(poll_once(conn.next_block(4)), Poll::Ready(Ok(&b"abcd"[..])));
        waits!(conn.next_line(), SECOND);
        assert_eq!(poll_once(conn.next_line()), line(b"efg"));
        waits!(conn.recv(4), SECOND);
        assert_eq!(poll_once(conn.recv(4)), Poll::Ready(Ok(b"ijkl".to_vec())));
        waits!(conn.skip(4), SECOND);
        // A skip forgets how far it was when it is dropped.
        assert_eq!(poll_once(conn.next_bytes(100)), Poll::Ready(Ok(&b"p"[..])));
        waits!(conn.next_bytes(100), SECOND / 4);
        assert_eq!(poll_once(conn.next_bytes(100)), Poll::Ready(Ok(&b"q"[..])));
    }
}

#[test]
fn d5_a_stream_without_a_clock_has_no_rates() {
    for shared in [false, true] {
        let (end, peer) = duplex(WIDE);
        let mut conn: Connection<End> = Connection::new(end, lines(1).max_bytes_per_second(1));
        if shared {
            drop(conn.writer());
        }
        peer.say(&b"a\n".repeat(100));
        for _ in 0..100 {
            assert_eq!(poll_once(conn.next_line()), line(b"a"));
        }
        assert!(poll_once(conn.next_line()).is_pending());
    }
}

#[test]
fn d5_a_close_of_another_task_lets_everything_through() {
    let (mut conn, writer, peer) = open_shared(WIDE, lines(1));
    peer.say(b"a\nb\nc\n");
    let mut tasks = Tasks::in_order();
    tasks.spawn("receiver", async move {
        for text in [b"a", b"b", b"c"] {
            assert_eq!(conn.next_line().await, Ok(Some(&text[..])));
        }
        assert_eq!(conn.next_line().await, Err(Error::Closed));
    });
    assert_eq!(tasks.run(), ["receiver"]);
    peer.end();
    tasks.spawn("writer", async move { assert_eq!(writer.close().await, Ok(())) });
    tasks.run_to_end();
}

#[test]
fn d5_rates_change_on_a_live_connection() {
    for (mut conn, peer) in open_both(WIDE, lines(1)) {
        peer.say(&b"a\n".repeat(100));
        assert_eq!(poll_once(conn.next_line()), line(b"a"));
        assert!(poll_once(conn.next_line()).is_pending());
        conn.configure(|config| config.max_lines_per_second(10));
        waits!(conn.next_line(), SECOND / 10);
        assert_eq!(poll_once(conn.next_line()), line(b"a"));
        conn.configure(|config| config.max_lines_per_second(None));
        for _ in 0..98 {
            assert_eq!(poll_once(conn.next_line()), line(b"a"));
        }
    }
}

#[test]
fn d5_into_parts_hands_out_what_is_held_too() {
    let (end, peer) = duplex(WIDE);
    let mut conn = Connection::new(end.with_clock(), lines(1));
    peer.say(b"a\nb\nc");
    assert_eq!(poll_once(conn.next_line()), line(b"a"));
    assert!(poll_once(conn.next_line()).is_pending());
    let (_end, early) = conn.into_parts().expect("nothing is queued");
    assert_eq!(early, b"b\nc");
}

#[test]
fn d5_what_is_queued_leaves_while_a_rate_holds_up_a_receive() {
    for (mut conn, peer) in open_both(WIDE, lines(1)) {
        peer.say(b"a\nb\n");
        assert_eq!(poll_once(conn.next_line()), line(b"a"));
        conn.feed_line("answer").unwrap();
        assert!(poll_once(conn.next_line()).is_pending());
        assert_eq!(peer.hear(), b"answer\r\n");
    }
}

#[test]
fn d6_neither_the_setting_nor_within_counts_what_a_rate_takes() {
    let config = lines(1).receive_timeout(SECOND / 2).idle_timeout(SECOND / 4);
    for (mut conn, peer) in open_both(WIDE, config) {
        peer.say(b"a\nb\nc\n");
        assert_eq!(poll_once(conn.next_line()), line(b"a"));
        waits!(conn.next_line(), SECOND);
        assert_eq!(poll_once(conn.next_line()), line(b"b"));
        waits!(conn.within(SECOND / 2).next_line(), SECOND);
        assert_eq!(poll_once(conn.within(SECOND / 2).next_line()), line(b"c"));
        waits!(conn.next_line(), SECOND / 4);
        assert_eq!(poll_once(conn.next_line()), Poll::Ready(Err(Error::TimedOut(Timeout::Idle))));
    }
}

#[test]
fn d5_a_call_that_is_dropped_and_repeated_keeps_the_rate() {
    for (mut conn, peer) in open_both(WIDE, lines(1)) {
        peer.say(b"a\nb\nc\n");
        assert_eq!(poll_once(conn.next_line()), line(b"a"));
        for _ in 0..10 {
            assert!(poll_once(pin!(conn.next_line())).is_pending());
            assert!(poll_once(conn.next_batch()).is_pending());
            clock::advance(SECOND / 10);
        }
        assert_eq!(poll_once(conn.next_line()), line(b"b"));
        assert!(poll_once(conn.next_line()).is_pending());
    }
}
