//! What a success promises: no call claims that bytes are out which are lost, and none calls a message
//! lost that is out.

use std::io::ErrorKind;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use asyncnet::{Bytes, Cause, Config, End, Error, Loss};
use futures_lite::io::AsyncWriteExt;

use crate::{WIDE, open, open_shared, poll_once, try_send};

const BROKEN: Error = Error::Disconnected(End::new(Cause::Lost(Loss::BrokenPipe), 0));

#[test]
fn close_tells_what_an_abort_threw_away() {
    let (_receiver, sender, _peer) = open_shared(8, Config::default());
    sender.feed([b'x'; 100]).unwrap();
    assert!(poll_once(sender.close()).is_pending());
    assert!(sender.stats().queued > 0);
    sender.abort();
    assert_eq!(poll_once(sender.close()), Poll::Ready(Err(Error::Closed)));
    assert_eq!(sender.stats().queued, 0);
}

#[test]
fn shutdown_write_tells_what_an_abort_threw_away() {
    let (_receiver, sender, _peer) = open_shared(8, Config::default());
    sender.feed([b'x'; 100]).unwrap();
    let mut shutdown = pin!(sender.shutdown_write());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(shutdown.as_mut().poll(&mut cx).is_pending());
    sender.abort();
    assert_eq!(shutdown.as_mut().poll(&mut cx), Poll::Ready(Err(Error::Closed)));
}

#[test]
fn flush_tells_what_an_abort_threw_away() {
    let (_receiver, sender, _peer) = open_shared(8, Config::default());
    sender.feed([b'x'; 100]).unwrap();
    let mut flush = pin!(sender.flush());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(flush.as_mut().poll(&mut cx).is_pending());
    sender.abort();
    assert_eq!(flush.as_mut().poll(&mut cx), Poll::Ready(Err(Error::Closed)));
}

#[test]
fn send_tells_a_stream_that_cannot_flush() {
    let (mut conn, peer) = open(WIDE, Config::default());
    peer.input.state().flush_error = Some(ErrorKind::BrokenPipe);
    assert_eq!(poll_once(conn.send_line(b"x")), Poll::Ready(Err(BROKEN)));
}

#[test]
fn flush_tells_bytes_that_were_lost_before_it() {
    let (mut conn, peer) = open(WIDE, Config::default());
    peer.refuse();
    conn.feed(b"important").unwrap();
    assert!(poll_once(conn.next_line()).is_pending(), "the write fails here");
    assert_eq!(poll_once(conn.flush()), Poll::Ready(Err(BROKEN)));
}

#[test]
fn close_tells_bytes_that_were_lost_before_it() {
    let (mut conn, peer) = open(WIDE, Config::default());
    peer.refuse();
    conn.feed(b"important").unwrap();
    assert!(poll_once(conn.next_line()).is_pending(), "the write fails here");
    assert_eq!(poll_once(conn.close()), Poll::Ready(Err(BROKEN)));
}

#[test]
fn shutdown_write_tells_bytes_that_were_lost_before_it() {
    let (mut conn, peer) = open(WIDE, Config::default());
    peer.refuse();
    conn.feed(b"important").unwrap();
    assert!(poll_once(conn.next_line()).is_pending(), "the write fails here");
    assert_eq!(poll_once(conn.shutdown_write()), Poll::Ready(Err(BROKEN)));
}

#[test]
fn flush_after_a_close_is_closed() {
    let (mut conn, _peer) = open(WIDE, Config::default());
    assert_eq!(poll_once(conn.close()), Poll::Ready(Ok(())));
    assert_eq!(poll_once(conn.flush()), Poll::Ready(Err(Error::Closed)));
}

#[test]
fn flush_tells_what_try_send_lost() {
    let (_receiver, sender, peer) = open_shared(WIDE, Config::default());
    peer.refuse();
    assert_eq!(try_send(&sender, Bytes::from_static(b"hello")), Ok(()));
    assert_eq!(poll_once(sender.flush()), Poll::Ready(Err(BROKEN)));
}

#[test]
fn a_send_that_is_out_succeeds_though_another_is_torn_behind_it() {
    let (_receiver, sender, peer) = open_shared(20, Config::default().max_queue(30));
    let mut cx = Context::from_waker(Waker::noop());
    let mut first = pin!(sender.send(&[b'1'; 25]));
    assert!(first.as_mut().poll(&mut cx).is_pending());
    let mut heard = peer.hear();
    // Begun and given up: what was left of the first is out, and a part of this one.
    assert!(poll_once(sender.send(&[b'2'; 100])).is_pending());
    assert_eq!(first.as_mut().poll(&mut cx), Poll::Ready(Ok(())));
    heard.extend(peer.hear());
    assert!(heard.starts_with(&[b'1'; 25]));
    assert_eq!(sender.feed(b"x"), Err(Error::Interrupted));
}

#[test]
fn a_send_that_is_out_succeeds_though_the_connection_broke_behind_it() {
    let (_receiver, sender, peer) = open_shared(20, Config::default());
    let mut cx = Context::from_waker(Waker::noop());
    let mut first = pin!(sender.send_line(&[b'1'; 23]));
    assert!(first.as_mut().poll(&mut cx).is_pending());
    peer.hear();
    assert_eq!(poll_once(sender.flush()), Poll::Ready(Ok(())));
    peer.refuse();
    assert_eq!(try_send(&sender, Bytes::from_static(b"other")), Ok(()));
    assert_eq!(first.as_mut().poll(&mut cx), Poll::Ready(Ok(())));
    assert_eq!(poll_once(sender.flush()), Poll::Ready(Err(BROKEN)));
}

#[test]
fn close_after_a_loss_that_send_has_hidden_is_ok() {
    let (mut conn, peer) = open(WIDE, Config::default());
    peer.refuse();
    assert_eq!(poll_once(conn.send(b"x")), Poll::Ready(Ok(())));
    assert!(conn.end().is_some());
    assert_eq!(poll_once(conn.close()), Poll::Ready(Ok(())));
}

#[test]
fn close_after_a_loss_that_send_has_told_tells_it_again() {
    let (mut conn, peer) = open(WIDE, Config::default());
    peer.refuse();
    assert_eq!(poll_once(conn.send_all(b"x")), Poll::Ready(Err(BROKEN)));
    assert_eq!(poll_once(conn.close()), Poll::Ready(Err(BROKEN)));
}

#[test]
fn a_large_send_that_was_leaked_counts_as_torn() {
    let (mut conn, peer) = open(4, Config::default().max_queue(4));
    let mut leaked = Box::pin(conn.send(&[b'x'; 100]));
    assert!(leaked.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    std::mem::forget(leaked);
    peer.hear();
    assert_eq!(poll_once(conn.send(b"y")), Poll::Ready(Err(Error::Interrupted)));
}

#[test]
fn into_parts_hands_out_no_stream_of_a_torn_message() {
    let (mut conn, peer) = open(4, Config::default().max_queue(4));
    assert!(poll_once(conn.send(&[b'x'; 100])).is_pending());
    drop(peer);
    assert!(conn.into_parts().is_err());
}

#[test]
fn a_write_gets_out_whatever_max_queue_is() {
    let (mut conn, peer) = open(WIDE, Config::default().max_queue(0));
    assert_eq!(poll_once(conn.send(b"abc")), Poll::Ready(Ok(())));
    assert!(matches!(poll_once(conn.write_all(b"def")), Poll::Ready(Ok(()))));
    assert_eq!(poll_once(conn.flush()), Poll::Ready(Ok(())));
    assert_eq!(peer.hear(), b"abcdef");
}
