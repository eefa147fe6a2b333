//! The clock.

use std::future::Future as _;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use asyncnet::{Clock, Time};
use tokio::runtime::{Handle, Id};
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// The clock of tokio, for [`Io::with_clock`](asyncnet::Io::with_clock) and the like. It follows a paused
/// clock of the runtime.
///
/// It starts when it is first asked, and holds no timer before its first alarm. An alarm panics inside a runtime
/// whose time driver is off. Outside of a runtime there are no timers, and an alarm is due at once: what a
/// connection waits for then, such as its close, times out.
#[derive(Debug, Default)]
pub struct TokioClock {
    // Boxed, since most connections never ask.
    running: Option<Box<Running>>,
}

#[derive(Debug)]
struct Running {
    start: Instant,
    timer: Option<Timer>,
}

#[derive(Debug)]
struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// The runtime that it belongs to. Once that is gone, the timer panics.
    runtime: Id,
}

/// What stands for a time that never comes: tokio itself takes 30 years for that.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

impl TokioClock {
    fn run(&mut self) -> &mut Running {
        let start = || Box::new(Running { start: Instant::now(), timer: None });
        self.running.get_or_insert_with(start)
    }
}

impl Clock for TokioClock {
    fn now(&mut self) -> Time {
        Time::from_start(self.run().start.elapsed())
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>, at: Time) -> Poll<()> {
        let Ok(runtime) = Handle::try_current().map(|runtime| runtime.id()) else {
            self.run().timer = None;
            return Poll::Ready(());
        };
        let Running { start, timer } = self.run();
        let when = start.checked_add(at.since(Time::START)).unwrap_or(*start + FAR);
        let sleep = match timer {
            Some(timer) if timer.runtime == runtime => {
                let sleep = &mut timer.sleep;
                if sleep.deadline() != when {
                    sleep.as_mut().reset(when);
                }
                sleep
            }
            other => {
                let sleep = Box::pin(sleep_until(when));
                &mut other.insert(Timer { sleep, runtime }).sleep
            }
        };
        // The alarm of a task that has used up its turn is set all the same.
        pin!(unconstrained(sleep.as_mut())).poll(cx)
    }
}
