//! A stream that makes room when it is flushed, such as a pipe that a thread writes. Its flush that is ready answers
//! for the write before it: no task is woken then.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use asyncnet::{Config, Connection, Error, Io};
use futures_io::{AsyncRead, AsyncWrite};

use crate::poll_once;

/// Holds a byte until it is flushed, and wakes no task.
#[derive(Default)]
struct Cup {
    is_full: bool,
    /// A flush fails.
    leaks: bool,
    written: Vec<u8>,
}

impl AsyncRead for Cup {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

impl AsyncWrite for Cup {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_full {
            return Poll::Pending;
        }
        self.is_full = true;
        self.written.push(buf[0]);
        Poll::Ready(Ok(1))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_full = false;
        Poll::Ready(if self.leaks { Err(ErrorKind::BrokenPipe.into()) } else { Ok(()) })
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[test]
fn s5_a_write_goes_on_behind_a_flush_that_made_room() {
    let mut conn = Connection::new(Io::new(Cup::default()), Config::default());
    assert_eq!(poll_once(conn.send_all("message")), Poll::Ready(Ok(())));
    assert_eq!(conn.get_ref().expect("it is open").get_ref().written, b"message");
}

#[test]
fn a_flush_that_fails_behind_a_write_that_waits_ends_the_send() {
    let cup = Cup { leaks: true, ..Cup::default() };
    let mut conn = Connection::new(Io::new(cup), Config::default());
    let sent = poll_once(conn.send_all("message"));
    assert!(matches!(sent, Poll::Ready(Err(Error::Disconnected(_)))), "{sent:?}");
}
