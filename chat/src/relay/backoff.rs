//! How long to wait before the next try to reach the broker.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(50);

/// Waits that double, each cut by a random share of up to a half, so that many servers that lost the same broker do
/// not come back at the same moment.
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(super) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// How long to wait now, at most `longest`.
    pub(super) fn wait(&mut self, longest: Duration) -> Duration {
        let wait = self.next.min(longest);
        self.next = longest.min(self.next * 2);
        // Every `RandomState` is another one: that is all the chance that is needed.
        let share = u32::try_from(RandomState::new().hash_one(()) % 512).unwrap_or(0);
        wait - wait * share / 1024
    }

    /// Begins anew, after a session that worked.
    pub(super) const fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, FIRST};
    use std::time::Duration;

    #[test]
    fn waits_double_up_to_a_limit_and_begin_anew() {
        let longest = Duration::from_millis(400);
        let mut backoff = Backoff::new();
        for whole in [50, 100, 200, 400, 400, 400].map(Duration::from_millis) {
            let wait = backoff.wait(longest);
            assert!(wait <= whole && wait >= whole / 2, "{wait:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.wait(longest) <= FIRST);
    }
}
