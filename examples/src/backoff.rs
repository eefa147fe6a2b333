//! How long to wait before the next try to connect.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Waits that double up to a limit, each cut by a random share of up to a half: many clients that lost the same server
/// do not come back at the same moment.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Waits from `first` to `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, first, longest }
    }

    /// How long to wait now.
    pub fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = self.longest.min(wait * 2);
        // Every `RandomState` is another one: that is all the chance that is needed.
        let share = RandomState::new().hash_one(()) % 512;
        wait - wait * (share as u32) / 1024
    }

    /// Begins anew, after a session that worked.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }
}
