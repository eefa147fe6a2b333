//! [N2] to [N8]: messages by a parser, and batches, over every transport.
//!
//! [N2]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#n2
//! [N8]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#n8

use std::cell::Cell;

use asyncnet::{Batch, Cause, Config, Error, LineError, Transport, Unread};
use futures_lite::future::{yield_now, zip};

use crate::bed::{Bed, Peer};
use crate::tools::{assert_err, assert_line, receivers};

/// Sends `bytes` one by one, so that whoever receives waits for each.
async fn trickle(peer: &impl Peer, bytes: &[u8]) {
    for byte in bytes.chunks(1) {
        peer.send(byte).await;
        yield_now().await;
    }
}

/// Two lines, as one message.
fn two_lines(unread: &mut Unread<'_>) -> Result<Vec<u8>, Error> {
    let mut text = unread.line()?.to_vec();
    text.extend(unread.line()?);
    Ok(text)
}

/// The same, but the first line is consumed when it is here: what came of it is in `first`.
fn line_by_line(first: &mut Vec<u8>, unread: &mut Unread<'_>) -> Result<Vec<u8>, Error> {
    if first.is_empty() {
        first.extend(unread.line()?);
        unread.checkpoint();
    }
    Ok([&*first, unread.line()?].concat())
}

/// However many pieces a message comes in: once to ask, and once for each thing that it lacked.
pub async fn n2_a_parser_is_called_again_when_what_it_lacked_is_here<B: Bed>() {
    receivers!(B, Config::default(), |conn, peer| {
        let calls = Cell::new(0);
        let parse = |unread: &mut Unread<'_>| {
            calls.set(calls.get() + 1);
            let line = unread.line()?.to_vec();
            Ok([&line, unread.block(40)?].concat())
        };
        let message = [&b"a long first line"[..], &[b'x'; 40]].concat();
        let wire = [&b"a long first line\r\n"[..], &[b'x'; 40]].concat();
        let (got, ()) = zip(conn.next_with(parse), trickle(&peer, &wire)).await;
        assert_eq!(got.expect("a message"), Some(message));
        assert!(calls.get() <= 3, "{} calls", calls.get());
    });
}

/// What the parser took and the bad line are gone, and the next message comes.
pub async fn n3_a_bad_line_in_a_message_is_reported_once<B: Bed>() {
    receivers!(B, Config::default().max_line(4), |conn, peer| {
        let sending = trickle(&peer, b"a\nmuch too long\nb\nc\n");
        let receiving = async {
            let bad = conn.next_with(two_lines).await;
            assert_err!(bad, Error::Line(LineError::TooLong { max: 4 }));
            assert_eq!(conn.next_with(two_lines).await.expect("a message"), Some(b"bc".to_vec()));
        };
        zip(sending, receiving).await;
    });
}

/// It is never taken twice, and an end behind it is in the middle of a message.
pub async fn n4_what_is_in_front_of_a_checkpoint_is_consumed<B: Bed>() {
    receivers!(B, Config::default(), |conn, peer| {
        peer.send(b"a\nb\n").await;
        let mut first = Vec::new();
        let message = conn.next_with(|unread| line_by_line(&mut first, unread)).await;
        assert_eq!(message.expect("a message"), Some(b"ab".to_vec()));
        peer.send(b"c\n").await;
        peer.shutdown().await;
        first.clear();
        for _ in 0..2 {
            let cut = conn.next_with(|unread| line_by_line(&mut first, unread)).await;
            assert_err!(&cut, Error::Disconnected(end) if end.cause == Cause::Eof);
            assert_eq!(first, b"c");
        }
    });
}

/// A parser that never has enough does not make the inbox grow.
pub async fn n5_a_message_is_bounded_in_bytes<B: Bed>() {
    let config = Config::default().max_line(16).max_block(64);
    receivers!(B, config, |conn, peer| {
        let insatiable = |unread: &mut Unread<'_>| -> Result<(), Error> {
            let more = unread.seen() + unread.rest().len() + 1;
            Err(unread.needs(more))
        };
        let sending = async {
            for _ in 0..10 {
                peer.send(b"0123456789").await;
                yield_now().await;
            }
        };
        let receiving = async {
            let refused = conn.next_with(insatiable).await;
            assert_err!(refused, Error::TooLarge { .. });
        };
        zip(sending, receiving).await;
    });
}

/// What is here of a batch: all items of it live side by side.
fn all<S: Transport>(batch: &mut Batch<'_, S>) -> Result<Vec<String>, Error> {
    let line = batch.next_line()?;
    let block = batch.next_block(3)?;
    let message = batch.next_with(two_lines)?;
    let rest = batch.next_bytes(4);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok([line, block, message.as_deref(), rest].into_iter().flatten().map(text).collect())
}

/// Lines, blocks, messages and bytes, in any order.
pub async fn n6_a_batch_hands_out_all_that_has_arrived<B: Bed>() {
    receivers!(B, Config::default(), |conn, peer| {
        peer.send(b"line\nabcx\ny\nrest").await;
        // All of it is here.
        assert_eq!(conn.peek(16).await.expect("bytes").len(), 16);
        let mut batch = conn.next_batch().await.expect("bytes").expect("bytes");
        assert_eq!(all(&mut batch).expect("good lines"), ["line", "abc", "xy", "rest"]);
    });
}

/// Nothing of an item that is not all here is taken, and a batch comes only when it is.
pub async fn n7_the_next_batch_waits_for_what_the_last_one_lacked<B: Bed>() {
    receivers!(B, Config::default(), |conn, peer| {
        let wire = b"one line\nand a block, then the end";
        let receiving = async {
            let (mut batches, mut got) = (0, Vec::new());
            while let Some(mut batch) = conn.next_batch().await? {
                batches += 1;
                if got.is_empty() {
                    got.extend(batch.next_line()?.map(<[u8]>::to_vec));
                }
                if got.len() == 1 {
                    got.extend(batch.next_block(12)?.map(<[u8]>::to_vec));
                }
                if got.len() == 2 {
                    break;
                }
            }
            assert_eq!(got, [&b"one line"[..], b"and a block,"]);
            // One for the first byte, and one for each item.
            assert!(batches <= 3, "{batches} batches");
            // The end does not make an item of what is none.
            loop {
                let mut batch = match conn.next_batch().await {
                    Ok(Some(batch)) => batch,
                    Ok(None) => panic!("the end was a clean one"),
                    Err(error) => return Err(error),
                };
                assert_eq!(batch.next_line()?, None);
            }
        };
        let sending = async {
            trickle(&peer, wire).await;
            peer.shutdown().await;
        };
        let (cut, ()) = zip(receiving, sending).await;
        let cut: Result<(), _> = cut;
        assert_err!(&cut, Error::Disconnected(end) if end.cause == Cause::Eof);
        assert_eq!(conn.partial(), b" then the end");
    });
}

/// The batch goes on with what is behind it, and so does the next one.
pub async fn n8_a_bad_line_in_a_batch_is_reported_once<B: Bed>() {
    receivers!(B, Config::default().max_line(4), |conn, peer| {
        peer.send(b"a\nmuch too long\nb\n").await;
        assert_eq!(conn.peek(18).await.expect("bytes").len(), 18);
        let mut batch = conn.next_batch().await.expect("bytes").expect("bytes");
        assert_eq!(batch.next_line(), Ok(Some(&b"a"[..])));
        assert_err!(batch.next_line(), Error::Line(LineError::TooLong { max: 4 }));
        assert_eq!(batch.next_line(), Ok(Some(&b"b"[..])));
        peer.send(b"much too long").await;
        let mut refused = 0;
        while refused == 0 {
            let mut batch = conn.next_batch().await.expect("bytes").expect("bytes");
            refused += usize::from(batch.next_line().is_err());
        }
        peer.send(b" still\nc\n").await;
        assert_line!(conn, "c");
    });
}
