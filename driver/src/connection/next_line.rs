//! The future of the next line, and a stream of lines.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use asyncnet_core::Span;
use asyncnet_core::driver::Inbound;
use futures_core::Stream;

use super::handle::Handle;
use super::{Connection, Once};
use crate::{Error, Transport};

impl<S: Transport> Connection<S> {
    /// The next line, if it is here and nothing else has to be looked at first.
    #[inline]
    fn quick_line(&mut self) -> Option<Span> {
        if self.receiver.waits || self.receiver.replied && self.is_held_up() {
            None
        } else {
            self.receiver.inbound.take_line()
        }
    }

    /// Whether too many answers may be unsent, as far as that can be seen without a lock.
    fn is_held_up(&self) -> bool {
        match &self.handle {
            Handle::Own(engine) => engine.is_congested(),
            _ => true,
        }
    }

    /// Apart, so that the way of a line that is here is short.
    #[cold]
    fn poll_line_slow(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Span>, Error>> {
        self.poll_answer(cx, Inbound::poll_line)
    }

    /// As [`begin`](Self::begin), where there is something to begin with: mostly there is not.
    #[cold]
    fn begin_with(&mut self) {
        self.begin();
    }
}

/// The future of [`Connection::next_line`].
///
/// It has a name instead of being an `async fn`, so that a line that is already here costs its caller
/// little more than the search for its end.
#[must_use = "futures do nothing unless awaited"]
pub struct NextLine<'a, S: Transport> {
    /// Gone once it has answered.
    conn: Option<&'a mut Connection<S>>,
}

impl<'a, S: Transport> NextLine<'a, S> {
    pub(super) fn new(conn: &'a mut Connection<S>) -> Self {
        if conn.receiver.once != Once::Unset {
            conn.begin_with();
        }
        Self { conn: Some(conn) }
    }

    #[cold]
    fn poll_later(
        &mut self,
        conn: &'a mut Connection<S>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<&'a [u8]>, Error>> {
        let polled = conn.poll_line_slow(cx);
        if polled.is_pending() {
            self.conn = Some(conn);
            return Poll::Pending;
        }
        polled.map_ok(|span| span.map(|span| conn.receiver.inbound.bytes(span)))
    }
}

impl<'a, S: Transport> Future for NextLine<'a, S> {
    type Output = Result<Option<&'a [u8]>, Error>;

    /// # Panics
    ///
    /// If it has answered before.
    // A call would hand the line over through memory, half by half: the processor waits for that as
    // long as for the rest of the poll.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let conn = self.conn.take().expect("polled after it had answered");
        if let Some(span) = conn.quick_line() {
            return Poll::Ready(Ok(Some(conn.receiver.inbound.bytes(span))));
        }
        self.poll_later(conn, cx)
    }
}

impl<S: Transport> fmt::Debug for NextLine<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextLine").field("conn", &self.conn).finish_non_exhaustive()
    }
}

/// The lines that follow, owned, as a `futures` stream. It ends with the input; an end that is not orderly is its
/// last item, an error. A bad line is an error and not the end.
///
/// ```
/// # async fn print<S: asyncnet::Transport>(mut conn: asyncnet::Connection<S>) -> Result<(), asyncnet::Error> {
/// use asyncnet::LineStream;
/// use futures_lite::StreamExt;
///
/// let mut lines = LineStream::new(&mut conn);
/// while let Some(line) = lines.next().await {
///     println!("{}", String::from_utf8_lossy(&line?));
/// }
/// # Ok(()) }
/// ```
#[doc(alias("FramedRead", "Lines", "LinesStream"))]
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct LineStream<'a, S: Transport> {
    conn: Lent<'a, S>,
    /// Bounds the line that is waited for.
    within: Option<Duration>,
    done: bool,
}

#[derive(Debug)]
enum Lent<'a, S: Transport> {
    Borrowed(&'a mut Connection<S>),
    Owned(Box<Connection<S>>),
}

impl<'a, S: Transport> LineStream<'a, S> {
    /// The lines of a connection that is lent. [`within`](Connection::within) in front of it bounds the first one.
    pub fn new(conn: &'a mut Connection<S>) -> Self {
        conn.begin();
        let within = conn.receiver.within.take();
        Self { conn: Lent::Borrowed(conn), within, done: false }
    }
}

impl<S: Transport> From<Connection<S>> for LineStream<'_, S> {
    /// The lines of a connection that the stream keeps.
    fn from(conn: Connection<S>) -> Self {
        Self { conn: Lent::Owned(Box::new(conn)), within: None, done: false }
    }
}

impl<S: Transport> Stream for LineStream<'_, S> {
    type Item = Result<Vec<u8>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { conn, within, done } = &mut *self;
        if *done {
            return Poll::Ready(None);
        }
        let conn = match conn {
            Lent::Borrowed(conn) => &mut **conn,
            Lent::Owned(conn) => &mut **conn,
        };
        conn.begin();
        // What was set for the next line holds until it comes.
        let bound = &mut conn.receiver.within;
        *within = bound.or(*within);
        *bound = *within;
        let polled = ready!(conn.poll_line_slow(cx));
        *within = None;
        let item = match polled {
            Ok(span) => span.map(|span| Ok(conn.receiver.inbound.bytes(span).to_vec())),
            Err(error) => Some(Err(error)),
        };
        *done =
            !matches!(&item, Some(Ok(_))) && !matches!(&item, Some(Err(e)) if e.is_recoverable());
        Poll::Ready(item)
    }
}
