//! [S1] to [S7]: how bytes leave.
//!
//! [S1]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s1
//! [S7]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s7

use std::io::ErrorKind;
use std::pin::pin;

use asyncnet::{Bytes, Config, Connection, Error, Loss, Writer};
use futures_lite::future::zip;

use crate::bed::{Bed, Peer};
use crate::memory::{Faults, Manner, Memory};
use crate::tools::{assert_err, assert_line, poll_n_times_then_drop, senders, try_send, waits};

/// Room for what the transport does not hold.
fn roomy<B: Bed>() -> Config {
    Config::default().max_queue(B::HOLDS)
}

/// A connection whose transport is full of what a writer sent, that writer, and the peer.
async fn stuffed_by_a_writer<B: Bed>(
    config: Config,
) -> (Connection<B::Stream>, Writer<B::Stream>, B::Peer) {
    let (mut conn, peer) = B::pair(config).await;
    let writer = conn.writer();
    try_send!(writer, vec![b'.'; B::HOLDS].into()).expect("there is room");
    (conn, writer, peer)
}

/// `send` waits for the transport, and leaves nothing behind.
pub async fn s1_send_completes_when_every_byte_was_handed_over<B: Bed>() {
    for max_queue in [B::HOLDS, 1000] {
        senders!(B, Config::default().max_queue(max_queue), |conn, peer| {
            let message: Vec<u8> = (0..B::HOLDS).map(|i| (i % 251) as u8).collect();
            {
                let mut sending = pin!(conn.send(&message));
                assert!(waits(sending.as_mut()).await, "the transport is full");
                let (got, sent) = zip(peer.recv(message.len()), sending).await;
                sent.expect("the peer reads");
                assert!(got == message, "the bytes differ");
            }
            assert_eq!(conn.stats().queued, 0);
        });
    }
}

/// Dropped before anything was queued, a message leaves no trace; queued, it leaves whole.
pub async fn s2_a_dropped_message_leaves_whole_or_not_at_all<B: Bed>() {
    for polls in 0..6 {
        senders!(B, Config::default(), |conn, peer| {
            let message = [&[b'm'; 300][..], b"\n"].concat();
            let _ = poll_n_times_then_drop(conn.send(&message), polls).await;
            conn.send_line(b"behind").await.expect("the peer is there");
            let first = peer.recv(8).await;
            if first == b"behind\r\n" {
                assert_eq!(polls, 0, "it was queued at the first poll");
            } else {
                let rest = peer.recv(message.len()).await;
                assert_eq!([first, rest].concat(), [&message, &b"behind\r\n"[..]].concat());
            }
        });
    }
}

/// A message that waited for room and was dropped is not sent, and takes nobody's turn.
pub async fn s2_a_message_dropped_while_it_waits_for_room_is_not_sent<B: Bed>() {
    let (_receiver, sender, peer) = stuffed_by_a_writer::<B>(roomy::<B>()).await;
    let large = vec![b'l'; B::HOLDS / 2];
    let mut behind = pin!(sender.send(&large));
    {
        let mut dropped = pin!(sender.send(&large));
        assert!(waits(dropped.as_mut()).await);
        assert!(waits(behind.as_mut()).await);
    }
    let (got, sent) = zip(peer.recv(B::HOLDS + large.len()), behind).await;
    sent.expect("its turn came");
    assert!(got.ends_with(&large));
    sender.send(b"last").await.expect("all is well");
    assert_eq!(peer.recv(4).await, b"last");
}

/// A torn message ends the sending side: nothing follows it, and nothing makes it look whole.
pub async fn s2_a_torn_message_is_followed_by_nothing<B: Bed>() {
    let config = Config::default().max_queue(1000);
    let message = vec![b't'; B::HOLDS];

    let (mut conn, peer) = B::pair(config).await;
    peer.send(b"line\n").await;
    assert!(waits(pin!(conn.send(&message))).await);
    assert_err!(conn.send(b"x").await, Error::Interrupted);
    assert_err!(conn.feed(b"x"), Error::Interrupted);
    assert_err!(conn.flush().await, Error::Interrupted);
    assert_err!(conn.shutdown_write().await, Error::Interrupted);
    assert_line!(conn, "line");
    let (rest, ()) = zip(peer.recv_all(), async { drop(conn) }).await;
    assert!(rest.bytes.len() < message.len() && rest.bytes.iter().all(|b| *b == b't'));
    B::assert_aborted(rest.reset);

    let (mut receiver, peer) = B::pair(config).await;
    let sender = receiver.writer();
    peer.send(b"line\n").await;
    assert!(waits(pin!(sender.send(&message))).await);
    assert_err!(sender.clone().send(b"x").await, Error::Interrupted);
    assert_err!(try_send!(sender, Bytes::from_static(b"x")), Error::Interrupted);
    assert_err!(sender.flush().await, Error::Interrupted);
    assert_err!(sender.drive().await, Error::Interrupted);
    assert_line!(receiver, "line");
    let dropped = async { drop((receiver, sender)) };
    let (rest, ()) = zip(peer.recv_all(), dropped).await;
    assert!(rest.bytes.len() < message.len() && rest.bytes.iter().all(|b| *b == b't'));
    B::assert_aborted(rest.reset);
}

/// A message that never began is not torn.
pub async fn s2_a_large_message_dropped_before_it_began_is_no_harm<B: Bed>() {
    senders!(B, Config::default().max_queue(10), |conn, peer| {
        let _ = poll_n_times_then_drop(conn.send(&[b'x'; 100]), 0).await;
        conn.send(b"well\n").await.expect("nothing was torn");
        assert_eq!(peer.recv(5).await, b"well\n");
    });
}

/// A line break inside a line would make two of it.
pub async fn s4_a_line_with_a_line_break_inside_is_refused<B: Bed>() {
    senders!(B, Config::default(), |conn, peer| {
        for text in ["a\nb", "a\rb", "\r\n", "a\n"] {
            assert_err!(conn.send_line(text.as_bytes()).await, Error::LineBreak);
            assert_err!(conn.feed_line(text.as_bytes()), Error::LineBreak);
        }
        conn.send_line(b"fine").await.expect("a line");
        assert_eq!(peer.recv(6).await, b"fine\r\n");
    });
    let (mut conn, peer) = B::pair(Config::default()).await;
    peer.send(b"a\n").await;
    let batch = conn.next_batch().await.expect("a line");
    let mut batch = batch.expect("a line");
    assert_err!(batch.reply_line(b"a\nb"), Error::LineBreak);
}

/// No flush: the receive that waits for the answer sends the question.
pub async fn s5_fed_bytes_leave_while_a_receive_waits<B: Bed>() {
    for n in [1, 5, 40] {
        let question = vec![b'?'; n];
        let answer = async |peer: &B::Peer| {
            assert_eq!(peer.recv(n).await, question);
            peer.send(b"answer\n").await;
        };
        let (mut conn, peer) = B::pair(Config::default()).await;
        conn.feed(&question).expect("there is room");
        zip(async { assert_line!(conn, "answer") }, answer(&peer)).await;

        let (mut receiver, peer) = B::pair(Config::default()).await;
        let sender = receiver.writer();
        sender.feed(&question).expect("there is room");
        zip(async { assert_line!(receiver, "answer") }, answer(&peer)).await;
        // And when the receive waits already.
        let mut waiting = pin!(receiver.next_line());
        assert!(waits(waiting.as_mut()).await);
        let feeding = async { sender.feed_shared(Bytes::from(question.clone())) };
        let ((line, fed), ()) = zip(zip(waiting, feeding), answer(&peer)).await;
        assert_eq!(line.expect("a line"), Some(&b"answer"[..]));
        fed.expect("there is room");
    }
}

/// Answers to a batch leave together, before the next wait.
pub async fn s5_a_batch_is_answered_without_a_flush<B: Bed>() {
    let (mut conn, peer) = B::pair(Config::default()).await;
    let serving = async {
        while let Some(mut batch) = conn.next_batch().await.expect("lines") {
            while let Some(line) = batch.next_line().expect("a line") {
                batch.reply_line(line).expect("there is room");
            }
        }
        assert_eq!(conn.stats().queued, 0);
    };
    let asking = async {
        peer.send(b"a\nb\n").await;
        assert_eq!(peer.recv(6).await, b"a\r\nb\r\n");
        peer.send(b"c\n").await;
        assert_eq!(peer.recv(3).await, b"c\r\n");
        peer.shutdown().await;
    };
    zip(serving, asking).await;
}

/// What was fed is tried once before an end or an error is reported, which it does not hold up.
pub async fn s5_fed_bytes_are_tried_before_an_end_or_an_error_is_reported<B: Bed>() {
    let config = Config::default().max_line(4).max_block(4);
    for what in 0..4 {
        for full in [false, true] {
            let (mut conn, _writer, peer) = if full {
                stuffed_by_a_writer::<B>(config.max_queue(2 * B::HOLDS)).await
            } else {
                let (mut conn, peer) = B::pair(config).await;
                let writer = conn.writer();
                (conn, writer, peer)
            };
            conn.feed(b"1").expect("there is room");
            match what {
                0 => peer.shutdown().await,
                1 => peer.send(b"too long").await,
                2 => {
                    peer.send(b"par").await;
                    peer.shutdown().await;
                }
                _ => {}
            }
            match what {
                0 => assert_eq!(conn.next_line().await.expect("the end"), None),
                1 => assert_err!(conn.next_line().await, Error::Line(_)),
                2 => assert_err!(conn.next_line().await, Error::Disconnected(_)),
                _ => assert_err!(conn.next_block(5).await, Error::TooLarge { .. }),
            }
            if full {
                assert!(conn.stats().queued > 0, "in case {what}");
            } else if B::TAKES_AT_ONCE {
                assert_eq!(peer.recv(1).await, b"1");
            }
        }
    }
}

/// Bytes that cannot leave do not keep an end from being told.
pub async fn s5_a_failing_write_side_holds_up_no_end<B: Bed>() {
    let (mut conn, peer) = B::pair(Config::default()).await;
    conn.feed(b"never read\n").expect("there is room");
    peer.reset();
    assert_err!(conn.next_line().await, Error::Disconnected(_));
    assert!(conn.end().is_some());

    let (mut receiver, peer) = B::pair(Config::default()).await;
    let sender = receiver.writer();
    sender.feed(b"never read\n").expect("there is room");
    peer.reset();
    assert_err!(receiver.next_line().await, Error::Disconnected(_));
    assert!(sender.check().is_err());
}

/// So does what a writer fed.
pub async fn s5_a_receive_tries_once_before_an_end<B: Bed>() {
    let (mut receiver, peer) = B::pair(Config::default()).await;
    let sender = receiver.writer();
    sender.feed(b"1").expect("there is room");
    peer.shutdown().await;
    assert_eq!(receiver.next_line().await.expect("the end"), None);
    if B::TAKES_AT_ONCE {
        assert_eq!(peer.recv(1).await, b"1");
    }
}

/// Where nobody receives, `drive` moves what was fed.
pub async fn s5_drive_moves_what_was_fed<B: Bed>() {
    let (mut receiver, peer) = B::pair(Config::default()).await;
    let sender = receiver.writer();
    drop(receiver);
    let feeding = async {
        sender.feed(b"a").expect("there is room");
        assert_eq!(peer.recv(1).await, b"a");
        for piece in [b"b", b"c"] {
            sender.feed(piece).expect("there is room");
        }
        assert_eq!(peer.recv(2).await, b"bc");
        peer.shutdown().await;
        sender.close().await.expect("all was sent");
    };
    let (driven, ()) = zip(sender.drive(), feeding).await;
    assert_err!(driven, Error::Closed);
}

/// The limit counts 64 bytes for each piece, and a refusal leaves nothing behind.
pub async fn s6_above_max_queue_feed_and_try_send_answer_full<B: Bed>() {
    let max = 10_000;
    senders!(B, Config::default().max_queue(max), |conn, peer| {
        let piece = Bytes::from(vec![b'p'; 1024]);
        let mut fed = 0;
        while conn.feed_shared(piece.clone()).is_ok() {
            fed += 1;
        }
        assert_eq!(fed, max / (1024 + 64));
        assert_eq!(conn.stats().queued, fed * (1024 + 64));
        match conn.feed([b'x'; 1024]) {
            Err(Error::Full { queued, max: told }) => {
                assert_eq!((queued, told), (conn.stats().queued, max));
            }
            other => panic!("{other:?}"),
        }
        conn.feed(b"fits").expect("there is room for few");
        let (got, flushed) = zip(peer.recv(fed * 1024 + 4), conn.flush()).await;
        flushed.expect("the peer reads");
        assert!(got.ends_with(b"ppfits"));
        assert_eq!(conn.stats().queued, 0);
        conn.feed(b"again").expect("there is room");
    });
    let (mut conn, _peer) = B::stuffed(roomy::<B>()).await;
    let large = Bytes::from(vec![b'x'; B::HOLDS]);
    assert_err!(try_send!(conn, large.clone()), Error::Full { .. });
    let sender = conn.writer();
    assert_err!(try_send!(sender, large), Error::Full { .. });
}

/// Small pieces are merged: many short lines cost little more than their bytes.
pub async fn s6_small_pieces_are_merged<B: Bed>() {
    senders!(B, Config::default(), |conn, _peer| {
        for _ in 0..1000 {
            conn.feed_line(b"short").expect("there is room");
        }
        assert!(conn.stats().queued <= 1000 * 7 + 64, "{}", conn.stats().queued);
    });
}

/// Sends that wait for room get it in the order they came; those that do not wait get none before.
pub async fn s6_waiting_sends_are_first_come_first_served<B: Bed>() {
    let (_receiver, sender, peer) = stuffed_by_a_writer::<B>(roomy::<B>()).await;
    let messages = [b'1', b'2', b'3'].map(|byte| vec![byte; B::HOLDS * 3 / 4]);
    let [mut a, mut b, mut c] = messages.each_ref().map(|m| Box::pin(sender.send(m)));
    assert!(waits(a.as_mut()).await && waits(b.as_mut()).await && waits(c.as_mut()).await);
    assert_err!(sender.feed(b"x"), Error::Full { .. });
    assert_err!(try_send!(sender, (&b"x"[..]).into()), Error::Full { .. });
    let sending = zip(c, zip(b, a));
    let (got, (c, (b, a))) = zip(peer.recv(B::HOLDS * 13 / 4), sending).await;
    for sent in [a, b, c] {
        sent.expect("the peer reads");
    }
    assert!(got[B::HOLDS..] == messages.concat());
}

/// A peer that does not read is not read from, nor is it handed what it sent before.
pub async fn s6_a_receive_hands_out_nothing_while_much_is_queued<B: Bed>() {
    let (mut conn, peer) = B::pair(roomy::<B>().high_water(B::HOLDS / 4)).await;
    peer.send(b"a\nb\nc\nd\n").await;
    assert_line!(conn, "a");
    let backlog = vec![b'.'; B::HOLDS];
    try_send!(conn, backlog.into()).expect("there is room");
    assert!(waits(pin!(conn.next_line())).await);
    assert!(waits(pin!(conn.next_batch())).await);
    assert!(waits(pin!(conn.recv_line())).await);
    assert!(waits(pin!(conn.recv(1))).await);
    assert!(waits(pin!(conn.peek(1))).await);
    let receiving = async {
        for line in ["b", "c", "d"] {
            assert_line!(conn, line);
        }
        conn.flush().await.expect("the peer reads");
    };
    zip(peer.recv(B::HOLDS), receiving).await;
}

/// A stream that takes nothing must not be asked for ever.
pub async fn s7_a_write_of_no_bytes_is_an_error<M: Manner>() {
    senders!(Memory<M>, Config::default(), |conn, peer| {
        let write_zero = true;
        peer.inject(Faults { write_zero, ..Faults::default() });
        let error = conn.send_line(b"x").await.expect_err("nothing is taken");
        assert_eq!(error, Error::Disconnected(Loss::WriteZero.into()));
        assert_eq!(std::io::Error::from(error).kind(), ErrorKind::WriteZero);
    });
}

/// A message whose flush failed was not sent.
pub async fn s7_an_error_of_the_flush_surfaces<M: Manner>() {
    senders!(Memory<M>, Config::default(), |conn, peer| {
        let flush = Some(ErrorKind::ConnectionAborted);
        peer.inject(Faults { flush, ..Faults::default() });
        let sent = conn.send_all(b"x").await;
        assert_err!(sent, Error::Disconnected(end) if end == Loss::Aborted.into());
    });
}

/// An error of the system that says nothing about the connection is told, and ends nothing.
pub async fn s7_an_error_that_is_no_end_surfaces_and_leaves_everything<M: Manner>() {
    crate::tools::receivers!(Memory<M>, Config::default(), |conn, peer| {
        peer.send(b"line\n").await;
        for kind in [ErrorKind::OutOfMemory, ErrorKind::PermissionDenied] {
            let read = Some(kind);
            peer.inject(Faults { read, ..Faults::default() });
            match conn.next_line().await {
                Err(Error::Io(error)) => assert_eq!(error.kind(), kind),
                other => panic!("{other:?}"),
            }
        }
        let read = Some(ErrorKind::Interrupted);
        peer.inject(Faults { read, ..Faults::default() });
        assert_line!(conn, "line");
        assert!(conn.end().is_none());
    });
}

/// What a dropped call has written and not flushed, the next one flushes.
pub async fn s7_a_flush_that_was_dropped_is_taken_up_by_the_next_call<B: Bed>() {
    for polls in 0..6 {
        senders!(B, Config::default(), |conn, peer| {
            conn.feed(b"12345678").expect("there is room");
            let _ = poll_n_times_then_drop(conn.flush(), polls).await;
            let (got, flushed) = zip(peer.recv(8), conn.flush()).await;
            flushed.expect("the peer is there");
            assert_eq!(got, b"12345678");
        });
        let (mut conn, peer) = B::pair(Config::default()).await;
        let _ = poll_n_times_then_drop(conn.send(b"12345678"), polls).await;
        let receiving = async {
            if polls > 0 {
                assert_eq!(peer.recv(8).await, b"12345678");
            }
            peer.send(b"line\n").await;
        };
        zip(receiving, async { assert_line!(conn, "line") }).await;
    }
}
