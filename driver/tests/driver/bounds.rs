//! Bounds in time: each runs out once, for the call that it bounds, and in whichever task waits.

use std::task::Poll;
use std::time::Duration;

use asyncnet::room::Limits;
use asyncnet::tls::{Side, TlsErrorKind};
use asyncnet::{Config, Connection, Error, LineStream, Loss, Room, Timeout};
use futures_lite::StreamExt;

use crate::layer::Layer;
use crate::pipe::{End, duplex};
use crate::tasks::Tasks;
use crate::{WIDE, clock, open_shared, poll_once};

fn open(capacity: usize, config: Config) -> (Connection<End>, End) {
    let (end, peer) = duplex(capacity);
    (Connection::new(end.with_clock(), config), peer)
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn gave_up<T>() -> Result<T, Error> {
    Err(Error::Disconnected(Loss::TimedOut.into()))
}

#[test]
fn d1_a_bound_goes_with_the_call_that_it_was_set_for() {
    let (mut conn, peer) = open(8, Config::default());
    assert!(poll_once(conn.within(seconds(5)).next_line()).is_pending());
    let mut tasks = Tasks::in_order();
    tasks.spawn("sender", async {
        assert_eq!(conn.send_all([b'x'; 20]).await, Ok(()));
        // Nothing bounds this one.
        assert_eq!(conn.next_line().await, Ok(Some(&b"late"[..])));
    });
    tasks.run();
    clock::advance(seconds(10));
    tasks.run();
    for _ in 0..3 {
        peer.hear();
        tasks.run();
    }
    peer.say(b"late\n");
    tasks.run_to_end();
}

#[test]
fn d1_a_bound_holds_for_a_stream_of_lines() {
    let (mut conn, _peer) = open(8, Config::default());
    let mut tasks = Tasks::in_order();
    tasks.spawn("lines", async {
        let mut lines = LineStream::new(conn.within(seconds(5)));
        let timeout = Timeout::Receive { partial: 0 };
        assert_eq!(lines.next().await, Some(Err(Error::TimedOut(timeout))));
    });
    tasks.run();
    clock::advance(seconds(2));
    tasks.run();
    // A second poll, before the time is over.
    tasks.wake("lines");
    tasks.run();
    clock::advance(seconds(4));
    tasks.run_to_end();
}

#[test]
fn d3_a_receive_that_waits_ends_when_what_is_queued_makes_no_progress() {
    for shared in [false, true] {
        let (mut conn, _peer) = open(8, Config::default().send_timeout(seconds(5)));
        let _writer = shared.then(|| conn.writer());
        conn.feed([b'x'; 20]).unwrap();
        let mut tasks = Tasks::in_order();
        tasks.spawn("receiver", async move {
            assert_eq!(conn.next_line().await, gave_up());
        });
        tasks.run();
        clock::advance(seconds(6));
        tasks.run_to_end();
    }
}

#[test]
fn d3_lines_that_have_arrived_come_before_the_loss() {
    let (mut conn, peer) = open(8, Config::default().send_timeout(seconds(5)));
    peer.say(b"one\ntwo\n");
    assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(&b"one"[..]))));
    let mut tasks = Tasks::in_order();
    tasks.spawn("sender", async {
        assert_eq!(conn.send_all([b'x'; 20]).await, gave_up());
        assert_eq!(conn.next_line().await, Ok(Some(&b"two"[..])));
        assert_eq!(conn.next_line().await, gave_up());
    });
    tasks.run();
    clock::advance(seconds(6));
    tasks.run_to_end();
}

#[test]
fn c5_a_drop_behind_a_send_timeout_is_a_reset() {
    let (mut conn, peer) = open(8, Config::default().send_timeout(seconds(5)));
    let mut tasks = Tasks::in_order();
    tasks.spawn("sender", async {
        assert_eq!(conn.send_all([b'x'; 20]).await, gave_up());
        drop(conn);
    });
    tasks.run();
    clock::advance(seconds(6));
    tasks.run_to_end();
    assert!(peer.hears_reset(), "half a message must not look complete");
}

#[test]
fn d3_bounds_the_end_of_our_side() {
    let (mut conn, _peer) = open(8, Config::default().send_timeout(seconds(5)));
    conn.feed([b'x'; 20]).unwrap();
    let mut tasks = Tasks::in_order();
    tasks.spawn("shutdown", async move {
        assert_eq!(conn.shutdown_write().await, gave_up());
    });
    tasks.run();
    clock::advance(seconds(6));
    tasks.run_to_end();
}

#[test]
fn d3_bounds_a_drive_behind_another_bound() {
    let config = Config::default().send_timeout(seconds(20)).receive_timeout(seconds(5));
    let (mut conn, writer, _peer) = open_shared(8, config);
    assert!(poll_once(conn.next_line()).is_pending());
    writer.feed([b'x'; 20]).unwrap();
    let mut tasks = Tasks::in_order();
    tasks.spawn("driver", async move {
        assert_eq!(writer.drive().await, gave_up());
    });
    tasks.run();
    // The receive is late, though its future is gone.
    clock::advance(seconds(6));
    tasks.run();
    clock::advance(seconds(15));
    tasks.run_to_end();
}

#[test]
fn d3_bounds_a_member_of_a_room() {
    let (_conn, writer, _peer) = open_shared(8, Config::default().send_timeout(seconds(5)));
    let (room, task) = Room::new(Limits::default());
    let member = room.join(writer.clone()).unwrap();
    let mut tasks = Tasks::in_order();
    tasks.spawn("room", async move {
        task.await;
    });
    tasks.spawn("speaker", async {
        room.send_line([b'x'; 20]).await.unwrap();
    });
    tasks.run();
    assert_eq!(writer.check(), Ok(()));
    clock::advance(seconds(6));
    tasks.run();
    assert_eq!(writer.check(), gave_up());
    drop(member);
}

#[test]
fn d4_a_handshake_keeps_its_bound_behind_that_of_a_dropped_receive() {
    let config = Config::default().receive_timeout(seconds(5)).handshake_timeout(seconds(10));
    let (mut conn, _peer) = open(WIDE, config);
    assert!(poll_once(conn.upgrade_tls(Side::custom(Layer::client(1)))).is_pending());
    assert!(poll_once(conn.next_line()).is_pending());
    let mut tasks = Tasks::in_order();
    tasks.spawn("handshake", async move {
        let Err(Error::Tls(error)) = conn.handshake().await else { panic!("no error") };
        assert_eq!(error.kind(), TlsErrorKind::TimedOut);
    });
    tasks.run();
    clock::advance(seconds(6));
    tasks.run();
    clock::advance(seconds(5));
    tasks.run_to_end();
}

#[test]
fn d3_holds_for_a_send_that_waits_when_it_is_set() {
    let (mut conn, writer, _peer) = open_shared(8, Config::default());
    let mut tasks = Tasks::in_order();
    tasks.spawn("sender", async move {
        assert_eq!(writer.send_all([b'x'; 20]).await, gave_up());
    });
    tasks.run();
    conn.configure(|config| config.send_timeout(seconds(5)));
    tasks.run();
    clock::advance(seconds(6));
    tasks.run_to_end();
}

#[test]
fn d7_times_of_zero_end_every_wait_at_once_on_a_clock_that_stands_still() {
    let zero = Duration::ZERO;
    let late = |timeout| Poll::Ready(Err(Error::TimedOut(timeout)));
    let receive = || late(Timeout::Receive { partial: 0 });
    for config in [Config::default().receive_timeout(zero), Config::default()] {
        let (mut conn, peer) = open(8, config);
        for _ in 0..3 {
            assert_eq!(poll_once(conn.within(zero).next_line()), receive());
        }
        // What does not have to wait is answered.
        peer.say(b"a\n");
        assert_eq!(poll_once(conn.within(zero).next_line()), Poll::Ready(Ok(Some(&b"a"[..]))));
    }
    let (mut conn, _peer) = open(8, Config::default().idle_timeout(zero));
    for _ in 0..3 {
        assert_eq!(poll_once(conn.next_line()), late(Timeout::Idle));
    }
    let (mut conn, _peer) = open(8, Config::default().send_timeout(zero));
    assert_eq!(poll_once(conn.send_all(b"it fits")), Poll::Ready(Ok(())));
    assert_eq!(poll_once(conn.send_all(b"it does not")), Poll::Ready(gave_up()));
    let (mut conn, _peer) = open(8, Config::default().handshake_timeout(zero));
    assert!(poll_once(conn.upgrade_tls(Side::custom(Layer::client(1)))).is_ready());
    let limits = asyncnet::CloseLimits::default().flush(zero, zero).drain(zero, 1 << 20);
    let (mut conn, _peer) = open(8, Config::default().close(limits));
    conn.feed(b"more than the pipe holds").unwrap();
    assert_eq!(poll_once(conn.close()), late(Timeout::Close).map_ok(|_: Option<&[u8]>| ()));
}

#[test]
fn d7_the_longest_times_set_no_alarm_and_end_nothing() {
    let longest = Duration::MAX;
    let limits = asyncnet::CloseLimits::default().flush(longest, longest).drain(longest, 1 << 20);
    let config = Config::default().receive_timeout(longest).idle_timeout(longest);
    let config = config.send_timeout(longest).handshake_timeout(longest).close(limits);
    let (mut conn, peer) = open(8, config);
    let alarms = clock::calls().poll_alarm;
    assert!(poll_once(conn.within(longest).next_line()).is_pending());
    conn.feed(b"more than the pipe holds").unwrap();
    assert!(poll_once(conn.flush()).is_pending());
    clock::advance(seconds(1 << 40));
    assert!(poll_once(conn.flush()).is_pending());
    assert!(poll_once(conn.next_line()).is_pending());
    assert!(poll_once(conn.close()).is_pending());
    clock::advance(seconds(1 << 40));
    assert!(poll_once(conn.close()).is_pending());
    assert_eq!(clock::calls().poll_alarm, alarms);
    drop(peer);
}
