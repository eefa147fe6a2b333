//! Clocks with an alarm: all that a connection knows of time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use asyncnet_core::Time;

/// A clock with one alarm. Each adapter has one, which [`Runtime::clock`](crate::Runtime::clock) makes.
///
/// A clock need not be `Send`: a connection is `Send` if its stream and the clock of it are.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a clock of asyncnet",
    note = "use the clock of an adapter crate: `asyncnet_tokio::TokioClock`, `asyncnet_smol::SmolClock` or `asyncnet_async_std::AsyncStdClock`"
)]
pub trait Clock: Unpin {
    /// What time it is, counted from the start of this clock.
    fn now(&mut self) -> Time;

    /// Ready once it is `at` or later. Until then the waker of the last call is woken when it is `at`.
    ///
    /// There is one alarm: a call replaces the last call's. It may be called again after it was ready.
    fn poll_alarm(&mut self, cx: &mut Context<'_>, at: Time) -> Poll<()>;
}

impl<C: Clock + ?Sized> Clock for Box<C> {
    fn now(&mut self) -> Time {
        (**self).now()
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>, at: Time) -> Poll<()> {
        (**self).poll_alarm(cx, at)
    }
}

/// No clock: what [`Io`](crate::Io) and [`Duplex`](crate::Duplex) have unless `with_clock` gives one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoClock;

/// A [`Clock`], or [`NoClock`]. Nothing else implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a clock of asyncnet nor `NoClock`",
    note = "`with_clock` takes the clock of an adapter crate, such as `asyncnet_tokio::TokioClock::default()`"
)]
pub trait MaybeClock: Unpin {
    #[doc(hidden)]
    fn get(&mut self) -> Option<&mut dyn Clock>;
}

impl MaybeClock for NoClock {
    fn get(&mut self) -> Option<&mut dyn Clock> {
        None
    }
}

#[diagnostic::do_not_recommend]
impl<C: Clock> MaybeClock for C {
    fn get(&mut self) -> Option<&mut dyn Clock> {
        Some(self)
    }
}

/// A future that is ready after a while, on any clock. [`Runtime::sleep`](crate::Runtime::sleep) makes one.
///
/// The time begins when it is made, not when it is first polled.
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep<C> {
    clock: C,
    until: Time,
}

impl<C: Clock> Sleep<C> {
    /// A future that is ready once `duration` has passed on `clock`.
    pub fn new(mut clock: C, duration: Duration) -> Self {
        let until = clock.now() + duration;
        Self { clock, until }
    }
}

impl<C: Clock> Future for Sleep<C> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.until;
        self.clock.poll_alarm(cx, until)
    }
}

impl<C> fmt::Debug for Sleep<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("until", &self.until).finish_non_exhaustive()
    }
}
