//! How long to wait before the next try to connect.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Waits that double, each cut by a random share of up to a half, so that many programs that lost the same peer do
/// not come back at the same moment.
pub(crate) struct Backoff {
    first: Duration,
    next: Duration,
}

impl Backoff {
    /// Waits from `first` on.
    pub(crate) const fn new(first: Duration) -> Self {
        Self { first, next: first }
    }

    /// How long to wait now, at most `longest`.
    pub(crate) fn wait(&mut self, longest: Duration) -> Duration {
        let wait = self.next.min(longest);
        self.next = longest.min(self.next * 2);
        // Every `RandomState` is another one: that is all the chance that is needed.
        let share = u32::try_from(RandomState::new().hash_one(()) % 512).unwrap_or(0);
        wait - wait * share / 1024
    }

    /// Begins anew, after a session that worked.
    pub(crate) const fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use std::time::Duration;

    #[test]
    fn waits_double_up_to_a_limit_and_begin_anew() {
        let [first, longest] = [50, 400].map(Duration::from_millis);
        let mut backoff = Backoff::new(first);
        for whole in [50, 100, 200, 400, 400, 400].map(Duration::from_millis) {
            let wait = backoff.wait(longest);
            assert!(wait <= whole && wait >= whole / 2, "{wait:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.wait(longest) <= first);
    }
}
