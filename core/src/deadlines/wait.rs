//! One wait, and its clock.

use core::time::Duration;

use crate::Time;

/// Something that is bounded in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// It does not wait.
    No,
    /// It waits, and its clock starts when it is bounded and the time is next known.
    Begins,
    Since(Time),
}

impl Wait {
    pub(super) fn stamp(&mut self, now: Time) {
        if *self == Self::Begins {
            *self = Self::Since(now);
        }
    }

    /// Begins anew, if it waits.
    pub(super) fn restart(&mut self) {
        if *self != Self::No {
            *self = Self::Begins;
        }
    }

    /// As if it had begun so much later.
    pub(super) fn put_off(&mut self, time: Duration) {
        if let Self::Since(since) = self {
            *since = *since + time;
        }
    }

    pub(super) fn end(self, time: Option<Duration>) -> Option<Time> {
        match (self, time) {
            (Self::Since(since), Some(time)) => Some(since + time),
            _ => None,
        }
    }

    pub(super) fn is_over(self, time: Option<Duration>, now: Time) -> bool {
        self.end(time).is_some_and(|end| end <= now)
    }
}
