//! The clock of the soft limit. No other part of a room knows the time.

use std::task::{Context, Waker};
use std::time::Duration;

use crate::{BoxSleep, Timer};

/// For how long a member has been over the soft limit: the sleep that began when it went over.
#[derive(Default)]
pub(super) struct Slow(Option<BoxSleep>);

impl Slow {
    /// Whether the member was over the limit for `patience` without a break. If it may become so, `caller`
    /// is woken then.
    pub(super) fn is_too_long(
        &mut self,
        is_over: bool,
        patience: Duration,
        timer: Timer,
        caller: &Waker,
    ) -> bool {
        if !is_over {
            self.0 = None;
            return false;
        }
        let sleep = self.0.get_or_insert_with(|| timer(patience));
        sleep.as_mut().poll(&mut Context::from_waker(caller)).is_ready()
    }
}
