//! S9: a task that only sends gives its thread back now and then.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Wake, Waker};

use asyncnet::Config;
use futures_lite::io::{AsyncWriteExt, split};

use crate::pipe::End;
use crate::{WIDE, open, open_shared};

/// How many writes may follow each other without a wait.
const STREAK: usize = 33;

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Polls `sends`, which never ends, each write of which moves one byte.
#[track_caller]
fn assert_yields(peer: &End, sends: impl Future<Output = ()>) {
    peer.input.state().chunk = 1;
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut sends = pin!(sends);
    for poll in 0..20 {
        assert!(sends.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let written = peer.hear().len();
        assert!((1..=STREAK).contains(&written), "{written} writes in poll {poll}");
        assert!(count.0.swap(0, SeqCst) > 0, "it waits for ever");
    }
}

#[test]
fn s9_a_connection_that_only_sends_yields() {
    let (mut conn, peer) = open(WIDE, Config::default());
    assert_yields(&peer, async {
        for _ in 0..10_000 {
            conn.send_all(b"x").await.unwrap();
        }
    });
}

#[test]
fn s9_a_connection_that_feeds_and_flushes_yields() {
    let (mut conn, peer) = open(WIDE, Config::default());
    assert_yields(&peer, async {
        for _ in 0..10_000 {
            conn.feed(b"x").unwrap();
            conn.flush().await.unwrap();
        }
    });
}

#[test]
fn s9_a_writer_that_only_sends_yields() {
    let (_conn, writer, peer) = open_shared(WIDE, Config::default());
    assert_yields(&peer, async {
        for _ in 0..10_000 {
            writer.send_all(b"x").await.unwrap();
        }
    });
}

#[test]
fn s9_a_large_message_yields() {
    let (mut conn, peer) = open(WIDE, Config::default().max_queue(10));
    assert_yields(&peer, async { conn.send_all(vec![b'x'; 10_000]).await.unwrap() });
    let (_conn, writer, peer) = open_shared(WIDE, Config::default().max_queue(10));
    assert_yields(&peer, async { writer.send_all(vec![b'x'; 10_000]).await.unwrap() });
    let (_conn, writer, peer) = open_shared(WIDE, Config::default().max_queue(10));
    assert_yields(&peer, async { writer.feed_wait(vec![b'x'; 10_000]).await.unwrap() });
}

#[test]
fn s9_a_writer_of_the_futures_traits_yields() {
    let (conn, peer) = open(WIDE, Config::default());
    let (_reader, mut writer) = split(conn);
    assert_yields(&peer, async {
        for _ in 0..10_000 {
            writer.write_all(b"x").await.unwrap();
            writer.flush().await.unwrap();
        }
    });
}

#[test]
fn s9_a_writer_of_the_futures_traits_yields_without_a_flush() {
    let (conn, peer) = open(WIDE, Config::default());
    let (_reader, mut writer) = split(conn);
    assert_yields(&peer, async {
        for _ in 0..10_000 {
            writer.write_all(b"many bytes").await.unwrap();
        }
    });
}

#[test]
fn s9_a_close_yields() {
    let (mut conn, peer) = open(WIDE, Config::default());
    conn.feed(vec![b'x'; 10_000]).unwrap();
    assert_yields(&peer, async { conn.close().await.unwrap() });
}

#[test]
fn s9_a_reader_that_answers_yields() {
    let (mut conn, peer) = open(WIDE, Config::default());
    peer.say(&b"\n".repeat(10_000));
    assert_yields(&peer, async {
        loop {
            conn.next_line().await.unwrap();
            conn.send_all(b"x").await.unwrap();
        }
    });
}
