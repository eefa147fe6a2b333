//! The documented panics, and what looks like one and is none.

use asyncnet_core::{Config, Connection, Step};

use crate::play::{Machine as _, Parts};

fn conn() -> Connection {
    Connection::new(Config::default())
}

#[test]
#[should_panic(expected = "a read gave more bytes than the space it was given")]
fn a_read_of_more_than_space_had_offered() {
    let mut conn = conn();
    let offered = conn.space().len();
    conn.handle_read(offered + 1);
}

#[test]
#[should_panic(expected = "a read gave more bytes than the space it was given")]
fn a_read_into_no_space() {
    conn().handle_read(1);
}

#[test]
#[should_panic(expected = "a read gave more bytes than the space it was given")]
fn a_second_read_into_the_same_space() {
    let mut conn = conn();
    let _ = conn.space();
    conn.handle_read(1);
    conn.handle_read(1);
}

#[test]
#[should_panic(expected = "a read gave more bytes than the space it was given")]
fn a_read_into_space_that_was_taken_back() {
    let mut parts = Parts::new(Config::default());
    let _ = parts.space();
    let mut taken = 0;
    parts.link.reclaim(Some(&mut parts.inbound), |_| taken += 1);
    assert_eq!(taken, 1);
    parts.handle_read(1);
}

#[test]
#[should_panic(expected = "more bytes were transmitted than were outgoing")]
fn more_transmitted_than_unsent() {
    let mut conn = conn();
    assert_eq!(conn.feed(b"ab"), Ok(()));
    conn.transmitted(3);
}

#[test]
fn nothing_read_nothing_taken_and_nothing_transmitted_are_fine() {
    let mut conn = conn();
    conn.handle_read(0);
    assert_eq!(conn.handle_input(b""), 0);
    conn.transmitted(0);
    assert!(!conn.space().is_empty());
    conn.handle_read(0);
    assert_eq!(conn.next_line(), Ok(Step::NeedInput));
    assert_eq!(conn.end(), None, "a read of 0 is no end");
}

#[test]
fn a_read_that_comes_after_the_end_is_ignored() {
    let mut conn = conn();
    let offered = conn.space().len();
    conn.close();
    conn.handle_read(offered);
    assert_eq!((conn.peek(), conn.partial()), (&b""[..], &b""[..]));
}
