//! Code of the program never runs under the lock of a shared connection: a waker that is woken or dropped, a stream
//! that is dropped, a permit that is given back.

use std::io;
use std::pin::{Pin, pin};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use asyncnet::{Clock, Config, Connection, Error, Transport, Writer};
use futures_io::{AsyncRead, AsyncWrite};

use crate::clock;
use crate::pipe::{End, duplex};

type Shared = Arc<Mutex<Option<Writer<Stream>>>>;

/// Looks at the connection, which takes its lock.
fn look(writer: &Shared) {
    let writer = writer.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(writer) = writer {
        drop((writer.stats(), writer.check()));
    }
}

/// A stream whose drop looks at its connection.
struct Stream {
    end: End,
    writer: Shared,
}

impl Drop for Stream {
    fn drop(&mut self) {
        look(&self.writer);
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.end).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.end).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.end).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.end).poll_close(cx)
    }
}

impl Transport for Stream {
    fn clock(&mut self) -> Option<&mut dyn Clock> {
        self.end.clock()
    }

    fn reset_on_drop(&mut self) {
        self.end.reset_on_drop();
    }
}

/// A waker that looks at the connection when it is woken and when it is dropped.
struct Looks(Shared);

impl Wake for Looks {
    fn wake(self: Arc<Self>) {
        look(&self.0);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        look(&self.0);
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        look(&self.0);
    }
}

type Scene = fn(Connection<Stream>, Writer<Stream>, End, &dyn Fn() -> Waker);

/// Plays `scene` on a thread of its own, which has to come back from it. Every poll there has a new waker.
fn comes_back(scene: Scene) {
    let (done, is_done) = channel();
    thread::spawn(move || {
        let (end, peer) = duplex(8);
        let shared = Shared::default();
        let stream = Stream { end: end.with_clock(), writer: Arc::clone(&shared) };
        let config = Config::default().max_queue(100).receive_timeout(Duration::from_secs(10));
        let mut conn = Connection::new(stream, config);
        let writer = conn.writer();
        *shared.lock().unwrap() = Some(writer.clone());
        scene(conn, writer, peer, &|| Waker::from(Arc::new(Looks(Arc::clone(&shared)))));
        // The last writer goes here, and with it perhaps the stream.
        let last = shared.lock().unwrap().take();
        drop(last);
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(60)).expect("no deadlock");
}

/// Polls twice, so that the second waker takes the place of the first.
macro_rules! poll_twice {
    ($future:expr, $waker:expr) => {{
        for _ in 0..2 {
            assert!($future.as_mut().poll(&mut Context::from_waker(&$waker())).is_pending());
        }
    }};
}

#[test]
fn c2_wakers_are_replaced_woken_and_dropped_without_the_lock() {
    comes_back(|mut conn, writer, peer, waker| {
        let other = writer.clone();
        {
            let mut receive = pin!(conn.next_line());
            let mut first = pin!(writer.send_all([b'x'; 60]));
            let mut waits = pin!(writer.send_all([b'y'; 60]));
            let mut behind = pin!(other.send_all([b'z'; 60]));
            let mut flush = pin!(other.flush());
            let mut drive = pin!(other.drive());
            poll_twice!(receive, waker);
            poll_twice!(first, waker);
            poll_twice!(waits, waker);
            poll_twice!(behind, waker);
            poll_twice!(flush, waker);
            poll_twice!(drive, waker);
            for _ in 0..10 {
                // Wakes all, through the stream.
                peer.hear();
                peer.say(b"x");
                let _ = other.try_flush();
                poll_twice!(receive, waker);
            }
            clock::advance(Duration::from_secs(10));
        }
        writer.abort();
    });
}

#[test]
fn c2_sends_that_wait_are_given_up_without_the_lock() {
    comes_back(|_conn, writer, peer, waker| {
        for _ in 0..3 {
            writer.feed([b'x'; 30]).unwrap();
            let mut waits = Box::pin(writer.send_all([b'y'; 90]));
            let mut behind = Box::pin(writer.send_all([b'z'; 90]));
            poll_twice!(waits, waker);
            poll_twice!(behind, waker);
            drop(waits);
            poll_twice!(behind, waker);
            drop(behind);
            for _ in 0..20 {
                writer.try_flush().unwrap();
                peer.hear();
            }
            assert_eq!(writer.stats().queued, 0);
        }
    });
}

#[test]
fn c2_a_stream_is_dropped_without_the_lock() {
    comes_back(|_conn, writer, _peer, _| writer.abort());
    comes_back(|mut conn, _writer, _peer, _| conn.abort());
    comes_back(|mut conn, writer, peer, waker| {
        peer.end();
        {
            let mut receive = pin!(conn.next_batch());
            assert!(poll_ready(receive.as_mut(), waker).unwrap().is_none());
        }
        let mut close = pin!(writer.close());
        assert_eq!(poll_ready(close.as_mut(), waker), Ok(()));
    });
    comes_back(|mut conn, _writer, peer, waker| {
        peer.end();
        let mut close = pin!(conn.close());
        assert_eq!(poll_ready(close.as_mut(), waker), Ok(()));
    });
    comes_back(|_conn, writer, _peer, waker| {
        writer.feed([b'x'; 50]).unwrap();
        let mut close = pin!(writer.close());
        poll_twice!(close, waker);
        clock::strike();
        assert!(matches!(poll_ready(close.as_mut(), waker), Err(Error::TimedOut(_))));
    });
    // With the connection and the last writer.
    comes_back(|conn, writer, _peer, _| drop((conn, writer)));
}

#[track_caller]
fn poll_ready<F: Future>(future: Pin<&mut F>, waker: &dyn Fn() -> Waker) -> F::Output {
    match future.poll(&mut Context::from_waker(&waker())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}
