//! [L1] to [L8]: what a line is.
//!
//! [L1]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l1
//! [L8]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l8

use std::pin::pin;

use asyncnet::nim::Flags;
use asyncnet::{Config, Error, Framing, LineError, LineStream};
use futures_lite::{AsyncReadExt, StreamExt};

use crate::bed::{Bed, Peer};
use crate::tools::{assert_err, assert_line, receivers, waits};

fn short() -> Config {
    Config::default().max_line(8)
}

/// LF ends a line, and one CR before it goes with it.
pub async fn l1_lf_ends_a_line_and_takes_one_cr_with_it<B: Bed>() {
    receivers!(B, Config::default(), |conn, peer| {
        peer.send(b"a\r\nb\na\rbc\na\r\r\n\n\rx\n").await;
        for line in ["a", "b", "a\rbc", "a\r", "", "\rx"] {
            assert_line!(conn, line);
        }
    });
}

/// Strict framing: a CR or an LF alone spoils its line and no other.
pub async fn l2_a_bare_cr_or_lf_is_reported_once_and_its_line_is_gone<B: Bed>() {
    let config = Config::default().framing(Framing::CrLf);
    receivers!(B, config, |conn, peer| {
        peer.send(b"good\r\nba\rd\nstill\r\nfine\r\nb\nad\rstill\r\nlast\r\n").await;
        assert_line!(conn, "good");
        assert_err!(conn.next_line().await, Error::Line(LineError::BareCr));
        assert_line!(conn, "fine");
        assert_err!(conn.next_line().await, Error::Line(LineError::BareLf));
        assert_line!(conn, "last");
    });
}

/// NUL and invalid UTF-8 are data.
pub async fn l3_bytes_are_bytes_and_only_text_has_to_be_utf8<B: Bed>() {
    receivers!(B, Config::default(), |conn, peer| {
        let bad = b"\0\xff\xfe";
        for _ in 0..3 {
            peer.send(&[bad, &b"\n"[..]].concat()).await;
        }
        peer.send(b"good\n").await;
        assert_eq!(conn.next_line().await.expect("a line"), Some(&bad[..]));
        let mut line = b"old".to_vec();
        conn.recv_line_into(&mut line).await.expect("a line");
        assert_eq!(line, bad);
        match conn.recv_line().await {
            Err(Error::Line(LineError::Utf8(bytes))) => assert_eq!(bytes, bad),
            other => panic!("{other:?}"),
        }
        assert_eq!(conn.recv_line().await.expect("a line"), "good");
    });
}

/// The limit counts the line's own bytes.
pub async fn l4_exactly_max_is_delivered_in_any_chunking<B: Bed>() {
    for end in ["\n", "\r\n"] {
        let line = format!("12345678{end}");
        for chunk in 1..=line.len() {
            receivers!(B, short(), |conn, peer| {
                let sending = async {
                    for chunk in line.as_bytes().chunks(chunk) {
                        peer.send(chunk).await;
                    }
                };
                let receiving = async { assert_line!(conn, "12345678") };
                futures_lite::future::zip(sending, receiving).await;
            });
        }
    }
}

/// A longer line is an error as soon as that is certain, once, and nothing else is.
pub async fn l4_a_longer_line_is_an_error_once_and_at_once<B: Bed>() {
    receivers!(B, short(), |conn, peer| {
        peer.send(b"before\n123456789").await;
        assert_line!(conn, "before");
        // The line has not ended.
        assert_err!(conn.next_line().await, Error::Line(LineError::TooLong { max: 8 }));
        peer.send(&[b'.'; 1000]).await;
        peer.send(b"\nafter\n").await;
        assert_line!(conn, "after");
        peer.send(b"1234567890\nlast\n").await;
        assert_err!(conn.recv_line().await, Error::Line(LineError::TooLong { max: 8 }));
        assert_line!(conn, "last");
    });
}

/// However the bytes are cut and whichever calls read them, the answers are the same.
pub async fn l5_any_chunking_and_any_mix_of_reads_give_the_same_answers<B: Bed>() {
    let bytes = b"one\r\ntwo\nblock\0\nblockthree\r\n\nfour\n";
    for chunk in [1, 2, 3, 5, 7, bytes.len()] {
        receivers!(B, Config::default(), |conn, peer| {
            let sending = async {
                for chunk in bytes.chunks(chunk) {
                    peer.send(chunk).await;
                }
            };
            let receiving = async {
                assert_line!(conn, "one");
                assert_eq!(conn.recv_line().await.expect("a line"), "two");
                assert_eq!(conn.next_block(7).await.expect("a block"), b"block\0\n");
                assert_eq!(conn.recv(5).await.expect("a block"), b"block");
                assert_eq!(conn.recv_line().await.expect("a line"), "three");
                assert_line!(conn, "");
                let mut four = [0; 4];
                conn.read_exact(&mut four).await.expect("four bytes");
                assert_eq!(&four, b"four");
                assert_line!(conn, "");
            };
            futures_lite::future::zip(sending, receiving).await;
        });
    }
}

/// Lines come before the bad line behind them, whatever the call.
pub async fn l6_lines_are_delivered_before_an_error<B: Bed>() {
    let bytes = b"a\nb\n1234567890\nc\n";
    receivers!(B, short(), |conn, peer| {
        peer.send(bytes).await;
        assert_line!(conn, "a");
        assert_line!(conn, "b");
        assert_err!(conn.next_line().await, Error::Line(_));
        assert_line!(conn, "c");
    });

    receivers!(B, short(), |conn, peer| {
        peer.send(bytes).await;
        let mut got = Vec::new();
        'until_bad: loop {
            let batch = conn.next_batch().await.expect("lines");
            let mut batch = batch.expect("no end");
            loop {
                match batch.next_line() {
                    Ok(Some(line)) => got.push(line.to_vec()),
                    Ok(None) => break,
                    Err(Error::Line(_)) => break 'until_bad,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        assert_eq!(got, [b"a", b"b"]);
        assert_line!(conn, "c");
    });
}

/// Lines come before an end, orderly or not.
pub async fn l6_lines_are_delivered_before_an_end<B: Bed>() {
    receivers!(B, Config::default(), |conn, peer| {
        peer.send(b"a\nb\n").await;
        peer.shutdown().await;
        assert_line!(conn, "a");
        assert_line!(conn, "b");
        assert_eq!(conn.next_line().await.expect("an orderly end"), None);
    });
    if !B::peer_resets() {
        return;
    }
    receivers!(B, Config::default(), |conn, peer| {
        peer.send(b"a\nb\n").await;
        peer.reset();
        let mut lines = LineStream::new(&mut conn);
        assert_eq!(lines.next().await.expect("a").expect("a line"), b"a");
        assert_eq!(lines.next().await.expect("b").expect("a line"), b"b");
        assert_err!(lines.next().await.expect("the reset"), Error::Disconnected(_));
        assert!(lines.next().await.is_none());
    });
}

/// An empty line is told from the end.
pub async fn l7_an_empty_line_is_no_end<B: Bed>() {
    receivers!(B, Config::default(), |conn, peer| {
        peer.send(b"\n\r\n\n").await;
        peer.shutdown().await;
        assert_line!(conn, "");
        assert_eq!(conn.recv_line().await.expect("a line"), "\r\n");
        let mut line = b"old".to_vec();
        conn.recv_line_into(&mut line).await.expect("a line");
        assert_eq!(line, b"\r\n");
        conn.recv_line_into(&mut line).await.expect("the end");
        assert_eq!(line, b"");
        assert_eq!(conn.recv_line().await.expect("the end"), "");
    });
}

/// The rest of a bad line is nobody's answer.
pub async fn l8_every_receive_first_finishes_discarding<B: Bed>() {
    for call in 0..6 {
        receivers!(B, short(), |conn, peer| {
            peer.send(b"1234567890").await;
            assert_err!(conn.next_line().await, Error::Line(_));
            let sending = async {
                peer.send(b"rest").await;
                peer.send(b"\nab\n").await;
            };
            let receiving = async {
                match call {
                    0 => assert_eq!(conn.next_block(2).await.expect("a block"), b"ab"),
                    1 => assert_eq!(conn.recv(2).await.expect("a block"), b"ab"),
                    2 => assert_eq!(conn.recv_line().await.expect("a line"), "ab"),
                    3 => assert_eq!(conn.peek(1).await.expect("bytes")[0], b'a'),
                    4 => {
                        let peeked = conn.with_flags(Flags::PEEK).recv(1).await;
                        assert_eq!(peeked.expect("a byte"), b"a");
                    }
                    _ => {
                        let mut two = [0; 2];
                        conn.read_exact(&mut two).await.expect("two bytes");
                        assert_eq!(&two, b"ab");
                    }
                }
            };
            futures_lite::future::zip(sending, receiving).await;
        });
    }
}

/// Taking the stream would hand the rest of a bad line to somebody else.
pub async fn l8_into_parts_refuses_while_discarding<B: Bed>() {
    if !B::IS_PLAIN {
        // Then it always does.
        return;
    }
    let (mut conn, peer) = B::pair(short()).await;
    peer.send(b"1234567890").await;
    assert_err!(conn.next_line().await, Error::Line(_));
    let Err(mut conn) = conn.into_parts() else {
        panic!("a line is being discarded");
    };
    peer.send(b"\nab\n").await;
    assert_line!(conn, "ab");
    let parts = conn.into_parts();
    assert!(parts.is_ok_and(|(_, rest)| rest.is_empty()), "all is well again");
}

/// A peek changes nothing, not even for a bad line.
pub async fn l8_a_peek_reports_a_bad_line_and_leaves_it<B: Bed>() {
    receivers!(B, short(), |conn, peer| {
        peer.send(b"1234567890\nab\n").await;
        for _ in 0..3 {
            let peeked = conn.with_flags(Flags::PEEK).recv_line().await;
            assert_err!(peeked, Error::Line(LineError::TooLong { max: 8 }));
        }
        assert_err!(conn.next_line().await, Error::Line(_));
        let peeked = conn.with_flags(Flags::PEEK).recv_line().await;
        assert_eq!(peeked.expect("a line"), "ab");
        assert_line!(conn, "ab");
    });
}

/// The CR may belong to the terminator, or make the line too long.
pub async fn l8_a_cr_behind_max_line_waits_for_one_more_byte<B: Bed>() {
    for (more, good) in [("\nx\n", true), ("y\nx\n", false)] {
        receivers!(B, short(), |conn, peer| {
            peer.send(b"12345678\r").await;
            {
                let mut waiting = pin!(conn.next_line());
                assert!(waits(waiting.as_mut()).await, "the CR decides nothing yet");
                peer.send(more.as_bytes()).await;
                match waiting.await {
                    Ok(line) if good => assert_eq!(line, Some(&b"12345678"[..])),
                    Err(Error::Line(LineError::TooLong { .. })) if !good => {}
                    other => panic!("{other:?}"),
                }
            }
            assert_line!(conn, "x");
        });
    }
}
