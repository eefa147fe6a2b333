//! The sending calls of the task that has the connection, and the end of it.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use asyncnet_core::Bytes;
use asyncnet_core::driver::Link;

use super::Connection;
use super::handle::Handle;
use crate::engine::Engine;
use crate::engine::fan_out::Place;
use crate::engine::message::{Progress, Until};
use crate::{Error, Transport};

/// # Sending
impl<S: Transport> Connection<S> {
    /// Sends `text` as a line, and waits until every byte was handed to the system.
    ///
    /// Rule [S4](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s4).
    ///
    /// # Errors
    ///
    /// [`Error::LineBreak`] if `text` holds a line break: it would arrive as two lines. Nothing is sent then.
    /// Otherwise as [`send_all`](Self::send_all).
    ///
    /// # Cancel safety
    ///
    /// As [`send_all`](Self::send_all).
    #[doc(alias("writeln", "write_line"))]
    pub async fn send_line(&mut self, text: impl AsRef<[u8]>) -> Result<(), Error> {
        let text = text.as_ref();
        match self.queue(|link| link.feed_line(text)) {
            Err(Error::Full { .. } | Error::TooLarge { .. }) => {
                let line = [text, self.config().framing.terminator()].concat();
                self.handle.with(|engine| engine.link.note_line());
                self.send_message(&line, Until::Sent).await
            }
            Err(error) => Err(error),
            Ok(()) => self.flush().await,
        }
    }

    /// Sends bytes, and waits until every one was handed to the system, which does not mean that the peer has
    /// it. `message` may be larger than the queue.
    ///
    /// Rules [S1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s1) to [S3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s3).
    ///
    /// # Errors
    ///
    /// [`Error::Disconnected`] if the connection broke; [`Error::Interrupted`] after a torn message,
    /// [`Error::Tls`], [`Error::Closed`]. All are final.
    ///
    /// # Cancel safety
    ///
    /// A message of at most `max_queue` bytes is sent whole or not at all: once queued, it leaves though the
    /// future is dropped, in front of what is sent next. To drop the future of a larger one midway ends the
    /// sending side ([`Error::Interrupted`] from then on): nothing follows a torn message.
    #[doc(alias("write_all"))]
    pub async fn send_all(&mut self, message: impl AsRef<[u8]>) -> Result<(), Error> {
        self.send_message(message.as_ref(), Until::Sent).await
    }

    /// Queues a copy of `message`; see "Sending without waiting" above.
    ///
    /// Rules [S5](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s5) and [S6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s6).
    ///
    /// # Errors
    ///
    /// [`Error::Full`] if there is no room now: [`flush`](Self::flush) makes some. [`Error::TooLarge`] if the
    /// message is longer than `max_queue`: [`feed_wait`](Self::feed_wait) takes it. Otherwise as
    /// [`send_all`](Self::send_all). Nothing of the message is queued then.
    #[doc(alias("BufWriter", "start_send", "Sink"))]
    pub fn feed(&mut self, message: impl AsRef<[u8]>) -> Result<(), Error> {
        self.queue(|link| link.feed(message.as_ref()))
    }

    /// Queues `text` as a line.
    ///
    /// # Errors
    ///
    /// [`Error::LineBreak`] if `text` holds a line break; otherwise as [`feed`](Self::feed).
    pub fn feed_line(&mut self, text: impl AsRef<[u8]>) -> Result<(), Error> {
        self.queue(|link| link.feed_line(text.as_ref()))
    }

    /// Queues formatted text as a line: `conn.feed_fmt(format_args!("PONG {token}"))`.
    ///
    /// # Errors
    ///
    /// As [`feed_line`](Self::feed_line).
    pub fn feed_fmt(&mut self, text: fmt::Arguments<'_>) -> Result<(), Error> {
        self.feed_line(text.to_string())
    }

    /// Queues `message`, shared and not copied from 1 KiB on.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn feed_shared(&mut self, message: Bytes) -> Result<(), Error> {
        self.queue(|link| link.feed_shared(message))
    }

    /// Waits for room, then queues `message`, which may be larger than the queue.
    ///
    /// # Errors
    ///
    /// As [`send_all`](Self::send_all).
    ///
    /// # Cancel safety
    ///
    /// As [`send_all`](Self::send_all).
    pub async fn feed_wait(&mut self, message: impl AsRef<[u8]>) -> Result<(), Error> {
        self.send_message(message.as_ref(), Until::Queued).await
    }

    /// Waits until all that is queued was handed to the system.
    ///
    /// # Errors
    ///
    /// As [`send_all`](Self::send_all).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what is queued stays queued.
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.begin_other();
        let ticket = self.handle.with(|engine| engine.ticket())?;
        self.handle.wait(|engine, cx| engine.poll_sent(ticket, cx)).await
    }

    /// Writes what the system takes now, without waiting.
    ///
    /// # Errors
    ///
    /// Why nothing can be sent, as [`send_all`](Self::send_all).
    pub fn try_flush(&mut self) -> Result<(), Error> {
        match &mut self.handle {
            Handle::Own(engine) => {
                // No other task waits for this stream.
                engine.try_transmit(&mut Context::from_waker(Waker::noop()));
                engine.link.check()
            }
            Handle::Shared(shared) => shared.try_flush(),
            Handle::Moving => unreachable!("it moves in one step"),
        }
    }
}

/// # Ending
impl<S: Transport> Connection<S> {
    /// Closes the connection in good order: sends what is queued, ends our side, reads and drops what the peer still
    /// sends, so that our last bytes reach it, and gives the descriptor back. Every later receive and
    /// send returns [`Error::Closed`]; a second close returns the same as the first.
    ///
    /// [`Config::close`](crate::Config) has the limits: by default 5 s without progress and 60 s in all to send,
    /// then 256 KiB or 2 s to read. It takes those 2 s where the peer keeps its side open; drop the connection or
    /// [`abort`](Self::abort) it where its last bytes do not matter.
    ///
    /// Rules [C3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#c3) and [C6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#c6).
    ///
    /// # Errors
    ///
    /// The connection is closed in any case. An error means that accepted bytes were not sent:
    /// [`Error::Disconnected`], [`Error::TimedOut`], [`Error::Tls`], or [`Error::Interrupted`] if a message was sent
    /// only in part and the connection was reset. A loss that a Nim-style `send` has ignored is not reported.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next call goes on where this one was.
    #[doc(alias("graceful close", "linger", "shutdown"))]
    pub async fn close(&mut self) -> Result<(), Error> {
        self.begin_other();
        let Self { receiver, handle } = self;
        let inbound = &mut receiver.inbound;
        handle.with(|engine| engine.link.close_inbound(inbound));
        handle.wait(Engine::poll_close).await
    }

    /// Sends what is queued and ends our side of the connection. Receiving goes on.
    ///
    /// Rule [C4](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#c4).
    ///
    /// # Errors
    ///
    /// [`Error::Disconnected`] if the connection broke first, [`Error::Tls`] if TLS failed, [`Error::Interrupted`] after
    /// a torn message.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next call goes on where this one was. Nothing can be sent once it was called.
    #[doc(alias("half close", "FIN"))]
    pub async fn shutdown_write(&mut self) -> Result<(), Error> {
        self.begin_other();
        self.handle.wait(Engine::poll_shutdown_write).await
    }

    /// Closes at once: what is queued is lost, and the peer sees a reset (over TCP; other streams know only an early
    /// end).
    #[doc(alias("reset", "RST"))]
    pub fn abort(&mut self) {
        let Self { receiver, handle } = self;
        let inbound = &mut receiver.inbound;
        handle.with(|engine| {
            engine.link.close_inbound(inbound);
            engine.abort();
        });
    }
}

impl<S: Transport> Connection<S> {
    /// Queues an answer of this task.
    fn queue(&mut self, feed: impl FnOnce(&mut Link) -> Result<(), Error>) -> Result<(), Error> {
        let counted = |link: &mut Link| {
            let before = link.accepted_total();
            feed(link)?;
            link.note_reply((link.accepted_total() - before) as usize);
            Ok(())
        };
        self.handle.give_up_leaked();
        self.receiver.replied = true;
        match &mut self.handle {
            Handle::Own(engine) => counted(&mut engine.link),
            Handle::Shared(shared) => shared.queue(Some(Place::RECEIVER), counted),
            Handle::Moving => unreachable!("it moves in one step"),
        }
    }

    /// Queues `message`, and waits until it is sent if `until` says so.
    pub(super) async fn send_message(&mut self, message: &[u8], until: Until) -> Result<(), Error> {
        self.begin_other();
        self.handle.give_up_leaked();
        match &mut self.handle {
            Handle::Own(engine) => {
                let mut sending = Sending { engine, progress: Progress::Waiting };
                poll_fn(|cx| sending.poll(message, until, cx)).await
            }
            Handle::Shared(shared) => shared.send(message, until).await,
            Handle::Moving => unreachable!("it moves in one step"),
        }
    }
}

/// A message on its way over a connection without writers. Dropped midway it may tear.
struct Sending<'a, S: Transport> {
    engine: &'a mut Engine<S>,
    progress: Progress,
}

impl<S: Transport> Sending<'_, S> {
    fn poll(
        &mut self,
        message: &[u8],
        until: Until,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let polled = self.progress.poll_until(until, self.engine, message, cx);
        if let Poll::Ready(Err(_)) = polled {
            // Its listener may have aborted it.
            drop(self.engine.take_remains());
        }
        polled
    }
}

impl<S: Transport> Drop for Sending<'_, S> {
    fn drop(&mut self) {
        self.progress.give_up(self.engine);
    }
}
