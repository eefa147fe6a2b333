//! One message on its way: a `send` that has not completed.

use std::task::{Context, Poll, ready};

use crate::link::Link;
use crate::{Error, Transport};

/// How far a message has come. All or nothing up to `max_outbox` bytes; a larger one goes in parts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Progress {
    /// Nothing of it is queued.
    Waiting,
    /// All of it is queued; it is out when this many bytes are.
    Queued { ticket: u64 },
    /// Too large for the outbox: the first `offset` bytes are queued.
    Large { offset: usize },
}

impl Progress {
    pub(crate) const fn is_waiting(self) -> bool {
        matches!(self, Self::Waiting)
    }

    pub(crate) const fn is_queued(self) -> bool {
        matches!(self, Self::Queued { .. })
    }

    /// Sends `message`. Ready when every byte was handed over.
    pub(crate) fn poll<S: Transport>(
        &mut self,
        link: &mut Link<S>,
        message: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        loop {
            match self {
                Self::Waiting => {
                    if self.enter(link, message)? {
                        continue;
                    }
                    // No room. A write makes some, or has to be waited for.
                    let transmitted = link.poll_transmit(cx);
                    if !self.enter(link, message)? {
                        ready!(transmitted);
                    }
                }
                Self::Queued { ticket } => return link.poll_sent(*ticket, cx),
                Self::Large { offset } => {
                    *offset += link.sender.feed_part(&message[*offset..])?;
                    if *offset == message.len() {
                        link.sender.end_large();
                        *self = Self::Queued { ticket: link.sender.accepted_total() };
                    } else {
                        ready!(link.poll_transmit(cx));
                    }
                }
            }
        }
    }

    /// Queues the message, or begins to, if there is room.
    fn enter<S: Transport>(&mut self, link: &mut Link<S>, message: &[u8]) -> Result<bool, Error> {
        let sender = &mut link.sender;
        sender.check()?;
        if sender.has_room(message.len()) {
            sender.feed(message)?;
            *self = Self::Queued { ticket: sender.accepted_total() };
        } else if message.len() > sender.max_outbox() && sender.unsent() == 0 {
            sender.begin_large()?;
            *self = Self::Large { offset: 0 };
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// The message is given up here. A torn one ends the sending side.
    pub(crate) fn give_up<S: Transport>(self, link: &mut Link<S>) {
        match self {
            Self::Large { .. } => link.sender.give_up_large(),
            Self::Waiting | Self::Queued { .. } => {}
        }
    }
}
