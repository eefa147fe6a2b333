//! A member's connection as the room uses it. Everything that the room asks of the engine is here.

use std::task::Waker;
use std::time::Duration;

use asyncnet_core::Bytes;
use asyncnet_core::driver::Link;

use crate::engine::fan_out::Place;
use crate::{Error, Transport, Writer};

pub(super) struct Port<S: Transport> {
    writer: Writer<S>,
    place: Place,
    /// Called when the connection has moved.
    caller: Waker,
    /// The caller may be in the connection's fan-out.
    waits: bool,
    /// The connection knows that the room has too much for it.
    lags: bool,
}

impl<S: Transport> Port<S> {
    pub(super) fn new(writer: Writer<S>, caller: Waker) -> Self {
        let place = writer.fan_out().waiter().place;
        Self { writer, place, caller, waits: false, lags: false }
    }

    /// Writes what is queued, lets `feed` queue more, and writes again. `feed` answers whether it has more
    /// than it could queue. Returns how many bytes are still queued. If there are any, or `feed` has more,
    /// the caller is called once the connection has moved.
    pub(super) fn pump(&mut self, mut feed: impl FnMut(&mut Link) -> bool) -> Result<usize, Error> {
        if !self.waits {
            let mut more = false;
            let queued = self.writer.pump(self.place, |link| more = feed(link))?;
            if queued == 0 && !more {
                return Ok(0);
            }
            // The stream may have called already, so it is asked again below.
            self.waits = true;
        }
        self.writer.fan_out().wait(self.place, &self.caller);
        let mut more = false;
        let queued = self.writer.pump(self.place, |link| more = feed(link))?;
        if queued == 0 && !more {
            self.rest();
        }
        Ok(queued)
    }

    /// Says whether the room has too much for this member, and for how long that may last without a break.
    /// Answers whether it has lasted longer. The caller is called when it does, by the clock of the connection's
    /// stream; without one there is no limit.
    pub(super) fn lags_too_long(&mut self, patience: Option<Duration>) -> bool {
        if patience.is_none() && !self.lags {
            return false;
        }
        self.lags = patience.is_some();
        if self.lags && !self.waits {
            self.waits = true;
            self.writer.fan_out().wait(self.place, &self.caller);
        }
        self.writer.bound_lag(self.place, patience)
    }

    /// Calls the room's task for this member.
    pub(super) fn call(&self) {
        self.caller.wake_by_ref();
    }

    /// Resets the connection.
    pub(super) fn abort(&self) {
        self.writer.abort();
    }

    /// Takes the caller out of the fan-out.
    fn rest(&mut self) {
        if std::mem::take(&mut self.waits) {
            self.writer.fan_out().leave(self.place);
        }
    }
}

impl<S: Transport> Drop for Port<S> {
    fn drop(&mut self) {
        self.rest();
    }
}

/// Queues a piece of a message, whatever limit the connection has for the messages of others. Answers `false`, and
/// queues nothing, if the connection can send no more, or while a message larger than its queue is under way. Both
/// meet the first piece, so that a message is queued whole or not at all.
pub(super) fn feed(link: &mut Link, piece: Bytes) -> bool {
    link.feed_unbounded(piece).is_ok()
}
