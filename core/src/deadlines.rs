//! Every bound in time of one connection, as data: what began when, and what that means now.

mod bounds;
mod stage;
mod wait;

use alloc::boxed::Box;
use core::time::Duration;

use self::bounds::{Bounded, Bounds};
use self::stage::{Part, Stage};
use self::wait::Wait;
use crate::{Config, Error, Time};

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

impl Expired {
    const ALL: [Self; 5] = [Self::Handshake, Self::Close, Self::Send, Self::Lag, Self::Answer];
}

/// A room has more for this connection than it should.
struct Lag {
    wait: Wait,
    time: Duration,
    is_late: bool,
}

/// Boxed is what most connections do without: an idle one is to be small.
pub(crate) struct Deadlines {
    /// `None`: neither the settings nor a `within` have bounded anything yet.
    bounds: Option<Box<Bounds>>,
    /// A receive has no answer yet.
    waits: bool,
    lag: Option<Box<Lag>>,
    /// `None`: the connection is open.
    stage: Option<Box<Stage>>,
    /// A rate of our own holds up what has arrived.
    is_held_up: bool,
}

impl Deadlines {
    pub(crate) fn new(config: &Config) -> Self {
        let mut this =
            Self { bounds: None, waits: false, lag: None, stage: None, is_held_up: false };
        this.configure(config);
        this
    }

    pub(crate) fn configure(&mut self, config: &Config) {
        let by_settings = Bounded::new(config);
        if let Some(bounds) = &mut self.bounds {
            bounds.configure(by_settings);
        } else if by_settings.is_any() {
            self.bounds = Some(Box::new(Bounds::new(by_settings, self.waits)));
        }
    }

    #[inline]
    pub(crate) fn is_any(&self) -> bool {
        let bounds = || self.bounds.as_ref().is_some_and(|bounds| bounds.is_any());
        self.lag.is_some() || self.stage.is_some() || bounds()
    }

    // ---- what happens ----------------------------------------------------------------------------

    /// A byte came in.
    #[inline]
    pub(crate) fn moved(&mut self) {
        if let Some(bounds) = &mut self.bounds {
            bounds.moved();
        }
    }

    /// A byte went out.
    #[inline]
    pub(crate) fn transmitted(&mut self) {
        if let Some(bounds) = &mut self.bounds {
            bounds.transmitted();
        }
        if let Some(stage) = &mut self.stage {
            stage.transmitted();
        }
    }

    /// A receive has no answer yet; `arrived` bytes of one are here.
    pub(crate) fn wait_for_answer(&mut self, arrived: usize) -> Result<(), Error> {
        self.waits = true;
        self.bounds.as_mut().map_or(Ok(()), |bounds| bounds.wait_for_answer(arrived))
    }

    /// A receive has its answer.
    #[inline]
    pub(crate) fn answered(&mut self) {
        self.waits = false;
        if let Some(bounds) = &mut self.bounds {
            bounds.answered();
        }
    }

    pub(crate) fn is_late(&self) -> bool {
        self.bounds.as_ref().is_some_and(|bounds| bounds.is_late())
    }

    /// Bounds the receive that waits next by `time` instead of the setting.
    pub(crate) fn within(&mut self, time: Option<Duration>) {
        match &mut self.bounds {
            Some(bounds) => bounds.within(time),
            None if time.is_none() => {}
            none => {
                let bounds = Bounds::new(Bounded::default(), self.waits);
                none.insert(Box::new(bounds)).within(time);
            }
        }
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
        if let Some(bounds) = &mut self.bounds {
            bounds.put_off(time);
        }
    }

    /// Whether bytes are queued.
    pub(crate) fn note_unsent(&mut self, unsent: bool) {
        if let Some(bounds) = &mut self.bounds {
            bounds.note_unsent(unsent);
        }
    }

    pub(crate) fn begin_handshake(&mut self) {
        self.begin(Part::Handshake);
    }

    pub(crate) fn end_handshake(&mut self) {
        if self.part() == Some(Part::Handshake) {
            self.stage = None;
            if let Some(bounds) = &mut self.bounds {
                bounds.restart_send();
            }
        }
    }

    pub(crate) fn begin_flush(&mut self) {
        if self.is_open() {
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
        self.stage.as_mut().map_or(0, |stage| stage.drained(n))
    }

    pub(crate) fn end(&mut self) {
        self.begin(Part::Over);
    }

    fn begin(&mut self, part: Part) {
        self.stage = Some(Box::new(Stage::new(part)));
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

    // ---- the time --------------------------------------------------------------------------------

    /// It is `now`, and the connection is about to wait: when the first bound runs out.
    pub(crate) fn poll(&mut self, config: &Config, now: Time) -> Option<Time> {
        if let Some(bounds) = &mut self.bounds {
            bounds.stamp(now);
        }
        if let Some(lag) = &mut self.lag {
            lag.wait.stamp(now);
        }
        if let Some(stage) = &mut self.stage {
            stage.stamp(now);
        }
        Expired::ALL.iter().filter_map(|what| self.end_of(*what, config)).min()
    }

    /// What has run out by `now`, one at a time.
    pub(crate) fn expire(&mut self, config: &Config, now: Time) -> Option<Expired> {
        let is_over = |what: &&Expired| self.end_of(**what, config).is_some_and(|end| end <= now);
        let expired = *Expired::ALL.iter().find(is_over)?;
        let Self { bounds, lag, stage, .. } = self;
        match (expired, bounds, lag, stage) {
            (Expired::Answer, Some(bounds), ..) => bounds.expire_answer(config, now),
            (Expired::Send, Some(bounds), ..) => bounds.expire_send(),
            (Expired::Lag, _, Some(lag), _) => lag.is_late = true,
            (Expired::Handshake | Expired::Close, .., Some(stage)) => stage.expire(),
            _ => {}
        }
        Some(expired)
    }

    /// When `what` runs out, as things stand.
    fn end_of(&self, what: Expired, config: &Config) -> Option<Time> {
        let stage_end = || self.stage.as_ref()?.end(config);
        match what {
            Expired::Answer if self.is_open() && !self.is_held_up => {
                self.bounds.as_ref()?.answer_end(config, self.stage.is_none())
            }
            Expired::Send if self.stage.is_none() => self.bounds.as_ref()?.send_end(config),
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
