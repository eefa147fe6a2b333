//! A connection and a clock that only the test moves.

use std::time::Duration;

use asyncnet_core::{Config, Connection, Error, Step, Time};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const TICK: Duration = Duration::from_micros(1);

pub(crate) type Line = Result<Step<Option<Vec<u8>>>, Error>;

pub(crate) struct World {
    pub(crate) conn: Connection,
    pub(crate) now: Time,
}

/// So long after the start.
pub(crate) fn at(time: Duration) -> Time {
    Time::START + time
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        Self { conn: Connection::new(config), now: Time::START }
    }

    /// About to wait: when is the first bound?
    pub(crate) fn poll(&mut self) -> Option<Time> {
        self.conn.poll_timeout(self.now)
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.set(self.now + time);
    }

    pub(crate) fn set(&mut self, now: Time) {
        self.now = now;
        self.conn.handle_timeout(now);
    }

    pub(crate) fn line(&mut self) -> Line {
        Ok(self.conn.next_line()?.map(|line| line.map(<[u8]>::to_vec)))
    }

    /// A receive of a line waits, and its bound is this.
    #[track_caller]
    pub(crate) fn waits_until(&mut self, end: Option<Time>) {
        assert_eq!(self.line(), Ok(Step::NeedInput));
        assert_eq!(self.poll(), end);
    }

    #[track_caller]
    pub(crate) fn answers(&mut self, line: &[u8]) {
        assert_eq!(self.line(), Ok(Step::Ready(Some(line.to_vec()))));
    }
}
