//! What a connection may hold. Each test counts the allocations of its own thread.

use std::io::ErrorKind;
use std::task::Poll;

use allocation_counter::measure;
use asyncnet::{Config, Connection, Error};

use crate::pipe::{End, duplex};
use crate::{WIDE, open, open_shared, poll_once};

const MANY: usize = 100;
/// What a connection may hold beside itself while it has nothing to remember.
const LITTLE: usize = 1 << 10;

/// What `MANY` connections hold after `act`, beyond what the thread keeps for all of them.
fn held_by_each(prepare: impl Fn(&End), act: impl Fn(&mut Connection<End>, &End)) -> usize {
    let mut all: Vec<_> = (0..=MANY).map(|_| open(WIDE, Config::default())).collect();
    all.iter().for_each(|(_, peer)| prepare(peer));
    // The first fills what the thread keeps.
    let (conn, peer) = &mut all[0];
    act(conn, peer);
    let info = measure(|| {
        for (conn, peer) in &mut all[1..] {
            act(conn, peer);
        }
    });
    usize::try_from(info.bytes_current).unwrap_or(0) / MANY
}

#[test]
fn an_idle_connection_holds_no_block() {
    let held = held_by_each(
        |peer| peer.say(b"hello\n"),
        |conn, _| {
            assert!(matches!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(b"hello")))));
            assert!(poll_once(conn.next_line()).is_pending());
        },
    );
    assert!(held < LITTLE, "{held} bytes");
}

#[test]
fn an_ended_connection_holds_no_block() {
    let held = held_by_each(End::end, |conn, _| {
        assert!(matches!(poll_once(conn.next_line()), Poll::Ready(Ok(None))));
    });
    assert!(held < LITTLE, "{held} bytes");
}

#[test]
fn a_broken_connection_holds_no_block() {
    let held = held_by_each(
        |peer| peer.output.state().read_error = Some(ErrorKind::ConnectionReset),
        |conn, _| {
            let line = poll_once(conn.next_line());
            assert!(matches!(line, Poll::Ready(Err(Error::Disconnected(_)))), "{line:?}");
        },
    );
    assert!(held < LITTLE, "{held} bytes");
}

#[test]
fn a_short_partial_behind_a_long_line_pins_no_large_block() {
    let (end, peer) = duplex(WIDE);
    peer.say(&vec![b'x'; 900_000]);
    peer.say(b"\n");
    peer.say(&[b'y'; 9000]);
    let mut conn = Connection::new(end, Config::default());
    let info = measure(|| {
        // A receive yields now and then.
        assert!((0..1000).any(|_| poll_once(conn.next_line()).is_ready()));
        for _ in 0..10 {
            assert!(poll_once(conn.next_line()).is_pending());
        }
    });
    assert_eq!(conn.stats().bytes_received, 909_001);
    let held = info.bytes_current;
    assert!(held < 200_000, "{held} bytes for 9000");
}

#[test]
fn abort_frees_the_outbox() {
    let (_receiver, sender, _peer) = open_shared(8, Config::default());
    let info = measure(|| {
        sender.feed(vec![b'x'; 1_000_000]).unwrap();
        sender.abort();
    });
    assert_eq!(sender.stats().queued, 0);
    assert!(info.bytes_current < LITTLE as i64, "{} bytes", info.bytes_current);
}
