//! A connection in two halves: one task receives, any number send.
//!
//! The [`RecvHalf`] owns what was received; a line that is already here costs no lock. The stream and
//! what is queued are shared, behind a lock that is never held across an await. Every task polls the
//! stream with the same fan-out waker, and leaves its own there *before* it polls.

mod recv_half;
mod send_half;

use std::collections::VecDeque;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use asyncnet_core::Receiver;

use crate::fan_out::{FanOut, Place, Waiter};
use crate::link::Link;
use crate::{Error, Transport};

pub use recv_half::RecvHalf;
pub use send_half::SendHalf;

pub(crate) fn split<S: Transport>(
    receiver: Box<Receiver>,
    link: Link<S>,
) -> (RecvHalf<S>, SendHalf<S>) {
    let flags = receiver.config().ends.into();
    let fan_out = FanOut::new();
    let waker = fan_out.waker();
    let state = Mutex::new(State { link, turns: VecDeque::new() });
    let shared = Arc::new(Shared { state, fan_out, waker });
    (RecvHalf::new(receiver, Arc::clone(&shared)), SendHalf::new(shared, flags))
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
    /// The sends that wait for room, first come first. Only the first of them polls the stream.
    turns: VecDeque<Turn>,
}

/// A send that waits its turn.
struct Turn {
    place: Place,
    /// Called when it is the first.
    waker: Waker,
}

/// What other tasks may wait for: room, their turn, the end.
#[derive(PartialEq, Eq)]
struct Progress {
    transmitted: (u64, u64),
    turn: Option<Place>,
    /// Why nothing can be sent, whether a close has begun, whether it is done.
    over: (Option<crate::Error>, bool, bool),
    /// Whether everything waits for a handshake.
    handshake: bool,
}

impl<S: Transport> State<S> {
    /// What other tasks may wait for.
    fn progress(&self) -> Progress {
        let Link { sender, closing, flushed, handshake, .. } = &self.link;
        Progress {
            transmitted: (sender.transmitted_total(), *flushed),
            turn: self.turns.front().map(|turn| turn.place),
            over: (sender.check().err(), closing.has_begun(), closing.is_done()),
            handshake: handshake.is_under_way(),
        }
    }

    /// Whether the sender at `me` has to wait for others.
    fn is_behind_others(&self, me: Place) -> bool {
        self.turns.front().is_some_and(|first| first.place != me)
    }

    /// Puts the sender at `me` into the queue, or renews its waker there. Returns the old one, to be
    /// dropped when the lock is free.
    fn enlist(&mut self, me: Place, waker: &Waker, enlisted: bool) -> Option<Waker> {
        let known = self.turns.iter_mut().filter(|_| enlisted).find(|turn| turn.place == me);
        match known {
            Some(turn) if turn.waker.will_wake(waker) => None,
            Some(turn) => Some(mem::replace(&mut turn.waker, waker.clone())),
            None => {
                self.turns.push_back(Turn { place: me, waker: waker.clone() });
                None
            }
        }
    }

    /// Refuses those that do not wait while others do.
    fn check_turns(&self) -> Result<(), Error> {
        let sender = &self.link.sender;
        sender.check()?;
        if self.turns.is_empty() {
            return Ok(());
        }
        Err(Error::Full { queued: sender.queued(), max: sender.max_outbox() })
    }
}

impl<S: Transport> Shared<S> {
    /// Locks the state for the task at `me`.
    fn lock(&self, me: Option<Place>) -> Locked<'_, S> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.fan_out.hold();
        let before = state.progress();
        Locked { shared: self, state: Some(state), before, me, queued: false }
    }
}

/// The locked state. Wakes are put off to its end, when the lock is free.
struct Locked<'a, S: Transport> {
    shared: &'a Shared<S>,
    /// Always there until the drop.
    state: Option<MutexGuard<'a, State<S>>>,
    before: Progress,
    me: Option<Place>,
    /// Bytes were queued and not written: somebody has to.
    queued: bool,
}

impl<S: Transport> Deref for Locked<'_, S> {
    type Target = State<S>;

    fn deref(&self) -> &State<S> {
        self.state.as_ref().expect("the guard is there until the drop")
    }
}

impl<S: Transport> DerefMut for Locked<'_, S> {
    fn deref_mut(&mut self) -> &mut State<S> {
        self.state.as_mut().expect("the guard is there until the drop")
    }
}

impl<S: Transport> Drop for Locked<'_, S> {
    fn drop(&mut self) {
        let (before, after) = (&self.before, self.progress());
        let over = before.over != after.over || before.handshake != after.handshake;
        // Those who wait their turn are not in the fan-out.
        let called = match after.turn {
            Some(_) if over => self.turns.len(),
            Some(first) if before.turn != after.turn && Some(first) != self.me => 1,
            _ => 0,
        };
        let called: Vec<_> =
            self.turns.iter().take(called).map(|turn| turn.waker.clone()).collect();
        let fan_out = &self.shared.fan_out;
        let woken = fan_out.release();
        self.state = None;
        if woken {
            // The stream itself called, perhaps for us.
            fan_out.wake_if(|_| true);
        } else if self.queued || over {
            fan_out.wake_if(|place| Some(place) != self.me);
        } else if before.transmitted != after.transmitted {
            // Room: nothing to a receiver.
            fan_out.wake_if(|place| place != Place::RECEIVER && Some(place) != self.me);
        }
        called.into_iter().for_each(Waker::wake);
    }
}

/// A task that waits for something of the shared state.
struct Task<'a, S: Transport> {
    shared: &'a Shared<S>,
    waiter: Waiter<'a>,
}

impl<'a, S: Transport> Task<'a, S> {
    fn new(shared: &'a Shared<S>) -> Self {
        Self { shared, waiter: shared.fan_out.waiter() }
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
