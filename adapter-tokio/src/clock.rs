//! The clock.

use std::future::Future as _;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use asyncnet::{Clock, Time};
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// The clock of tokio, for [`Io::with_clock`](asyncnet::Io::with_clock) and the like. It follows a paused
/// clock of the runtime.
///
/// It starts when it is first asked, and holds no timer before its first alarm. An alarm panics outside of
/// a runtime whose time driver is on.
#[derive(Debug, Default)]
pub struct TokioClock {
    // Boxed, since most connections never ask.
    running: Option<Box<Running>>,
}

#[derive(Debug)]
struct Running {
    start: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// What stands for a time that never comes: tokio itself takes 30 years for that.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

impl TokioClock {
    fn run(&mut self) -> &mut Running {
        let start = || Box::new(Running { start: Instant::now(), sleep: None });
        self.running.get_or_insert_with(start)
    }
}

impl Clock for TokioClock {
    fn now(&mut self) -> Time {
        Time::from_start(self.run().start.elapsed())
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>, at: Time) -> Poll<()> {
        let Running { start, sleep } = self.run();
        let when = start.checked_add(at.since(Time::START)).unwrap_or(*start + FAR);
        let sleep = match sleep {
            Some(sleep) => {
                if sleep.deadline() != when {
                    sleep.as_mut().reset(when);
                }
                sleep
            }
            none => none.insert(Box::pin(sleep_until(when))),
        };
        // The alarm of a task that has used up its turn is set all the same.
        pin!(unconstrained(sleep.as_mut())).poll(cx)
    }
}
