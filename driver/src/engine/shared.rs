//! The engine of a connection that has writers: several tasks share it.
//!
//! The task that receives owns what was received; a line that is already here costs no lock. The engine is
//! behind a lock that is never held across an await. Every task polls the stream with the same fan-out waker,
//! and leaves its own there *before* it polls.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use asyncnet_core::Step;
use asyncnet_core::driver::{Inbound, Link};

use super::Engine;
use super::fan_out::{FanOut, Place, Waiter};
use super::message::{Progress, Until};
use crate::{Error, Transport};

pub(crate) struct Shared<S: Transport> {
    state: Mutex<State<S>>,
    pub(crate) fan_out: Arc<FanOut>,
    /// The waker of `fan_out`.
    pub(crate) waker: Waker,
}

pub(crate) struct State<S: Transport> {
    pub(crate) engine: Engine<S>,
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
#[derive(Clone, Copy, PartialEq, Eq)]
struct Moved {
    /// Whether nothing was queued.
    is_idle: bool,
    transmitted: (u64, u64),
    turn: Option<Place>,
    /// Whether nothing can be sent, and why; whether a close has begun, and is done.
    over: (bool, bool, bool, bool),
    /// Whether everything waits for a handshake, and whether that still has to receive.
    handshake: (bool, bool),
    /// Whether the task that receives waits for its answers to leave.
    held_up: bool,
    /// Which bounds have run out: of a receive, of a room's patience, of a close. Whether a rate lets more go on.
    late: (bool, bool, bool, bool),
}

impl<S: Transport> State<S> {
    fn moved(&self) -> Moved {
        let engine = &self.engine;
        let link = &engine.link;
        Moved {
            is_idle: link.unsent() == 0,
            transmitted: (link.transmitted_total(), engine.flushed()),
            turn: self.turns.front().map(|turn| turn.place),
            over: (link.is_over(), link.has_failed(), engine.is_closing(), engine.is_closed()),
            handshake: (link.is_unsettled(), link.is_handshaking()),
            held_up: engine.is_congested(),
            late: (link.is_late(), link.lags_too_long(), link.close_timed_out(), link.is_let_go()),
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
    pub(crate) fn check_turns(&self) -> Result<(), Error> {
        let link = &self.engine.link;
        link.check()?;
        if self.turns.is_empty() {
            return Ok(());
        }
        Err(Error::Full { queued: link.queued(), max: link.max_queue() })
    }
}

impl<S: Transport> Shared<S> {
    pub(crate) fn new(mut engine: Engine<S>) -> Arc<Self> {
        engine.is_shared = true;
        let fan_out = FanOut::new();
        let waker = fan_out.waker();
        let state = Mutex::new(State { engine, turns: VecDeque::new() });
        Arc::new(Self { state, fan_out, waker })
    }

    /// The engine, for its one owner.
    pub(crate) fn into_engine(self) -> Engine<S> {
        let mut engine = self.state.into_inner().unwrap_or_else(PoisonError::into_inner).engine;
        engine.is_shared = false;
        engine
    }

    /// Queues something of the task at `me`, which does not wait, unless others do.
    pub(crate) fn queue(
        &self,
        me: Option<Place>,
        feed: impl FnOnce(&mut Link) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.queue_at_once(me, |state| {
            state.check_turns()?;
            feed(&mut state.engine.link)
        })
    }

    /// The same, past those who wait for room. `feed` does nothing but queue: no stream is polled that could wake a
    /// task under the lock, and nobody has to be told of anything but the first bytes.
    pub(crate) fn queue_at_once(
        &self,
        me: Option<Place>,
        feed: impl FnOnce(&mut State<S>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut state = self.state();
        let was_idle = state.engine.link.unsent() == 0;
        feed(&mut state)?;
        let is_first = was_idle && state.engine.link.unsent() > 0;
        drop(state);
        // Behind other bytes it goes with those: the task that was called to move them moves all.
        if is_first {
            self.fan_out.wake_if(|place| Some(place) != me);
        }
        Ok(())
    }

    /// Queues `message`, and waits until it is sent if `until` says so.
    pub(crate) async fn send(&self, message: &[u8], until: Until) -> Result<(), Error> {
        if matches!(until, Until::Queued) {
            // With room, and nobody in front, there is nothing to wait for, and no place among those who wait is
            // needed: to take one and to leave it costs more than to queue.
            match self.queue(None, |link| link.feed(message)) {
                Err(Error::Full { .. } | Error::TooLarge { .. }) => {}
                queued => return queued,
            }
        }
        let mut sending = SharedSending::new(self);
        poll_fn(|cx| sending.poll(message, until, cx)).await
    }

    /// Writes what the stream takes now.
    pub(crate) fn try_flush(&self) -> Result<(), Error> {
        let mut state = self.lock(None);
        // The stream wakes all that wait, through the fan-out, when it takes more.
        state.engine.try_transmit(&mut Context::from_waker(&self.waker));
        state.engine.link.check()
    }

    /// As [`Engine::poll_receive`]. `take` may run code of the program, and so runs without the lock.
    pub(crate) fn poll_receive<T>(
        &self,
        inbound: &mut Inbound,
        within: Option<Duration>,
        replied: &mut bool,
        mut take: impl FnMut(&mut Inbound) -> Result<Step<T>, Error>,
    ) -> Poll<Result<T, Error>> {
        let cx = &mut Context::from_waker(&self.waker);
        let mut has_looked = false;
        loop {
            let mut state = self.lock(Some(Place::RECEIVER));
            let engine = &mut state.engine;
            engine.link.bound_receive(within);
            if has_looked {
                ready!(engine.poll_more(inbound, cx))?;
            }
            ready!(engine.poll_let_go(inbound, cx))?;
            *replied &= engine.link.unsent() > 0;
            drop(state);
            match take(inbound) {
                Ok(Step::NeedInput) => has_looked = true,
                Ok(Step::Ready(answer)) => {
                    self.after_answer(inbound, None);
                    return Poll::Ready(Ok(answer));
                }
                Err(error) => {
                    self.after_answer(inbound, Some(&error));
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// As [`Engine::after_answer`].
    pub(crate) fn after_answer(&self, inbound: &Inbound, error: Option<&Error>) {
        let cx = &mut Context::from_waker(&self.waker);
        self.lock(Some(Place::RECEIVER)).engine.after_answer(inbound, error, cx);
    }

    fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the state for the task at `me`.
    pub(crate) fn lock(&self, me: Option<Place>) -> Locked<'_, S> {
        let state = self.state();
        self.fan_out.hold();
        let before = state.moved();
        Locked { shared: self, state: Some(state), before, me, queued: false }
    }
}

/// The locked state. Wakes are put off to its end, when the lock is free.
pub(crate) struct Locked<'a, S: Transport> {
    shared: &'a Shared<S>,
    /// Always there until the drop.
    state: Option<MutexGuard<'a, State<S>>>,
    before: Moved,
    me: Option<Place>,
    /// Bytes were queued and not written: a task that waits has to.
    queued: bool,
}

impl<S: Transport> Locked<'_, S> {
    /// Says that bytes were queued and are left to the tasks that wait. Behind other bytes they go with those: the
    /// task that was called to move them moves all.
    pub(crate) fn note_queued(&mut self) {
        let sent = self.engine.link.transmitted_total();
        let is_first = self.before.is_idle || self.before.transmitted.0 != sent;
        self.queued |= is_first && self.engine.link.unsent() > 0;
    }
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
        let (before, after) = (self.before, self.moved());
        let over = before.over != after.over || before.handshake != after.handshake;
        // Those who wait their turn are not in the fan-out.
        let called = match after.turn {
            Some(_) if over => self.turns.len(),
            Some(first) if before.turn != after.turn && Some(first) != self.me => 1,
            _ => 0,
        };
        let called: Vec<_> =
            self.turns.iter().take(called).map(|turn| turn.waker.clone()).collect();
        // They may wake tasks as they are dropped, so not under the lock.
        let remains = self.engine.take_remains();
        let fan_out = &self.shared.fan_out;
        let woken = fan_out.release();
        self.state = None;
        drop(remains);
        if woken {
            // The stream itself called, perhaps for us.
            fan_out.wake_if(|_| true);
        } else if self.queued || over || before.late != after.late {
            fan_out.wake_if(|place| Some(place) != self.me);
        } else if before.transmitted != after.transmitted {
            // Room, which the task that receives waits for only if its answers were too many.
            let let_go = before.held_up && !after.held_up;
            let waits = |place| place != Place::RECEIVER || let_go;
            fan_out.wake_if(|place| waits(place) && Some(place) != self.me);
        }
        called.into_iter().for_each(Waker::wake);
    }
}

/// A task that waits for something of the shared state.
pub(crate) struct Task<'a, S: Transport> {
    shared: &'a Shared<S>,
    pub(crate) waiter: Waiter<'a>,
}

impl<'a, S: Transport> Task<'a, S> {
    pub(crate) fn new(shared: &'a Shared<S>) -> Self {
        Self { shared, waiter: shared.fan_out.waiter() }
    }

    pub(crate) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Locked<'_, S>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.waiter.wait(cx.waker());
        let mut state = self.shared.lock(Some(self.waiter.place));
        poll(&mut state, &mut Context::from_waker(&self.shared.waker))
    }
}

/// A message on its way over a shared connection: it waits its turn, and dropped midway it may tear.
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

    /// Sends `message`, or only queues it.
    fn poll(
        &mut self,
        message: &[u8],
        until: Until,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let Self { task, progress, enlisted } = self;
        let (me, waker) = (task.waiter.place, cx.waker().clone());
        let mut behind = false;
        let mut old = None;
        let polled = task.poll(cx, |state, cx| {
            if progress.is_waiting() && state.is_behind_others(me) {
                state.engine.link.check()?;
                old = state.enlist(me, &waker, *enlisted);
                (*enlisted, behind) = (true, true);
                return Poll::Pending;
            }
            let polled = progress.poll_until(until, &mut state.engine, message, cx);
            let waits = polled.is_pending() && !progress.is_queued();
            if waits && !*enlisted {
                old = state.enlist(me, &waker, false);
            } else if !waits && *enlisted {
                old = state.turns.pop_front().map(|turn| turn.waker);
            }
            *enlisted = waits;
            if matches!((until, &polled), (Until::Queued, Poll::Ready(Ok(())))) {
                state.note_queued();
            }
            polled
        });
        if behind {
            // The task whose turn it is polls the stream; this one is called when that changes.
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
        self.progress.give_up(&mut state.engine);
        let at = state.turns.iter().position(|turn| turn.place == me);
        let turn = at.and_then(|at| state.turns.remove(at));
        drop(state);
        drop(turn);
    }
}
