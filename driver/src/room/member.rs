//! A place in a room, in the hands of the task that joined.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use super::backlog::{Event, To};
use super::stats::{MemberStats, Tally};
use super::{Room, checked_line};
use crate::{Error, Transport};

/// A place in a room. Dropping it leaves: what was said before still goes out to this member.
#[must_use = "dropping the member leaves the room"]
pub struct Member<S: Transport> {
    pub(super) room: Room<S>,
    pub(super) id: u64,
    pub(super) tally: Arc<Tally>,
    pub(super) has_left: bool,
}

impl<S: Transport> Member<S> {
    /// Sends `text` and CR LF to every member but this one. Otherwise as [`Room::send_line`].
    ///
    /// # Errors
    ///
    /// As [`Room::send_line`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the line is sent whole or not at all.
    pub async fn send_line(&self, text: impl AsRef<[u8]>) -> Result<(), Error> {
        self.room.say(To::Others(self.id), checked_line(text.as_ref())?).await
    }

    /// Sends `message` to every member but this one, as it is. Otherwise as [`Room::send_all`].
    ///
    /// # Errors
    ///
    /// As [`Room::send_all`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the message is sent whole or not at all.
    pub async fn send_all(&self, message: impl AsRef<[u8]>) -> Result<(), Error> {
        self.room.say(To::Others(self.id), [message.as_ref(), b""]).await
    }

    /// Sends `text` and CR LF to this member alone, after what was said in the room before. It counts as
    /// every message of the room does, and is subject to the member's policy. Other members pay nothing for it; it
    /// only ends the merging of messages around it.
    ///
    /// # Errors
    ///
    /// As [`Room::send_line`]. The call does not tell whether the member is still in the room.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the line is sent whole or not at all.
    pub async fn tell_line(&self, text: impl AsRef<[u8]>) -> Result<(), Error> {
        self.room.say(To::Alone(self.id), checked_line(text.as_ref())?).await
    }

    /// The room.
    #[must_use]
    pub const fn room(&self) -> &Room<S> {
        &self.room
    }

    /// What the member got and missed so far. What was said just now is in it once the room's task had
    /// its turn.
    #[must_use]
    pub fn stats(&self) -> MemberStats {
        self.tally.read()
    }

    /// Leaves, and waits until all that was said before is queued in this member's connection: what a
    /// client said last comes back to it before the connection is closed. Returns what the member got.
    /// It waits for the room's task, never for the peer. While a `send_all` of more than `max_queue` bytes is under way on
    /// the connection, what waits in the room is dropped, and counted.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the member has left once this was polled, or when it is dropped.
    pub async fn leave(mut self) -> MemberStats {
        self.announce();
        poll_fn(|cx| self.tally.poll_out(cx.waker())).await;
        self.stats()
    }

    /// Says that it leaves.
    fn announce(&mut self) {
        self.has_left = true;
        self.room.shared().change(|backlog| {
            // In a closed room every member leaves.
            if !backlog.is_closed {
                backlog.events.push_back(Event::Leave(self.id));
            }
        });
    }
}

impl<S: Transport> Drop for Member<S> {
    fn drop(&mut self) {
        if !self.has_left {
            self.announce();
        }
    }
}

impl<S: Transport> fmt::Debug for Member<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("id", &self.id).finish_non_exhaustive()
    }
}
