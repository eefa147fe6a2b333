//! The contract of the driver over a pipe in memory, where every schedule can be played: who is woken,
//! what a success promises, how a connection ends, what memory it holds, and what a room does.
//!
//! Everything here knows the public interface only.

mod batch;
mod bounds;
#[cfg(feature = "tls")]
mod certificates;
mod clock;
mod closing;
mod dot;
mod draining;
mod drops;
mod ends;
mod flushing;
mod hold_ups;
mod layer;
mod locks;
#[cfg(not(all(windows, target_env = "gnu")))] // allocation-counter does not run there.
mod memory;
mod messages;
mod names;
mod net;
mod next_line;
mod outcomes;
mod parts;
mod pipe;
#[cfg(feature = "proxy")]
mod proxied;
mod rates;
mod room;
mod schedules;
mod secure;
#[cfg(feature = "tls")]
mod secure_listener;
mod secure_schedules;
mod tasks;
mod timeouts;
mod toy;
mod traits;
mod turns;
mod upgrade;
mod waiting;
mod wakes;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use asyncnet::{Bytes, Config, Connection, Error, Writer};

use crate::pipe::{End, duplex};

/// More than any of these tests puts into a pipe.
const WIDE: usize = 1 << 24;

/// Polls once, with nobody to wake.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// A connection over a pipe of `capacity` bytes, and its peer.
fn open(capacity: usize, config: Config) -> (Connection<End>, End) {
    let (end, peer) = duplex(capacity);
    (Connection::new(end, config), peer)
}

/// The same with the clock, and a writer.
fn open_shared(capacity: usize, config: Config) -> (Connection<End>, Writer<End>, End) {
    let (end, peer) = duplex(capacity);
    let (conn, writer) = with_writer(Connection::new(end.with_clock(), config));
    (conn, writer, peer)
}

/// A connection and a writer of it.
fn with_writer(mut conn: Connection<End>) -> (Connection<End>, Writer<End>) {
    let writer = conn.writer();
    (conn, writer)
}

/// Queues `message`, and writes what goes at once: a send that never waits.
fn try_send(writer: &Writer<End>, message: Bytes) -> Result<(), Error> {
    writer.feed_shared(message)?;
    // The message is accepted, whatever the write says.
    let _ = writer.try_flush();
    Ok(())
}

/// Flushes `conn` while its peer reads. What the peer hears.
#[track_caller]
fn flush_all(conn: &mut Connection<End>, peer: &End) -> Vec<u8> {
    let mut heard = Vec::new();
    for _ in 0..10_000 {
        let flushed = poll_once(conn.flush());
        heard.extend(peer.hear());
        if flushed.is_ready() {
            assert_eq!(flushed, Poll::Ready(Ok(())));
            return heard;
        }
    }
    panic!("it is never flushed");
}
