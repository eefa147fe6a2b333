//! An upgrade to a secure layer with writers about, and one that is refused.

use std::task::Poll;

use asyncnet::tls::{Side, UpgradeRefused};
use asyncnet::{Config, Connection, Error};

use crate::layer::{Kind, Layer, frame, plaintext};
use crate::pipe::End;
use crate::tasks::{Tasks, turns};
use crate::{WIDE, open, open_shared, poll_once};

fn side() -> Side {
    Side::custom(Layer::client(1))
}

fn say_hello(peer: &End) {
    peer.say(&frame(Kind::Hello, &[0]));
}

const fn refused(why: UpgradeRefused) -> Poll<Result<(), Error>> {
    Poll::Ready(Err(Error::Upgrade(why)))
}

#[track_caller]
fn assert_plain(conn: &mut Connection<End>, peer: &End) {
    assert!(conn.tls().is_none());
    assert_eq!(peer.hear(), b"", "something has left");
}

#[test]
fn t5_what_a_writer_queues_waits_behind_the_handshake() {
    let (mut conn, writer, peer) = open_shared(WIDE, Config::default());
    let mut tasks = Tasks::in_order();
    tasks.spawn("upgrade", async move {
        assert_eq!(conn.upgrade_tls(side()).await, Ok(()));
        assert_eq!(conn.send_line(b"b").await, Ok(()));
    });
    tasks.run();
    let fed = writer.clone();
    tasks.spawn("writer", async move {
        writer.feed_line(b"a").unwrap();
        assert_eq!(writer.flush().await, Ok(()));
        assert_eq!(plaintext(&[]), b"");
        assert_eq!(writer.send_line(b"c").await, Ok(()));
    });
    assert_eq!(tasks.run(), ["upgrade", "writer"]);
    assert_eq!(fed.try_flush(), Ok(()));
    assert_eq!(peer.hear(), frame(Kind::Hello, &[0]), "nothing leaves in plain");
    say_hello(&peer);
    tasks.run_to_end();
    let heard = plaintext(&peer.hear());
    assert!(heard.starts_with(b"a\r\n"), "{heard:?}");
    assert_eq!(heard.len(), 9);
}

#[test]
fn t5_a_writer_alone_drives_the_handshake_on() {
    let (mut conn, writer, peer) = open_shared(3, Config::default());
    assert!(poll_once(conn.upgrade_tls(side())).is_pending());
    let mut tasks = Tasks::in_order();
    tasks.spawn("writer", async move { assert_eq!(writer.send_line(b"a").await, Ok(())) });
    let mut heard = Vec::new();
    for round in 0..40 {
        tasks.run();
        heard.extend(peer.hear());
        if round == 5 {
            peer.say(&[frame(Kind::Hello, &[0]), frame(Kind::Data, b"early\r\n")].concat());
        }
    }
    tasks.run_to_end();
    heard.extend(peer.hear());
    assert_eq!(plaintext(&heard), b"a\r\n");
    // What came behind the handshake waits for the task that receives.
    assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(&b"early"[..]))));
}

#[test]
fn t5_a_receiver_wakes_when_a_writer_ends_the_handshake_with_its_line() {
    let (mut conn, writer, peer) = open_shared(WIDE, Config::default());
    assert!(poll_once(conn.upgrade_tls(side())).is_pending());
    let mut tasks = Tasks::shuffled(1);
    tasks.spawn("receiver", async move {
        assert_eq!(conn.next_line().await, Ok(Some(&b"early"[..])));
    });
    assert_eq!(tasks.run(), ["receiver"]);
    // The stream tells nobody; the writer meets it.
    let hello = [frame(Kind::Hello, &[0]), frame(Kind::Data, b"early\r\n")].concat();
    peer.output.state().bytes.extend(hello);
    assert_eq!(poll_once(writer.send_line(b"a")), Poll::Ready(Ok(())));
    tasks.run_to_end();
}

#[test]
fn t5_unsent_plaintext_refuses_the_upgrade_and_changes_nothing() {
    let (mut conn, writer, peer) = open_shared(0, Config::default());
    writer.feed(b"abc").unwrap();
    let why = UpgradeRefused::UnsentPlaintext(3);
    assert_eq!(poll_once(conn.upgrade_tls(side())), refused(why));
    assert_plain(&mut conn, &peer);
    peer.input.state().capacity = WIDE;
    assert_eq!(poll_once(writer.flush()), Poll::Ready(Ok(())));
    assert_eq!(peer.hear(), b"abc");
    peer.say(b"line\n");
    assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(&b"line"[..]))));
    say_hello(&peer);
    assert_eq!(poll_once(conn.upgrade_tls(side())), Poll::Ready(Ok(())));
}

#[test]
fn t5_a_large_send_under_way_refuses_the_upgrade() {
    let (mut conn, writer, peer) = open_shared(4, Config::default().max_queue(4));
    let mut tasks = Tasks::in_order();
    tasks.spawn("large", async { assert_eq!(writer.send_all([b'x'; 12]).await, Ok(())) });
    tasks.run();
    // All that is queued is out, and the rest of the message is not.
    let upgrade = poll_once(conn.upgrade_tls(side()));
    assert!(
        matches!(upgrade, Poll::Ready(Err(Error::Upgrade(UpgradeRefused::UnsentPlaintext(_))))),
        "{upgrade:?}"
    );
    let mut heard = Vec::new();
    for _ in 0..5 {
        heard.extend(peer.hear());
        tasks.run();
    }
    tasks.run_to_end();
    assert_eq!(heard, [b'x'; 12]);
    assert_plain(&mut conn, &peer);
}

#[test]
fn t5_buffered_plaintext_refuses_the_upgrade_and_changes_nothing() {
    for shared in [false, true] {
        let (mut conn, peer) = open(WIDE, Config::default());
        if shared {
            drop(conn.writer());
        }
        peer.say(b"220 ready\r\nsmuggled\r\n");
        assert!(poll_once(conn.next_line()).is_ready());
        let why = UpgradeRefused::BufferedPlaintext(10);
        assert_eq!(poll_once(conn.upgrade_tls(side())), refused(why));
        assert_plain(&mut conn, &peer);
        assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(&b"smuggled"[..]))));
        peer.say(b"half");
        assert!(poll_once(conn.next_line()).is_pending());
        let why = UpgradeRefused::BufferedPlaintext(4);
        assert_eq!(poll_once(conn.upgrade_tls(side())), refused(why));
        assert_plain(&mut conn, &peer);
    }
}

#[test]
fn t5_a_dropped_upgrade_goes_on_with_any_call_and_a_second_is_refused() {
    let (mut conn, peer) = open(WIDE, Config::default());
    assert!(poll_once(conn.upgrade_tls(side())).is_pending());
    assert!(poll_once(conn.upgrade_tls(side())).is_pending());
    say_hello(&peer);
    assert_eq!(poll_once(conn.send_line(b"a")), Poll::Ready(Ok(())));
    assert_eq!(poll_once(conn.handshake()), Poll::Ready(Ok(())));
    assert_eq!(poll_once(conn.upgrade_tls(side())), refused(UpgradeRefused::AlreadyTls));
    assert_eq!(plaintext(&peer.hear()), b"a\r\n");
}

#[test]
fn t5_every_task_waits_for_a_handshake_and_is_woken_at_its_end() {
    for seed in 0..200 {
        let (mut conn, writer, peer) = open_shared(5, Config::default());
        peer.input.state().chunk = 2;
        let mut tasks = Tasks::shuffled(seed);
        let (second, third) = (writer.clone(), writer.clone());
        tasks.spawn("upgrade", async move {
            assert_eq!(conn.upgrade_tls(side()).await, Ok(()));
            assert_eq!(conn.next_line().await, Ok(Some(&b"early"[..])));
        });
        tasks.run();
        tasks.spawn("send", async move { writer.send_line(b"a").await.unwrap() });
        tasks.spawn("flush", async move { second.flush().await.unwrap() });
        tasks.spawn("feed", async move {
            turns(2).await;
            third.feed_wait(b"b\r\n").await.unwrap();
        });
        let mut heard = Vec::new();
        for round in 0..100 {
            if round == 4 {
                peer.say(&[frame(Kind::Hello, &[0]), frame(Kind::Data, b"early\r\n")].concat());
            }
            tasks.run();
            heard.extend(peer.hear());
        }
        tasks.run_to_end();
        let heard = plaintext(&heard);
        assert!(heard == b"a\r\nb\r\n" || heard == b"b\r\na\r\n", "{heard:?} with seed {seed}");
    }
}
