//! `next_line` is a future with a name: what holds for an `async fn` holds for it too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use asyncnet::{Config, Error, NextLine};

use crate::{WIDE, open};

type Answer<'a> = Result<Option<&'a [u8]>, Error>;

/// The line, or `None` while it waits.
fn poll<'a>(line: Pin<&mut impl Future<Output = Answer<'a>>>) -> Option<&'a [u8]> {
    match line.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(line) => Some(line.unwrap().unwrap()),
        Poll::Pending => None,
    }
}

#[test]
fn next_line_waits_as_often_as_it_has_to_and_then_answers() {
    let (mut conn, peer) = open(WIDE, Config::default());
    let mut line = pin!(conn.next_line());
    assert_eq!(poll(line.as_mut()), None);
    peer.say(b"ha");
    assert_eq!(poll(line.as_mut()), None);
    peer.say(b"lf\r\n");
    assert_eq!(poll(line.as_mut()), Some(&b"half"[..]));
}

#[test]
fn c1_next_line_dropped_while_it_waits_loses_nothing() {
    let (mut conn, peer) = open(WIDE, Config::default());
    peer.say(b"ha");
    assert_eq!(poll(pin!(conn.next_line())), None);
    peer.say(b"lf\nwhole\n");
    assert_eq!(poll(pin!(conn.next_line())), Some(&b"half"[..]));
    assert_eq!(poll(pin!(conn.next_line())), Some(&b"whole"[..]));
}

#[test]
fn next_line_that_is_not_polled_takes_nothing() {
    let (mut conn, peer) = open(WIDE, Config::default());
    peer.say(b"one\n");
    drop(conn.next_line());
    assert_eq!(poll(pin!(conn.next_line())), Some(&b"one"[..]));
}

#[test]
fn next_line_polled_behind_its_answer_panics_and_takes_nothing() {
    let (mut conn, peer) = open(WIDE, Config::default());
    peer.say(b"one\ntwo\n");
    let mut line = pin!(conn.next_line());
    assert!(poll(line.as_mut()).is_some());
    let again = catch_unwind(AssertUnwindSafe(|| poll(line.as_mut()).is_some()));
    assert!(again.is_err());
    assert_eq!(poll(pin!(conn.next_line())), Some(&b"two"[..]));
}

#[test]
fn next_line_of_a_connection_with_a_writer_is_the_same() {
    let (mut conn, peer) = open(WIDE, Config::default());
    let _writer = conn.writer();
    let mut line: Pin<&mut NextLine<'_, _>> = pin!(conn.next_line());
    assert_eq!(poll(line.as_mut()), None);
    peer.say(b"one\n");
    assert_eq!(poll(line), Some(&b"one"[..]));
}
