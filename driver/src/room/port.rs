//! A member's connection as the room uses it. Everything that the room asks of the engine is here.

use std::task::Waker;

use asyncnet_core::{Bytes, Sender};

use crate::engine::fan_out::Place;
use crate::{Error, Writer, Transport};

pub(super) struct Port<S: Transport> {
    half: Writer<S>,
    place: Place,
    /// Called when the connection has moved.
    caller: Waker,
    /// The caller may be in the connection's fan-out.
    waits: bool,
}

impl<S: Transport> Port<S> {
    pub(super) fn new(half: Writer<S>, caller: Waker) -> Self {
        let place = half.fan_out().waiter().place;
        Self { half, place, caller, waits: false }
    }

    /// Writes what is queued, lets `feed` queue more, and writes again. `feed` answers whether it has more
    /// than it could queue. Returns how many bytes are still queued. If there are any, or `feed` has more,
    /// the caller is called once the connection has moved.
    pub(super) fn pump(
        &mut self,
        mut feed: impl FnMut(&mut Sender) -> bool,
    ) -> Result<usize, Error> {
        if !self.waits {
            let mut more = false;
            let queued = self.half.fill(self.place, |sender| more = feed(sender))?;
            if queued == 0 && !more {
                return Ok(0);
            }
            // The stream may have called already, so it is asked again below.
            self.waits = true;
        }
        self.half.fan_out().wait(self.place, &self.caller);
        let mut more = false;
        let queued = self.half.fill(self.place, |sender| more = feed(sender))?;
        if queued == 0 && !more {
            self.rest();
        }
        Ok(queued)
    }

    /// Calls the room's task for this member.
    pub(super) fn call(&self) {
        self.caller.wake_by_ref();
    }

    pub(super) fn caller(&self) -> &Waker {
        &self.caller
    }

    /// Resets the connection.
    pub(super) fn abort(&self) {
        self.half.abort();
    }

    /// Takes the caller out of the fan-out.
    fn rest(&mut self) {
        if std::mem::take(&mut self.waits) {
            self.half.fan_out().leave(self.place);
        }
    }
}

impl<S: Transport> Drop for Port<S> {
    fn drop(&mut self) {
        self.rest();
    }
}

/// Queues all `pieces` or none, whatever limit the connection has for the messages of others. Nothing is
/// queued if it can send no more, or while a message larger than its queue is under way.
pub(super) fn feed_whole(sender: &mut Sender, mut pieces: impl Iterator<Item = Bytes>) -> bool {
    let max = sender.max_outbox();
    // Both obstacles meet the first piece.
    sender.set_max_outbox(usize::MAX);
    let fed = pieces.all(|piece| sender.feed_bytes(piece).is_ok());
    sender.set_max_outbox(max);
    fed
}
