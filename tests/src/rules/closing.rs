//! [C3] to [C6]: how a connection ends on our side.
//!
//! [C3]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#c3
//! [C6]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#c6

use std::cell::{Cell, RefCell};
use std::io::{Read as _, Write as _};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread::sleep;
use std::time::Duration;

use asyncnet::{Cause, Clock, CloseLimits, Config, Connection, Error, Time, Timeout, Transport};
use blocking::unblock;
use futures_lite::future::{pending, poll_once, zip};
use socket2::SockRef;

use crate::bed::{Bed, Executor, Peer, Platform, Rest};
use crate::memory::{Manner, Memory};
use crate::raw::plain;
use crate::tools::{WriterFacts as _, assert_err, assert_line, senders, waits};

/// What the peer receives; then it leaves, so that nobody waits for it.
async fn rest_of(peer: impl Peer) -> Rest {
    peer.recv_all().await
}

/// `close` sends what is queued, then ends in good order; a second one has nothing to do.
pub async fn c3_close_sends_what_is_queued_and_ends_in_good_order<B: Bed>() {
    senders!(B, Config::default().max_queue(2 * B::HOLDS), |conn, peer| {
        let mut message = vec![b'm'; B::HOLDS];
        conn.feed(&message).expect("there is room");
        conn.feed(b"last").expect("there is room");
        message.extend(b"last");
        let (rest, closed) = zip(rest_of(peer), conn.close()).await;
        closed.expect("the peer reads");
        assert!(rest == Rest::clean(message), "{} bytes", rest.bytes.len());
        assert!(conn.is_closed());
        conn.close().await.expect("twice is fine");
        assert_err!(conn.send(b"x").await, Error::Closed);
        assert_err!(conn.feed(b"x"), Error::Closed);
    });
}

/// A peer that is gone is no trouble for a close that has nothing to send.
pub async fn c3_close_after_the_end_is_fine<B: Bed>() {
    senders!(B, Config::default(), |conn, peer| {
        drop(peer);
        conn.close().await.expect("nothing was queued");
    });
    senders!(B, Config::default(), |conn, peer| {
        peer.reset();
        conn.close().await.expect("nothing was queued");
        assert!(conn.is_closed());
    });
}

/// What was queued and did not leave is told.
pub async fn c3_close_tells_what_was_lost<B: Bed>() {
    senders!(B, Config::default().max_queue(2 * B::HOLDS), |conn, peer| {
        conn.feed(vec![b'm'; B::HOLDS]).expect("there is room");
        peer.reset();
        for _ in 0..2 {
            assert_err!(conn.close().await, Error::Disconnected(_));
        }
        assert!(conn.is_closed());
    });
}

/// A receiving half still hands out the lines that it has, then `Closed`.
pub async fn c3_a_receiver_gives_its_lines_then_closed<B: Bed>() {
    let (mut receiver, peer) = B::pair(Config::default()).await;
    let sender = receiver.writer();
    peer.send(b"a\nb\npart").await;
    receiver.peek(1).await.expect("bytes");
    // The ninth byte never comes; the others are in the inbox now.
    assert!(waits(pin!(receiver.next_block(9))).await);
    let (rest, closed) = zip(rest_of(peer), sender.close()).await;
    closed.expect("nothing was queued");
    assert_eq!(rest, Rest::clean(""));
    assert_line!(receiver, "a");
    assert_line!(receiver, "b");
    for _ in 0..2 {
        assert_err!(receiver.next_line().await, Error::Closed);
        assert_err!(receiver.recv_line().await, Error::Closed);
    }
    assert_eq!(receiver.end().map(|end| end.cause), Some(Cause::Closed));
}

/// Our close ends the receive that waits, whatever was called before, and though the peer is still there.
pub async fn c3_close_wakes_a_waiting_receive<B: Bed>() {
    for half_closed in [false, true] {
        let (mut receiver, peer) = B::pair(Config::default()).await;
        let sender = receiver.writer();
        let receiving = B::spawn(async move { receiver.next_line().await.map(drop) });
        if half_closed {
            sender.shutdown_write().await.expect("the peer is there");
        }
        assert!(waits(pin!(pending::<()>())).await);
        // Begun, and dropped; without a clock it is done already.
        let _ = poll_once(sender.close()).await;
        assert_err!(receiving.await, Error::Closed);
        let (rest, closed) = zip(rest_of(peer), sender.close()).await;
        closed.expect("nothing was queued");
        assert_eq!(rest, Rest::clean(""));
    }
}

/// So does an abort.
pub async fn c3_abort_wakes_a_waiting_receive<B: Bed>() {
    for half_closed in [false, true] {
        let (mut receiver, peer) = B::pair(Config::default()).await;
        let sender = receiver.writer();
        let mut receiving = pin!(receiver.next_line());
        if half_closed {
            sender.shutdown_write().await.expect("the peer is there");
        }
        assert!(waits(receiving.as_mut()).await);
        let aborting = async { sender.abort() };
        let (line, ()) = zip(receiving, aborting).await;
        assert_err!(line, Error::Closed);
        drop(peer);
    }
}

/// An abort loses what is queued and, where that can be seen, looks like no orderly end.
pub async fn c3_abort_is_a_reset<B: Bed>() {
    let (mut conn, peer) = B::stuffed(Config::default().max_queue(B::HOLDS)).await;
    conn.abort();
    assert!(conn.is_closed());
    let rest = peer.recv_all().await;
    assert!(rest.bytes.len() < B::HOLDS);
    B::assert_aborted(rest.reset);
    assert_err!(conn.next_line().await, Error::Closed);
    assert_err!(conn.send(b"x").await, Error::Closed);
}

/// A close lets those out whose message is queued, and nobody else.
pub async fn c3_waiting_sends_are_flushed_if_they_are_queued<B: Bed>() {
    let (mut conn, peer) = B::stuffed(Config::default().max_queue(2 * B::HOLDS)).await;
    let sender = conn.writer();
    let message = vec![b'q'; B::HOLDS / 2];
    let large = vec![b'w'; 3 * B::HOLDS / 2];
    let mut queued = pin!(sender.send(&message));
    let mut waiting = pin!(sender.send(&large));
    assert!(waits(queued.as_mut()).await && waits(waiting.as_mut()).await);
    let mut closing = pin!(sender.close());
    assert!(waits(closing.as_mut()).await);
    assert_err!(waiting.await, Error::Closed);
    let (rest, (sent, closed)) = zip(rest_of(peer), zip(queued, closing)).await;
    sent.expect("it was queued");
    closed.expect("the peer reads");
    assert!(!rest.reset && rest.bytes[B::HOLDS..] == message);
}

/// A torn message never looks complete.
pub async fn c3_close_after_a_torn_message_resets<B: Bed>() {
    senders!(B, Config::default().max_queue(1000), |conn, peer| {
        let message = vec![b't'; B::HOLDS];
        assert!(waits(pin!(conn.send(&message))).await);
        assert_err!(conn.close().await, Error::Interrupted);
        let rest = peer.recv_all().await;
        assert!(rest.bytes.len() < message.len());
        B::assert_aborted(rest.reset);
    });
}

/// Who stops sending has not left; the descriptor goes with the last half.
pub async fn c3_dropping_all_writers_closes_nothing<B: Bed>() {
    let (mut receiver, peer) = B::pair(Config::default()).await;
    let sender = receiver.writer();
    let clone = sender.clone();
    drop(sender);
    drop(clone);
    let mut ending = pin!(peer.recv_all());
    assert!(waits(ending.as_mut()).await, "nothing was closed");
    peer.send(b"line\n").await;
    assert_line!(receiver, "line");
    drop(receiver);
    assert_eq!(ending.await, Rest::clean(""));
}

/// A close that the peer does not take gives up in time, and says so.
pub async fn c3_a_close_that_cannot_flush_gives_up<M: Manner>() {
    let config = Config::default().max_queue(Memory::<M>::HOLDS);
    let (mut conn, peer) = Memory::<M>::timed_pair(config, ByHand);
    conn.feed(vec![b'm'; Memory::<M>::HOLDS]).expect("there is room");
    {
        let mut closing = pin!(conn.close());
        assert!(waits(closing.as_mut()).await);
        time_is_up();
        assert_err!(closing.await, Error::TimedOut(Timeout::Close));
    }
    assert!(conn.is_closed());
    assert!(peer.on_the_wire() > 0);
    assert_err!(conn.close().await, Error::TimedOut(Timeout::Close));
}

/// And all that wait beside it are told, in whatever order they come to run.
pub async fn c3_a_close_that_gives_up_ends_all_that_wait<M: Manner>() {
    for closes_last in [true, false] {
        let config = Config::default().max_queue(2 * Memory::<M>::HOLDS);
        let (mut receiver, peer) = Memory::<M>::timed_pair(config, ByHand);
        let sender = receiver.writer();
        let receiving = async move { receiver.next_line().await.map(drop) };
        let receiving = Memory::<M>::spawn(receiving);
        let message = vec![b'm'; Memory::<M>::HOLDS];
        let sending = sender.clone();
        let sending = Memory::<M>::spawn(async move { sending.send(&message).await });
        let mut closing = pin!(sender.close());
        // The message is queued and does not leave.
        assert!(waits(pin!(pending::<()>())).await);
        assert!(waits(closing.as_mut()).await);
        time_is_up();
        if closes_last {
            assert!(waits(pin!(pending::<()>())).await);
        }
        assert_err!(closing.await, Error::TimedOut(Timeout::Close));
        assert_err!(receiving.await, Error::Closed);
        assert!(sending.await.is_err());
        drop(peer);
    }
}

/// A peer that never leaves does not hold up a close for ever.
pub async fn c3_a_close_waits_for_the_peer_only_so_long<M: Manner>() {
    let (mut conn, peer) = Memory::<M>::timed_pair(Config::default(), ByHand);
    conn.feed(b"bye").expect("there is room");
    let mut closing = pin!(conn.close());
    assert!(waits(closing.as_mut()).await, "the peer may still send");
    time_is_up();
    closing.await.expect("all was sent");
    assert_eq!(peer.recv_all().await, Rest::clean("bye"));
}

/// A half-closed connection still receives.
pub async fn c4_shutdown_write_ends_our_side_alone<B: Bed>() {
    let config = Config::default().max_queue(2 * B::HOLDS);

    let (mut conn, peer) = B::pair(config).await;
    let backlog = vec![b'm'; B::HOLDS];
    conn.feed(&backlog).expect("there is room");
    let (rest, ended) = zip(peer.recv_all(), conn.shutdown_write()).await;
    ended.expect("the peer reads");
    assert!(rest == Rest::clean(backlog.clone()));
    assert_err!(conn.send(b"x").await, Error::Closed);
    conn.shutdown_write().await.expect("twice is fine");
    peer.send(b"line\n").await;
    assert_line!(conn, "line");
    peer.shutdown().await;
    assert_eq!(conn.next_line().await.expect("the end"), None);
    assert!(!conn.is_closed());

    let (mut receiver, peer) = B::pair(config).await;
    let sender = receiver.writer();
    sender.feed(&backlog).expect("there is room");
    let (rest, ended) = zip(peer.recv_all(), sender.shutdown_write()).await;
    ended.expect("the peer reads");
    assert!(rest == Rest::clean(backlog));
    assert_err!(sender.send(b"x").await, Error::Closed);
    peer.send(b"line\n").await;
    assert_line!(receiver, "line");
}

/// A peer that reads slowly gets everything: progress counts, and not how long it takes in all.
pub async fn c3_a_slow_reader_gets_all_that_was_fed<P: Platform>() {
    const BYTES: usize = 400_000;

    let stall = Duration::from_secs(2);
    let limits = CloseLimits::default().flush(stall, Duration::from_secs(60));
    let (mut conn, mut theirs) = plain::<P::Runtime>(Config::default().close(limits));
    let ours = conn.get_ref().and_then(Transport::os_socket).expect("a socket");
    SockRef::from(&ours).set_send_buffer_size(16 << 10).expect("an option");
    SockRef::from(&theirs).set_recv_buffer_size(16 << 10).expect("an option");
    let message: Vec<u8> = (0..BYTES).map(|i| (i % 241) as u8).collect();
    conn.feed(&message).expect("there is room");
    let reading = unblock(move || {
        let (mut got, mut buf) = (Vec::new(), [0; 8 << 10]);
        while let n @ 1.. = theirs.read(&mut buf).expect("no reset") {
            got.extend_from_slice(&buf[..n]);
            // In all it takes longer than a stall may.
            sleep(stall / 32);
        }
        got
    });
    let (got, closed) = zip(reading, conn.close()).await;
    closed.expect("the peer reads");
    assert!(got == message, "{} bytes", got.len());
}

/// A peer that never stops sending holds a close up for the time of the drain, however much may be drained.
pub async fn c3_a_flood_does_not_hold_up_a_close<P: Platform>() {
    let limits = CloseLimits::default().drain(Duration::from_millis(100), usize::MAX);
    let (mut conn, mut theirs) = plain::<P::Runtime>(Config::default().close(limits));
    conn.feed(b"bye").expect("there is room");
    let flood = unblock(move || {
        let chunk = [b'.'; 64 << 10];
        while theirs.write_all(&chunk).is_ok() {}
    });
    conn.close().await.expect("it was sent");
    flood.await;
}

/// A dropped connection is gone, and tried to send what was queued.
pub async fn c5_drop_frees_the_stream_and_tries_once_to_send<B: Bed>() {
    let (mut conn, peer) = B::pair(Config::default()).await;
    conn.feed(b"last words").expect("there is room");
    drop(conn);
    let rest = peer.recv_all().await;
    if B::TAKES_AT_ONCE {
        assert_eq!(rest, Rest::clean("last words"));
    }

    let (mut receiver, peer) = B::pair(Config::default()).await;
    let sender = receiver.writer();
    sender.feed(b"last words").expect("there is room");
    let mut ending = pin!(peer.recv_all());
    drop(receiver);
    assert!(waits(ending.as_mut()).await, "one half is still there");
    drop(sender);
    let rest = ending.await;
    if B::TAKES_AT_ONCE {
        assert_eq!(rest, Rest::clean("last words"));
    }
}

/// A drop does not wait for a peer that does not read.
pub async fn c5_drop_never_blocks<B: Bed>() {
    let config = Config::default().max_queue(B::HOLDS);
    let (conn, peer) = B::stuffed(config).await;
    drop(conn);
    assert!(peer.recv_all().await.bytes.len() < B::HOLDS);

    let (mut receiver, peer) = B::stuffed(config).await;
    let sender = receiver.writer();
    {
        let mut receiver = receiver;
        assert!(waits(pin!(receiver.next_line())).await);
    }
    assert!(waits(pin!(sender.send(&vec![b'm'; B::HOLDS]))).await);
    drop(sender);
    assert!(peer.recv_all().await.bytes.len() < B::HOLDS);
}

/// What a drop could not send makes the end a reset, so that half a message does not look whole.
pub async fn c5_a_drop_with_bytes_left_is_a_reset<B: Bed>() {
    let config = Config::default().max_queue(2 * B::HOLDS);
    for by_writer in [false, true] {
        let (mut conn, peer) = B::pair(config).await;
        let message = vec![b'm'; B::HOLDS];
        if by_writer {
            let writer = conn.writer();
            writer.feed(&message).expect("there is room");
            drop((conn, writer));
        } else {
            conn.feed(&message).expect("there is room");
            drop(conn);
        }
        let rest = peer.recv_all().await;
        assert!(rest.bytes.len() < message.len());
        B::assert_aborted(rest.reset);
    }
}

/// Input that nobody read does not cost the peer our last words.
pub async fn c6_the_last_reply_survives_unread_input<B: Bed>() {
    const UNREAD: usize = 200_000;
    senders!(B, Config::default(), |conn, peer| {
        // A part of it is certainly here when the close begins.
        peer.send(&[b'u'; 2000]).await;
        conn.feed(b"421 too much\r\n").expect("there is room");
        let talking = async {
            if B::RESETS {
                peer.send(&[b'u'; UNREAD]).await;
            }
            peer.shutdown().await;
            rest_of(peer).await
        };
        let (rest, closed) = zip(talking, conn.close()).await;
        closed.expect("the peer reads");
        assert_eq!(rest, Rest::clean("421 too much\r\n"));
    });
}

/// Without a clock a close waits for nothing, but it takes what has come, whether or not the runtime has
/// heard of it.
pub async fn c6_the_last_reply_survives_unread_input_without_a_clock<B: Bed>() {
    if !B::IS_PLAIN {
        return;
    }
    let (conn, peer) = B::pair(Config::default()).await;
    let (stream, rest) = conn.into_parts().expect("nothing is under way");
    assert_eq!(rest, b"");
    let mut conn = Connection::new(stream, Config::default());
    peer.send(b"one\n").await;
    assert_eq!(conn.next_line().await.expect("a line"), Some(&b"one"[..]));
    conn.send(b"bye\n").await.expect("the peer is there");
    peer.send(b"two\n").await;
    conn.close().await.expect("the peer is there");
    assert_eq!(peer.recv_all().await, Rest::clean("bye\n"));
}

thread_local! {
    static NOW: Cell<Time> = const { Cell::new(Time::START) };
    /// The alarms of the clock below.
    static ALARMS: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// A clock by hand: its time passes when the test says so.
struct ByHand;

impl Clock for ByHand {
    fn now(&mut self) -> Time {
        NOW.get()
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>, at: Time) -> Poll<()> {
        if NOW.get() >= at {
            return Poll::Ready(());
        }
        ALARMS.with_borrow_mut(|alarms| alarms.push(cx.waker().clone()));
        Poll::Pending
    }
}

fn time_is_up() {
    NOW.set(NOW.get() + Duration::from_secs(3600));
    ALARMS.take().into_iter().for_each(Waker::wake);
}
