//! The task that runs a room.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::floor::Floor;
use super::shared::Shared;
use super::stats::RoomStats;
use crate::Transport;

/// The task of a [`Room`](super::Room): it delivers what is said there. Spawn it on the runtime, or await
/// it beside other work.
///
/// It ends, with the numbers of the room, when the room is closed or every `Room` and
/// [`Member`](super::Member) of it is dropped. It yields after every 128 members.
///
/// # Cancel safety
///
/// Dropping it closes the room. What was said and not yet handed to the members' connections is lost.
#[must_use = "a room delivers nothing until its task is spawned or awaited"]
pub struct RoomTask<S: Transport> {
    shared: Arc<Shared<S>>,
    floor: Floor<S>,
    /// The tasks that were ready before this one have had their turn.
    has_yielded: bool,
    /// The room is closed, and the last round has begun.
    is_last_round: bool,
}

impl<S: Transport> RoomTask<S> {
    pub(super) fn new(shared: Arc<Shared<S>>) -> Self {
        let floor = Floor::new(shared.limits);
        Self { shared, floor, has_yielded: false, is_last_round: false }
    }
}

impl<S: Transport> Future for RoomTask<S> {
    type Output = RoomStats;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<RoomStats> {
        let Self { shared, floor, has_yielded, is_last_round } = self.get_mut();
        if !floor.is_busy() {
            if !shared.wait_for_news(cx.waker()) {
                return Poll::Pending;
            }
            // Readers that are ready now get their turn first: what they say leaves in the same write.
            if !mem::replace(has_yielded, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        *has_yielded = false;
        if !floor.is_in_round() && !*is_last_round {
            let (events, is_closed) = shared.take_events();
            if is_closed || !events.is_empty() {
                floor.begin_round(events, is_closed);
            }
            *is_last_round = is_closed;
        }
        floor.work(shared.calls.take());
        let is_in_round = floor.is_in_round();
        if !is_in_round {
            shared.publish(floor.stats());
        }
        if *is_last_round && !is_in_round {
            return Poll::Ready(floor.stats());
        }
        if floor.is_busy() || shared.wait_for_news(cx.waker()) {
            *has_yielded = true;
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl<S: Transport> Drop for RoomTask<S> {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl<S: Transport> fmt::Debug for RoomTask<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoomTask").field("stats", &self.floor.stats()).finish_non_exhaustive()
    }
}
