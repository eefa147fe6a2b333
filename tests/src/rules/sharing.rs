//! [S3], [C1] and [C2]: calls that are dropped, and tasks that share a connection.
//!
//! [S3]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s3
//! [C1]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#c1
//! [C2]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#c2

use std::pin::pin;
use std::sync::Arc;

use asyncnet::nim::Flags;
use asyncnet::{Bytes, Config, Error};
use futures_lite::AsyncReadExt;
use futures_lite::future::{pending, yield_now, zip};

use crate::bed::{Bed, Peer};
use crate::tools::{
    assert_line, interrupted, poll_n_times_then_drop, receivers, senders, try_send, waits,
};

/// Sends `bytes` piece by piece, so that whoever receives waits often.
async fn trickle(peer: &impl Peer, bytes: &[u8]) {
    for piece in bytes.chunks(3) {
        peer.send(piece).await;
        yield_now().await;
    }
}

const LINES: usize = 30;

fn numbered_lines() -> String {
    (0..LINES).map(|i| format!("line {i}\r\n")).collect()
}

/// `next_line`, dropped at every wait.
pub async fn c1_next_line_loses_nothing<B: Bed>() {
    receivers!(B, Config::default(), |conn, peer| {
        let receiving = async {
            for i in 0..LINES {
                let line = interrupted!(conn.next_line().await.map(|l| l.map(<[u8]>::to_vec)));
                assert_eq!(line.expect("a line"), Some(format!("line {i}").into_bytes()));
            }
        };
        zip(trickle(&peer, numbered_lines().as_bytes()), receiving).await;
    });
}

/// `next_batch`, dropped at every wait, and its batches half-way.
pub async fn c1_next_batch_loses_nothing<B: Bed>() {
    let (mut conn, peer) = B::pair(Config::default()).await;
    let receiving = async {
        let (mut got, mut was_empty) = (0, false);
        while got < LINES {
            let lines: Vec<_> = interrupted!({
                let mut batch = conn.next_batch().await.expect("lines").expect("lines");
                let mut next = || batch.next_line().expect("a line").map(<[u8]>::to_vec);
                [next(), next()].into_iter().flatten().collect()
            });
            // The first byte of a line makes a batch, and the next one waits for the line.
            assert!(!(was_empty && lines.is_empty()));
            was_empty = lines.is_empty();
            for line in lines {
                assert_eq!(line, format!("line {got}").into_bytes());
                got += 1;
            }
        }
    };
    zip(trickle(&peer, numbered_lines().as_bytes()), receiving).await;
}

/// The Nim-style calls for lines, dropped at every wait.
pub async fn c1_recv_line_loses_nothing<B: Bed>() {
    receivers!(B, Config::default(), |conn, peer| {
        let receiving = async {
            for i in 0..LINES {
                let expected = format!("line {i}");
                if i % 2 == 0 {
                    let line = interrupted!(conn.recv_line().await);
                    assert_eq!(line.expect("a line"), expected);
                    continue;
                }
                let peeked = interrupted!(conn.with_flags(Flags::PEEK).recv_line().await);
                assert_eq!(peeked.expect("a line"), expected);
                let mut line = b"old".to_vec();
                interrupted!(conn.recv_line_into(&mut line).await).expect("a line");
                assert_eq!(line, expected.into_bytes());
            }
        };
        zip(trickle(&peer, numbered_lines().as_bytes()), receiving).await;
    });
}

/// The calls for blocks, dropped at every wait.
pub async fn c1_blocks_lose_nothing<B: Bed>() {
    for buffered in [true, false] {
        receivers!(B, Config::default().buffered(buffered), |conn, peer| {
            let bytes: Vec<u8> = (0..=240).collect();
            let receiving = async {
                let mut got = Vec::new();
                while got.len() < 240 {
                    got.extend(interrupted!(conn.next_block(7).await.expect("a block").to_vec()));
                    got.extend(interrupted!(conn.recv(7).await.expect("a block")));
                    let mut buf = [0; 7];
                    let n = interrupted!(conn.recv_into(&mut buf).await.expect("a block"));
                    got.extend(&buf[..n]);
                    let n = interrupted!(conn.read(&mut buf[..1]).await.expect("a byte"));
                    got.extend(&buf[..n]);
                    let rest = (24 - got.len() % 24) % 24;
                    let rest = interrupted!(conn.next_block(rest).await.map(<[u8]>::to_vec));
                    got.extend(rest.expect("a block"));
                    interrupted!(conn.peek(1).await.map(drop)).expect("bytes");
                }
                assert_eq!(got, bytes[..got.len()]);
            };
            zip(trickle(&peer, &bytes), receiving).await;
        });
    }
}

/// What was dropped before it was complete has not written to the caller's buffer.
pub async fn c1_recv_into_writes_when_it_completes<B: Bed>() {
    receivers!(B, Config::default(), |conn, peer| {
        peer.send(b"abc").await;
        let mut buf = *b"-----";
        assert!(waits(pin!(conn.recv_into(&mut buf))).await);
        assert_eq!(&buf, b"-----");
        peer.send(b"de").await;
        assert_eq!(conn.recv_into(&mut buf).await.expect("a block"), 5);
        assert_eq!(&buf, b"abcde");
    });
}

/// `send`, dropped at every wait: each message is there whole, or not at all, in order.
pub async fn c1_small_sends_are_whole_or_absent<B: Bed>() {
    senders!(B, Config::default().max_queue(200), |conn, peer| {
        let sending = async {
            let mut sent = Vec::new();
            for i in 0..60 {
                let message = format!("{i} {}\n", "m".repeat(100 + i));
                let polls = i % 5;
                let done = poll_n_times_then_drop(conn.send(message.as_bytes()), polls).await;
                sent.push((message, done.is_some()));
            }
            conn.send(b"end\n").await.expect("the peer is there");
            conn.close().await.expect("the peer is there");
            sent
        };
        let receiving = async {
            let rest = peer.recv_all().await;
            drop(peer);
            rest
        };
        let (sent, rest) = zip(sending, receiving).await;
        let got = String::from_utf8(rest.bytes).expect("text");
        let mut got = got.split_inclusive('\n').peekable();
        for (message, surely) in &sent {
            let came = got.next_if(|line| line == message).is_some();
            assert!(came || !surely, "{message} was sent and is not there");
        }
        assert_eq!(got.collect::<Vec<_>>(), ["end\n"]);
    });
}

/// `flush`, dropped at every wait.
pub async fn c1_flush_is_taken_up_again<B: Bed>() {
    senders!(B, Config::default().max_queue(2 * B::HOLDS), |conn, peer| {
        let message: Vec<u8> = (0..B::HOLDS).map(|i| (i % 241) as u8).collect();
        conn.feed(&message).expect("there is room");
        let flushing = async { interrupted!(conn.flush().await).expect("the peer reads") };
        let (got, ()) = zip(peer.recv(message.len()), flushing).await;
        assert!(got == message);
    });
}

/// `close` and `shutdown_write`, dropped at every wait.
pub async fn c1_close_is_taken_up_again<B: Bed>() {
    for half in [true, false] {
        senders!(B, Config::default().max_queue(2 * B::HOLDS), |conn, peer| {
            let message: Vec<u8> = (0..B::HOLDS).map(|i| (i % 241) as u8).collect();
            conn.feed(&message).expect("there is room");
            let closing = async {
                if half {
                    interrupted!(conn.shutdown_write().await).expect("the peer reads");
                }
                interrupted!(conn.close().await).expect("the peer reads");
            };
            let reading = async {
                let rest = peer.recv_all().await;
                drop(peer);
                rest
            };
            let (rest, ()) = zip(reading, closing).await;
            assert!(!rest.reset && rest.bytes == message);
        });
    }
}

/// A receive that is dropped at every wait still sends what was fed.
pub async fn c1_a_dropped_receive_loses_no_fed_byte<B: Bed>() {
    let (mut conn, peer) = B::pair(Config::default()).await;
    let talking = async {
        for i in 0..LINES {
            conn.feed_line(format!("question {i}").as_bytes()).expect("there is room");
            let line = interrupted!(conn.recv_line().await);
            assert_eq!(line.expect("a line"), format!("answer {i}"));
        }
    };
    let answering = async {
        for i in 0..LINES {
            let question = format!("question {i}\r\n");
            assert_eq!(peer.recv(question.len()).await, question.as_bytes());
            trickle(&peer, format!("answer {i}\n").as_bytes()).await;
        }
    };
    zip(talking, answering).await;
}

/// Four tasks send, one receives, and all arrives whole and in each sender's order.
pub async fn s3_messages_of_different_tasks_never_mix<B: Bed>() {
    const TASKS: usize = 4;
    const MESSAGES: usize = 25;
    // Some messages are larger than the outbox, most are not, few fit beside another.
    let (mut receiver, peer) = B::pair(Config::default().max_queue(900)).await;
    let sender = receiver.writer();
    let peer = Arc::new(peer);
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let sender = sender.clone();
            B::spawn(async move {
                for i in 0..MESSAGES {
                    let filler = "x".repeat(i * 97 % 1300);
                    let message = format!("{task} {i} {filler}\n");
                    match i % 5 {
                        0 if message.len() < 500 => loop {
                            match try_send!(sender, Bytes::copy_from_slice(message.as_bytes())) {
                                Ok(()) => break,
                                Err(Error::Full { .. }) => {
                                    sender.flush().await.expect("the peer reads");
                                    yield_now().await;
                                }
                                Err(error) => panic!("{error}"),
                            }
                        },
                        _ => sender.send(message.as_bytes()).await.expect("the peer reads"),
                    }
                }
            })
        })
        .collect();
    let receiving = B::spawn(async move {
        let mut lines = 0;
        while receiver.next_line().await.expect("lines").is_some() {
            lines += 1;
        }
        lines
    });
    let sending = async {
        for task in tasks {
            task.await;
        }
        sender.shutdown_write().await.expect("the peer reads");
    };
    let reading = async {
        let chatting = Arc::clone(&peer);
        let ((), rest) =
            zip(trickle(&*chatting, numbered_lines().as_bytes()), peer.recv_all()).await;
        peer.shutdown().await;
        rest
    };
    let ((), rest) = zip(sending, reading).await;
    assert_eq!(receiving.await, LINES);
    let mut next = [0; TASKS];
    for line in String::from_utf8(rest.bytes).expect("text").lines() {
        let mut words = line.split(' ');
        let mut number = || words.next().and_then(|word| word.parse::<usize>().ok());
        let (task, i) = (number().expect("a task"), number().expect("a number"));
        assert_eq!(i, next[task], "of task {task}");
        assert_eq!(words.next(), Some(&*"x".repeat(i * 97 % 1300)));
        next[task] += 1;
    }
    assert_eq!(next, [MESSAGES; TASKS]);
}

/// A sender that waits to write and a receiver that waits to read, each in a task of its own, both get
/// their wake-up, whoever came last, and neither has to wait for the other.
pub async fn c2_a_waiting_receive_and_a_waiting_send_both_go_on<B: Bed>() {
    for (receiver_last, reads_first) in [(true, true), (true, false), (false, true), (false, false)]
    {
        let (mut receiver, peer) = B::pair(Config::default()).await;
        let sender = receiver.writer();
        let receiving = async move {
            assert_line!(receiver, "line");
            receiver
        };
        let sending = async move { sender.send(&vec![b'm'; B::HOLDS]).await };
        let (receiving, sending) = if receiver_last {
            let sending = B::spawn(sending);
            all_wait().await;
            (B::spawn(receiving), sending)
        } else {
            let receiving = B::spawn(receiving);
            all_wait().await;
            (receiving, B::spawn(sending))
        };
        all_wait().await;
        if reads_first {
            peer.recv(B::HOLDS).await;
            sending.await.expect("the peer reads");
            peer.send(b"line\n").await;
            drop(receiving.await);
        } else {
            peer.send(b"line\n").await;
            let receiver = receiving.await;
            peer.recv(B::HOLDS).await;
            sending.await.expect("the peer reads");
            drop(receiver);
        }
    }
}

/// Lets every other task run until it waits.
async fn all_wait() {
    assert!(waits(pin!(pending::<()>())).await);
}

/// Several senders and a receiver.
pub async fn c2_waiting_tasks_are_all_woken<B: Bed>() {
    let (mut receiver, peer) = B::pair(Config::default().max_queue(B::HOLDS)).await;
    let sender = receiver.writer();
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let sender = sender.clone();
            B::spawn(async move { sender.send(&vec![b'm'; B::HOLDS]).await })
        })
        .collect();
    let receiving = B::spawn(async move {
        assert_line!(receiver, "line");
        receiver
    });
    peer.recv(3 * B::HOLDS).await;
    for task in tasks {
        task.await.expect("the peer reads");
    }
    peer.send(b"line\n").await;
    drop(receiving.await);
}

/// A send that is dropped while it waits to write leaves that to the receive that waits beside it.
pub async fn c2_a_dropped_send_leaves_its_wake_up_to_others<B: Bed>() {
    let (mut receiver, peer) = B::pair(Config::default().max_queue(2 * B::HOLDS)).await;
    let sender = receiver.writer();
    let message = vec![b'm'; B::HOLDS];
    let receiving = B::spawn(async move {
        assert_line!(receiver, "line");
        receiver
    });
    all_wait().await;
    assert!(waits(pin!(sender.send(&message))).await);
    peer.recv(message.len()).await;
    peer.send(b"line\n").await;
    drop(receiving.await);
}

/// The same the other way round.
pub async fn c2_a_dropped_receive_leaves_its_wake_up_to_others<B: Bed>() {
    let (mut receiver, peer) = B::pair(Config::default()).await;
    let sender = receiver.writer();
    let sending = B::spawn(async move { sender.send(&vec![b'm'; B::HOLDS]).await });
    all_wait().await;
    let receiving = B::spawn(async move {
        assert!(waits(pin!(receiver.next_line())).await);
        receiver
    });
    let receiver = receiving.await;
    peer.recv(B::HOLDS).await;
    sending.await.expect("the peer reads");
    drop(receiver);
}

/// Whoever is done calls the next, which may have looked too early.
pub async fn c2_the_turn_is_passed_on<B: Bed>() {
    let (mut conn, peer) = B::pair(Config::default().max_queue(1000)).await;
    let sender = conn.writer();
    let large = sender.clone();
    let mut first = Box::pin(async move { large.send(&vec![b'l'; B::HOLDS]).await });
    assert!(waits(first.as_mut()).await);
    // Polled in this order, the second never comes when the first has just ended.
    let sending = B::spawn(async move { zip(sender.send(b"second"), first).await });
    let got = peer.recv(B::HOLDS + 6).await;
    assert!(got.ends_with(b"lsecond"));
    let (second, first) = sending.await;
    second.and(first).expect("the peer reads");
}

/// Everything that waits hears of the end.
pub async fn c2_a_reset_wakes_all<B: Bed>() {
    let (mut receiver, peer) = B::stuffed(Config::default().max_queue(B::HOLDS)).await;
    let sender = receiver.writer();
    let message = vec![b'm'; B::HOLDS];
    let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(sender.send_line(&message))).collect();
    for sending in &mut waiting {
        assert!(waits(sending.as_mut()).await);
    }
    let mut receiving = pin!(receiver.next_line());
    let mut driving = pin!(sender.drive());
    assert!(waits(receiving.as_mut()).await && waits(driving.as_mut()).await);
    peer.reset();
    assert!(receiving.await.is_err());
    assert!(driving.await.is_err());
    for sending in waiting {
        assert!(sending.await.is_err());
    }
}
