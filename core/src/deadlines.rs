//! Every bound in time of one connection, as data: what began when, and what that means now.

use alloc::boxed::Box;
use core::time::Duration;

use crate::{Config, Error, Time, Timeout};

/// Something that is bounded in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// It does not wait.
    No,
    /// It waits, and its clock starts when it is bounded and the time is next known.
    Begins,
    Since(Time),
}

impl Wait {
    fn stamp(&mut self, now: Time) {
        if *self == Self::Begins {
            *self = Self::Since(now);
        }
    }

    /// Begins anew, if it waits.
    fn restart(&mut self) {
        if *self != Self::No {
            *self = Self::Begins;
        }
    }

    /// As if it had begun so much later.
    fn put_off(&mut self, time: Duration) {
        if let Self::Since(since) = self {
            *since = *since + time;
        }
    }

    fn end(self, time: Option<Duration>) -> Option<Time> {
        match (self, time) {
            (Self::Since(since), Some(time)) => Some(since + time),
            _ => None,
        }
    }

    fn is_over(self, time: Option<Duration>, now: Time) -> bool {
        self.end(time).is_some_and(|end| end <= now)
    }
}

/// What a connection does, apart from being open: none of it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Handshake,
    /// A close that sends what is queued.
    Flush,
    /// A close that reads what the peer still sends, at most so many bytes.
    Drain {
        left: usize,
    },
    Over,
}

struct Stage {
    part: Part,
    /// This part makes no progress, or lasts.
    wait: Wait,
    /// A flush lasts, progress or not.
    flush: Wait,
    /// This part of a close has taken too long.
    is_late: bool,
}

impl Stage {
    fn end(&self, config: &Config) -> Option<Time> {
        let close = &config.close;
        match self.part {
            Part::Handshake => self.wait.end(Some(config.handshake_timeout)),
            Part::Flush => {
                let stall = self.wait.end(Some(close.stall));
                stall.into_iter().chain(self.flush.end(Some(close.total))).min()
            }
            Part::Drain { .. } => self.wait.end(Some(close.drain)),
            Part::Over => None,
        }
    }
}

/// A room has more for this connection than it should.
struct Lag {
    wait: Wait,
    time: Duration,
    is_late: bool,
}

/// What has run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expired {
    /// A receive, by its own time or because the connection was idle.
    Answer,
    Send,
    /// A room's member is behind.
    Lag,
    Handshake,
    Close,
}

/// What a receive that waited too long answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Late {
    Receive,
    Idle,
}

/// Most of an idle connection's bytes are here and in its buffers, so what is rarely bounded is boxed.
pub(crate) struct Deadlines {
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
    lag: Option<Box<Lag>>,
    /// `None`: the connection is open.
    stage: Option<Box<Stage>>,
    /// A rate of our own holds up what has arrived.
    is_held_up: bool,
    by_settings: Bounded,
}

/// What the settings bound.
#[derive(Clone, Copy)]
struct Bounded {
    receive: bool,
    idle: bool,
    send: bool,
}

impl Bounded {
    const fn new(config: &Config) -> Self {
        Self {
            receive: config.receive_timeout.is_some(),
            idle: config.idle_timeout.is_some(),
            send: config.send_timeout.is_some(),
        }
    }

    const fn is_any(self) -> bool {
        self.receive || self.idle || self.send
    }
}

impl Deadlines {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            receive: Wait::No,
            within: None,
            late: None,
            was_late: false,
            idle: Wait::Begins,
            send: Wait::No,
            lag: None,
            stage: None,
            is_held_up: false,
            by_settings: Bounded::new(config),
        }
    }

    pub(crate) fn configure(&mut self, config: &Config) {
        // What was waited for without a bound counts from here on.
        let before = self.by_settings;
        self.by_settings = Bounded::new(config);
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

    #[inline]
    pub(crate) const fn is_any(&self) -> bool {
        self.by_settings.is_any()
            || self.within.is_some()
            || self.lag.is_some()
            || self.stage.is_some()
    }

    // ---- what happens ----------------------------------------------------------------------------

    /// A byte came in.
    #[inline]
    pub(crate) const fn moved(&mut self) {
        self.idle = Wait::Begins;
    }

    /// A byte went out.
    #[inline]
    pub(crate) fn transmitted(&mut self) {
        self.idle = Wait::Begins;
        self.send = Wait::Begins;
        if let Some(stage) = self.stage.as_mut().filter(|stage| stage.part == Part::Flush) {
            stage.wait = Wait::Begins;
        }
    }

    /// A receive has no answer yet; `arrived` bytes of one are here.
    pub(crate) fn wait_for_answer(&mut self, arrived: usize) -> Result<(), Error> {
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
    #[inline]
    pub(crate) fn answered(&mut self) {
        if self.receive != Wait::No {
            self.receive = Wait::No;
            self.late = None;
        }
    }

    pub(crate) const fn is_late(&self) -> bool {
        self.late.is_some()
    }

    pub(crate) fn within(&mut self, time: Option<Duration>) {
        if self.within != time && self.late == Some(Late::Receive) {
            // It was too late for another bound. The clock still runs, and tells whether it is for this one.
            self.late = None;
        }
        self.within = time;
    }

    /// For how long a room may have too much for this connection, without a break; `None`: it has not.
    pub(crate) fn bound_lag(&mut self, time: Option<Duration>) {
        match (&mut self.lag, time) {
            (lag, None) => *lag = None,
            (Some(lag), Some(time)) => lag.time = time,
            (lag @ None, Some(time)) => {
                *lag = Some(Box::new(Lag { wait: Wait::Begins, time, is_late: false }));
            }
        }
    }

    pub(crate) fn lags_too_long(&self) -> bool {
        self.lag.as_ref().is_some_and(|lag| lag.is_late)
    }

    /// Whether a rate of our own holds up what has arrived from here on. Returns whether it did before.
    pub(crate) const fn hold_up(&mut self, held_up: bool) -> bool {
        core::mem::replace(&mut self.is_held_up, held_up)
    }

    /// A receive was held up for so long, and has so much more time.
    pub(crate) fn put_off(&mut self, time: Duration) {
        self.receive.put_off(time);
        self.idle.put_off(time);
    }

    pub(crate) fn begin_handshake(&mut self) {
        self.begin(Part::Handshake);
    }

    pub(crate) fn end_handshake(&mut self) {
        if self.part() == Some(Part::Handshake) {
            self.stage = None;
            self.send.restart();
        }
    }

    pub(crate) fn begin_flush(&mut self) {
        if matches!(self.part(), None | Some(Part::Handshake)) {
            self.begin(Part::Flush);
        }
    }

    pub(crate) fn begin_drain(&mut self, bytes: usize) {
        if !matches!(self.part(), Some(Part::Drain { .. } | Part::Over)) {
            self.begin(Part::Drain { left: bytes });
        }
    }

    /// `n` bytes were read and dropped. Returns how many more may be.
    pub(crate) fn drained(&mut self, n: usize) -> usize {
        match self.stage.as_deref_mut() {
            Some(Stage { part: Part::Drain { left }, .. }) => {
                *left = left.saturating_sub(n);
                *left
            }
            _ => 0,
        }
    }

    pub(crate) fn end(&mut self) {
        self.begin(Part::Over);
    }

    fn begin(&mut self, part: Part) {
        let flush = if part == Part::Flush { Wait::Begins } else { Wait::No };
        self.stage = Some(Box::new(Stage { part, wait: Wait::Begins, flush, is_late: false }));
    }

    fn part(&self) -> Option<Part> {
        self.stage.as_ref().map(|stage| stage.part)
    }

    /// Whether the connection is open, perhaps with a handshake under way.
    fn is_open(&self) -> bool {
        matches!(self.part(), None | Some(Part::Handshake))
    }

    pub(crate) fn close_timed_out(&self) -> bool {
        self.stage.as_ref().is_some_and(|stage| stage.is_late)
    }

    /// Whether bytes are queued.
    pub(crate) fn note_unsent(&mut self, unsent: bool) {
        if !unsent {
            self.send = Wait::No;
        } else if self.send == Wait::No {
            self.send = Wait::Begins;
        }
    }

    // ---- the time --------------------------------------------------------------------------------

    /// It is `now`, and the connection is about to wait: when the first bound runs out.
    pub(crate) fn poll(&mut self, config: &Config, now: Time) -> Option<Time> {
        let bounded = [
            (&mut self.receive, self.by_settings.receive || self.within.is_some()),
            (&mut self.idle, self.by_settings.idle),
            (&mut self.send, self.by_settings.send),
        ];
        bounded
            .into_iter()
            .filter(|(_, is_bounded)| *is_bounded)
            .for_each(|(wait, _)| wait.stamp(now));
        if let Some(lag) = &mut self.lag {
            lag.wait.stamp(now);
        }
        if let Some(stage) = &mut self.stage {
            stage.wait.stamp(now);
            stage.flush.stamp(now);
        }
        Expired::ALL.iter().filter_map(|what| self.end_of(*what, config)).min()
    }

    /// What has run out by `now`, one at a time.
    pub(crate) fn expire(&mut self, config: &Config, now: Time) -> Option<Expired> {
        let is_over = |what: &&Expired| self.end_of(**what, config).is_some_and(|end| end <= now);
        let expired = *Expired::ALL.iter().find(is_over)?;
        match expired {
            Expired::Answer => {
                if self.receive.is_over(self.receive_time(config), now) {
                    self.late = Some(Late::Receive);
                } else {
                    self.late = Some(Late::Idle);
                    // The clock starts again.
                    self.idle = Wait::Begins;
                }
            }
            Expired::Send => self.send = Wait::No,
            Expired::Lag => {
                if let Some(lag) = &mut self.lag {
                    lag.is_late = true;
                }
            }
            Expired::Handshake | Expired::Close => {
                if let Some(stage) = &mut self.stage {
                    stage.is_late = expired == Expired::Close;
                    (stage.wait, stage.flush) = (Wait::No, Wait::No);
                }
            }
        }
        Some(expired)
    }

    fn receive_time(&self, config: &Config) -> Option<Duration> {
        self.within.or(config.receive_timeout)
    }

    /// When `what` runs out, as things stand.
    fn end_of(&self, what: Expired, config: &Config) -> Option<Time> {
        let stage_end = || self.stage.as_ref()?.end(config);
        match what {
            Expired::Answer if self.is_open() && self.late.is_none() && !self.is_held_up => {
                let own = self.receive.end(self.receive_time(config));
                let waits = self.receive != Wait::No && self.part().is_none();
                let idle = self.idle.end(config.idle_timeout.filter(|_| waits));
                own.into_iter().chain(idle).min()
            }
            Expired::Send if self.part().is_none() => self.send.end(config.send_timeout),
            Expired::Lag if self.is_open() => {
                let lag = self.lag.as_ref().filter(|lag| !lag.is_late)?;
                lag.wait.end(Some(lag.time))
            }
            Expired::Handshake if self.is_open() => stage_end(),
            Expired::Close if !self.is_open() => stage_end(),
            _ => None,
        }
    }
}

impl Expired {
    const ALL: [Self; 5] = [Self::Handshake, Self::Close, Self::Send, Self::Lag, Self::Answer];
}
