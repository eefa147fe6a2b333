//! The clock.

use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Instant;

use async_io::Timer;
use asyncnet::{Clock, Time};

/// The clock of smol, for [`Io::with_clock`](asyncnet::Io::with_clock) and the like. All of a program start when
/// the first is asked, and none holds a timer before its first alarm.
#[derive(Debug, Default)]
pub struct SmolClock {
    alarm: Option<Box<Alarm>>,
}

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

#[derive(Debug)]
struct Alarm {
    at: Time,
    timer: Timer,
}

impl Clock for SmolClock {
    fn now(&mut self) -> Time {
        Time::from_start(START.elapsed())
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>, at: Time) -> Poll<()> {
        let when = START.checked_add(at.since(Time::START));
        let timer = || when.map_or_else(Timer::never, Timer::at);
        let alarm = match &mut self.alarm {
            Some(alarm) if alarm.at == at => alarm,
            Some(alarm) => {
                **alarm = Alarm { at, timer: timer() };
                alarm
            }
            none => none.insert(Box::new(Alarm { at, timer: timer() })),
        };
        if Pin::new(&mut alarm.timer).poll(cx).is_pending() {
            return Poll::Pending;
        }
        // A timer that has fired does not fire again.
        self.alarm = None;
        Poll::Ready(())
    }
}
