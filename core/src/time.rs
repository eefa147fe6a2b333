//! Moments, as the caller's clock tells them.

use core::ops::Add;
use core::time::Duration;

/// A moment on a monotonic clock: how long after some beginning it is. The beginning is the clock's own, and
/// stays the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Duration);

impl Time {
    /// The beginning.
    pub const START: Self = Self(Duration::ZERO);

    /// The moment that is `since` after the beginning.
    #[must_use]
    pub const fn from_start(since: Duration) -> Self {
        Self(since)
    }

    /// How long after `earlier` this moment is; zero if it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    /// A sum that is too large becomes the latest moment there is.
    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}
