//! [B1] to [B5]: blocks of bytes.
//!
//! [B1]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b1
//! [B5]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b5

use std::pin::pin;

use asyncnet::nim::Flags;
use asyncnet::{Config, Connection, Error};
use futures_lite::{AsyncBufReadExt, AsyncReadExt};

use crate::bed::{Bed, Peer};
use crate::tools::{assert_err, assert_line, at_once, is_reset, receivers, waits};

/// Buffered: all that was asked for, and less only at the end.
pub async fn b1_recv_waits_for_n_bytes_and_gives_fewer_only_at_the_end<B: Bed>() {
    receivers!(B, Config::default(), |conn, peer| {
        peer.send(b"abc").await;
        {
            let mut waiting = pin!(conn.recv(5));
            assert!(waits(waiting.as_mut()).await, "two bytes are missing");
            peer.send(b"defg").await;
            assert_eq!(waiting.await.expect("a block"), b"abcde");
        }
        peer.shutdown().await;
        assert_eq!(conn.recv(5).await.expect("the rest"), b"fg");
        assert_eq!(conn.recv(5).await.expect("the end"), b"");
    });
    receivers!(B, Config::default(), |conn, peer| {
        peer.send(b"abcdefg").await;
        peer.shutdown().await;
        let mut buf = [b'-'; 5];
        assert_eq!(conn.recv_into(&mut buf).await.expect("a block"), 5);
        assert_eq!(&buf, b"abcde");
        assert_eq!(conn.recv_into(&mut buf).await.expect("the rest"), 2);
        assert_eq!(&buf, b"fgcde");
        assert_eq!(conn.recv_into(&mut buf).await.expect("the end"), 0);
    });
}

/// Nothing is wanted, so nothing is waited for.
pub async fn b1_recv_of_no_bytes_answers_at_once<B: Bed>() {
    for buffered in [true, false] {
        receivers!(B, Config::default().buffered(buffered), |conn, _peer| {
            assert_eq!(at_once(conn.recv(0)).await.expect("nothing"), b"");
            assert_eq!(at_once(conn.recv_into(&mut [])).await.expect("nothing"), 0);
            assert_eq!(at_once(conn.next_block(0)).await.expect("nothing"), b"");
        });
    }
}

/// Unbuffered: what one read gives.
pub async fn b1_unbuffered_recv_answers_with_what_there_is<B: Bed>() {
    receivers!(B, Config::default().buffered(false), |conn, peer| {
        peer.send(b"abcdef").await;
        let mut got = Vec::new();
        while got.len() < 6 {
            let part = conn.recv(4).await.expect("bytes");
            assert!((1..=4).contains(&part.len()), "{part:?}");
            got.extend(part);
        }
        assert_eq!(got, b"abcdef");
        peer.shutdown().await;
        assert_eq!(conn.recv(4).await.expect("the end"), b"");
    });
}

/// The limit speaks before a byte is read, and leaves all as it was.
pub async fn b2_a_block_above_max_block_is_an_error_before_anything_is_read<B: Bed>() {
    for buffered in [true, false] {
        let config = Config::default().max_block(4).buffered(buffered);
        receivers!(B, config, |conn, peer| {
            let too_large = |error| match error {
                Error::TooLarge { len, max } => assert_eq!((len, max), (5, 4)),
                error => panic!("{error}"),
            };
            too_large(conn.next_block(5).await.expect_err("too large"));
            too_large(at_once(conn.recv(5)).await.expect_err("too large"));
            let mut buf = [0; 5];
            too_large(at_once(conn.recv_into(&mut buf)).await.expect_err("too large"));
            peer.send(b"abcd").await;
            assert_eq!(conn.next_block(4).await.expect("a block"), b"abcd");
        });
    }
}

/// Lines and blocks are cut from the same bytes.
pub async fn b3_lines_and_blocks_share_one_inbox<B: Bed>() {
    for buffered in [true, false] {
        receivers!(B, Config::default().buffered(buffered), |conn, peer| {
            peer.send(b"5\r\nhel\nl\r\nend\r\n").await;
            assert_line!(conn, "5");
            assert_eq!(conn.next_block(5).await.expect("a block"), b"hel\nl");
            assert_line!(conn, "");
            assert_eq!(conn.next_block(1).await.expect("a block"), b"e");
            assert_line!(conn, "nd");
        });
    }
}

/// A peek takes nothing, and waits for one byte or for a line.
pub async fn b4_a_peek_answers_without_consuming<B: Bed>() {
    for buffered in [true, false] {
        receivers!(B, Config::default().buffered(buffered), |conn, peer| {
            peer.send(b"a").await;
            let peeked = conn.with_flags(Flags::PEEK).recv(9).await;
            assert_eq!(peeked.expect("one byte is enough"), b"a");
            peer.send(b"b\ncd").await;
            for _ in 0..2 {
                let peeked = conn.with_flags(Flags::PEEK).recv_line().await;
                assert_eq!(peeked.expect("a line"), "ab");
                let mut line = Vec::new();
                let peeked = conn.with_flags(Flags::PEEK).recv_line_into(&mut line).await;
                peeked.expect("a line");
                assert_eq!(line, b"ab");
                let mut buf = [0; 2];
                let peeked = conn.with_flags(Flags::PEEK).recv_into(&mut buf).await;
                assert_eq!((peeked.expect("bytes"), &buf), (2, b"ab"));
            }
            assert_line!(conn, "ab");
            peer.shutdown().await;
            assert_eq!(conn.next_block(2).await.expect("a block"), b"cd");
            let peeked = conn.with_flags(Flags::PEEK | Flags::SAFE_DISCONN).recv(9).await;
            assert_eq!(peeked.expect("the end"), b"");
            let peeked = conn.with_flags(Flags::PEEK).recv_line().await;
            assert_eq!(peeked.expect("the end"), "");
            assert_err!(conn.peek(1).await, Error::Disconnected(_));
        });
    }
}

/// The traits of `futures` see the same bytes.
pub async fn b4_a_filled_buffer_is_not_consumed<B: Bed>() {
    receivers!(B, Config::default(), |conn, peer| {
        peer.send(b"ab\ncd").await;
        peer.shutdown().await;
        assert_eq!(conn.fill_buf().await.expect("bytes")[0], b'a');
        conn.consume(1);
        assert_line!(conn, "b");
        let mut rest = Vec::new();
        conn.read_to_end(&mut rest).await.expect("an orderly end");
        assert_eq!(rest, b"cd");
    });
}

/// Though unread bytes wait: they stay, and are answered before the end.
pub async fn b4_a_peek_for_more_than_there_is_tells_that_the_peer_is_gone<B: Bed>() {
    for buffered in [true, false] {
        for reset in [true, false] {
            if reset && !B::peer_resets() {
                continue;
            }
            receivers!(B, Config::default().buffered(buffered), |conn, peer| {
                peer.send(b"line\n").await;
                assert_eq!(conn.peek(5).await.expect("bytes"), b"line\n");
                if reset {
                    peer.reset();
                } else {
                    peer.shutdown().await;
                }
                assert_eq!(conn.peek(5).await.expect("bytes"), b"line\n");
                for _ in 0..2 {
                    let gone = conn.peek(6).await.expect_err("no more will come");
                    assert_eq!(is_reset(&gone), reset, "{gone:?}");
                }
                assert_eq!(conn.feed(b"x").is_err(), reset, "a reset ends both directions");
                assert_line!(conn, "line");
            });
        }
    }
}

/// What was not asked for stays with the system, for whoever takes the stream.
pub async fn b5_unbuffered_reads_no_more_than_the_call_needs<B: Bed>() {
    if !B::IS_PLAIN {
        return;
    }
    let config = Config::default().buffered(false);
    let (mut conn, peer) = B::pair(config).await;
    peer.send(b"ab\ncdefgh\n").await;
    assert_line!(conn, "ab");
    assert_eq!(conn.next_block(2).await.expect("a block"), b"cd");
    assert!(!conn.has_data_buffered());
    let (stream, rest) = conn.into_parts().expect("nothing would be lost");
    assert_eq!(rest, b"");
    let mut conn = Connection::new(stream, config);
    assert_line!(conn, "efgh");
}

/// Peeked bytes were asked for: they wait in the inbox and come first.
pub async fn b5_peeked_bytes_stay_and_come_first<B: Bed>() {
    let config = Config::default().buffered(false);
    receivers!(B, config, |conn, peer| {
        peer.send(b"abc\ndef").await;
        let peeked = conn.with_flags(Flags::PEEK).recv(3).await.expect("bytes");
        assert!(b"abc".starts_with(&peeked[..]) && !peeked.is_empty());
        assert!(conn.has_data_buffered());
        assert_eq!(conn.recv(1).await.expect("a byte"), b"a");
        assert_line!(conn, "bc");
        assert_eq!(conn.next_block(3).await.expect("a block"), b"def");
    });
    if !B::IS_PLAIN {
        return;
    }
    receivers!(B, config, |conn, peer| {
        // A peek that was dropped has asked for nothing.
        assert!(waits(pin!(conn.with_flags(Flags::PEEK).recv(9))).await);
        peer.send(b"a\nb").await;
        assert_line!(conn, "a");
        assert!(!conn.has_data_buffered());
        assert_eq!(conn.next_block(1).await.expect("a block"), b"b");
    });
}
