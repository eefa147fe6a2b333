//! Points in time, as numbers that the caller brings.

use core::fmt;
use core::ops::Add;
use core::time::Duration;

/// A point in time: how long after the start of a clock it is, in nanoseconds.
///
/// Every clock has a start of its own, so times of two clocks cannot be compared. Nothing in this crate
/// looks at a clock: the caller says what time it is. That is why a test can play hours in an instant.
///
/// The last time is `u64::MAX` seconds after the start. A sum that is larger is that last time, which
/// never comes.
///
/// ```
/// use core::time::Duration;
///
/// use asyncnet_core::Time;
///
/// let now = Time::from_start(Duration::from_secs(5));
/// let deadline = now + Duration::from_secs(30);
/// assert!(deadline > now);
/// assert_eq!(deadline.since(now), Duration::from_secs(30));
/// assert_eq!(now.since(deadline), Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(Duration);

impl Time {
    /// The start of the clock.
    pub const START: Self = Self(Duration::ZERO);

    /// The time that comes `passed` after the start of the clock.
    #[must_use]
    pub const fn from_start(passed: Duration) -> Self {
        Self(passed)
    }

    /// How much time passed between `earlier` and this time; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The time that comes `duration` before this one; the start if there is none.
    #[must_use]
    pub const fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Time({:?})", self.0)
    }
}
