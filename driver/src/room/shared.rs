//! What the handles of a room and its task share. No lock is held while anything is written, woken or
//! dropped.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::backlog::{Backlog, Event, To};
use super::calls::Calls;
use super::limits::Limits;
use super::stats::RoomStats;
use crate::{Error, Transport};

pub(super) struct Shared<S: Transport> {
    backlog: Mutex<Backlog<S>>,
    pub(super) limits: Limits,
    /// Which members have a connection that has moved.
    pub(super) calls: Arc<Calls>,
}

impl<S: Transport> Shared<S> {
    pub(super) fn new(limits: Limits) -> Self {
        let backlog = Mutex::new(Backlog::new(limits.portion()));
        Self { backlog, limits, calls: Arc::default() }
    }

    fn backlog(&self) -> MutexGuard<'_, Backlog<S>> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the backlog, then calls the room's task if it has news. Returns what `change` returns.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Backlog<S>) -> T) -> T {
        let mut backlog = self.backlog();
        let changed = change(&mut backlog);
        let runner = if backlog.has_news() { backlog.runner.take() } else { None };
        drop(backlog);
        if let Some(runner) = runner {
            runner.wake();
        }
        changed
    }

    pub(super) fn close(&self) {
        self.change(Backlog::close).into_iter().for_each(Waker::wake);
    }

    pub(super) fn stats(&self) -> RoomStats {
        self.backlog().stats()
    }

    // ---- for the room's task ---------------------------------------------------------------------

    /// Whether there is something to do; if not, the task is woken when there is.
    pub(super) fn wait_for_news(&self, runner: &Waker) -> bool {
        let is_called = self.calls.wait(runner);
        let runner = runner.clone();
        let mut backlog = self.backlog();
        let has_news = is_called || backlog.has_news();
        let old = if has_news { Some(runner) } else { backlog.runner.replace(runner) };
        drop(backlog);
        drop(old);
        has_news
    }

    /// What happened, and whether the room is closed: then it is the last.
    pub(super) fn take_events(&self) -> (VecDeque<Event<S>>, bool) {
        let mut backlog = self.backlog();
        let (events, woken) = backlog.take();
        let is_closed = backlog.is_closed;
        drop(backlog);
        woken.into_iter().for_each(Waker::wake);
        (events, is_closed)
    }

    pub(super) fn publish(&self, stats: RoomStats) {
        self.backlog().stats = stats;
    }

    /// The task is gone.
    pub(super) fn end(&self) {
        self.close();
        let left = self.backlog().end();
        drop(left);
    }
}

/// A message that waits until the room's task has caught up. Dropped before that, it is not said.
pub(super) struct Saying<'a, S: Transport> {
    shared: &'a Shared<S>,
    ticket: Option<u64>,
}

impl<'a, S: Transport> Saying<'a, S> {
    pub(super) const fn new(shared: &'a Shared<S>) -> Self {
        Self { shared, ticket: None }
    }

    pub(super) fn poll(
        &mut self,
        to: To,
        message: [&[u8]; 2],
        waker: &Waker,
    ) -> Poll<Result<(), Error>> {
        let mut waker = waker.clone();
        if let Some(ticket) = self.ticket {
            let polled = self.shared.backlog().poll_admitted(ticket, &mut waker);
            if polled.is_ready() {
                self.ticket = None;
            }
            return polled;
        }
        self.shared.change(|backlog| {
            let said = backlog.say(to, message);
            if said.is_pending() {
                self.ticket = Some(backlog.enqueue(to, message.concat(), waker));
            }
            said
        })
    }
}

impl<S: Transport> Drop for Saying<'_, S> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let given_up = self.shared.backlog().give_up(ticket);
            drop(given_up);
        }
    }
}
