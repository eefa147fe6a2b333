//! A place in a room, in the hands of whoever joined.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::stats::{MemberStats, Tally};
use super::{Event, Room};
use crate::Transport;

/// A place in a room. Dropping it leaves: what is queued for it already still goes out.
#[must_use = "dropping the membership leaves the room"]
pub struct Membership<S: Transport> {
    pub(super) room: Room<S>,
    pub(super) id: u64,
    pub(super) tally: Arc<Tally>,
    pub(super) left: bool,
}

impl<S: Transport> Membership<S> {
    /// Leaves, and waits until all that was said before is queued for this member too: what a client
    /// said last comes back to it before the connection is closed. Returns what the member got.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it has left once this was polled, or when it is dropped.
    pub async fn leave(mut self) -> MemberStats {
        let batch = self.announce();
        let shared = &self.room.shared;
        let waiter = shared.waiting.waiter();
        poll_fn(|cx| {
            waiter.wait(cx.waker());
            let state = shared.state();
            if state.applied >= batch || state.ended { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        self.stats()
    }

    /// What the member got and missed so far. What was said just now is in it once the room's task had
    /// its turn.
    #[must_use]
    pub fn stats(&self) -> MemberStats {
        self.tally.read()
    }

    /// Says that it leaves; returns which taking of the events will tell the room's task.
    fn announce(&mut self) -> u64 {
        self.left = true;
        self.room.shared.change(|state| {
            if !state.closed {
                state.events.push_back(Event::Leave(self.id));
            }
            state.taken + 1
        })
    }
}

impl<S: Transport> Drop for Membership<S> {
    fn drop(&mut self) {
        if !self.left {
            self.announce();
        }
    }
}

impl<S: Transport> fmt::Debug for Membership<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").field("id", &self.id).finish_non_exhaustive()
    }
}
