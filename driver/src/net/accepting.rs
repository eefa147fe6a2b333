//! Accepts that wait: one of them, and a stream of them.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::listener::{Accepted, Listener};
use crate::engine::fan_out::Waiter;
use crate::{Connection, Runtime};

/// An accept that goes on until it has a connection.
pub(super) struct Accepting<'a, R: Runtime> {
    listener: &'a Listener<R>,
    waiter: Waiter<'a>,
}

impl<'a, R: Runtime> Accepting<'a, R> {
    pub(super) const fn new(listener: &'a Listener<R>, waiter: Waiter<'a>) -> Self {
        Self { listener, waiter }
    }

    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<io::Result<Accepted<R>>> {
        self.listener.poll_accept(&self.waiter, cx)
    }
}

/// The connections of a listener as they come, made by [`Listener::incoming`].
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a, R: Runtime> {
    /// Gone after an error.
    accepting: Option<Accepting<'a, R>>,
}

impl<'a, R: Runtime> Incoming<'a, R> {
    pub(super) const fn new(accepting: Accepting<'a, R>) -> Self {
        Self { accepting: Some(accepting) }
    }
}

impl<R: Runtime> Stream for Incoming<'_, R> {
    type Item = io::Result<Connection<R::Stream>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(accepting) = &mut this.accepting else {
            return Poll::Ready(None);
        };
        let accepted = ready!(accepting.poll(cx));
        if accepted.is_err() {
            this.accepting = None;
        }
        Poll::Ready(Some(accepted.map(|(connection, _)| connection)))
    }
}

impl<R: Runtime> fmt::Debug for Incoming<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}
