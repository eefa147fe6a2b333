//! How long to wait before the next try to connect.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// How long a client waits before it connects again: twice as long each time, up to a limit.
///
/// Each wait is cut by a random share of up to a half, so that many clients which lost the same server do not come back
/// at the same moment.
///
/// It waits for nothing itself: sleep as your runtime does, or with [`Runtime::sleep`](crate::Runtime::sleep).
///
/// ```
/// use asyncnet::net::{Backoff, ConnectOptions, connect};
/// use asyncnet::{Error, Runtime};
/// use std::time::Duration;
///
/// /// Receives from a server, and connects again whenever the connection is lost.
/// async fn follow<R: Runtime>(server: &str) -> Result<(), Error> {
///     let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(30));
///     loop {
///         // The first connect is a try like the others: the server may start later.
///         if let Ok(mut conn) = connect::<R>(server, ConnectOptions::new()).await {
///             while let Ok(line) = conn.expect_line().await {
///                 backoff.reset();
///                 if line == b"goodbye" {
///                     return conn.close().await;
///                 }
///             }
///         }
///         R::sleep(backoff.wait()).await;
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Waits from `first` up to `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// How long to wait now: between half of the full wait and all of it.
    pub fn wait(&mut self) -> Duration {
        let wait = self.next.min(self.longest);
        self.next = wait.saturating_mul(2);
        // Every `RandomState` is another one: that is all the chance that is needed.
        let share = RandomState::new().hash_one(()) as u32;
        wait - wait / 2048 * (share % 1024)
    }

    /// Begins anew, once a connection has worked.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use std::time::Duration;

    #[test]
    fn waits_double_up_to_a_limit_and_begin_anew() {
        let [first, longest] = [50, 300].map(Duration::from_millis);
        let mut backoff = Backoff::new(first, longest);
        for whole in [50, 100, 200, 300, 300, 300].map(Duration::from_millis) {
            let wait = backoff.wait();
            assert!(wait <= whole && wait >= whole / 2, "{wait:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.wait() <= first);
    }

    #[test]
    fn waits_differ() {
        let longest = Duration::from_secs(1);
        let mut backoff = Backoff::new(longest, longest);
        let waits: std::collections::HashSet<_> = (0..100).map(|_| backoff.wait()).collect();
        assert!(waits.len() > 10, "{waits:?}");
    }

    #[test]
    fn no_limit_is_too_long_or_too_short() {
        assert_eq!(Backoff::new(Duration::ZERO, Duration::MAX).wait(), Duration::ZERO);
        assert_eq!(Backoff::new(Duration::MAX, Duration::ZERO).wait(), Duration::ZERO);
        let mut longest = Backoff::new(Duration::MAX, Duration::MAX);
        assert!((0..3).all(|_| longest.wait() >= Duration::MAX / 2));
    }
}
