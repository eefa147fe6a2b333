//! The one alarm of a connection, on its stream's clock.

use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use asyncnet_core::Time;

use super::Engine;
use crate::Transport;

/// What the clock was set to, and the task that it wakes.
pub(super) struct Alarm {
    at: Time,
    waker: Waker,
}

/// A bound that is further away than this is none: no clock has to count that far.
const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

impl<S: Transport> Engine<S> {
    /// Waits for the first bound that runs out; ready when core has been told of it. To be called before every
    /// wait.
    #[inline]
    pub(crate) fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.permit.is_some() && self.obeys_abort(cx) {
            return Poll::Ready(());
        }
        if self.link.has_deadlines() { self.poll_clock(cx) } else { Poll::Pending }
    }

    /// The same for a task that takes no notice of what has run out.
    #[inline]
    pub(crate) fn keep_time(&mut self, cx: &mut Context<'_>) {
        while self.poll_alarm(cx).is_ready() {}
    }

    #[cold]
    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(clock) = self.stream.as_mut().and_then(Transport::clock) else {
            return if self.link.lift_rates() { Poll::Ready(()) } else { Poll::Pending };
        };
        let now = clock.now();
        let Some(at) = self.link.poll_timeout(now).filter(|at| at.since(now) < NEVER) else {
            return Poll::Pending;
        };
        if at <= now {
            self.link.handle_timeout(now);
            return Poll::Ready(());
        }
        // An earlier alarm does as well: a busy connection does not set one for each wait.
        let is_set = self.alarm.as_ref().is_some_and(|alarm| {
            now < alarm.at && alarm.at <= at && alarm.waker.will_wake(cx.waker())
        });
        if is_set {
            return Poll::Pending;
        }
        self.alarm = Some(Box::new(Alarm { at, waker: cx.waker().clone() }));
        ready!(clock.poll_alarm(cx, at));
        self.alarm = None;
        let now = clock.now().max(at);
        self.link.handle_timeout(now);
        Poll::Ready(())
    }
}
