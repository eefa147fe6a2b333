//! The sending half of a split connection.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use asyncnet_core::{Bytes, End, SendStats, Sender, TlsSession};

use super::{Shared, State, Task};
use crate::connection::hide_loss;
use crate::fan_out::{FanOut, Place};
use crate::link::Link;
use crate::message::Progress;
use crate::socket::{address, options};
use crate::{Address, Flags, SendError, SockOpt, Transport};

/// The sending half of a connection. Clone it for every task that sends.
///
/// Messages of different tasks never mix, and those that wait for room go first come, first served.
/// What is queued moves while any task is inside a receive, `send`, `flush`, `close` or
/// [`drive`](Self::drive). Dropping every `SendHalf` closes nothing; the descriptor goes with the last
/// half of either kind.
pub struct SendHalf<S: Transport> {
    pub(super) shared: Arc<Shared<S>>,
    flags: Flags,
}

impl<S: Transport> SendHalf<S> {
    pub(super) const fn new(shared: Arc<Shared<S>>, flags: Flags) -> Self {
        Self { shared, flags }
    }

    /// The seed's `send`; see [`Connection::send`](crate::Connection::send).
    ///
    /// # Errors
    ///
    /// As [`send_with`](Self::send_with), with the flags of [`Config::ends`](crate::Config).
    ///
    /// # Cancel safety
    ///
    /// A message of at most `max_outbox` bytes is sent whole or not at all. Dropping the future of a
    /// larger one midway ends the sending side for all ([`SendError::Interrupted`] from then on).
    ///
    /// A send that waits for room has its turn in a queue: poll it or drop it. While it is kept without
    /// being polled, those behind it wait too.
    pub async fn send(&self, message: &[u8]) -> Result<(), SendError> {
        self.send_with(message, self.flags).await
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
    pub async fn send_with(&self, message: &[u8], flags: Flags) -> Result<(), SendError> {
        let sent = self.send_all(message).await;
        hide_loss(sent, flags, || self.shared.lock(None).link.sender.forgive_dropped())
    }

    /// Sends `text` and CR LF, and waits until every byte was handed to the system.
    ///
    /// # Errors
    ///
    /// As [`Connection::send_line`](crate::Connection::send_line).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_line(&self, text: &[u8]) -> Result<(), SendError> {
        if asyncnet_core::holds_line_break(text) {
            return Err(SendError::LineBreak);
        }
        self.send_all(&[text, b"\r\n"].concat()).await
    }

    async fn send_all(&self, message: &[u8]) -> Result<(), SendError> {
        let mut sending = SharedSending::new(&self.shared);
        poll_fn(|cx| sending.poll(message, cx)).await
    }

    /// Queues a copy of `message`; see [`Connection::feed`](crate::Connection::feed).
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] if there is no room, or other tasks wait for it; or a final error. Nothing
    /// of the message is queued then.
    pub fn feed(&self, message: &[u8]) -> Result<(), SendError> {
        self.queue(|link| link.sender.feed(message))
    }

    /// Queues `text` and CR LF.
    ///
    /// # Errors
    ///
    /// [`SendError::LineBreak`] if `text` holds a CR or an LF; otherwise as [`feed`](Self::feed).
    pub fn feed_line(&self, text: &[u8]) -> Result<(), SendError> {
        self.queue(|link| link.sender.feed_line(text))
    }

    /// Queues `message`, shared and not copied from 1 KiB on.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn feed_bytes(&self, message: Bytes) -> Result<(), SendError> {
        self.queue(|link| link.sender.feed_bytes(message))
    }

    fn queue(
        &self,
        feed: impl FnOnce(&mut Link<S>) -> Result<(), asyncnet_core::SendError>,
    ) -> Result<(), SendError> {
        let mut state = self.shared.lock(None);
        state.check_turns()?;
        let first = state.link.sender.unsent() == 0;
        feed(&mut state.link)?;
        // Behind other bytes it goes with them: whoever was called to move those moves it too.
        state.queued = first;
        Ok(())
    }

    /// Sends without waiting: writes at once if nothing is queued, and queues what the system does not
    /// take. That goes out as [`feed`](Self::feed) tells.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed); a write that fails shows in the next call.
    pub fn try_send(&self, message: Bytes) -> Result<(), SendError> {
        let mut state = self.shared.lock(None);
        state.check_turns()?;
        self.send_now(&mut state, message)
    }

    fn send_now(&self, state: &mut State<S>, message: Bytes) -> Result<(), SendError> {
        let first = state.link.sender.unsent() == 0;
        state.link.sender.feed_bytes(message)?;
        if first {
            let mut cx = Context::from_waker(&self.shared.waker);
            // What is left is the receiving side's to write: the stream wakes it through the fan-out.
            let _ = state.link.poll_transmit(&mut cx);
        }
        Ok(())
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
    pub async fn flush(&self) -> Result<(), SendError> {
        let task = Task::new(&self.shared);
        let ticket = self.shared.lock(None).link.ticket()?;
        poll_fn(|cx| task.poll(cx, |state, cx| state.link.poll_sent(ticket, cx))).await
    }

    /// Writes whatever is queued, for as long as the connection can send. To be awaited, beside other
    /// work, where nobody receives: then nothing else moves what [`feed`](Self::feed) queued.
    ///
    /// # Errors
    ///
    /// Why it can send no more: [`SendError::Disconnected`], [`SendError::Interrupted`] or
    /// [`SendError::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what is queued stays queued.
    pub async fn drive(&self) -> Result<(), SendError> {
        let task = Task::new(&self.shared);
        let driving = |state: &mut State<S>, cx: &mut Context<'_>| {
            ready!(state.link.poll_transmit(cx));
            match state.link.sender.check() {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error.into())),
            }
        };
        poll_fn(|cx| task.poll(cx, driving)).await
    }

    /// Closes the whole connection in good order; see [`Connection::close`](crate::Connection::close).
    /// The receiving half still hands out the lines that it has, then answers `Closed`. Sends whose
    /// message is queued are flushed, those that wait for room end with [`SendError::Closed`]; one that
    /// is larger than `max_outbox` and under way is torn, and turns the close into a reset.
    ///
    /// # Errors
    ///
    /// As [`Connection::close`](crate::Connection::close).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next call goes on where this one was.
    pub async fn close(&self) -> Result<(), SendError> {
        let task = Task::new(&self.shared);
        poll_fn(|cx| task.poll(cx, |state, cx| state.link.poll_close(cx))).await
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
    pub async fn shutdown_write(&self) -> Result<(), SendError> {
        let task = Task::new(&self.shared);
        poll_fn(|cx| task.poll(cx, |state, cx| state.link.poll_shutdown_write(cx))).await
    }

    /// Closes at once: what is queued is lost, the peer sees a reset (over TCP), and the receiving half answers
    /// `Closed`.
    pub fn abort(&self) {
        self.shared.lock(None).link.abort();
    }

    /// The end as far as a write has met it.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.shared.lock(None).link.sender.end()
    }

    /// Whether nothing can be sent any more, for whatever reason.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.shared.lock(None).link.sender.check().is_err()
    }

    /// Whether we closed the connection.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.lock(None).link.closing.has_begun()
    }

    /// What is queued, in bytes as `max_outbox` counts them: 64 more for each piece.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shared.lock(None).link.sender.queued()
    }

    /// What was sent so far by all sending halves, in numbers.
    #[must_use]
    pub fn stats(&self) -> SendStats {
        self.shared.lock(None).link.sender.stats()
    }

    /// Our address.
    ///
    /// # Errors
    ///
    /// As [`Connection::local_addr`](crate::Connection::local_addr).
    pub fn local_addr(&self) -> io::Result<Address> {
        address::local(self.shared.lock(None).link.stream.as_ref())
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// As [`Connection::peer_addr`](crate::Connection::peer_addr).
    pub fn peer_addr(&self) -> io::Result<Address> {
        address::peer(self.shared.lock(None).link.stream.as_ref())
    }

    /// Switches an option on or off.
    ///
    /// # Errors
    ///
    /// As [`Connection::set_sock_opt`](crate::Connection::set_sock_opt).
    pub fn set_sock_opt(&self, option: SockOpt, on: bool) -> io::Result<()> {
        options::set_on(self.shared.lock(None).link.stream.as_ref(), option, on)
    }

    /// Whether an option is on.
    ///
    /// # Errors
    ///
    /// As [`set_sock_opt`](Self::set_sock_opt).
    pub fn sock_opt(&self, option: SockOpt) -> io::Result<bool> {
        options::get_of(self.shared.lock(None).link.stream.as_ref(), option)
    }

    /// Whether what is sent here is sealed by TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.shared.lock(None).link.sender.is_secure()
    }

    /// What the TLS handshake came to; `None` for a connection in plain.
    #[must_use]
    pub fn tls_session(&self) -> Option<TlsSession> {
        self.shared.lock(None).link.sender.tls_session()
    }

    /// Where to wait until the connection has moved.
    pub(crate) fn fan_out(&self) -> &FanOut {
        &self.shared.fan_out
    }

    /// Writes what is queued, then what `feed` queues past those that wait for room; returns how many bytes
    /// are left, 0 only if they are flushed too. Whoever waits at `me` is not called for that.
    pub(crate) fn fill(
        &self,
        me: Place,
        feed: impl FnOnce(&mut Sender),
    ) -> Result<usize, SendError> {
        let mut state = self.shared.lock(Some(me));
        let mut cx = Context::from_waker(&self.shared.waker);
        let is_idle = state.link.poll_transmit(&mut cx).is_ready();
        feed(&mut state.link.sender);
        if is_idle {
            // What is left is for whoever waits: the stream wakes them all through the fan-out.
            let _ = state.link.poll_transmit(&mut cx);
        }
        state.link.sender.check()?;
        Ok(state.link.sender.unsent().max(usize::from(state.link.dirty)))
    }
}

impl<S: Transport> Clone for SendHalf<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), flags: self.flags }
    }
}

impl<S: Transport> fmt::Debug for SendHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendHalf").field("flags", &self.flags).finish_non_exhaustive()
    }
}

/// A message on its way over a split connection: it waits its turn, and dropped midway it may tear.
struct SharedSending<'a, S: Transport> {
    task: Task<'a, S>,
    progress: Progress,
    /// It is in the queue of those that wait for room.
    enlisted: bool,
}

impl<'a, S: Transport> SharedSending<'a, S> {
    fn new(shared: &'a Shared<S>) -> Self {
        Self { task: Task::new(shared), progress: Progress::Waiting, enlisted: false }
    }

    fn poll(&mut self, message: &[u8], cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let Self { task, progress, enlisted } = self;
        let (me, waker) = (task.waiter.place, cx.waker().clone());
        let mut behind = false;
        let mut old = None;
        let polled = task.poll(cx, |state, cx| {
            if progress.is_waiting() && state.is_behind_others(me) {
                state.link.sender.check()?;
                old = state.enlist(me, &waker, *enlisted);
                (*enlisted, behind) = (true, true);
                return Poll::Pending;
            }
            let polled = progress.poll(&mut state.link, message, cx);
            let waits = polled.is_pending() && !progress.is_queued();
            if waits && !*enlisted {
                old = state.enlist(me, &waker, false);
            } else if !waits && *enlisted {
                old = state.turns.pop_front().map(|turn| turn.waker);
            }
            *enlisted = waits;
            polled
        });
        if behind {
            // Whoever is called first polls the stream; there is nothing to call this one for.
            task.waiter.leave();
        }
        drop(old);
        polled
    }
}

impl<S: Transport> Drop for SharedSending<'_, S> {
    fn drop(&mut self) {
        if !self.enlisted {
            // Nothing of it, or all of it, is queued.
            return;
        }
        let me = self.task.waiter.place;
        let mut state = self.task.shared.lock(Some(me));
        self.progress.give_up(&mut state.link);
        let at = state.turns.iter().position(|turn| turn.place == me);
        let turn = at.and_then(|at| state.turns.remove(at));
        drop(state);
        drop(turn);
    }
}
