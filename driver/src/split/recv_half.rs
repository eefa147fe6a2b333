//! The receiving half of a split connection.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use asyncnet_core::{Config, End, Lines, Look, Receiver, RecvStats, Span, Step, Want};
use futures_core::Stream;
use futures_io::{AsyncBufRead, AsyncRead};

use super::{SendHalf, Shared};
use crate::fan_out::Place;
use crate::link::{Queued, poll_input};
use crate::receive::{LineStream, NextLine, receive_calls, receive_traits};
use crate::{Error, Flags, Transport};

/// The receiving half of a connection.
///
/// It has the receiving calls of [`Connection`](crate::Connection). While one of them waits it also
/// writes what the sending halves have queued.
pub struct RecvHalf<S: Transport> {
    receiver: Box<Receiver>,
    shared: Arc<Shared<S>>,
}

impl<S: Transport> RecvHalf<S> {
    pub(super) const fn new(receiver: Box<Receiver>, shared: Arc<Shared<S>>) -> Self {
        Self { receiver, shared }
    }

    fn poll_input(&mut self, cx: &mut Context<'_>, want: Want) -> Poll<io::Result<Look>> {
        if self.receiver.look(want) == Look::Data {
            return Poll::Ready(Ok(Look::Data));
        }
        self.shared.fan_out.wait(Place::RECEIVER, cx.waker());
        let mut state = self.shared.lock(Some(Place::RECEIVER));
        let mut cx = Context::from_waker(&self.shared.waker);
        poll_input(&mut self.receiver, &mut state.link, want, Queued::Try, &mut cx)
    }

    #[inline]
    fn quick_line(&mut self) -> Option<Span> {
        self.receiver.take_line()
    }

    /// As it is: the halves of a split connection are made for tasks of their own.
    fn poll_as_reader<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        poll(self, cx)
    }

    receive_calls!();

    /// Every complete line that has arrived. Waits for one. `None`: the peer ended in good order.
    ///
    /// # Errors
    ///
    /// As [`next_line`](Self::next_line). A bad line ends the batch in front of it and is the next
    /// call's answer.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. A batch that is dropped half-way leaves the rest for the next call.
    pub async fn next_lines(&mut self) -> Result<Option<Lines<'_>>, Error> {
        let look = poll_fn(|cx| self.poll_input(cx, Want::Line)).await?;
        if look == Look::Final {
            // No line, so this takes none: it is an end or an error.
            return Ok(self.receiver.poll_line()?.ready().and(None));
        }
        Ok(Some(self.receiver.lines()))
    }

    /// The end, once a receive met it or a write met a reset. Final.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.receiver.end_after(self.shared.lock(None).link.sender.coming_end())
    }

    /// What was received so far, in numbers.
    #[must_use]
    pub const fn stats(&self) -> RecvStats {
        self.receiver.stats()
    }

    /// Whether there is an [`end`](Self::end).
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.end().is_some()
    }

    /// Whether this half and `sender` are of one connection.
    #[must_use]
    pub fn is_half_of(&self, sender: &SendHalf<S>) -> bool {
        Arc::ptr_eq(&self.shared, &sender.shared)
    }
}

receive_traits!(RecvHalf);

impl<S: Transport> Drop for RecvHalf<S> {
    fn drop(&mut self) {
        self.shared.fan_out.leave(Place::RECEIVER);
    }
}

impl<S: Transport> fmt::Debug for RecvHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvHalf").field("receiver", &self.receiver).finish_non_exhaustive()
    }
}
