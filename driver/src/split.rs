//! A connection in two halves: one task receives, any number send.
//!
//! The [`RecvHalf`] owns what was received; a line that is already here costs no lock. The stream and
//! what is queued are shared, behind a lock that is never held across an await. Every task polls the
//! stream with the same fan-out waker, and leaves its own there *before* it polls.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use asyncnet_core::{Bytes, Config, End, Lines, Look, Receiver, Span, Step, Want};
use futures_core::Stream;
use futures_io::{AsyncBufRead, AsyncRead};

use crate::address;
use crate::connection::hide_loss;
use crate::fan_out::{FanOut, Place, Waiter};
use crate::link::{Link, Queued, poll_input};
use crate::message::Progress;
use crate::receive::{LineStream, receive_calls, receive_traits};
use crate::{Address, Flags, RecvError, SendError, Transport};

pub(crate) fn split<S: Transport>(receiver: Receiver, link: Link<S>) -> (RecvHalf<S>, SendHalf<S>) {
    let flags = receiver.config().ends.into();
    let fan_out = FanOut::new();
    let waker = fan_out.waker();
    let state = Mutex::new(State {
        link,
        turns: VecDeque::new(),
    });
    let shared = Arc::new(Shared {
        state,
        fan_out,
        waker,
    });
    (
        RecvHalf {
            receiver,
            shared: Arc::clone(&shared),
        },
        SendHalf { shared, flags },
    )
}

/// What both halves share.
struct Shared<S: Transport> {
    state: Mutex<State<S>>,
    fan_out: Arc<FanOut>,
    /// The waker of `fan_out`.
    waker: Waker,
}

struct State<S: Transport> {
    link: Link<S>,
    /// The sends that wait for room, first come first.
    turns: VecDeque<Place>,
}

impl<S: Transport> State<S> {
    /// What other tasks may wait for: how much is transmitted, whose turn it is, whether all is over.
    fn progress(&self) -> (u64, Option<Place>, bool) {
        let sender = &self.link.sender;
        let over = sender.check().is_err() || self.link.closing.has_begun();
        (
            sender.transmitted_total(),
            self.turns.front().copied(),
            over,
        )
    }

    /// Refuses those that do not wait while others do.
    fn check_turns(&self) -> Result<(), SendError> {
        let sender = &self.link.sender;
        sender.check()?;
        if self.turns.is_empty() {
            return Ok(());
        }
        Err(SendError::Full {
            queued: sender.queued(),
            max: sender.max_outbox(),
        })
    }
}

impl<S: Transport> Shared<S> {
    /// Locks the state for the task at `me`.
    fn lock(&self, me: Option<Place>) -> Locked<'_, S> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.fan_out.hold();
        let before = state.progress();
        Locked {
            shared: self,
            state: Some(state),
            before,
            me,
            queued: false,
        }
    }
}

/// The locked state. Wakes are put off to its end, when the lock is free.
struct Locked<'a, S: Transport> {
    shared: &'a Shared<S>,
    /// Always there until the drop.
    state: Option<MutexGuard<'a, State<S>>>,
    before: (u64, Option<Place>, bool),
    me: Option<Place>,
    /// Bytes were queued and not written: somebody has to.
    queued: bool,
}

impl<S: Transport> Deref for Locked<'_, S> {
    type Target = State<S>;

    fn deref(&self) -> &State<S> {
        self.state
            .as_ref()
            .expect("the guard is there until the drop")
    }
}

impl<S: Transport> DerefMut for Locked<'_, S> {
    fn deref_mut(&mut self) -> &mut State<S> {
        self.state
            .as_mut()
            .expect("the guard is there until the drop")
    }
}

impl<S: Transport> Drop for Locked<'_, S> {
    fn drop(&mut self) {
        let (before, after) = (self.before, self.progress());
        let fan_out = &self.shared.fan_out;
        let woken = fan_out.release();
        self.state = None;
        if woken {
            // The stream itself called, perhaps for us.
            fan_out.wake_if(|_| true);
        } else if self.queued || before.2 != after.2 {
            fan_out.wake_if(|place| Some(place) != self.me);
        } else if before != after {
            // Room, or a turn: nothing to a receiver.
            fan_out.wake_if(|place| place != Place::RECEIVER && Some(place) != self.me);
        }
    }
}

/// The receiving half of a connection.
///
/// It has the receiving calls of [`Connection`](crate::Connection). While one of them waits it also
/// writes what the sending halves have queued.
pub struct RecvHalf<S: Transport> {
    receiver: Receiver,
    shared: Arc<Shared<S>>,
}

impl<S: Transport> RecvHalf<S> {
    fn poll_input(&mut self, cx: &mut Context<'_>, want: Want) -> Poll<io::Result<Look>> {
        if self.receiver.look(want) == Look::Data {
            return Poll::Ready(Ok(Look::Data));
        }
        self.shared.fan_out.wait(Place::RECEIVER, cx.waker());
        let mut state = self.shared.lock(Some(Place::RECEIVER));
        let mut cx = Context::from_waker(&self.shared.waker);
        poll_input(
            &mut self.receiver,
            &mut state.link,
            want,
            Queued::Try,
            &mut cx,
        )
    }

    #[inline]
    fn quick_line(&mut self) -> Option<Span> {
        self.receiver.take_line()
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
    pub async fn next_lines(&mut self) -> Result<Option<Lines<'_>>, RecvError> {
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
        self.receiver
            .end()
            .or_else(|| self.shared.lock(None).link.sender.end())
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
        f.debug_struct("RecvHalf")
            .field("receiver", &self.receiver)
            .finish_non_exhaustive()
    }
}

/// The sending half of a connection. Clone it for every task that sends.
///
/// Messages of different tasks never mix, and those that wait for room go first come, first served.
/// What is queued moves while any task is inside a receive, `send`, `flush`, `close` or
/// [`drive`](Self::drive). Dropping every `SendHalf` closes nothing; the descriptor goes with the last
/// half of either kind.
pub struct SendHalf<S: Transport> {
    shared: Arc<Shared<S>>,
    flags: Flags,
}

impl<S: Transport> SendHalf<S> {
    /// The seed's `send`; see [`Connection::send`](crate::Connection::send).
    ///
    /// # Errors
    ///
    /// As [`send_with`](Self::send_with), with the flags of [`Config::ends`].
    ///
    /// # Cancel safety
    ///
    /// A message of at most `max_outbox` bytes is sent whole or not at all. Dropping the future of a
    /// larger one midway ends the sending side for all ([`SendError::Interrupted`] from then on).
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
        hide_loss(self.send_all(message).await, flags)
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
        let mut sending = SharedSending {
            task: Task::new(&self.shared),
            progress: Progress::Waiting,
        };
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
        self.offer(message).map(drop)
    }

    /// As [`try_send`](Self::try_send); returns what is queued behind it.
    pub(crate) fn offer(&self, message: Bytes) -> Result<usize, SendError> {
        let mut state = self.shared.lock(None);
        state.check_turns()?;
        let first = state.link.sender.unsent() == 0;
        state.link.sender.feed_bytes(message)?;
        if first {
            let mut cx = Context::from_waker(&self.shared.waker);
            // What is left is the receiving side's to write: the stream wakes it through the fan-out.
            let _ = state.link.poll_transmit(&mut cx);
        }
        Ok(state.link.sender.queued())
    }

    /// Changes `max_outbox` for this connection.
    pub(crate) fn set_max_outbox(&self, bytes: usize) {
        self.shared.lock(None).link.sender.set_max_outbox(bytes);
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
        let ticket = self.shared.lock(None).link.sender.accepted_total();
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
    /// message is queued are flushed, those that wait for room end with [`SendError::Closed`].
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

    /// Closes at once: what is queued is lost, the peer sees a reset, and the receiving half answers
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
}

impl<S: Transport> Clone for SendHalf<S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            flags: self.flags,
        }
    }
}

impl<S: Transport> fmt::Debug for SendHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendHalf")
            .field("flags", &self.flags)
            .finish_non_exhaustive()
    }
}

/// A task that waits for something of the shared state.
struct Task<'a, S: Transport> {
    shared: &'a Shared<S>,
    waiter: Waiter<'a>,
}

impl<'a, S: Transport> Task<'a, S> {
    fn new(shared: &'a Shared<S>) -> Self {
        Self {
            shared,
            waiter: shared.fan_out.waiter(),
        }
    }

    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut State<S>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.waiter.wait(cx.waker());
        let mut state = self.shared.lock(Some(self.waiter.place));
        poll(&mut state, &mut Context::from_waker(&self.shared.waker))
    }
}

/// A message on its way over a split connection: it waits its turn, and dropped midway it may tear.
struct SharedSending<'a, S: Transport> {
    task: Task<'a, S>,
    progress: Progress,
}

impl<S: Transport> SharedSending<'_, S> {
    fn poll(&mut self, message: &[u8], cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let Self { task, progress } = self;
        let me = task.waiter.place;
        task.poll(cx, |state, cx| {
            let State { link, turns } = state;
            if turns.front().is_some_and(|first| *first != me) && progress.is_waiting() {
                link.sender.check()?;
                if !turns.contains(&me) {
                    turns.push_back(me);
                }
                return Poll::Pending;
            }
            let polled = progress.poll(link, message, cx);
            let in_turn = turns.front() == Some(&me);
            if polled.is_pending() && !progress.is_queued() {
                if !in_turn {
                    turns.push_front(me);
                }
            } else if in_turn {
                turns.pop_front();
            }
            polled
        })
    }
}

impl<S: Transport> Drop for SharedSending<'_, S> {
    fn drop(&mut self) {
        let me = self.task.waiter.place;
        let mut state = self.task.shared.lock(Some(me));
        self.progress.give_up(&mut state.link);
        state.turns.retain(|place| *place != me);
    }
}
