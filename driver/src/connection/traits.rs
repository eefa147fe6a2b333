//! The `futures` traits of a whole connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use asyncnet_core::{Sender, Want};
use futures_core::Stream;
use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};

use super::Connection;
use crate::fan_out::{FanOut, Place};
use crate::receive::{LineStream, NextLine, receive_traits};
use crate::{Error, Transport};

impl<S: Transport> Connection<S> {
    /// Polls for one of the `futures` traits. Those can be called by two tasks, one that reads and one that
    /// writes (`futures::io::split`), and each direction of the stream keeps but one waker.
    fn poll_at<T>(
        &mut self,
        place: Place,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let tasks = Arc::clone(self.tasks.get_or_insert_with(FanOut::new));
        tasks.wait(place, cx.waker());
        let state = |sender: &Sender| {
            (sender.transmitted_total(), sender.check().err(), sender.is_handshaking())
        };
        let before = state(&self.link.sender);
        let polled = poll(self, &mut Context::from_waker(&tasks.waker()));
        if polled.is_ready() {
            tasks.leave(place);
        }
        if state(&self.link.sender) != before {
            tasks.wake_if(|other| other != place);
        }
        polled
    }

    pub(super) fn poll_as_reader<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.poll_at(Place::RECEIVER, cx, poll)
    }
}

receive_traits!(Connection);

impl<S: Transport> AsyncWrite for Connection<S> {
    /// Queues what there is room for.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_at(Place::SENDER, cx, |this, cx| {
            let link = &mut this.link;
            link.sender.check().map_err(Error::from)?;
            let part = &buf[..buf.len().min(link.sender.max_outbox().max(1))];
            if !link.sender.has_room(part.len()) {
                ready!(link.poll_transmit(cx));
            }
            link.sender.feed(part).map_err(Error::from)?;
            Poll::Ready(Ok(part.len()))
        })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_at(Place::SENDER, cx, |this, cx| {
            let ticket = this.link.ticket()?;
            this.link.poll_sent(ticket, cx).map_err(io::Error::from)
        })
    }

    /// As [`Connection::shutdown_write`].
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_at(Place::SENDER, cx, |this, cx| {
            this.link.poll_shutdown_write(cx).map_err(io::Error::from)
        })
    }
}
