//! A connection over a secure layer, against a peer in the hands of the test: ends, closes and failures at
//! the worst of times.

#[cfg(not(all(windows, target_env = "gnu")))] // allocation-counter does not run there.
mod memory;

use std::io::ErrorKind;
use std::task::Poll;
use std::time::Duration;

use asyncnet::tls::{Side, TlsError, TlsErrorKind};
use asyncnet::{Cause, Config, Connection, Error, Loss, Writer};

use crate::layer::{Kind, Layer, frame, frames, plaintext};
use crate::pipe::{End, duplex};
use crate::tasks::{Tasks, turns};
use crate::{WIDE, clock, poll_once, with_writer};

/// Our client's connection in its handshake, which takes one round trip, and its peer.
fn begin(capacity: usize, config: Config) -> (Connection<End>, End) {
    let (end, peer) = duplex(capacity);
    let mut conn = Connection::new(end.with_clock(), config);
    assert!(poll_once(conn.upgrade_tls(Side::custom(Layer::client(1)))).is_pending());
    (conn, peer)
}

/// The same when the handshake is over, and the pipe from there on takes `capacity` bytes at once.
fn open(capacity: usize, config: Config) -> (Connection<End>, End) {
    let (mut conn, peer) = begin(WIDE, config);
    say_hello(&peer);
    assert_eq!(poll_once(conn.handshake()), Poll::Ready(Ok(())));
    assert_eq!(peer.hear(), [frame(Kind::Hello, &[0]), frame(Kind::Hello, &[1])].concat());
    peer.input.state().capacity = capacity;
    (conn, peer)
}

/// The peer's part of the handshake.
fn say_hello(peer: &End) {
    peer.say(&frame(Kind::Hello, &[0]));
}

fn begin_split(capacity: usize, config: Config) -> (Connection<End>, Writer<End>, End) {
    let (conn, peer) = begin(capacity, config);
    let (receiver, sender) = with_writer(conn);
    (receiver, sender, peer)
}

/// Runs one future alone; `None` if nobody wakes it any more.
fn run_alone<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut result = None;
    let mut tasks = Tasks::in_order();
    tasks.spawn("alone", async { result = Some(future.await) });
    tasks.run();
    drop(tasks);
    result
}

fn lost<T>() -> Option<Result<T, Error>> {
    Some(Err(Error::Disconnected(Loss::BrokenPipe.into())))
}

#[test]
fn t5_what_is_queued_in_a_handshake_is_sealed_behind_it() {
    let (mut conn, peer) = begin(WIDE, Config::default());
    conn.feed_line(b"a").unwrap();
    conn.feed_shared("b\r\n".into()).unwrap();
    conn.try_flush().unwrap();
    assert!(poll_once(conn.send_line(b"c")).is_pending());
    assert_eq!(peer.hear(), frame(Kind::Hello, &[0]));
    say_hello(&peer);
    assert_eq!(run_alone(conn.flush()), Some(Ok(())));
    assert_eq!(plaintext(&peer.hear()), b"a\r\nb\r\nc\r\n");
}

#[test]
fn t8_plaintext_right_behind_the_handshake_reaches_the_receiver() {
    for split in [false, true] {
        let (mut conn, peer) = begin(WIDE, Config::default());
        let hello = frame(Kind::Hello, &[0]);
        peer.say(&[hello, frame(Kind::Data, b"a\r\n"), frame(Kind::Close, &[])].concat());
        if split {
            let (mut receiver, sender) = with_writer(conn);
            let mut tasks = Tasks::in_order();
            tasks.spawn("receiver", async move {
                turns(3).await;
                assert_eq!(receiver.recv_line().await.unwrap(), "a");
                assert_eq!(receiver.next_line().await.unwrap(), None);
                assert_eq!(receiver.end().unwrap().cause, Cause::Eof);
            });
            tasks.spawn("sender", async move { sender.send(b"b\r\n").await.unwrap() });
            tasks.run_to_end();
        } else {
            assert_eq!(run_alone(conn.send_line(b"b")), Some(Ok(())));
            assert_eq!(run_alone(conn.recv_line()).unwrap().unwrap(), "a");
            assert_eq!(run_alone(conn.next_line()).unwrap().unwrap(), None);
        }
    }
}

#[test]
fn t8_a_receive_that_goes_through_the_handshake_gets_what_came_right_behind_it() {
    for shared in [false, true] {
        let (mut conn, peer) = begin(WIDE, Config::default());
        let _writer = shared.then(|| conn.writer());
        let hello = frame(Kind::Hello, &[0]);
        peer.say(&[hello, frame(Kind::Data, b"a\r\n")].concat());
        assert_eq!(run_alone(conn.recv_line()), Some(Ok("a".into())));
    }
}

#[test]
fn t4_a_loss_in_the_handshake_is_told_by_whoever_meets_it() {
    let broken = || {
        let (receiver, sender, peer) = begin_split(2, Config::default());
        peer.refuse();
        (receiver, sender, peer)
    };
    let (_receiver, sender, _peer) = broken();
    assert_eq!(run_alone(sender.send_line(b"a")), lost());
    let (_receiver, sender, _peer) = broken();
    assert_eq!(run_alone(sender.drive()), lost());
    let (_receiver, sender, _peer) = broken();
    sender.feed(b"a").unwrap();
    assert_eq!(run_alone(sender.flush()), lost());
    let (_receiver, sender, _peer) = broken();
    sender.feed(b"a").unwrap();
    assert_eq!(run_alone(sender.close()), lost());
    let (_receiver, sender, _peer) = broken();
    sender.feed(b"a").unwrap();
    assert_eq!(run_alone(sender.shutdown_write()), lost());
}

#[test]
fn t4_after_a_loss_in_the_handshake_the_peer_may_still_say_why() {
    let (mut receiver, _sender, peer) = begin_split(2, Config::default());
    peer.refuse();
    assert!(poll_once(receiver.next_line()).is_pending());
    peer.say(&frame(Kind::Alert, &[40]));
    let line = run_alone(receiver.next_line()).unwrap();
    assert!(
        matches!(&line, Err(Error::Tls(error)) if error.kind() == TlsErrorKind::Alert(40)),
        "{line:?}"
    );
}

#[test]
fn t5_a_failed_upgrade_answers_the_same_again() {
    for kind in [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe] {
        let (mut conn, peer) = begin(WIDE, Config::default());
        peer.output.state().read_error = Some(kind);
        peer.output.wake_reader();
        for _ in 0..3 {
            let upgrade = run_alone(conn.handshake()).unwrap();
            let left = |error: &TlsError| error.kind() == TlsErrorKind::LeftInHandshake;
            assert!(matches!(&upgrade, Err(Error::Tls(error)) if left(error)), "{upgrade:?}");
        }
    }
}

#[test]
fn t4_a_handshake_that_is_over_is_not_too_long() {
    let (mut conn, peer) = begin(40, Config::default());
    conn.feed([b'x'; 1000]).unwrap();
    say_hello(&peer);
    let (mut receiver, sender) = with_writer(conn);
    let mut tasks = Tasks::in_order();
    tasks.spawn("receiver", async move {
        assert_eq!(receiver.recv_line().await.unwrap(), "a");
    });
    tasks.spawn("sender", async move { sender.flush().await.unwrap() });
    tasks.run();
    // The peer has all of the handshake, and reads the rest slowly.
    assert!(frames(&peer.hear()).contains(&(Kind::Hello, vec![1])));
    tasks.run();
    clock::strike();
    tasks.run();
    peer.say(&frame(Kind::Data, b"a\r\n"));
    for _ in 0..100 {
        tasks.run();
        peer.hear();
    }
    tasks.run_to_end();
}

#[test]
fn t7_a_failure_is_told_though_the_peer_does_not_read() {
    let (mut conn, peer) = open(0, Config::default());
    peer.say(b"no such frame");
    let line = run_alone(conn.next_line()).expect("an answer");
    assert!(matches!(line, Err(Error::Tls(_))), "{line:?}");
}

#[test]
fn t7_a_close_flushes_the_alert() {
    let (mut conn, peer) = open(2, Config::default());
    peer.say(b"no such frame");
    assert!(matches!(run_alone(conn.next_line()), Some(Err(Error::Tls(_)))));
    let mut heard = Vec::new();
    let mut tasks = Tasks::in_order();
    tasks.spawn("close", async { conn.close().await.unwrap() });
    for _ in 0..10 {
        tasks.run();
        heard.extend(peer.hear());
    }
    assert_eq!(frames(&heard), [(Kind::Alert, vec![10])]);
    assert!(peer.hears_end());
    peer.end();
    tasks.run_to_end();
}

#[test]
fn t11_nothing_follows_our_close_notice() {
    let (mut conn, peer) = open(WIDE, Config::default());
    assert_eq!(run_alone(conn.shutdown_write()), Some(Ok(())));
    assert_eq!(frames(&peer.hear()), [(Kind::Close, vec![])]);
    // Each of these would be answered.
    peer.say(&[frame(Kind::Question, b"?"), frame(Kind::Data, b"a\r\n")].concat());
    assert_eq!(run_alone(conn.recv_line()).unwrap().unwrap(), "a");
    peer.say(b"no such frame");
    let line = run_alone(conn.next_line()).unwrap();
    assert!(matches!(line, Err(Error::Tls(_))), "{line:?}");
    assert_eq!(conn.end().unwrap().cause, Cause::TlsFailed);
    drop(conn);
    assert_eq!(peer.hear(), b"");
}

#[test]
fn c4_a_half_close_in_the_handshake_waits_for_it() {
    let (mut receiver, sender, peer) = begin_split(WIDE, Config::default());
    let mut tasks = Tasks::in_order();
    tasks.spawn("half-close", async move { sender.shutdown_write().await.unwrap() });
    tasks.spawn("receiver", async move {
        assert_eq!(receiver.recv_line().await.unwrap(), "a");
        assert_eq!(receiver.next_line().await.unwrap(), None);
    });
    tasks.run();
    say_hello(&peer);
    peer.say(&[frame(Kind::Data, b"a\r\n"), frame(Kind::Close, &[])].concat());
    tasks.run_to_end();
    let kinds: Vec<_> = frames(&peer.hear()).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [Kind::Hello, Kind::Hello, Kind::Close]);
}

#[test]
fn c3_a_close_with_nothing_to_send_waits_for_no_handshake() {
    for closes_late in [false, true] {
        let (end, peer) = duplex(WIDE);
        let mut conn = Connection::new(end, Config::default());
        let mut layer = Layer::client(1);
        layer.closes_late = closes_late;
        assert!(poll_once(conn.upgrade_tls(Side::custom(layer))).is_pending());
        assert_eq!(run_alone(conn.close()), Some(Ok(())));
        assert_eq!(conn.end().unwrap().cause, Cause::Closed);
        assert!(peer.hears_end());
    }
}

#[test]
fn c5_a_drop_in_the_handshake_just_ends_it() {
    let (conn, peer) = begin(WIDE, Config::default());
    drop(conn);
    let kinds: Vec<_> = frames(&peer.hear()).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [Kind::Hello]);
    assert!(peer.hears_end());
}

#[test]
fn e_a_layer_that_seals_no_more_has_failed() {
    let (end, peer) = duplex(WIDE);
    let mut conn = Connection::new(end, Config::default());
    let mut layer = Layer::client(1);
    layer.seals = 0;
    say_hello(&peer);
    assert!(run_alone(conn.upgrade_tls(Side::custom(layer))).unwrap().is_ok());
    let sent = run_alone(conn.send(b"a"));
    assert!(matches!(sent, Some(Err(Error::Tls(error))) if error.kind() == TlsErrorKind::Local));
    assert!(matches!(run_alone(conn.next_line()), Some(Err(Error::Tls(_)))));
    assert_eq!(conn.end().unwrap().cause, Cause::TlsFailed);
}

#[test]
fn t5_the_stream_under_a_secure_connection_is_not_given_away() {
    let (conn, _peer) = open(WIDE, Config::default());
    assert!(conn.into_parts().is_err());
    let (conn, _peer) = begin(WIDE, Config::default());
    assert!(conn.into_parts().is_err());
}

#[test]
fn s2_a_torn_message_in_the_handshake_leaves_receiving() {
    let (mut conn, peer) = begin(WIDE, Config::default().max_queue(4));
    assert!(poll_once(conn.send(b"too long")).is_pending());
    assert_eq!(conn.feed(b"a"), Err(Error::Interrupted));
    say_hello(&peer);
    peer.hear();
    assert!(poll_once(conn.next_line()).is_pending());
    assert_eq!(peer.hear(), frame(Kind::Hello, &[1]), "the peer waits for it");
    peer.say(&frame(Kind::Data, b"a\r\n"));
    assert_eq!(run_alone(conn.recv_line()).unwrap().unwrap(), "a");
    assert_eq!(run_alone(conn.close()), Some(Err(Error::Interrupted)));
    assert_eq!(peer.hear(), b"");
}

#[test]
fn s2_nothing_follows_a_torn_record() {
    let (mut conn, peer) = open(5, Config::default().max_queue(4));
    assert!(poll_once(conn.send(b"too long")).is_pending());
    peer.hear();
    peer.say(&frame(Kind::Question, b"?"));
    assert!(poll_once(conn.next_line()).is_pending());
    assert_eq!(peer.hear(), b"");
}

#[test]
fn t13_ends_in_the_handshake_are_failures() {
    let (mut conn, peer) = begin(WIDE, Config::default());
    peer.end();
    let line = run_alone(conn.next_line()).unwrap();
    let left = |error: &TlsError| error.kind() == TlsErrorKind::LeftInHandshake;
    assert!(matches!(&line, Err(Error::Tls(error)) if left(error)), "{line:?}");
    let upgrade = run_alone(conn.handshake()).unwrap();
    assert!(matches!(&upgrade, Err(Error::Tls(error)) if left(error)), "{upgrade:?}");
    assert!(matches!(run_alone(conn.send(b"a")), Some(Err(Error::Tls(_)))));

    // What streams of other TLS libraries answer is an end like any other.
    let (mut conn, peer) = begin(WIDE, Config::default());
    peer.output.state().read_error = Some(ErrorKind::UnexpectedEof);
    let line = run_alone(conn.next_line()).unwrap();
    assert!(matches!(&line, Err(Error::Tls(error)) if left(error)), "{line:?}");
}

#[test]
fn t4_the_deadline_of_a_handshake_wakes_everybody() {
    let config = Config::default().handshake_timeout(Duration::from_secs(1));
    let (mut receiver, sender, _peer) = begin_split(WIDE, config);
    let mut tasks = Tasks::in_order();
    let driver = sender.clone();
    tasks.spawn("driver", async move {
        let error = driver.drive().await.unwrap_err();
        assert!(matches!(error, Error::Tls(error) if error.kind() == TlsErrorKind::TimedOut));
    });
    tasks.spawn("sender", async move {
        let error = sender.send(b"a").await.unwrap_err();
        assert!(matches!(error, Error::Tls(error) if error.kind() == TlsErrorKind::TimedOut));
    });
    tasks.spawn("receiver", async move {
        let error = receiver.next_line().await.unwrap_err();
        assert!(matches!(error, Error::Tls(_)), "{error:?}");
    });
    assert_eq!(tasks.run().len(), 3);
    clock::strike();
    tasks.run_to_end();
}
