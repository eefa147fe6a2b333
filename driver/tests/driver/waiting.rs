//! What a receive waits for: it writes what is queued while it waits, and is held up by its own answers alone.

use std::task::Poll;

use asyncnet::{Config, Connection, Error};
use futures_lite::io::{AsyncReadExt, AsyncWriteExt, split};

use crate::layer::Layer;
use crate::pipe::{End, duplex};
use crate::tasks::Tasks;
use crate::{WIDE, flush_all, open, open_shared, poll_once, with_writer};

/// Sends `total` bytes through the traits in messages of `len`, and ends.
async fn write_all(mut writer: impl AsyncWriteExt + Unpin, total: usize, len: usize) {
    let message: Vec<u8> = (0..len).map(|i| i as u8).collect();
    for _ in 0..total / len {
        writer.write_all(&message).await.unwrap();
    }
    writer.close().await.unwrap();
}

/// Receives to the end what `write_all` sends.
async fn read_all(mut reader: impl AsyncReadExt + Unpin, total: usize, len: usize) {
    let (mut seen, mut buf) = (0, [0; 5000]);
    loop {
        let n = reader.read(&mut buf).await.unwrap();
        if n == 0 {
            break;
        }
        let first = (seen % len) as u8;
        assert_eq!(buf[0], first, "at {seen}");
        seen += n;
    }
    assert_eq!(seen, total);
}

#[test]
fn s5_a_split_connection_against_an_honest_echo_comes_to_its_end() {
    const TOTAL: usize = 1024 * 8192;
    let (conn, mut peer) = open(4096, Config::default());
    let (reader, writer) = split(conn);
    let mut tasks = Tasks::in_order();
    tasks.spawn("writer", write_all(writer, TOTAL, 8192));
    tasks.spawn("reader", read_all(reader, TOTAL, 8192));
    tasks.spawn("echo", async move {
        let mut buf = [0; 1000];
        loop {
            let n = peer.read(&mut buf).await.unwrap();
            if n == 0 {
                break;
            }
            peer.write_all(&buf[..n]).await.unwrap();
        }
    });
    tasks.run_to_end();
}

fn both_ends(total: usize, conns: [Connection<End>; 2]) {
    let mut tasks = Tasks::in_order();
    for conn in conns {
        let (reader, writer) = split(conn);
        tasks.spawn("writer", write_all(writer, total, 1 << 14));
        tasks.spawn("reader", read_all(reader, total, 1 << 14));
    }
    tasks.run_to_end();
}

#[test]
fn s5_two_split_connections_that_both_send_much_come_to_their_end() {
    let (ours, theirs) = duplex(1 << 14);
    both_ends(16 << 20, [ours, theirs].map(|end| Connection::new(end, Config::default())));
}

#[test]
fn s5_two_split_connections_over_a_secure_layer_come_to_their_end() {
    let (ours, theirs) = duplex(2000);
    let config = Config::default().max_queue(1 << 14);
    let [mut ours, mut theirs] = [ours, theirs].map(|end| Connection::new(end, config));
    let mut tasks = Tasks::in_order();
    tasks.spawn("ours", async {
        let side = asyncnet::tls::Side::custom(Layer::client(1));
        ours.upgrade_tls(side).await.unwrap();
    });
    tasks.spawn("theirs", async {
        let side = asyncnet::tls::Side::custom(Layer::server(1));
        theirs.upgrade_tls(side).await.unwrap();
    });
    tasks.run_to_end();
    drop(tasks);
    both_ends(1 << 20, [ours, theirs]);
}

/// A connection with and without a writer, whose peer has said three lines and takes 8 bytes until it is read.
fn with_three_lines(shared: bool, config: Config) -> (Connection<End>, End) {
    let (mut conn, peer) = open(8, config);
    if shared {
        let (shared, writer) = with_writer(conn);
        conn = shared;
        drop(writer);
    }
    peer.say(b"a\nb\nc\n");
    (conn, peer)
}

#[test]
fn s5_a_reader_is_held_up_by_its_own_answers_and_let_go_when_they_leave() {
    for shared in [false, true] {
        let (mut conn, peer) = with_three_lines(shared, Config::default().high_water(100));
        assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(&b"a"[..]))));
        conn.feed([b'x'; 100]).unwrap();
        assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(&b"b"[..]))), "not above it");
        conn.feed([b'y'; 9]).unwrap();
        assert!(poll_once(conn.next_line()).is_pending(), "8 bytes left, 101 are unsent");
        assert!(poll_once(conn.next_batch()).is_pending());
        assert_eq!(peer.hear().len(), 8);
        assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(&b"c"[..]))));
    }
}

#[test]
fn s5_the_answers_of_a_batch_hold_the_reader_up_too() {
    for shared in [false, true] {
        let (mut conn, peer) = with_three_lines(shared, Config::default().high_water(100));
        {
            let Poll::Ready(Ok(Some(mut batch))) = poll_once(conn.next_batch()) else {
                panic!("lines are there");
            };
            assert_eq!(batch.next_line(), Ok(Some(&b"a"[..])));
            batch.reply([b'x'; 109]).unwrap();
            assert_eq!(batch.next_line(), Ok(None), "too many answers are unsent");
            assert_eq!(batch.next_bytes(1), None);
            assert_eq!(batch.next_block(1), Ok(None));
            assert_eq!(batch.next_with(|unread| unread.line().map(<[u8]>::to_vec)), Ok(None));
        }
        assert!(poll_once(conn.next_batch()).is_pending(), "8 bytes left, 101 are unsent");
        assert_eq!(peer.hear().len(), 8);
        let Poll::Ready(Ok(Some(mut batch))) = poll_once(conn.next_batch()) else {
            panic!("lines are there");
        };
        assert_eq!(batch.next_line(), Ok(Some(&b"b"[..])));
    }
}

#[test]
fn s5_a_reader_that_is_held_up_wakes_when_another_task_writes_its_answers() {
    let (mut conn, writer, peer) = open_shared(8, Config::default().high_water(100));
    peer.say(b"a\nb\n");
    let mut tasks = Tasks::in_order();
    tasks.spawn("reader", async move {
        assert_eq!(conn.next_line().await, Ok(Some(&b"a"[..])));
        conn.feed([b'x'; 109]).unwrap();
        assert_eq!(conn.next_line().await, Ok(Some(&b"b"[..])));
    });
    assert_eq!(tasks.run(), ["reader"]);
    // The stream has room, and tells nobody of it but by the next write.
    peer.input.state().bytes.clear();
    assert_eq!(tasks.run(), ["reader"]);
    assert_eq!(writer.try_flush(), Ok(()));
    tasks.run_to_end();
}

#[test]
fn s5_bytes_of_writers_of_send_all_and_of_the_traits_do_not_hold_the_reader_up() {
    let lines = |conn: &mut Connection<End>| {
        for line in [&b"a"[..], b"b", b"c"] {
            assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(line))));
        }
    };
    for shared in [false, true] {
        let (mut conn, _peer) = with_three_lines(shared, Config::default().high_water(100));
        assert!(poll_once(conn.send_all([b'x'; 500])).is_pending());
        assert!(conn.stats().queued > 400, "it stays queued");
        lines(&mut conn);
    }
    let (mut conn, _peer) = with_three_lines(true, Config::default().high_water(100));
    conn.writer().feed([b'x'; 500]).unwrap();
    conn.feed([b'y'; 100]).unwrap();
    lines(&mut conn);
    let (mut conn, _peer) = with_three_lines(false, Config::default().high_water(100));
    assert!(matches!(
        poll_once(AsyncWriteExt::write(&mut conn, &[b'x'; 500])),
        Poll::Ready(Ok(500))
    ));
    lines(&mut conn);
}

#[test]
fn s6_one_answer_over_the_limit_is_accepted_and_the_second_is_not() {
    const MAX: usize = 100;
    for shared in [false, true] {
        let (mut conn, peer) = with_three_lines(shared, Config::default().max_queue(MAX));
        {
            let Poll::Ready(Ok(Some(mut batch))) = poll_once(conn.next_batch()) else {
                panic!("lines are there");
            };
            assert_eq!(batch.next_line(), Ok(Some(&b"a"[..])));
            let large = [b'x'; MAX + 1];
            assert_eq!(batch.reply(large), Err(Error::TooLarge { len: MAX + 1, max: MAX }));
            let shared = Vec::from(large).into();
            assert_eq!(batch.reply_shared(shared), Err(Error::TooLarge { len: MAX + 1, max: MAX }));
            assert_eq!(batch.reply([b'x'; 30]), Ok(()));
            assert_eq!(batch.reply([b'y'; MAX]), Ok(()), "the limit is not reached yet");
            let full = batch.reply(b"z");
            assert_eq!(full, Err(Error::Full { queued: 30 + MAX + 64, max: MAX }));
            assert_eq!(batch.next_line(), Ok(None), "its answer would not fit");
        }
        assert_eq!(conn.feed(b"z"), Err(Error::Full { queued: 30 + MAX + 64, max: MAX }));
        let large = Err(Error::TooLarge { len: MAX + 1, max: MAX });
        assert_eq!(conn.feed([b'z'; MAX + 1]), large);
        assert_eq!(conn.writer().feed([b'z'; MAX + 1]), large);
        let heard = flush_all(&mut conn, &peer);
        assert_eq!(heard, [&[b'x'; 30][..], &[b'y'; MAX]].concat());
        assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(&b"b"[..]))));
    }
}

#[test]
fn s6_an_answer_is_accepted_though_writers_have_filled_the_queue() {
    let (mut conn, writer, peer) = open_shared(0, Config::default().max_queue(1000));
    peer.say(b"a\nb\n");
    while writer.feed([b'x'; 100]).is_ok() {}
    {
        let Poll::Ready(Ok(Some(mut batch))) = poll_once(conn.next_batch()) else {
            panic!("lines are there");
        };
        while let Some(line) = batch.next_line().unwrap() {
            batch.reply([line, &[b'y'; 200]].concat()).expect("room for the answer");
        }
    }
    assert!(poll_once(conn.next_line()).is_pending(), "an answer to it would not fit");
    peer.input.state().capacity = WIDE;
    assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(&b"b"[..]))));
}
