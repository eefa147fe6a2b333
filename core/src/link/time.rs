//! The connection's time: every bound, as data.

use core::time::Duration;

use super::Link;
use crate::deadlines::Expired;
use crate::{Loss, Time};

impl Link {
    /// Whether anything is bounded in time now. If not, no clock has to be asked.
    #[must_use]
    #[inline]
    pub fn has_deadlines(&self) -> bool {
        self.deadlines.is_any() || self.rates.as_ref().is_some_and(|rates| rates.is_counting())
    }

    /// To be called with the time when the connection is about to wait: when
    /// [`handle_timeout`](Self::handle_timeout) has to be called at the latest. A wait that began since the
    /// last call begins now.
    pub fn poll_timeout(&mut self, now: Time) -> Option<Time> {
        self.note_progress();
        self.look(now);
        let let_go = self.rates.as_ref().and_then(|rates| rates.end());
        self.deadlines.poll(&self.config, now).into_iter().chain(let_go).min()
    }

    /// It is `now`. What has run out by then shows in the calls that it bounds.
    pub fn handle_timeout(&mut self, now: Time) {
        self.note_progress();
        self.look(now);
        if let Some(rates) = &mut self.rates {
            rates.tell();
        }
        while let Some(expired) = self.deadlines.expire(&self.config, now) {
            match expired {
                Expired::Handshake => self.give_up_handshake(),
                Expired::Send => {
                    self.gave_up = true;
                    return self.handle_write_lost(Loss::TimedOut);
                }
                // The next receive, the close or the room asks for it.
                Expired::Answer | Expired::Close | Expired::Lag => {}
            }
        }
    }

    /// It is `now`. The time for which our own rates held the peer up is not the peer's.
    fn look(&mut self, now: Time) {
        if let Some(rates) = &mut self.rates {
            self.deadlines.put_off(rates.look(now));
        }
    }

    /// What is over is bounded no more: a queue that has left, a handshake that has come to its end.
    fn note_progress(&mut self) {
        self.deadlines.note_unsent(self.unsent() > 0);
        if self.is_secure() && !self.needs_handshake() {
            self.deadlines.end_handshake();
        }
    }

    /// Bounds the receive that waits next by `time` instead of the setting; `None`: by the setting.
    pub fn bound_receive(&mut self, time: Option<Duration>) {
        self.deadlines.within(time);
    }

    /// For how long a room may have too much for this connection, without a break; `None`: it has not. The
    /// clock starts with the first call that says so.
    pub fn bound_lag(&mut self, time: Option<Duration>) {
        self.deadlines.bound_lag(time);
    }

    /// Whether a room had too much for this connection for too long.
    #[must_use]
    pub fn lags_too_long(&self) -> bool {
        self.deadlines.lags_too_long()
    }
}
