//! C3: a close flushes while there is progress, and drains with its deadline in view.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use asyncnet::{Clock, CloseLimits, Config, Connection, Error, Timeout, Transport};
use futures_io::{AsyncRead, AsyncWrite};

use crate::pipe::{End, duplex};
use crate::tasks::Tasks;
use crate::{WIDE, clock, poll_once};

const STALL: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(60);
const DRAIN: Duration = Duration::from_secs(2);

fn limits() -> CloseLimits {
    CloseLimits::default().flush(STALL, TOTAL).drain(DRAIN, 1000)
}

/// A connection with `queued` bytes, and its peer, which takes 10 bytes until it is read.
fn open(queued: usize) -> (Connection<End>, End) {
    let (end, peer) = duplex(10);
    let mut conn = Connection::new(end.with_clock(), Config::default().close(limits()));
    conn.feed(vec![b'x'; queued]).unwrap();
    (conn, peer)
}

#[test]
fn c3_a_slow_reader_gets_everything() {
    let (mut conn, peer) = open(100);
    let mut tasks = Tasks::in_order();
    tasks.spawn("close", async { assert_eq!(conn.close().await, Ok(())) });
    let mut heard = 0;
    loop {
        assert_eq!(tasks.run(), ["close"]);
        if peer.hears_end() {
            break;
        }
        clock::advance(STALL - Duration::from_millis(1));
        assert_eq!(tasks.run(), ["close"], "{heard} bytes were read");
        heard += peer.hear().len();
    }
    assert_eq!(heard + peer.hear().len(), 100);
    peer.end();
    tasks.run_to_end();
}

#[test]
fn c3_a_reader_that_stalls_is_reset_in_time() {
    let (mut conn, peer) = open(100);
    assert!(poll_once(conn.close()).is_pending());
    clock::advance(STALL - Duration::from_millis(1));
    assert!(poll_once(conn.close()).is_pending());
    assert_eq!(peer.hear().len(), 10);
    assert!(poll_once(conn.close()).is_pending());
    clock::advance(STALL - Duration::from_millis(1));
    assert!(poll_once(conn.close()).is_pending());
    assert!(!peer.hears_end());
    clock::advance(Duration::from_millis(1));
    assert_eq!(poll_once(conn.close()), Poll::Ready(Err(Error::TimedOut(Timeout::Close))));
    assert!(peer.hears_reset());
}

#[test]
fn c3_progress_does_not_outlast_the_total() {
    let (mut conn, peer) = open(1000);
    let mut tasks = Tasks::in_order();
    tasks.spawn("close", async {
        assert_eq!(conn.close().await, Err(Error::TimedOut(Timeout::Close)));
    });
    let step = Duration::from_secs(4);
    for _ in 0..15 {
        assert_eq!(tasks.run(), ["close"]);
        assert!(!peer.hears_end());
        peer.hear();
        assert_eq!(tasks.run(), ["close"]);
        clock::advance(step);
    }
    tasks.run_to_end();
    assert!(peer.hears_reset());
}

#[test]
fn c3_a_drain_ends_at_its_time_or_its_bytes() {
    let (mut conn, peer) = open(5);
    assert!(poll_once(conn.close()).is_pending());
    assert_eq!(peer.hear(), [b'x'; 5]);
    clock::advance(DRAIN - Duration::from_millis(1));
    peer.say(b"more");
    assert!(poll_once(conn.close()).is_pending());
    clock::advance(Duration::from_millis(1));
    assert_eq!(poll_once(conn.close()), Poll::Ready(Ok(())));
    assert!(peer.hears_end() && !peer.hears_reset());

    let (mut conn, peer) = open(5);
    peer.say(&[b'y'; 999]);
    assert!(poll_once(conn.close()).is_pending());
    peer.say(b"yy");
    assert_eq!(poll_once(conn.close()), Poll::Ready(Ok(())));
    assert_eq!(peer.output.state().bytes.len(), 1, "no more than it has to");
}

/// A stream whose peer sends for ever, as fast as it is read.
struct Flood {
    clock: clock::Clock,
    reads: usize,
}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.reads += 1;
        assert!(self.reads < 1000, "it reads for ever");
        Poll::Ready(Ok(buf.len()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Transport for Flood {
    fn clock(&mut self) -> Option<&mut dyn Clock> {
        Some(&mut self.clock)
    }
}

#[test]
fn c3_a_drain_under_a_flood_yields_and_looks_at_its_deadline() {
    let config = Config::default().close(limits().drain(DRAIN, usize::MAX));
    let flood = Flood { clock: clock::Clock::new(), reads: 0 };
    let mut conn = Connection::new(flood, config);
    let reads = |conn: &Connection<Flood>| conn.get_ref().map_or(usize::MAX, |flood| flood.reads);
    for poll in 1..=5 {
        let before = reads(&conn);
        assert!(poll_once(conn.close()).is_pending());
        assert!((1..=32).contains(&(reads(&conn) - before)), "in poll {poll}");
    }
    clock::advance(DRAIN);
    let before = reads(&conn);
    assert!(before < 1000);
    assert_eq!(poll_once(conn.close()), Poll::Ready(Ok(())));
    assert_eq!(before, 5 * 32);
}

#[test]
fn c3_the_other_timeouts_do_not_end_a_close_early() {
    let second = Duration::from_secs(1);
    let (end, peer) = duplex(10);
    let config = Config::default().close(limits());
    let config = config.receive_timeout(second).idle_timeout(second).send_timeout(second);
    let mut conn = Connection::new(end.with_clock(), config);
    conn.feed([b'x'; 20]).unwrap();
    assert!(poll_once(conn.close()).is_pending());
    clock::advance(4 * second);
    assert!(poll_once(conn.close()).is_pending());
    assert_eq!(peer.hear().len(), 10);
    assert!(poll_once(conn.close()).is_pending());
    assert_eq!(peer.hear().len(), 10);
    peer.end();
    assert_eq!(poll_once(conn.close()), Poll::Ready(Ok(())));
    assert!(!peer.hears_reset());
}

#[test]
fn c3_without_a_clock_a_drain_waits_for_nobody() {
    let (end, peer) = duplex(WIDE);
    let mut conn = Connection::new(end, Config::default());
    peer.say(b"more");
    assert_eq!(poll_once(conn.close()), Poll::Ready(Ok(())));
    assert!(!peer.hears_reset());
}
