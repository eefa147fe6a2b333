//! Nobody who waits is forgotten.

use std::cell::Cell;
use std::task::{Context, Poll, Waker};

use asyncnet::{Config, Error, Timeout, Writer};
use futures_lite::io::{AsyncReadExt, AsyncWriteExt, split};

use crate::pipe::End;
use crate::tasks::{Tasks, turns, within};
use crate::{WIDE, clock, open, open_shared, poll_once};

/// A receive waits; `first` ends the sending side, and some turns later `last` the connection.
fn assert_receiver_wakes(
    capacity: usize,
    first: impl AsyncFnOnce(&Writer<End>, &End),
    last: impl AsyncFnOnce(&Writer<End>),
) {
    let (mut receiver, sender, peer) = open_shared(capacity, Config::default().max_queue(16));
    let mut tasks = Tasks::in_order();
    tasks.spawn("receiver", async move {
        let line = receiver.next_line().await;
        assert!(matches!(line, Err(Error::Closed)), "{line:?}");
    });
    tasks.spawn("closer", async move {
        first(&sender, &peer).await;
        turns(5).await;
        last(&sender).await;
    });
    tasks.run();
    // The peer answers nothing, so the close has to give up.
    clock::strike();
    tasks.run_to_end();
}

async fn shut_down(sender: &Writer<End>, _: &End) {
    assert_eq!(sender.shutdown_write().await, Ok(()));
}

async fn tear(sender: &Writer<End>, _: &End) {
    assert_eq!(within(0, sender.send(&[b'x'; 100])).await, None);
    assert_eq!(sender.feed(b"x"), Err(Error::Interrupted));
}

async fn lose(sender: &Writer<End>, peer: &End) {
    peer.refuse();
    assert_eq!(sender.send(b"x").await, Ok(()), "a peer that is gone is no error");
    assert!(sender.check().is_err());
}

#[test]
fn close_after_shutdown_write_wakes_the_receiver() {
    assert_receiver_wakes(WIDE, shut_down, async |sender| {
        assert_eq!(sender.close().await, Ok(()));
    });
}

#[test]
fn abort_after_shutdown_write_wakes_the_receiver() {
    assert_receiver_wakes(WIDE, shut_down, async |sender| sender.abort());
}

#[test]
fn close_after_a_torn_message_wakes_the_receiver() {
    assert_receiver_wakes(8, tear, async |sender| {
        assert_eq!(sender.close().await, Err(Error::Interrupted));
    });
}

#[test]
fn abort_after_a_torn_message_wakes_the_receiver() {
    assert_receiver_wakes(8, tear, async |sender| sender.abort());
}

#[test]
fn close_after_a_lost_write_wakes_the_receiver() {
    assert_receiver_wakes(8, lose, async |sender| {
        assert_eq!(sender.close().await, Ok(()));
    });
}

#[test]
fn abort_after_a_lost_write_wakes_the_receiver() {
    assert_receiver_wakes(8, lose, async |sender| sender.abort());
}

#[test]
fn a_close_that_times_out_wakes_whoever_sends() {
    for seed in 0..100 {
        let (_receiver, sender, _peer) = open_shared(8, Config::default());
        let closer = sender.clone();
        let mut tasks = Tasks::shuffled(seed);
        tasks.spawn("sender", async move {
            // Queued before the close or refused by it.
            assert_ne!(sender.send_line(&[b'x'; 100]).await, Ok(()));
        });
        tasks.spawn("closer", async move {
            assert!(matches!(closer.close().await, Ok(()) | Err(Error::TimedOut(Timeout::Close))));
        });
        tasks.run();
        clock::strike();
        tasks.run_to_end();
    }
}

#[test]
fn abort_wakes_all_that_send_flush_or_close() {
    let (_receiver, sender, _peer) = open_shared(8, Config::default().max_queue(200));
    let mut tasks = Tasks::in_order();
    let others: [_; 4] = std::array::from_fn(|_| sender.clone());
    let [queued, waiting, flusher, closer] = others;
    tasks.spawn("queued send", async move {
        assert_eq!(queued.send(&[b'x'; 100]).await, Err(Error::Closed));
    });
    tasks.spawn("waiting send", async move {
        assert_eq!(waiting.send(&[b'x'; 150]).await, Err(Error::Closed));
    });
    tasks.spawn("flush", async move {
        assert_eq!(flusher.flush().await, Err(Error::Closed));
    });
    assert_eq!(tasks.run().len(), 3);
    tasks.spawn("close", async move {
        assert_eq!(closer.close().await, Err(Error::Closed));
    });
    assert_eq!(tasks.run(), ["queued send", "flush", "close"]);
    sender.abort();
    tasks.run_to_end();
}

#[test]
fn a_send_that_is_given_up_lets_the_next_one_go() {
    let (_receiver, sender, peer) = open_shared(8, Config::default().max_queue(100));
    sender.feed([b'0'; 90]).unwrap();
    let (first, second) = (sender.clone(), sender);
    let mut given_up = Box::pin(first.send(&[b'1'; 60]));
    assert!(given_up.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let mut tasks = Tasks::in_order();
    tasks.spawn("second", async move {
        assert_eq!(second.send(&[b'2'; 60]).await, Ok(()));
    });
    assert_eq!(tasks.run(), ["second"]);
    drop(given_up);
    let mut heard = Vec::new();
    for _ in 0..30 {
        heard.extend(peer.hear());
        tasks.run();
    }
    tasks.run_to_end();
    assert_eq!(heard, [[b'0'; 90].as_slice(), &[b'2'; 60]].concat());
}

#[test]
fn a_writer_of_the_futures_traits_takes_no_waker_from_the_reader() {
    let (conn, peer) = open(8, Config::default());
    let (mut reader, mut writer) = split(conn);
    let mut tasks = Tasks::in_order();
    tasks.spawn("writer", async move {
        writer.write_all(&[b'x'; 40]).await.unwrap();
        writer.flush().await.unwrap();
        std::future::pending::<()>().await;
    });
    tasks.spawn("reader", async move {
        let mut bytes = [0; 4];
        reader.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"abcd");
    });
    tasks.run();
    peer.say(b"abcd");
    for _ in 0..20 {
        tasks.run();
        peer.hear();
    }
    assert_eq!(tasks.run(), ["writer"]);
}

#[test]
fn a_reader_of_the_futures_traits_that_gave_up_takes_no_waker_from_the_writer() {
    let (conn, peer) = open(8, Config::default());
    let (mut reader, mut writer) = split(conn);
    let mut tasks = Tasks::in_order();
    tasks.spawn("writer", async move {
        writer.write_all(&[b'x'; 40]).await.unwrap();
        writer.flush().await.unwrap();
    });
    tasks.spawn("reader", async move {
        // It tries to write first, and is the last to ask for room.
        assert!(within(0, reader.read(&mut [0; 4])).await.is_none());
    });
    assert_eq!(tasks.run(), ["writer"]);
    for _ in 0..5 {
        assert_eq!(peer.hear().len(), 8);
        tasks.run();
    }
    tasks.run_to_end();
}

#[test]
fn a_reader_of_the_futures_traits_wakes_when_the_writer_meets_a_loss() {
    let (conn, peer) = open(8, Config::default().max_queue(40));
    let (mut reader, mut writer) = split(conn);
    let go = Gate::default();
    let mut tasks = Tasks::in_order();
    tasks.spawn("writer", async {
        writer.write_all(&[b'x'; 30]).await.unwrap();
        go.passed().await;
        assert!(writer.write_all(&[b'x'; 30]).await.is_err());
    });
    tasks.spawn("reader", async move {
        let mut bytes = [0; 4];
        // It waits until the writes are out, or cannot get out.
        reader.read_exact(&mut bytes).await.unwrap();
    });
    assert_eq!(tasks.run(), ["writer", "reader"]);
    // Nobody is told of this but by the next write.
    peer.output.state().bytes.extend(b"abcd");
    peer.refuse();
    go.open();
    tasks.run_to_end();
}

#[test]
fn the_receiver_wakes_for_bytes_that_arrive_while_a_send_waits() {
    let (mut receiver, sender, peer) = open_shared(8, Config::default());
    let mut tasks = Tasks::in_order();
    tasks.spawn("receiver", async move {
        assert_eq!(receiver.next_line().await.unwrap(), Some(&b"hello"[..]));
    });
    tasks.spawn("sender", async move {
        assert_eq!(sender.send(&[b'x'; 100]).await, Ok(()));
    });
    assert_eq!(tasks.run(), ["receiver", "sender"]);
    peer.say(b"hello\n");
    assert_eq!(tasks.run(), ["sender"]);
}

#[test]
fn a_fed_message_wakes_whoever_moves_bytes() {
    let (mut receiver, sender, peer) = open_shared(WIDE, Config::default());
    let mut tasks = Tasks::in_order();
    tasks.spawn("receiver", async move {
        assert!(receiver.next_line().await.is_ok());
    });
    assert_eq!(tasks.run(), ["receiver"]);
    sender.feed_line(b"hello").unwrap();
    assert_eq!(tasks.run(), ["receiver"]);
    assert_eq!(peer.hear(), b"hello\r\n");
    assert_eq!(poll_once(sender.flush()), Poll::Ready(Ok(())));
}

/// A gate that is opened once.
#[derive(Default)]
struct Gate {
    open: Cell<bool>,
    waiting: Cell<Option<Waker>>,
}

impl Gate {
    fn open(&self) {
        self.open.set(true);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    async fn passed(&self) {
        std::future::poll_fn(|cx| {
            self.waiting.set(Some(cx.waker().clone()));
            if self.open.get() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
