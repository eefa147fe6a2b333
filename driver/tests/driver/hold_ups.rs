//! What is queued moves while a task waits, and no call repeats itself without progress.

use std::cell::Cell;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use asyncnet::tls::{Side, UpgradeRefused};
use asyncnet::{Config, Connection, Error, Transport};
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::io::AsyncWriteExt;

use crate::layer::{Kind, Layer, frame};
use crate::pipe::{End, duplex};
use crate::tasks::Tasks;
use crate::{WIDE, open, open_shared, poll_once, with_writer};

/// Takes one line, and answers with more than the high water of these tests.
fn take_one_and_answer(conn: &mut Connection<End>, line: &[u8]) {
    let Poll::Ready(Ok(Some(mut batch))) = poll_once(conn.next_batch()) else {
        panic!("no batch");
    };
    assert_eq!(batch.next_line(), Ok(Some(line)));
    assert_eq!(batch.reply([b'x'; 100]), Ok(()));
    assert_eq!(batch.next_line(), Ok(None), "too many answers are unsent");
}

#[test]
fn s6_a_close_by_a_writer_ends_the_hold_up_of_a_batch() {
    let (mut conn, writer, peer) = open_shared(8, Config::default().high_water(16));
    peer.say(b"one\ntwo\n");
    take_one_and_answer(&mut conn, b"one");
    assert!(poll_once(conn.next_batch()).is_pending());
    assert!(poll_once(writer.close()).is_pending());
    let Poll::Ready(Ok(Some(mut batch))) = poll_once(conn.next_batch()) else {
        panic!("a line has arrived");
    };
    assert_eq!(batch.next_line(), Ok(Some(&b"two"[..])));
    assert_eq!(batch.reply(b"x"), Err(Error::Closed));
}

#[test]
fn s6_a_batch_that_was_held_up_at_once_waits_for_no_new_byte() {
    for shared in [false, true] {
        let (mut conn, peer) = open(8, Config::default().high_water(16));
        let _writer = shared.then(|| conn.writer());
        peer.say(b"one\ntwo\n");
        {
            let Poll::Ready(Ok(Some(mut batch))) = poll_once(conn.next_batch()) else {
                panic!("no batch");
            };
            assert_eq!(batch.reply([b'x'; 100]), Ok(()), "an answer before any item");
            assert_eq!(batch.next_line(), Ok(None));
        }
        let mut left = 20;
        let line = loop {
            peer.hear();
            if let Poll::Ready(batch) = poll_once(conn.next_batch()) {
                break batch.unwrap().unwrap().next_line().unwrap().map(<[u8]>::to_vec);
            }
            left -= 1;
            assert!(left > 0, "it waits for another byte");
        };
        assert_eq!(line, Some(b"one".to_vec()));
    }
}

#[test]
fn s6_answers_of_before_the_first_writer_hold_up_too() {
    let (mut conn, peer) = open(8, Config::default().high_water(16));
    peer.say(b"one\ntwo\n");
    take_one_and_answer(&mut conn, b"one");
    let _writer = conn.writer();
    assert!(poll_once(conn.next_line()).is_pending());
}

#[test]
fn s6_an_answer_to_an_item_is_accepted_behind_the_largest_message_of_a_writer() {
    let (mut conn, writer, peer) = open_shared(8, Config::default().max_queue(100));
    writer.feed([b'x'; 100]).unwrap();
    peer.say(b"one\ntwo\n");
    let Poll::Ready(Ok(Some(mut batch))) = poll_once(conn.next_batch()) else {
        panic!("no batch");
    };
    assert_eq!(batch.next_line(), Ok(Some(&b"one"[..])));
    assert_eq!(batch.reply(b"y"), Ok(()));
    assert_eq!(batch.next_line(), Ok(None), "the next answer would be one too many");
}

#[test]
fn s5_what_a_writer_queues_in_any_way_leaves_while_a_receive_waits() {
    let (mut conn, writer, peer) = open_shared(WIDE, Config::default());
    let mut tasks = Tasks::in_order();
    tasks.spawn("receiver", async move {
        conn.next_line().await.map(drop).unwrap();
    });
    tasks.run();
    writer.feed(b"a").unwrap();
    tasks.run();
    assert_eq!(peer.hear(), b"a");
    assert_eq!(poll_once(writer.feed_wait(b"b")), Poll::Ready(Ok(())));
    tasks.run();
    assert_eq!(peer.hear(), b"b", "feed_wait");
    assert!(matches!(poll_once((&writer).write(b"c")), Poll::Ready(Ok(1))));
    tasks.run();
    assert_eq!(peer.hear(), b"c", "the futures traits");
}

#[test]
fn s5_answers_leave_while_a_task_drives() {
    let (mut conn, writer, peer) = open_shared(WIDE, Config::default());
    let other = writer.clone();
    let mut tasks = Tasks::in_order();
    tasks.spawn("driver", async move {
        assert_eq!(writer.drive().await, Err(Error::Closed));
    });
    tasks.run();
    peer.say(b"one\n");
    let Poll::Ready(Ok(Some(mut batch))) = poll_once(conn.next_batch()) else {
        panic!("no batch");
    };
    assert_eq!(batch.next_line(), Ok(Some(&b"one"[..])));
    batch.reply(b"1").unwrap();
    assert_eq!(tasks.run(), ["driver"]);
    assert_eq!(peer.hear(), b"1");
    other.feed(b"2").unwrap();
    tasks.run();
    assert_eq!(peer.hear(), b"2");
}

#[test]
fn c2_a_write_of_the_futures_traits_waits_for_a_large_message() {
    let (_conn, writer, peer) = open_shared(8, Config::default().max_queue(16));
    let traits = writer.clone();
    let mut large = pin!(writer.send_all([b'x'; 40]));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(large.as_mut().poll(&mut cx).is_pending());
    let mut heard = peer.hear();
    // All that is queued of the large message leaves here, and that is not all of the message.
    assert!(poll_once((&traits).write(b"yy")).is_pending());
    let mut tasks = Tasks::in_order();
    tasks.spawn("traits", async move {
        (&traits).write_all(b"yy").await.unwrap();
        traits.flush().await.unwrap();
    });
    tasks.spawn("large", async move {
        assert_eq!(large.await, Ok(()));
    });
    for _ in 0..20 {
        tasks.run();
        heard.extend(peer.hear());
    }
    tasks.run_to_end();
    assert_eq!(heard, [&[b'x'; 40][..], b"yy"].concat());
}

#[test]
fn c2_a_write_of_the_futures_traits_hears_that_a_large_message_is_all_queued() {
    let (_conn, writer, peer) = open_shared(8, Config::default().max_queue(16));
    let traits = writer.clone();
    let mut tasks = Tasks::in_order();
    tasks.spawn("large", async move {
        assert_eq!(writer.feed_wait([b'x'; 40]).await, Ok(()));
    });
    tasks.spawn("traits", async move {
        (&traits).write_all(b"yy").await.unwrap();
        traits.flush().await.unwrap();
    });
    let mut heard = Vec::new();
    for _ in 0..20 {
        tasks.run();
        heard.extend(peer.hear());
    }
    tasks.run_to_end();
    assert_eq!(heard, [&[b'x'; 40][..], b"yy"].concat());
}

#[test]
fn s5_every_try_flush_writes() {
    let (_conn, writer, peer) = open_shared(WIDE, Config::default());
    for n in 0..100 {
        writer.try_send_line(b"x").unwrap();
        assert_eq!(peer.hear(), b"x\r\n", "line {n}");
    }
}

#[test]
fn s2_a_large_send_that_was_leaked_stops_no_writer() {
    let (mut conn, peer) = open(8, Config::default().max_queue(16));
    let mut leaked = Box::pin(conn.send_all([b'x'; 100]));
    assert!(leaked.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    std::mem::forget(leaked);
    peer.hear();
    let (_conn, writer) = with_writer(conn);
    assert_eq!(poll_once(writer.send_all(b"y")), Poll::Ready(Err(Error::Interrupted)));
}

#[test]
fn t5_an_upgrade_that_is_refused_tears_no_message_of_a_writer() {
    let (mut conn, writer, peer) = open_shared(8, Config::default().max_queue(16));
    let mut tasks = Tasks::in_order();
    tasks.spawn("large", async move {
        assert_eq!(writer.send_all([b'x'; 100]).await, Ok(()));
    });
    tasks.run();
    let refused = poll_once(conn.upgrade_tls(Side::custom(Layer::client(1))));
    let why = UpgradeRefused::UnsentPlaintext(8);
    assert_eq!(refused, Poll::Ready(Err(Error::Upgrade(why))));
    let mut heard = Vec::new();
    for _ in 0..20 {
        heard.extend(peer.hear());
        tasks.run();
    }
    tasks.run_to_end();
    assert_eq!(heard, [b'x'; 100]);
}

#[test]
fn into_parts_refuses_once_a_close_has_begun() {
    let (end, _peer) = duplex(WIDE);
    let mut conn = Connection::new(end.with_clock(), Config::default());
    // The peer keeps its side open.
    assert!(poll_once(conn.close()).is_pending());
    assert!(conn.into_parts().is_err());
}

/// A stream of which one read comes too early, when it is told so.
struct Early {
    end: End,
    comes_early: Rc<Cell<bool>>,
}

impl AsyncRead for Early {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.comes_early.take() {
            return Poll::Pending;
        }
        Pin::new(&mut self.end).poll_read(cx, buf)
    }
}

impl AsyncWrite for Early {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.end).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.end).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.end).poll_close(cx)
    }
}

impl Transport for Early {}

#[test]
fn t12_a_receive_that_reads_the_end_of_a_handshake_lets_the_senders_go() {
    let (end, peer) = duplex(WIDE);
    let comes_early = Rc::new(Cell::new(false));
    let mut conn =
        Connection::new(Early { end, comes_early: Rc::clone(&comes_early) }, Config::default());
    assert!(poll_once(conn.upgrade_tls(Side::custom(Layer::client(1)))).is_pending());
    let writer = conn.writer();
    let mut tasks = Tasks::in_order();
    tasks.spawn("sender", async move {
        assert_eq!(writer.send_all(b"x").await, Ok(()));
    });
    tasks.run();
    // No wake, and the receive reads what the handshake was to read.
    peer.output
        .state()
        .bytes
        .extend([frame(Kind::Hello, &[0]), frame(Kind::Data, b"a\n")].concat());
    comes_early.set(true);
    assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(&b"a"[..]))));
    tasks.run_to_end();
    let said = [frame(Kind::Hello, &[0]), frame(Kind::Hello, &[1]), frame(Kind::Data, b"x")];
    assert_eq!(peer.hear(), said.concat());
}
