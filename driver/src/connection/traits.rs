//! The `futures` traits. Two tasks may use them at once, one that reads and one that writes (`futures::io::split`),
//! so the engine is shared from the first call on.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use asyncnet_core::Step;
use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};

use super::{Connection, Writer};
use crate::engine::fan_out::Place;
use crate::engine::shared::{Locked, Shared};
use crate::{Error, Transport};

impl<S: Transport> AsyncRead for Connection<S> {
    /// Returns bytes, those of unfinished lines too. Every end but an orderly one is an error.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.share();
        this.begin();
        let span = ready!(this.poll_answer(cx, |inbound| inbound.poll_bytes(buf.len())))?;
        let bytes = span.map_or(&[][..], |span| this.receiver.inbound.bytes(span));
        buf[..bytes.len()].copy_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }
}

impl<S: Transport> AsyncBufRead for Connection<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        this.share();
        this.begin();
        let n =
            ready!(this.poll_answer(cx, |inbound| {
                Ok(inbound.peek_bytes(usize::MAX)?.map(<[u8]>::len))
            }))?;
        Poll::Ready(Ok(&this.receiver.inbound.peek()[..n]))
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        let inbound = &mut self.get_mut().receiver.inbound;
        let n = n.min(inbound.peek().len());
        if n > 0 {
            // The bytes are here, so this takes them and cannot fail.
            drop::<Result<Step<_>, Error>>(inbound.poll_bytes(n));
        }
    }
}

impl<S: Transport> AsyncWrite for Connection<S> {
    /// Takes at most `max_queue` bytes, once there is room for them, and writes what the system takes now. What it does not
    /// take leaves with the next call of any kind: end with a flush.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().share().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().share().poll_flush(cx)
    }

    /// As [`Connection::shutdown_write`].
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().share().poll_close(cx)
    }
}

/// For `&Writer` and not for `Writer`: on a `&mut Writer` the `flush` and `close` of an extension trait would go
/// before ours without a word, and mean something else. One task at a time may use it; more use the writer's own
/// calls.
impl<S: Transport> AsyncWrite for &Writer<S> {
    /// Takes at most `max_queue` bytes, once there is room for them, and writes what the system takes now. What it does not
    /// take leaves with the next call of any kind: end with a flush.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.shared().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared().poll_flush(cx)
    }

    /// As [`Writer::shutdown_write`].
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared().poll_close(cx)
    }
}

/// What the traits do, for the one task that sends through them.
impl<S: Transport> Shared<S> {
    fn poll_as_sender<T>(
        self: &Arc<Self>,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut Locked<'_, S>, &mut Context<'_>) -> Poll<Result<T, Error>>,
    ) -> Poll<io::Result<T>> {
        self.fan_out.wait(Place::SENDER, cx.waker());
        let polled = {
            let mut state = self.lock(Some(Place::SENDER));
            poll(&mut state, &mut Context::from_waker(&self.waker))
        };
        if polled.is_ready() {
            self.fan_out.leave(Place::SENDER);
        }
        polled.map_err(io::Error::from)
    }

    fn poll_write(self: &Arc<Self>, cx: &Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_as_sender(cx, |state, cx| {
            let engine = &mut state.engine;
            engine.link.check()?;
            ready!(engine.poll_turn(cx));
            let part = &buf[..buf.len().min(engine.link.max_queue())];
            while !engine.link.has_room(part.len()) {
                ready!(engine.poll_make_room(cx));
                engine.link.check()?;
                if engine.link.unsent() == 0 && !engine.link.has_room(part.len()) {
                    // Another task has more of a large message to queue. It moves, and so calls this one.
                    return Poll::Pending;
                }
            }
            engine.link.feed(part)?;
            // As a socket would: a loop that copies bytes may flush only at the end. The next call reports a loss.
            engine.transmit_on_the_way(cx);
            state.note_queued();
            Poll::Ready(Ok(part.len()))
        })
    }

    fn poll_flush(self: &Arc<Self>, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.poll_as_sender(cx, |state, cx| {
            let ticket = state.engine.ticket()?;
            state.engine.poll_sent(ticket, cx)
        })
    }

    fn poll_close(self: &Arc<Self>, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.poll_as_sender(cx, |state, cx| state.engine.poll_shutdown_write(cx))
    }
}
