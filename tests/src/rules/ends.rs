//! The table of ends and [E1] to [E5]: what is seen when the peer goes away.
//!
//! [E1]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#e1
//! [E5]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#e5

use std::io::ErrorKind;
use std::pin::pin;

use asyncnet::nim::Flags;
use asyncnet::{Cause, Config, End, Error, LineError};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use crate::bed::{Bed, Peer};
use crate::memory::{Manner, Memory};
use crate::tools::{
    WriterFacts as _, assert_err, assert_line, is_reset, kind, receivers, senders, try_send, waits,
};

fn configs() -> [Config; 2] {
    [Flags::SAFE_DISCONN, Flags::empty()].map(|ends| Config::default().nim_flags(ends))
}

fn told(end: Option<End>) -> (Cause, usize) {
    end.map(|end| (end.cause, end.partial)).expect("an end")
}

fn told_reset(end: Option<End>) -> usize {
    match told(end) {
        (Cause::Lost(_), partial) => partial,
        other => panic!("{other:?}"),
    }
}

/// The first row, in every view, for ever.
pub async fn end_eof_between_lines_is_no_bytes_in_every_view<B: Bed>() {
    for config in configs() {
        receivers!(B, config, |conn, peer| {
            peer.send(b"line\n").await;
            peer.shutdown().await;
            assert_line!(conn, "line");
            assert!(conn.end().is_none());
            for _ in 0..2 {
                assert_eq!(conn.recv_line().await.expect("the end"), "");
                assert_eq!(conn.recv(5).await.expect("the end"), b"");
                assert_eq!(conn.recv_into(&mut [0; 5]).await.expect("the end"), 0);
                assert_eq!(conn.next_line().await.expect("the end"), None);
                assert!(conn.next_batch().await.expect("the end").is_none());
                assert_err!(conn.peek(1).await, Error::Disconnected(_));
                assert_eq!(conn.read(&mut [0; 5]).await.expect("the end"), 0);
                assert_err!(conn.next_block(5).await, Error::Disconnected(_));
                assert_eq!(told(conn.end()), (Cause::Eof, 0));
                assert_eq!(conn.partial(), b"");
            }
        });
    }
}

/// The second row for a line: a Nim-style call answers nothing, a typed call an error.
pub async fn end_eof_inside_a_line_is_told_by_the_typed_view<B: Bed>() {
    for config in configs() {
        receivers!(B, config, |conn, peer| {
            peer.send(b"line\npart").await;
            peer.shutdown().await;
            assert_eq!(conn.recv_line().await.expect("a line"), "line");
            for _ in 0..2 {
                assert_eq!(conn.recv_line().await.expect("the end"), "");
                assert_err!(
                    conn.next_line().await,
                    Error::Disconnected(End { cause: Cause::Eof, partial: 4, .. })
                );
                assert_err!(conn.next_batch().await, Error::Disconnected(_));
                assert_eq!(told(conn.end()), (Cause::Eof, 4));
                assert_eq!(conn.partial(), b"part");
            }
        });
    }
}

/// The second row for a block.
pub async fn end_eof_inside_a_block_gives_the_bytes_that_came<B: Bed>() {
    for config in configs() {
        receivers!(B, config, |conn, peer| {
            peer.send(b"part").await;
            peer.shutdown().await;
            assert_eq!(conn.recv(9).await.expect("what came"), b"part");
            assert_eq!(conn.recv(9).await.expect("the end"), b"");
            assert_eq!(told(conn.end()), (Cause::Eof, 0));
        });
        receivers!(B, config, |conn, peer| {
            peer.send(b"part").await;
            peer.shutdown().await;
            let cut = conn.next_block(9).await.expect_err("five are missing");
            assert_eq!(kind(cut), ErrorKind::UnexpectedEof);
            assert_eq!(told(conn.end()), (Cause::Eof, 4));
            assert_eq!(conn.partial(), b"part");
        });
    }
}

/// The third row, in the view that hides it.
pub async fn end_reset_is_no_bytes_for_nim_style_calls<B: Bed>() {
    if !B::peer_resets() {
        return;
    }
    receivers!(B, Config::default(), |conn, peer| {
        peer.send(b"line\npart").await;
        peer.reset();
        assert_eq!(conn.recv_line().await.expect("a line"), "line");
        for _ in 0..2 {
            assert_eq!(conn.recv_line().await.expect("the end"), "");
            assert_eq!(conn.recv(3).await.expect("the end"), b"");
            assert_eq!(told_reset(conn.end()), 4);
            assert!(conn.end().is_some());
        }
    });
    receivers!(B, Config::default(), |conn, peer| {
        peer.send(b"part").await;
        peer.reset();
        assert_eq!(conn.recv(9).await.expect("what came"), b"part");
        assert_eq!(conn.recv(9).await.expect("the end"), b"");
        assert_eq!(told_reset(conn.end()), 0);
    });
}

/// The third row, in the view that does not.
pub async fn end_reset_is_an_error_without_safe_disconn<B: Bed>() {
    if !B::peer_resets() {
        return;
    }
    let tell = Config::default().nim_flags(Flags::empty());
    receivers!(B, tell, |conn, peer| {
        peer.send(b"line\npart").await;
        peer.reset();
        assert_eq!(conn.recv_line().await.expect("a line"), "line");
        for _ in 0..2 {
            let error = conn.recv_line().await.expect_err("a reset");
            assert_eq!(kind(error), ErrorKind::ConnectionReset);
            assert!(is_reset(&conn.recv(3).await.expect_err("a reset")));
            let hidden = conn.with_flags(Flags::SAFE_DISCONN).recv_line().await;
            assert_eq!(hidden.expect("the end"), "");
        }
        assert_eq!(told_reset(conn.end()), 4);
    });
    receivers!(B, tell, |conn, peer| {
        peer.send(b"part").await;
        peer.reset();
        let mut buf = [0; 9];
        assert_eq!(conn.recv_into(&mut buf).await.expect("what came"), 4);
        let error = conn.recv_into(&mut buf).await.expect_err("a reset");
        assert_eq!(kind(error), ErrorKind::ConnectionReset);
        assert_eq!(told_reset(conn.end()), 0);
    });
}

/// The third row, in the view that always tells.
pub async fn end_reset_is_an_error_in_the_typed_view<B: Bed>() {
    if !B::peer_resets() {
        return;
    }
    for config in configs() {
        receivers!(B, config, |conn, peer| {
            peer.send(b"line\npart").await;
            peer.reset();
            assert_line!(conn, "line");
            for _ in 0..2 {
                assert!(is_reset(&conn.next_line().await.expect_err("a reset")));
                assert!(is_reset(&conn.next_block(9).await.expect_err("a reset")));
                assert!(is_reset(&conn.next_batch().await.expect_err("a reset")));
                assert!(is_reset(&conn.peek(1).await.expect_err("a reset")));
                let read = conn.read(&mut [0; 5]).await.expect_err("a reset");
                assert_eq!(read.kind(), ErrorKind::ConnectionReset);
                assert_eq!(conn.partial(), b"part");
            }
            assert_eq!(told_reset(conn.end()), 4);
        });
    }
}

/// Every kind of loss is a reset, and an `io::Error` of its own kind.
pub async fn end_reset_keeps_its_kind<M: Manner>() {
    for loss in [
        ErrorKind::ConnectionReset,
        ErrorKind::ConnectionAborted,
        ErrorKind::BrokenPipe,
        ErrorKind::TimedOut,
        ErrorKind::HostUnreachable,
        ErrorKind::NetworkUnreachable,
        ErrorKind::NetworkDown,
    ] {
        receivers!(Memory<M>, Config::default(), |conn, peer| {
            peer.send(b"line\n").await;
            peer.break_with(loss);
            assert_eq!(conn.recv_line().await.expect("a line"), "line");
            assert_eq!(conn.recv_line().await.expect("hidden"), "");
            let told = conn.with_flags(Flags::empty()).recv_line().await;
            assert_eq!(kind(told.expect_err("told")), loss);
            assert_eq!(kind(conn.next_line().await.expect_err("typed")), loss);
            assert_eq!(told_reset(conn.end()), 0);
        });
    }
}

/// The last row: whoever closes knows it, whatever the view.
pub async fn end_closed_by_us_is_an_error_in_every_view<B: Bed>() {
    for config in configs() {
        let (mut conn, peer) = B::pair(config).await;
        peer.send(b"line\npart").await;
        assert_line!(conn, "line");
        peer.shutdown().await;
        conn.close().await.expect("nothing was queued");
        for _ in 0..2 {
            assert_err!(conn.recv_line().await, Error::Closed);
            assert_err!(conn.recv(3).await, Error::Closed);
            assert_err!(conn.recv_into(&mut [0; 3]).await, Error::Closed);
            assert_err!(conn.next_line().await, Error::Closed);
            assert_err!(conn.next_batch().await, Error::Closed);
            assert_err!(conn.next_block(3).await, Error::Closed);
            assert_err!(conn.peek(1).await, Error::Closed);
            assert_err!(conn.send(b"x").await, Error::Closed);
            assert_err!(conn.feed(b"x"), Error::Closed);
            assert_err!(conn.flush().await, Error::Closed);
            assert_eq!(told(conn.end()), (Cause::Closed, 0));
            assert!(conn.is_closed());
        }
    }
}

/// An end is final: what is learned later does not change it.
pub async fn e1_the_first_end_stays<B: Bed>() {
    let (mut conn, peer) = B::pair(Config::default()).await;
    peer.shutdown().await;
    assert_eq!(conn.next_line().await.expect("the end"), None);
    drop(peer);
    while conn.send_line(b"anybody?").await.is_ok() {}
    for _ in 0..3 {
        assert_eq!(conn.next_line().await.expect("the end"), None);
        assert_eq!(told(conn.end()), (Cause::Eof, 0));
    }
    assert_err!(conn.close().await, Error::Disconnected(_));
    assert_err!(conn.next_line().await, Error::Closed);
    assert_eq!(told(conn.end()), (Cause::Eof, 0));
}

/// The partial outlives everything but the connection, and is never a line.
pub async fn e2_the_partial_stays_and_never_becomes_a_line<B: Bed>() {
    let (mut conn, peer) = B::pair(Config::default()).await;
    peer.send(b"part").await;
    peer.shutdown().await;
    assert_eq!(conn.recv_line().await.expect("the end"), "");
    assert_eq!(conn.recv(4).await.expect("the end"), b"");
    assert_err!(conn.next_block(4).await, Error::Disconnected(_));
    conn.send(b"still here\n").await.expect("only the input ended");
    conn.close().await.expect("all was sent");
    assert_eq!(conn.partial(), b"part");
    assert_eq!(told(conn.end()), (Cause::Eof, 4));
}

/// A broadcast goes on over those who left.
pub async fn e3_a_send_to_a_gone_peer_is_no_error_under_safe_disconn<B: Bed>() {
    senders!(B, Config::default(), |conn, peer| {
        peer.reset();
        while conn.end().is_none() {
            conn.send(b"anybody?\n").await.expect("hidden");
        }
        conn.send(b"anybody?\n").await.expect("hidden");
        assert_eq!(told_reset(conn.end()), 0);
        assert_err!(conn.send_all(b"anybody?\n").await, Error::Disconnected(_));
    });
    let (mut conn, peer) = B::pair(Config::default()).await;
    peer.reset();
    while conn.end().is_none() {
        conn.send(b"anybody?\n").await.expect("hidden");
    }
    let told = conn.with_flags(Flags::empty()).send(b"anybody?\n").await;
    assert_err!(told, Error::Disconnected(_));
    conn.send(b"anybody?\n").await.expect("the flags are for one call");
}

/// Without the flag, and in the typed view always, it is one.
pub async fn e3_a_send_to_a_gone_peer_is_an_error_otherwise<B: Bed>() {
    let tell = Config::default().nim_flags(Flags::empty());
    senders!(B, tell, |conn, peer| {
        peer.reset();
        let error = loop {
            if let Err(error) = conn.send(b"anybody?\n").await {
                break error;
            }
        };
        assert!(matches!(error, Error::Disconnected(_)), "{error}");
    });
    senders!(B, Config::default(), |conn, peer| {
        peer.reset();
        while conn.send_line(b"anybody?").await.is_ok() {}
        assert_err!(conn.send_line(b"x").await, Error::Disconnected(_));
        assert_err!(conn.feed(b"x"), Error::Disconnected(_));
        assert_err!(conn.feed_line(b"x"), Error::Disconnected(_));
        assert_err!(try_send!(conn, (&b"x"[..]).into()), Error::Disconnected(_));
    });
}

/// A flush does not say that bytes left which are lost.
pub async fn e3_a_flush_after_the_loss_is_an_error<B: Bed>() {
    senders!(B, Config::default(), |conn, peer| {
        peer.reset();
        while conn.end().is_none() {
            conn.send(b"anybody?\n").await.expect("hidden");
        }
        assert_err!(conn.flush().await, Error::Disconnected(_));
    });
    // Lost while the flush waits: bytes that were fed, and the traits of `futures`.
    let config = Config::default().max_queue(B::HOLDS);
    for by_trait in [true, false] {
        let (mut conn, peer) = B::stuffed(config).await;
        let flushing = async {
            if by_trait {
                AsyncWriteExt::flush(&mut conn).await.is_err()
            } else {
                conn.flush().await.is_err()
            }
        };
        let mut flushing = pin!(flushing);
        assert!(waits(flushing.as_mut()).await);
        peer.reset();
        assert!(flushing.await, "the bytes are lost");
    }
}

/// A bad line costs that line.
pub async fn e4_a_line_error_leaves_everything<B: Bed>() {
    let (mut conn, peer) = B::pair(Config::default().max_line(4)).await;
    peer.send(b"too long\nnext\n").await;
    let error = conn.next_line().await.expect_err("too long");
    assert!(matches!(error, Error::Line(LineError::TooLong { .. })));
    assert_eq!(kind(error), ErrorKind::InvalidData);
    conn.send(b"sorry?\n").await.expect("all is well");
    assert_eq!(peer.recv(7).await, b"sorry?\n");
    assert_line!(conn, "next");
    assert!(conn.end().is_none());
}

/// The end of the input is not the end of the output.
pub async fn e4_an_end_leaves_sending_and_a_reset_does_not<B: Bed>() {
    let (mut conn, peer) = B::pair(Config::default()).await;
    peer.shutdown().await;
    assert_eq!(conn.next_line().await.expect("the end"), None);
    conn.send_line(b"bye").await.expect("a half-closed peer listens");
    assert_eq!(peer.recv(5).await, b"bye\r\n");

    if !B::peer_resets() {
        return;
    }
    let (mut conn, peer) = B::pair(Config::default()).await;
    peer.reset();
    assert_err!(conn.next_line().await, Error::Disconnected(_));
    assert_err!(conn.send_line(b"bye").await, Error::Disconnected(_));
}

/// The system tells of a reset once, to whoever comes first; here both are told the same.
pub async fn e5_write_first_and_read_first_give_the_same_answers<B: Bed>() {
    if !B::peer_resets() {
        return;
    }
    for write_first in [true, false] {
        for config in configs() {
            let (mut conn, peer) = B::pair(config).await;
            peer.send(b"kept\nalso kept\npart").await;
            peer.reset();
            while write_first && conn.send_line(b"anybody?").await.is_ok() {}
            assert_line!(conn, "kept");
            assert_line!(conn, "also kept");
            assert!(is_reset(&conn.next_line().await.expect_err("a reset")));
            assert_err!(conn.send_line(b"x").await, Error::Disconnected(_));
            assert_eq!(told_reset(conn.end()), 4);
            assert_eq!(conn.partial(), b"part");

            let (mut receiver, peer) = B::pair(config).await;
            let sender = receiver.writer();
            peer.send(b"kept\nalso kept\npart").await;
            peer.reset();
            while write_first && sender.send_line(b"anybody?").await.is_ok() {}
            assert_line!(receiver, "kept");
            assert_line!(receiver, "also kept");
            assert!(is_reset(&receiver.next_line().await.expect_err("a reset")));
            assert_err!(sender.send_line(b"x").await, Error::Disconnected(_));
            assert_eq!(told_reset(receiver.end()), 4);
            assert_eq!(receiver.partial(), b"part");
        }
    }
}
