//! [F1], [B6], [N1], [D1] to [D3] and [D5]: framings, blocks in pieces, messages, limits of time, and rates.
//!
//! [F1]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#f1
//! [B6]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b6
//! [N1]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#n1
//! [D1]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#d1
//! [D3]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#d3
//! [D5]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#d5

use std::pin::pin;
use std::time::Duration;

use asyncnet::{Cause, Config, Error, Framing, LineError, Loss, Runtime as _, Timeout, Unread};
use futures_lite::future::{or, pending, yield_now, zip};

use crate::bed::{Bed, Peer, Platform};
use crate::sockets::Tcp;
use crate::tools::{assert_err, assert_line, interrupted, receivers, senders, waits};

/// Short for a test, and long for a machine.
const SHORT: Duration = Duration::from_millis(80);

/// Received and sent lines end as the framing says.
pub async fn f1_the_framing_ends_lines_in_both_directions<B: Bed>() {
    let cases = [
        (Framing::Lenient, &b"a\nb\r\nc\rd\n"[..], &[&b"a"[..], b"b", b"c\rd"][..], &b"\r\n"[..]),
        (Framing::CrLf, b"a\r\nb\r\n", &[b"a", b"b"], b"\r\n"),
        (Framing::Lf, b"a\r\nb\n", &[b"a\r", b"b"], b"\n"),
        (Framing::Byte(0), b"a\r\n\0b\0", &[b"a\r\n", b"b"], b"\0"),
    ];
    for (framing, wire, lines, end) in cases {
        let config = Config::default().framing(framing);
        receivers!(B, config, |conn, peer| {
            peer.send(wire).await;
            for line in lines {
                assert_eq!(conn.next_line().await.expect("a line"), Some(*line), "{framing:?}");
            }
        });
        senders!(B, config, |conn, peer| {
            assert_err!(conn.send_line(end).await, Error::LineBreak);
            conn.send_line(b"x").await.expect("a line");
            conn.feed_line(b"y").expect("a line");
            conn.flush().await.expect("a connection");
            let expected = [b"x", end, b"y", end].concat();
            assert_eq!(peer.recv(expected.len()).await, expected, "{framing:?}");
        });
    }
}

/// Small before a login and large behind it, and from lines to records: bytes that have come are no exception.
pub async fn f1_settings_change_from_the_next_line_on<B: Bed>() {
    receivers!(B, Config::default().max_line(4), |conn, peer| {
        peer.send(b"auth\na long line\nrecord\0text\n").await;
        assert_line!(conn, "auth");
        conn.configure(|config| config.max_line(100));
        assert_line!(conn, "a long line");
        conn.configure(|config| config.framing(Framing::Byte(0)));
        assert_line!(conn, "record");
        conn.send_line(b"ok").await.expect("a connection");
        assert_eq!(peer.recv(3).await, b"ok\0");
        conn.configure(|config| config.framing(Framing::Lf).max_line(3));
        assert_err!(conn.next_line().await, Error::Line(LineError::TooLong { max: 3 }));
    });
}

/// A block above the limit is taken in pieces or thrown away.
pub async fn b6_a_large_block_is_taken_in_pieces_or_skipped<B: Bed>() {
    for buffered in [true, false] {
        receivers!(B, Config::default().max_block(4).buffered(buffered), |conn, peer| {
            let block: Vec<u8> = (0..600).map(|i| (i % 251) as u8).collect();
            let sending = async {
                for piece in [&b"head\n"[..], &block, b"mid\n", &block, b"end\n"] {
                    peer.send(piece).await;
                }
            };
            let receiving = async {
                assert_line!(conn, "head");
                assert_err!(conn.next_block(600).await, Error::TooLarge { len: 600, max: 4 });
                let mut got = Vec::new();
                while got.len() < block.len() {
                    let left = block.len() - got.len();
                    let piece = conn.next_bytes(left).await.expect("bytes");
                    assert!(!piece.is_empty() && piece.len() <= left);
                    got.extend_from_slice(piece);
                }
                assert_eq!(got, block);
                assert_line!(conn, "mid");
                conn.skip(600).await.expect("they come");
                assert_line!(conn, "end");
            };
            zip(sending, receiving).await;
        });
    }
    receivers!(B, Config::default(), |conn, peer| {
        peer.send(b"abc").await;
        peer.shutdown().await;
        assert_err!(conn.skip(4).await, Error::Disconnected(_));
        assert_err!(conn.next_bytes(4).await, Error::Disconnected(_));
    });
}

/// A line with a length, and so many bytes behind it.
fn counted(unread: &mut Unread<'_>) -> Result<Vec<u8>, Error> {
    let header = std::str::from_utf8(unread.line()?).map_err(Error::protocol)?;
    let n = header.parse().map_err(Error::protocol)?;
    Ok(unread.block(n)?.to_vec())
}

/// A header and its block are one message, though the call is dropped at every wait.
pub async fn n1_a_message_is_consumed_whole_or_not_at_all<B: Bed>() {
    for buffered in [true, false] {
        receivers!(B, Config::default().buffered(buffered), |conn, peer| {
            let sending = async {
                for i in 0..12 {
                    let payload = "p".repeat(i * 3);
                    for piece in format!("{}\r\n{payload}", payload.len()).as_bytes().chunks(2) {
                        peer.send(piece).await;
                        yield_now().await;
                    }
                }
                peer.shutdown().await;
            };
            let receiving = async {
                for i in 0..12 {
                    let message = interrupted!(conn.next_with(counted).await);
                    let message = message.expect("a message").expect("no end");
                    assert_eq!(message, "p".repeat(i * 3).into_bytes());
                }
                assert_eq!(conn.next_with(counted).await.expect("a good end"), None);
            };
            zip(sending, receiving).await;
        });
    }
    // Beside another future that wins: nothing was consumed.
    receivers!(B, Config::default(), |conn, peer| {
        peer.send(b"3\r\nab").await;
        let chosen = or(async { conn.next_with(counted).await.map(drop) }, async {
            for _ in 0..50 {
                yield_now().await;
            }
            Err(Error::protocol("the other was first"))
        });
        assert_err!(chosen.await, Error::Protocol(_));
        peer.send(b"c").await;
        let message = conn.next_with(counted).await.expect("a message");
        assert_eq!(message.as_deref(), Some(&b"abc"[..]));
        peer.send(b"x\r\nnext\n").await;
        assert_err!(conn.next_with(counted).await, Error::Protocol(_));
        assert_line!(conn, "next");
    });
}

/// A peer that sends a byte now and then is cut off all the same; the next call goes on with what came.
pub async fn d1_a_receive_ends_in_time_though_bytes_trickle<P: Platform>() {
    receivers!(Tcp<P>, Config::default().receive_timeout(SHORT), |conn, peer| {
        let mut sent = 0;
        let trickle = async {
            loop {
                peer.send(b"x").await;
                sent += 1;
                P::Runtime::sleep(SHORT / 8).await;
            }
        };
        let late = or(async { conn.next_line().await.map(drop) }, trickle).await;
        assert_err!(late, Error::TimedOut(Timeout::Receive { .. }));
        // Neither does a call that is dropped and made again start its clock anew.
        let repeated = async {
            loop {
                let call = async { conn.next_line().await.map(drop) };
                if let Some(late) = crate::tools::poll_n_times_then_drop(call, 2).await {
                    break late;
                }
            }
        };
        assert_err!(repeated.await, Error::TimedOut(Timeout::Receive { .. }));
        peer.send(b"\nnext\n").await;
        let line = conn.next_line().await.expect("a line").expect("no end").to_vec();
        assert!(line.iter().all(|byte| *byte == b'x'));
        // The last send was dropped, perhaps behind its byte.
        assert!((sent..=sent + 1).contains(&line.len()), "{sent}: {}", line.len());
        assert_line!(conn, "next");
    });
}

/// Silence ends a wait; bytes in either direction do not.
pub async fn d2_silence_in_both_directions_ends_a_receive<P: Platform>() {
    receivers!(Tcp<P>, Config::default().idle_timeout(SHORT), |conn, peer| {
        for _ in 0..2 {
            assert_err!(conn.next_line().await, Error::TimedOut(Timeout::Idle));
        }
        peer.send(b"line\n").await;
        assert_line!(conn, "line");
        assert!(conn.end().is_none());
    });
}

/// What is over the rate of lines comes in order, and the end behind it. The time is not the peer's.
pub async fn d5_lines_over_the_rate_wait_and_none_is_lost<P: Platform>() {
    let config = Config::default().max_lines_per_second(20).rate_burst(SHORT);
    receivers!(Tcp<P>, config, |conn, peer| {
        peer.send(b"a\nb\nc\nd\ne\n").await;
        peer.shutdown().await;
        assert_line!(conn, "a");
        conn.configure(|config| config.receive_timeout(SHORT / 4).idle_timeout(SHORT / 4));
        // The rest is here, or on its way, and no way leads around the rate.
        assert_eq!(conn.try_next_line(), Ok(None));
        for line in ["b", "c", "d", "e"] {
            assert_line!(conn, line);
        }
        // How soon the system tells of the end is its own matter.
        conn.configure(|config| config.receive_timeout(None).idle_timeout(None));
        assert_eq!(conn.next_line().await, Ok(None));
    });
}

/// A peer that sends more than the rate of bytes is not read from, and waits in its turn.
pub async fn d5_bytes_over_the_rate_wait_and_the_stream_is_not_read<P: Platform>() {
    let holds = <Tcp<P> as Bed>::HOLDS;
    receivers!(Tcp<P>, Config::default().max_bytes_per_second(1000), |conn, peer| {
        let mut flood = pin!(async { peer.send(&vec![b'x'; 2 * holds]).await });
        let mut flooded = false;
        let read = or(async { conn.next_block(1010).await.map(<[u8]>::len) }, async {
            flood.as_mut().await;
            // The system has taken all of it, and not we.
            flooded = true;
            pending().await
        });
        assert_eq!(read.await, Ok(1010));
        assert!(conn.stats().bytes_received <= 64 << 10);
        // Without the rate all of it comes.
        conn.configure(|config| config.max_bytes_per_second(None));
        let flooding = async {
            if !flooded {
                flood.await;
            }
        };
        let (rest, ()) = zip(conn.skip(2 * holds as u64 - 1010), flooding).await;
        assert_eq!(rest, Ok(()));
    });
}

/// Bytes that the peer does not take make the connection count as lost.
pub async fn d3_bytes_that_the_peer_does_not_take_end_the_sending_side<P: Platform>() {
    let holds = <Tcp<P> as Bed>::HOLDS;
    let config = Config::default().max_queue(2 * holds).send_timeout(SHORT);
    senders!(Tcp<P>, config, |conn, _peer| {
        conn.feed(vec![b'.'; holds]).expect("there is room");
        let late = conn.flush().await;
        assert_err!(
            late,
            Error::Disconnected(end) if end.cause == Cause::Lost(Loss::TimedOut)
        );
        assert_err!(conn.send_line(b"x").await, Error::Disconnected(_));
        assert!(waits(pin!(pending::<()>())).await);
    });
}
