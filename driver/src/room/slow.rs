//! The clock of the soft limit. No other part of a room knows the time.

use std::task::{Context, Waker};
use std::time::Duration;

use crate::{BoxSleep, Timer};

/// For how long a member has been over the soft limit: the sleep that began when it went over.
#[derive(Default)]
pub(super) struct Slow(Option<BoxSleep>);

impl Slow {
    /// Takes note of whether the member is over the limit now. A sleep that begins wakes `caller`.
    pub(super) fn note(&mut self, is_over: bool, patience: Duration, timer: Timer, caller: &Waker) {
        if !is_over {
            self.0 = None;
        } else if self.0.is_none() {
            let mut sleep = timer(patience);
            if sleep.as_mut().poll(&mut Context::from_waker(caller)).is_ready() {
                // It is found to be over at the call.
                caller.wake_by_ref();
                sleep = Box::pin(std::future::ready(()));
            }
            self.0 = Some(sleep);
        }
    }

    /// Whether the member was over the limit for too long without a break. To be asked at each call.
    pub(super) fn is_too_long(&mut self, caller: &Waker) -> bool {
        let sleep = self.0.as_mut();
        sleep.is_some_and(|sleep| sleep.as_mut().poll(&mut Context::from_waker(caller)).is_ready())
    }
}
