//! What the settings bound, and `within`: a receive, an idle connection, a queue that makes no progress.

use core::time::Duration;

use super::wait::Wait;
use crate::{Config, Error, Time, Timeout};

/// What a receive that waited too long answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Late {
    Receive,
    Idle,
}

pub(super) struct Bounds {
    /// A receive that has no answer yet.
    receive: Wait,
    /// Bounds that receive instead of the setting.
    within: Option<Duration>,
    late: Option<Late>,
    /// The last receive was too late, and the next one has not waited yet.
    was_late: bool,
    /// No byte has moved, since a receive waits.
    idle: Wait,
    /// Queued bytes make no progress.
    send: Wait,
    by_settings: Bounded,
}

/// What the settings bound.
#[derive(Clone, Copy, Default)]
pub(super) struct Bounded {
    receive: bool,
    idle: bool,
    send: bool,
}

impl Bounded {
    pub(super) const fn new(config: &Config) -> Self {
        Self {
            receive: config.receive_timeout.is_some(),
            idle: config.idle_timeout.is_some(),
            send: config.send_timeout.is_some(),
        }
    }

    pub(super) const fn is_any(self) -> bool {
        self.receive || self.idle || self.send
    }
}

impl Bounds {
    /// The bounds of a connection that had none, and where a receive `waits` or not.
    pub(super) const fn new(by_settings: Bounded, waits: bool) -> Self {
        Self {
            receive: if waits { Wait::Begins } else { Wait::No },
            within: None,
            late: None,
            was_late: false,
            idle: Wait::Begins,
            send: Wait::No,
            by_settings,
        }
    }

    pub(super) fn configure(&mut self, by_settings: Bounded) {
        // What was waited for without a bound counts from here on.
        let before = core::mem::replace(&mut self.by_settings, by_settings);
        if !before.receive {
            self.receive.restart();
        }
        if !before.idle {
            self.idle.restart();
        }
        if !before.send {
            self.send.restart();
        }
    }

    pub(super) const fn is_any(&self) -> bool {
        self.by_settings.is_any() || self.within.is_some()
    }

    // ---- what happens ----------------------------------------------------------------------------

    /// A byte came in.
    pub(super) const fn moved(&mut self) {
        self.idle = Wait::Begins;
    }

    /// A byte went out.
    pub(super) const fn transmitted(&mut self) {
        (self.idle, self.send) = (Wait::Begins, Wait::Begins);
    }

    /// A receive has no answer yet; `arrived` bytes of one are here.
    pub(super) fn wait_for_answer(&mut self, arrived: usize) -> Result<(), Error> {
        if let Some(late) = self.late.take() {
            // The next receive has a fresh clock.
            (self.receive, self.was_late) = (Wait::No, true);
            return Err(Error::TimedOut(match late {
                Late::Receive => Timeout::Receive { partial: arrived },
                Late::Idle => Timeout::Idle,
            }));
        }
        if self.receive == Wait::No {
            self.receive = Wait::Begins;
            if !self.was_late {
                // The time between two receives is the program's own, and not the peer's.
                self.idle = Wait::Begins;
            }
            self.was_late = false;
        }
        Ok(())
    }

    /// A receive has its answer.
    pub(super) const fn answered(&mut self) {
        (self.receive, self.late) = (Wait::No, None);
    }

    pub(super) const fn is_late(&self) -> bool {
        self.late.is_some()
    }

    pub(super) fn within(&mut self, time: Option<Duration>) {
        if self.within != time && self.late == Some(Late::Receive) {
            // It was too late for another bound. The clock still runs, and tells whether it is for this one.
            self.late = None;
        }
        self.within = time;
    }

    /// A receive was held up for so long, and has so much more time.
    pub(super) fn put_off(&mut self, time: Duration) {
        self.receive.put_off(time);
        self.idle.put_off(time);
    }

    /// Whether bytes are queued.
    pub(super) fn note_unsent(&mut self, unsent: bool) {
        if !unsent {
            self.send = Wait::No;
        } else if self.send == Wait::No {
            self.send = Wait::Begins;
        }
    }

    /// Queued bytes could not leave until now, and are not to blame for it.
    pub(super) fn restart_send(&mut self) {
        self.send.restart();
    }

    // ---- the time --------------------------------------------------------------------------------

    pub(super) fn stamp(&mut self, now: Time) {
        let bounded = [
            (&mut self.receive, self.by_settings.receive || self.within.is_some()),
            (&mut self.idle, self.by_settings.idle),
            (&mut self.send, self.by_settings.send),
        ];
        for (wait, is_bounded) in bounded {
            if is_bounded {
                wait.stamp(now);
            }
        }
    }

    /// When the receive has waited too long; idle time counts if the connection `is_open`.
    pub(super) fn answer_end(&self, config: &Config, is_open: bool) -> Option<Time> {
        if self.late.is_some() {
            return None;
        }
        let own = self.receive.end(self.receive_time(config));
        let waits = self.receive != Wait::No && is_open;
        let idle = self.idle.end(config.idle_timeout.filter(|_| waits));
        own.into_iter().chain(idle).min()
    }

    pub(super) fn send_end(&self, config: &Config) -> Option<Time> {
        self.send.end(config.send_timeout)
    }

    /// The receive has waited too long.
    pub(super) fn expire_answer(&mut self, config: &Config, now: Time) {
        if self.receive.is_over(self.receive_time(config), now) {
            self.late = Some(Late::Receive);
        } else {
            self.late = Some(Late::Idle);
            // The clock starts again.
            self.idle = Wait::Begins;
        }
    }

    /// Queued bytes have waited too long.
    pub(super) const fn expire_send(&mut self) {
        self.send = Wait::No;
    }

    fn receive_time(&self, config: &Config) -> Option<Duration> {
        self.within.or(config.receive_timeout)
    }
}
