//! A connection that is whole: one task receives and sends.

mod secure;
mod socket;
mod traits;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use asyncnet_core::{
    Bytes, Config, End, Look, Receiver, RecvStats, SecureLayer, SendStats, Span, Step, Want,
};

use crate::batch::{Batch, Outbox};
use crate::fan_out::FanOut;
use crate::link::{Link, Queued, poll_input};
use crate::message::Progress;
use crate::net::open::Permit;
use crate::receive::{LineStream, NextLine, receive_calls};
use crate::{
    Flags, RecvError, RecvHalf, SendError, SendHalf, Timer, Transport, UpgradeError, split,
};

/// A connection over the stream `S`: lines and blocks in, messages out, one answer to a peer that goes.
///
/// Two views of the same thing. The *seed view* has the calls of Nim's `asyncnet` (`recv`, `recv_line`,
/// `send`, ..) and answers `""` at the end. The *typed view* (`next_line`, `next_lines`, `next_block`,
/// `send_line`, `feed`, ..) always says what happened. They can be mixed: both see the same bytes.
///
/// What is seen when the peer goes away:
///
/// | what happened | seed view | seed view without `SAFE_DISCONN` | typed view | [`end`](Self::end) |
/// |---|---|---|---|---|
/// | end between lines | `""` | `""` | `Ok(None)` | `Eof`, partial 0 |
/// | end inside a line or block | `""` (a block: the bytes that came) | the same | `Err(Disconnected)` | `Eof`, partial n |
/// | reset, aborted, timed out, network gone | `""` | `Err` of that kind | `Err(Disconnected)` | `Reset` |
/// | TLS, with a close notice | as the first two rows | | | |
/// | TLS, cut off without one | `""` | `Err(UnexpectedEof)` | `Err(Disconnected)` | `TlsTruncated` |
/// | TLS failed | `Err(Tls)` | `Err(Tls)` | `Err(Tls)` | `TlsFailed` |
/// | closed by us | `Err(Closed)` | `Err(Closed)` | `Err(Closed)` | `Closed` |
///
/// What arrived before an end or an error is answered before it, and an end repeats for ever.
///
/// # Sending without waiting
///
/// [`feed`](Self::feed) queues. What is queued goes out with the next [`send`](Self::send) or
/// [`flush`](Self::flush), and by itself whenever a receive is about to wait or to report an end or an
/// error: a handler that answers every line needs no flush, and many answers leave in one write. While
/// more than half of `max_outbox` is queued a receive hands out nothing and writes first, so that a peer
/// which does not read is not read from. (Two peers that both send more than the other is ready to take
/// before they read would wait for each other: to send much without reading, [`split`](Self::split).) A
/// handler that used `feed` ends with
/// `close().await`; dropping a connection makes one attempt to write and promises nothing.
///
/// # Answering a line while it is borrowed
///
/// `next_line` borrows the connection, so `conn.feed(line)` does not compile. Three ways out, by cost:
/// [`next_lines`](Self::next_lines), whose batch hands out the lines and the outbox side by side (no
/// lock, no copy but the one into the outbox); [`split`](Self::split) (a lock for each call that sends,
/// none for a line that is already here); an owned line (an allocation each).
pub struct Connection<S: Transport> {
    // Boxed: a future stores a connection that it is given twice, and is to stay small.
    receiver: Box<Receiver>,
    link: Box<Link<S>>,
    /// The tasks that use the `futures` traits, once there are any.
    tasks: Option<Arc<FanOut>>,
}

impl<S: Transport> Connection<S> {
    /// A connection over `stream`, without a clock: nothing bounds a [`close`](Self::close) but the
    /// stream. The adapters make theirs with one.
    ///
    /// ```
    /// # fn over<P: futures_io::AsyncRead + futures_io::AsyncWrite + Unpin>(pipe: P) {
    /// use asyncnet::{Config, Connection, Io};
    ///
    /// let conn = Connection::new(Io::new(pipe), Config::default().max_line(512));
    /// # drop(conn);
    /// # }
    /// ```
    pub fn new(stream: S, config: Config) -> Self {
        Self::build(stream, config, None)
    }

    /// A connection over `stream` with a clock.
    pub fn with_timer(stream: S, config: Config, timer: Timer) -> Self {
        Self::build(stream, config, Some(timer))
    }

    pub(crate) fn accepted(stream: S, config: Config, timer: Timer, permit: Permit) -> Self {
        let mut this = Self::with_timer(stream, config, timer);
        this.link.permit = Some(permit);
        this
    }

    /// A connection whose handshake is about to begin with `early`, which was read from `stream` already.
    pub(crate) fn accepted_tls(
        stream: S,
        config: Config,
        timer: Timer,
        permit: Permit,
        layer: Box<dyn SecureLayer>,
        early: Vec<u8>,
    ) -> Result<Self, UpgradeError> {
        let mut this = Self::accepted(stream, config, timer, permit);
        this.link.early = early;
        this.start_tls(layer)?;
        Ok(this)
    }

    fn build(stream: S, config: Config, timer: Option<Timer>) -> Self {
        let link = Box::new(Link::new(stream, &config, timer));
        Self { receiver: Box::new(Receiver::new(config)), link, tasks: None }
    }

    // ---- receiving -------------------------------------------------------------------------------

    fn poll_input(&mut self, cx: &mut Context<'_>, want: Want) -> Poll<io::Result<Look>> {
        poll_input(&mut self.receiver, &mut self.link, want, Queued::First, cx)
    }

    #[inline]
    fn quick_line(&mut self) -> Option<Span> {
        if self.link.sender.is_congested() { None } else { self.receiver.take_line() }
    }

    receive_calls!();

    /// Every complete line that has arrived, and the outbox to answer into. Waits for one line.
    /// `None`: the peer ended in good order.
    ///
    /// ```
    /// # async fn serve<S: asyncnet::Transport>(
    /// #     mut conn: asyncnet::Connection<S>,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// while let Some(mut batch) = conn.next_lines().await? {
    ///     while let Some(line) = batch.next_line() {
    ///         batch.outbox.feed_line(line)?;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`next_line`](Self::next_line). A bad line ends the batch in front of it and is the next
    /// call's answer.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. A batch that is dropped half-way leaves the rest for the next call.
    pub async fn next_lines(&mut self) -> Result<Option<Batch<'_>>, RecvError> {
        let look = poll_fn(|cx| self.poll_input(cx, Want::Line)).await?;
        if look == Look::Final {
            // No line, so this takes none: it is an end or an error.
            return Ok(self.receiver.poll_line()?.ready().and(None));
        }
        let outbox = Outbox { sender: &mut self.link.sender };
        Ok(Some(Batch { lines: self.receiver.lines(), outbox }))
    }

    // ---- sending, typed view ---------------------------------------------------------------------

    /// Queues `message` and waits until every byte that is queued was handed to the system.
    async fn send_all(&mut self, message: &[u8]) -> Result<(), SendError> {
        // A send whose future was leaked, and so never dropped, is given up now.
        self.link.sender.give_up_large();
        let mut sending = Sending { link: &mut self.link, progress: Progress::Waiting };
        poll_fn(|cx| sending.poll(message, cx)).await
    }

    /// Sends `text` and CR LF, and waits until every byte was handed to the system.
    ///
    /// # Errors
    ///
    /// [`SendError::LineBreak`] if `text` holds a CR or an LF: it would arrive as two lines. Then
    /// nothing is sent. [`SendError::Disconnected`], [`SendError::Interrupted`], [`SendError::Closed`]
    /// are final.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_line(&mut self, text: &[u8]) -> Result<(), SendError> {
        match self.feed_line(text) {
            Err(SendError::Full { .. }) => self.send_all(&[text, b"\r\n"].concat()).await,
            Err(error) => Err(error),
            Ok(()) => self.flush().await,
        }
    }

    /// Queues a copy of `message`; see "Sending without waiting" above.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] if there is no room: [`flush`](Self::flush) makes some. Final errors as
    /// [`send_line`](Self::send_line). Nothing of the message is queued then.
    pub fn feed(&mut self, message: &[u8]) -> Result<(), SendError> {
        Ok(self.link.sender.feed(message)?)
    }

    /// Queues `text` and CR LF.
    ///
    /// # Errors
    ///
    /// [`SendError::LineBreak`] if `text` holds a CR or an LF; otherwise as [`feed`](Self::feed).
    pub fn feed_line(&mut self, text: &[u8]) -> Result<(), SendError> {
        Ok(self.link.sender.feed_line(text)?)
    }

    /// Queues `message`, shared and not copied from 1 KiB on.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn feed_bytes(&mut self, message: Bytes) -> Result<(), SendError> {
        Ok(self.link.sender.feed_bytes(message)?)
    }

    /// Queues `message` and writes what the system takes at once.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed); a write that fails shows in the next call.
    pub fn try_send(&mut self, message: Bytes) -> Result<(), SendError> {
        self.feed_bytes(message)?;
        self.link.try_transmit();
        Ok(())
    }

    /// Waits until all that is queued was handed to the system.
    ///
    /// # Errors
    ///
    /// [`SendError::Disconnected`] if the connection broke first; [`SendError::Closed`] once it is
    /// closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what is queued stays queued.
    pub async fn flush(&mut self) -> Result<(), SendError> {
        let ticket = self.link.ticket()?;
        poll_fn(|cx| self.link.poll_sent(ticket, cx)).await
    }

    // ---- sending, seed view ----------------------------------------------------------------------

    /// The seed's `send`: sends `message` and waits until every byte was handed to the system, which
    /// does not mean that the peer has it. A peer that is gone is no error unless
    /// [`Config::ends`](crate::Config) says so; [`is_disconnected`](Self::is_disconnected) tells.
    ///
    /// # Errors
    ///
    /// As [`send_with`](Self::send_with), with the flags of [`Config::ends`](crate::Config).
    ///
    /// # Cancel safety
    ///
    /// A message of at most `max_outbox` bytes is sent whole or not at all: once queued, it goes out
    /// though the future is dropped, in front of whatever is sent next. Dropping the future of a larger
    /// one midway ends the sending side ([`SendError::Interrupted`] from then on): nothing ever
    /// follows a torn message.
    pub async fn send(&mut self, message: &[u8]) -> Result<(), SendError> {
        self.send_with(message, self.flags()).await
    }

    /// [`send`](Self::send) with flags of its own.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] and [`SendError::Interrupted`]; without [`Flags::SAFE_DISCONN`] also
    /// [`SendError::Disconnected`].
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_with(&mut self, message: &[u8], flags: Flags) -> Result<(), SendError> {
        let sent = self.send_all(message).await;
        hide_loss(sent, flags, || self.link.sender.forgive_dropped())
    }

    // ---- ending ----------------------------------------------------------------------------------

    /// Closes the connection in good order: sends what is queued (at most 5 s), ends our side, reads and
    /// forgets what the peer still sends (at most 256 KiB or 2 s, so that our last bytes reach it), and
    /// gives the descriptor back. [`Config::close`](crate::Config) sets the bounds. Every later call
    /// answers `Closed`; closing twice is fine and answers the same.
    ///
    /// # Errors
    ///
    /// The connection is closed in any case; an error says that accepted bytes did not leave, unless a
    /// `send` has hidden that: [`SendError::Disconnected`], [`SendError::TimedOut`], and [`SendError::Interrupted`] if a torn
    /// message had to end in a reset.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next call goes on where this one was.
    pub async fn close(&mut self) -> Result<(), SendError> {
        self.receiver.close(self.link.sender.coming_end());
        poll_fn(|cx| self.link.poll_close(cx)).await
    }

    /// Sends what is queued and ends our side of the connection. Receiving goes on.
    ///
    /// # Errors
    ///
    /// [`SendError::Disconnected`] if the connection broke first, [`SendError::Interrupted`] after a
    /// torn message.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next call goes on where this one was. Nothing can be sent once it was called.
    pub async fn shutdown_write(&mut self) -> Result<(), SendError> {
        poll_fn(|cx| self.link.poll_shutdown_write(cx)).await
    }

    /// Closes at once: what is queued is lost, and the peer sees a reset (over TCP; other streams know
    /// only an early end).
    pub fn abort(&mut self) {
        self.receiver.close(self.link.sender.coming_end());
        self.link.abort();
    }

    /// Two halves, for tasks of their own.
    #[must_use]
    pub fn split(self) -> (RecvHalf<S>, SendHalf<S>) {
        split::split(self.receiver, *self.link)
    }

    /// The stream, and the bytes received that nobody was answered, the partial included.
    ///
    /// # Errors
    ///
    /// The connection itself, if something would be lost: while a bad line is being discarded, while
    /// bytes are queued, after a torn message, and after a close; and a connection that is secure, whose
    /// stream would carry plaintext next.
    pub fn into_parts(mut self) -> Result<(S, Vec<u8>), Self> {
        let sender = &self.link.sender;
        let refused = sender.is_secure() || sender.is_interrupted() || sender.unsent() > 0;
        if refused || self.receiver.is_discarding() {
            return Err(self);
        }
        match self.link.stream.take() {
            Some(stream) => Ok((stream, [self.partial(), self.receiver.peek()].concat())),
            None => Err(self),
        }
    }

    // ---- getters ---------------------------------------------------------------------------------

    /// The end, once a receive met it or a write met a reset. Final.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.receiver.end_after(self.link.sender.coming_end())
    }

    /// Whether there is an [`end`](Self::end).
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.end().is_some()
    }

    /// Whether we closed the connection. The peer's leaving does not count.
    #[doc(alias = "isClosed")]
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.link.closing.has_begun()
    }

    /// What is queued, in bytes as `max_outbox` counts them: 64 more for each piece.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.link.sender.queued()
    }

    /// The stream; `None` once the connection is closed.
    #[must_use]
    pub const fn get_ref(&self) -> Option<&S> {
        self.link.stream.as_ref()
    }

    /// What was received and sent so far, in numbers.
    #[must_use]
    pub const fn stats(&self) -> (RecvStats, SendStats) {
        (self.receiver.stats(), self.link.sender.stats())
    }
}

impl<S: Transport> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("receiver", &self.receiver)
            .field("sender", &self.link.sender)
            .field("closing", &self.link.closing)
            .finish_non_exhaustive()
    }
}

/// What the seed view makes of a send to a peer that is gone.
pub(crate) fn hide_loss(
    result: Result<(), SendError>,
    flags: Flags,
    forgive: impl FnOnce(),
) -> Result<(), SendError> {
    match result {
        Err(SendError::Disconnected(_)) if flags.contains(Flags::SAFE_DISCONN) => {
            // A close is not to tell what was hidden here.
            forgive();
            Ok(())
        }
        result => result,
    }
}

/// A message on its way over a whole connection. Dropped midway it may tear.
struct Sending<'a, S: Transport> {
    link: &'a mut Link<S>,
    progress: Progress,
}

impl<S: Transport> Sending<'_, S> {
    fn poll(&mut self, message: &[u8], cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.progress.poll(self.link, message, cx)
    }
}

impl<S: Transport> Drop for Sending<'_, S> {
    fn drop(&mut self) {
        self.progress.give_up(self.link);
    }
}
