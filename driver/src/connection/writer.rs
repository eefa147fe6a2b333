//! Senders for other tasks.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use asyncnet_core::driver::Link;
use asyncnet_core::{Bytes, Config, Stats};

use super::info;
use super::nim::hide_loss;
use crate::engine::Engine;
use crate::engine::fan_out::{FanOut, Place};
use crate::engine::message::Until;
use crate::engine::shared::{Shared, Task};
use crate::net::Address;
use crate::{Error, Transport};

/// A sender of a connection, for another task; made by [`Connection::writer`](crate::Connection::writer). Clone
/// it for every task that sends.
///
/// Messages of different tasks never mix, and those that wait for room go first come, first served. What is queued
/// moves while any task is inside a receive, a send, [`flush`](Self::flush), [`close`](Self::close) or
/// [`drive`](Self::drive); **use [`send_line`](Self::send_line) or [`send_all`](Self::send_all) unless a receive
/// is running**. To drop every writer closes nothing: the descriptor goes with the connection and the last writer.
#[doc(alias("split", "WriteHalf", "OwnedWriteHalf"))]
pub struct Writer<S: Transport> {
    shared: Arc<Shared<S>>,
}

/// # Sending
impl<S: Transport> Writer<S> {
    pub(super) const fn new(shared: Arc<Shared<S>>) -> Self {
        Self { shared }
    }

    /// Sends `text` as a line, and waits until every byte was handed to the system.
    ///
    /// # Errors
    ///
    /// As [`Connection::send_line`](crate::Connection::send_line).
    ///
    /// # Cancel safety
    ///
    /// As [`send_all`](Self::send_all).
    pub async fn send_line(&self, text: impl AsRef<[u8]>) -> Result<(), Error> {
        let line = {
            let link = &mut self.shared.lock(None).engine.link;
            let framing = link.config().framing;
            if framing.holds_line_break(text.as_ref()) {
                return Err(Error::LineBreak);
            }
            link.note_line();
            [text.as_ref(), framing.terminator()].concat()
        };
        self.shared.send(&line, Until::Sent).await
    }

    /// Sends bytes, and waits until every one was handed to the system.
    ///
    /// # Errors
    ///
    /// As [`Connection::send_all`](crate::Connection::send_all).
    ///
    /// # Cancel safety
    ///
    /// A message of at most `max_queue` bytes is sent whole or not at all. To drop the future of a larger one midway
    /// ends the sending side for all ([`Error::Interrupted`] from then on).
    ///
    /// A pending send holds its place in a FIFO queue: if it is kept without being polled, later sends wait.
    pub async fn send_all(&self, message: impl AsRef<[u8]>) -> Result<(), Error> {
        self.shared.send(message.as_ref(), Until::Sent).await
    }

    /// Queues a copy of `message`. It leaves while any task waits on this connection; otherwise call
    /// [`try_flush`](Self::try_flush).
    ///
    /// # Errors
    ///
    /// [`Error::Full`] if there is no room now, or other tasks wait for it; otherwise as
    /// [`Connection::feed`](crate::Connection::feed). Nothing of the message is queued then.
    pub fn feed(&self, message: impl AsRef<[u8]>) -> Result<(), Error> {
        self.shared.queue(None, |link| link.feed(message.as_ref()))
    }

    /// Queues `text` as a line.
    ///
    /// # Errors
    ///
    /// [`Error::LineBreak`] if `text` holds a line break; otherwise as [`feed`](Self::feed).
    pub fn feed_line(&self, text: impl AsRef<[u8]>) -> Result<(), Error> {
        self.shared.queue(None, |link| link.feed_line(text.as_ref()))
    }

    /// Queues formatted text as a line: `writer.feed_fmt(format_args!("PONG {token}"))`.
    ///
    /// # Errors
    ///
    /// As [`feed_line`](Self::feed_line).
    pub fn feed_fmt(&self, text: fmt::Arguments<'_>) -> Result<(), Error> {
        self.feed_line(text.to_string())
    }

    /// Queues `message`, shared and not copied from 1 KiB on.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn feed_shared(&self, message: Bytes) -> Result<(), Error> {
        self.shared.queue(None, |link| link.feed_shared(message))
    }

    /// Waits for room in turn, then queues `message`, which may be larger than the queue.
    ///
    /// # Errors
    ///
    /// As [`send_all`](Self::send_all).
    ///
    /// # Cancel safety
    ///
    /// As [`send_all`](Self::send_all).
    pub async fn feed_wait(&self, message: impl AsRef<[u8]>) -> Result<(), Error> {
        self.shared.send(message.as_ref(), Until::Queued).await
    }

    /// Waits until all that is queued now was handed to the system.
    ///
    /// # Errors
    ///
    /// As [`Connection::flush`](crate::Connection::flush).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what is queued stays queued.
    pub async fn flush(&self) -> Result<(), Error> {
        let ticket = self.shared.lock(None).engine.ticket()?;
        self.wait(|engine, cx| engine.poll_sent(ticket, cx)).await
    }

    /// Writes what the system takes now, without waiting.
    ///
    /// # Errors
    ///
    /// Why nothing can be sent, as [`send_all`](Self::send_all).
    pub fn try_flush(&self) -> Result<(), Error> {
        self.shared.try_flush()
    }

    /// Queues `text` as a line, and writes what the system takes now: a send that never waits.
    ///
    /// # Errors
    ///
    /// As [`feed_line`](Self::feed_line); a write that fails shows in the next call.
    pub fn try_send_line(&self, text: impl AsRef<[u8]>) -> Result<(), Error> {
        self.feed_line(text)?;
        // The line is accepted, whatever the write says.
        let _ = self.try_flush();
        Ok(())
    }

    /// Writes whatever is queued, for as long as the connection can send. For a task of its own, where no task
    /// receives: then nothing else moves what [`feed`](Self::feed) queued.
    ///
    /// # Errors
    ///
    /// The reason why it can no longer send: [`Error::Disconnected`], [`Error::Interrupted`], [`Error::Tls`] or
    /// [`Error::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what is queued stays queued.
    pub async fn drive(&self) -> Result<(), Error> {
        self.wait(|engine, cx| {
            engine.still_sends()?;
            ready!(engine.poll_drained(cx));
            match engine.link.check() {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        })
        .await
    }

    /// Nim's `send`; see [`Connection::send`](crate::Connection::send).
    ///
    /// # Errors
    ///
    /// As [`Connection::send`](crate::Connection::send).
    ///
    /// # Cancel safety
    ///
    /// As [`send_all`](Self::send_all).
    pub async fn send(&self, message: impl AsRef<[u8]>) -> Result<(), Error> {
        let flags = self.shared.lock(None).engine.link.config().nim_flags;
        let sent = self.send_all(message).await;
        hide_loss(sent, flags, || self.shared.lock(None).engine.link.forgive_dropped())
    }
}

/// # Ending
impl<S: Transport> Writer<S> {
    /// Closes the whole connection in good order; see [`Connection::close`](crate::Connection::close). The task that
    /// receives still gets the lines that have arrived, then [`Error::Closed`]. Sends whose message is queued are
    /// flushed, those that wait for room end with [`Error::Closed`]; one that is larger than `max_queue` and under
    /// way is torn, and turns the close into a reset.
    ///
    /// # Errors
    ///
    /// As [`Connection::close`](crate::Connection::close).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next call goes on where this one was.
    pub async fn close(&self) -> Result<(), Error> {
        self.wait(Engine::poll_close).await
    }

    /// Sends what is queued and ends our side of the connection. Receiving goes on.
    ///
    /// # Errors
    ///
    /// As [`Connection::shutdown_write`](crate::Connection::shutdown_write).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next call goes on where this one was. Nothing can be sent once it was called.
    pub async fn shutdown_write(&self) -> Result<(), Error> {
        self.wait(Engine::poll_shutdown_write).await
    }

    /// Closes at once: what is queued is lost, the peer sees a reset (over TCP), and the task that receives gets
    /// [`Error::Closed`].
    pub fn abort(&self) {
        self.shared.lock(None).engine.abort();
    }

    /// Whether anything can be sent.
    ///
    /// # Errors
    ///
    /// Why not: [`Error::Disconnected`], [`Error::Interrupted`], [`Error::Tls`] or [`Error::Closed`].
    pub fn check(&self) -> Result<(), Error> {
        self.shared.lock(None).engine.link.check()
    }
}

/// # Facts
impl<S: Transport> Writer<S> {
    /// What was sent so far by all tasks, and what is queued now, in numbers. What was received is known to the
    /// [`Connection`](crate::Connection) alone and 0 here.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.lock(None).engine.link.stats(None)
    }

    /// The settings of the connection.
    #[must_use]
    pub fn config(&self) -> Config {
        *self.shared.lock(None).engine.link.config()
    }

    /// Our address.
    ///
    /// # Errors
    ///
    /// As [`SocketInfo::local_addr`](crate::net::SocketInfo::local_addr).
    pub fn local_addr(&self) -> io::Result<Address> {
        info::local_addr(&self.shared.lock(None).engine)
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// As [`SocketInfo::peer_addr`](crate::net::SocketInfo::peer_addr).
    pub fn peer_addr(&self) -> io::Result<Address> {
        info::peer_addr(&self.shared.lock(None).engine)
    }
}

impl<S: Transport> Writer<S> {
    async fn wait<T>(
        &self,
        mut poll: impl FnMut(&mut Engine<S>, &mut Context<'_>) -> Poll<T>,
    ) -> T {
        let task = Task::new(&self.shared);
        poll_fn(|cx| task.poll(cx, |state, cx| poll(&mut state.engine, cx))).await
    }

    pub(super) const fn shared(&self) -> &Arc<Shared<S>> {
        &self.shared
    }

    /// Where to wait until the connection has moved.
    pub(crate) fn fan_out(&self) -> &FanOut {
        &self.shared.fan_out
    }

    /// Says for how long a room may have too much for this connection, and answers whether it had for longer.
    /// The stream's clock calls the tasks that wait at the fan-out when it has.
    pub(crate) fn bound_lag(&self, me: Place, patience: Option<Duration>) -> bool {
        let engine = &mut self.shared.lock(Some(me)).engine;
        engine.link.bound_lag(patience);
        engine.keep_time(&mut Context::from_waker(&self.shared.waker));
        engine.link.lags_too_long()
    }

    /// Writes what is queued, then what `feed` queues past those that wait for room; returns what is left. The
    /// task that waits at `me` is not called for that.
    pub(crate) fn pump(&self, me: Place, feed: impl FnOnce(&mut Link)) -> Result<usize, Error> {
        let mut state = self.shared.lock(Some(me));
        let mut cx = Context::from_waker(&self.shared.waker);
        let engine = &mut state.engine;
        let is_idle = engine.poll_transmit(&mut cx).is_ready();
        feed(&mut engine.link);
        if is_idle {
            // The stream wakes all that wait, through the fan-out, when it takes more.
            let _ = engine.poll_transmit(&mut cx);
        }
        engine.keep_time(&mut cx);
        engine.link.check()?;
        Ok(engine.unsent())
    }
}

impl<S: Transport> Clone for Writer<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S: Transport> fmt::Debug for Writer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("link", &self.shared.lock(None).engine.link)
            .finish_non_exhaustive()
    }
}
