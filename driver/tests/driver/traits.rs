//! The traits of `futures`, calls that never wait, and messages larger than the queue.

use std::pin::pin;
use std::task::Poll;

use asyncnet::{Cause, Config, Error, LineStream};
use futures_lite::StreamExt;
use futures_lite::io::AsyncWriteExt;

use crate::tasks::Tasks;
use crate::{WIDE, flush_all, open, open_shared, poll_once};

#[test]
fn a_writer_by_reference_writes_flushes_and_closes() {
    let (_conn, writer, peer) = open_shared(8, Config::default().max_queue(20));
    let mut tasks = Tasks::in_order();
    tasks.spawn("writer", async {
        let mut writer = &writer;
        writer.write_all(&[b'x'; 100]).await.unwrap();
        AsyncWriteExt::flush(&mut writer).await.unwrap();
        AsyncWriteExt::close(&mut writer).await.unwrap();
    });
    let mut heard = Vec::new();
    for _ in 0..30 {
        tasks.run();
        heard.extend(peer.hear());
    }
    tasks.run_to_end();
    drop(tasks);
    assert_eq!(heard, [b'x'; 100]);
    assert!(peer.hears_end());
    assert_eq!(writer.check(), Err(Error::Closed));
}

#[test]
fn what_is_written_leaves_at_once_and_the_rest_with_the_flush() {
    let (mut conn, peer) = open(8, Config::default());
    assert!(poll_once(conn.write_all(b"five\n")).is_ready());
    assert_eq!(peer.hear(), b"five\n");
    // The pipe holds eight bytes.
    assert!(poll_once(conn.write_all(b"more than eight\n")).is_ready());
    assert_eq!(peer.hear(), b"more tha");
    while poll_once(AsyncWriteExt::flush(&mut conn)).is_pending() {}
    assert_eq!(peer.hear(), b"n eight\n");
}

#[test]
fn a_writer_by_reference_mixes_with_the_calls_of_others() {
    let (mut conn, writer, peer) = open_shared(8, Config::default().max_queue(200));
    let other = writer.clone();
    let mut tasks = Tasks::shuffled(3);
    tasks.spawn("traits", async move {
        let mut writer = &writer;
        for _ in 0..20 {
            writer.write_all(b"from traits\n").await.unwrap();
        }
        AsyncWriteExt::flush(&mut writer).await.unwrap();
    });
    tasks.spawn("other", async move {
        for _ in 0..20 {
            other.send_all(b"from other\n").await.unwrap();
        }
    });
    tasks.spawn("receiver", async move { assert_eq!(conn.next_line().await, Ok(None)) });
    let mut heard = Vec::new();
    for _ in 0..200 {
        tasks.run();
        heard.extend(peer.hear());
    }
    peer.end();
    tasks.run_to_end();
    let heard = String::from_utf8(heard).unwrap();
    let of = |text: &str| heard.lines().filter(|line| *line == text).count();
    assert_eq!((of("from traits"), of("from other")), (20, 20), "{heard}");
}

#[test]
fn s8_try_flush_writes_what_goes_and_tells_what_is_wrong() {
    for shared in [false, true] {
        let (mut conn, peer) = open(8, Config::default());
        if shared {
            drop(conn.writer());
        }
        conn.feed([b'x'; 20]).unwrap();
        assert_eq!(conn.try_flush(), Ok(()));
        assert_eq!(peer.hear().len(), 8);
        assert_eq!(conn.try_flush(), Ok(()));
        assert_eq!(peer.hear().len(), 8);
        peer.refuse();
        assert!(matches!(conn.try_flush(), Err(Error::Disconnected(_))));
        assert!(matches!(conn.try_flush(), Err(Error::Disconnected(_))));
        assert!(matches!(conn.end().unwrap().cause, Cause::Lost(_)));
    }
}

#[test]
fn s8_try_flush_by_many_writes_goes_on_as_often_as_it_is_called() {
    let (mut conn, peer) = open(WIDE, Config::default());
    peer.input.state().chunk = 1;
    conn.feed([b'x'; 1000]).unwrap();
    for _ in 0..1000 / 32 + 1 {
        assert_eq!(conn.try_flush(), Ok(()));
    }
    assert_eq!(peer.hear().len(), 1000);
}

#[test]
fn s8_try_send_line_never_waits_and_refuses_what_is_none() {
    let (_conn, writer, peer) = open_shared(8, Config::default().max_queue(100));
    assert_eq!(writer.try_send_line("a\nb"), Err(Error::LineBreak));
    assert_eq!(writer.try_send_line("0123456789"), Ok(()));
    assert_eq!(peer.hear(), b"01234567");
    assert_eq!(writer.try_send_line([b'x'; 98]), Err(Error::Full { queued: 4 + 64, max: 100 }));
    assert_eq!(writer.try_send_line([b'x'; 99]), Err(Error::TooLarge { len: 101, max: 100 }));
    assert_eq!(writer.try_send_line("a"), Ok(()));
    assert_eq!(peer.hear(), b"89\r\na\r\n");
}

#[test]
fn s6_feed_wait_takes_a_message_larger_than_the_queue() {
    for shared in [false, true] {
        let (mut conn, peer) = open(8, Config::default().max_queue(20));
        let writer = shared.then(|| conn.writer());
        let mut tasks = Tasks::in_order();
        tasks.spawn("feeder", async {
            let message = [b'x'; 100];
            match &writer {
                Some(writer) => writer.feed_wait(message).await.unwrap(),
                None => conn.feed_wait(message).await.unwrap(),
            }
        });
        let mut heard = Vec::new();
        while !tasks.run().is_empty() {
            assert!(heard.len() < 100, "it waits for what is out");
            heard.extend(peer.hear());
        }
        drop(tasks);
        assert!(heard.len() >= 80 - 8, "at most the queue is left, {} are heard", heard.len());
        heard.extend(flush_all(&mut conn, &peer));
        assert_eq!(heard, [b'x'; 100]);
    }
}

#[test]
fn b_a_line_stream_goes_on_behind_a_bad_line_and_ends_with_the_input() {
    let (mut conn, peer) = open(WIDE, Config::default().max_line(3));
    peer.say(b"a\ntoo long\nb\n");
    {
        let mut lines = LineStream::new(&mut conn);
        assert_eq!(poll_once(lines.next()), Poll::Ready(Some(Ok(b"a".to_vec()))));
        assert!(matches!(poll_once(lines.next()), Poll::Ready(Some(Err(Error::Line(_))))));
        assert_eq!(poll_once(lines.next()), Poll::Ready(Some(Ok(b"b".to_vec()))));
        assert!(poll_once(lines.next()).is_pending());
    }
    peer.say(b"c\n");
    peer.end();
    let mut lines = LineStream::from(conn);
    assert_eq!(poll_once(lines.next()), Poll::Ready(Some(Ok(b"c".to_vec()))));
    assert_eq!(poll_once(lines.next()), Poll::Ready(None));
    assert_eq!(poll_once(lines.next()), Poll::Ready(None));
}

#[test]
fn b_a_line_stream_ends_with_an_error_if_the_end_is_not_clean() {
    let (mut conn, peer) = open(WIDE, Config::default());
    peer.say(b"a\nhalf");
    peer.end();
    let mut lines = LineStream::new(&mut conn);
    assert_eq!(poll_once(lines.next()), Poll::Ready(Some(Ok(b"a".to_vec()))));
    assert!(matches!(poll_once(lines.next()), Poll::Ready(Some(Err(Error::Disconnected(_))))));
    assert_eq!(poll_once(lines.next()), Poll::Ready(None));
}

#[test]
fn s6_feed_wait_waits_behind_others_though_there_is_room() {
    let (mut conn, writer, peer) = open_shared(0, Config::default().max_queue(200));
    assert_eq!(poll_once(writer.feed_wait([b'a'; 100])), Poll::Ready(Ok(())), "there is room");
    let (mut first, mut second) =
        (pin!(writer.feed_wait([b'b'; 100])), pin!(writer.feed_wait(b"c")));
    assert_eq!(poll_once(first.as_mut()), Poll::Pending, "there is none");
    assert_eq!(poll_once(second.as_mut()), Poll::Pending, "there is, but the first one waits");
    peer.input.state().capacity = WIDE;
    assert_eq!(poll_once(first), Poll::Ready(Ok(())));
    assert_eq!(poll_once(second), Poll::Ready(Ok(())));
    let heard = flush_all(&mut conn, &peer);
    assert_eq!(heard, [&[b'a'; 100][..], &[b'b'; 100], b"c"].concat());
}
