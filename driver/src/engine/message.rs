//! One message on its way: a `send` that has not completed.

use std::task::{Context, Poll, ready};

use asyncnet_core::driver::Link;

use crate::engine::Engine;
use crate::{Error, Transport};

/// How far a message has come. All or nothing up to `max_queue` bytes; a larger one goes in parts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Progress {
    /// Nothing of it is queued.
    Waiting,
    /// All of it is queued; it is out when this many bytes are.
    Queued { ticket: u64 },
    /// Too large for the queue: the first `offset` bytes are queued.
    Large { offset: usize },
}

/// How far a message has to come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// All of it is queued.
    Queued,
    /// Every byte was handed to the system.
    Sent,
}

impl Progress {
    pub(crate) const fn is_waiting(self) -> bool {
        matches!(self, Self::Waiting)
    }

    pub(crate) const fn is_queued(self) -> bool {
        matches!(self, Self::Queued { .. })
    }

    /// Queues `message`, and sends it too if `until` says so.
    pub(crate) fn poll_until<S: Transport>(
        &mut self,
        until: Until,
        engine: &mut Engine<S>,
        message: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let ticket = ready!(self.poll_queued(engine, message, cx))?;
        match until {
            Until::Queued => Poll::Ready(Ok(())),
            Until::Sent => engine.poll_sent(ticket, cx),
        }
    }

    /// Queues `message`, or all of its parts one after the other. It is out when as many bytes are as the
    /// answer says.
    fn poll_queued<S: Transport>(
        &mut self,
        engine: &mut Engine<S>,
        message: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<Result<u64, Error>> {
        loop {
            match self {
                Self::Waiting => {
                    if self.enter(&mut engine.link, message)? {
                        continue;
                    }
                    // No room. A write makes some, or has to be waited for.
                    let made = engine.poll_make_room(cx);
                    if !self.enter(&mut engine.link, message)? {
                        ready!(made);
                    }
                }
                Self::Queued { ticket } => return Poll::Ready(Ok(*ticket)),
                Self::Large { offset } => {
                    *offset += engine.link.feed_part(&message[*offset..])?;
                    if *offset == message.len() {
                        engine.link.end_large();
                        *self = Self::Queued { ticket: engine.link.accepted_total() };
                    } else {
                        ready!(engine.poll_make_room(cx));
                    }
                }
            }
        }
    }

    /// Queues the message, or begins to, if there is room.
    fn enter(&mut self, link: &mut Link, message: &[u8]) -> Result<bool, Error> {
        link.check()?;
        if link.has_room(message.len()) {
            link.feed(message)?;
            *self = Self::Queued { ticket: link.accepted_total() };
        } else if message.len() > link.max_queue() && link.unsent() == 0 {
            link.begin_large()?;
            *self = Self::Large { offset: 0 };
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// The message is given up here. A torn one ends the sending side.
    pub(crate) fn give_up<S: Transport>(self, engine: &mut Engine<S>) {
        match self {
            Self::Large { .. } => engine.link.give_up_large(),
            Self::Waiting | Self::Queued { .. } => {}
        }
    }
}
