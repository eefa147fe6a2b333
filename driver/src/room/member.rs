//! One member, in the hands of the room's task.
//!
//! Its queue is that of its connection, bounded by `max_outbox`. Only where the oldest may be dropped do
//! they wait in the room, in front of a connection that is kept nearly empty: once a connection has
//! bytes, nobody takes them out of it again.

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use asyncnet_core::Sender;

use super::batch::{Backlog, Batch};
use super::calls::Calls;
use super::limits::{Policy, RoomLimits};
use super::stats::{MemberStats, Tally};
use crate::fan_out::Place;
use crate::{Error, SendHalf, Transport};

/// What becomes of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    /// Its connection is gone; its own task knows by now, or will.
    Gone,
    /// It is too far behind, and was disconnected.
    Evicted,
}

pub(super) struct Member<S: Transport> {
    pub(super) id: u64,
    sender: SendHalf<S>,
    pub(super) tally: Arc<Tally>,
    queue: Queue,
    /// Since when it is over the soft limit.
    pub(super) slow_since: Option<Instant>,
}

/// Where messages wait for a member.
enum Queue {
    /// In its connection; the policy is for those that find no room there.
    Connection(Policy),
    /// In the room.
    Room(Waiting),
}

/// What waits in the room for a member.
struct Waiting {
    backlog: Backlog,
    /// Where its connection calls the room's task, and how.
    place: Place,
    caller: Waker,
}

impl<S: Transport> Member<S> {
    pub(super) fn new(id: u64, sender: SendHalf<S>, policy: Policy, calls: &Arc<Calls>) -> Self {
        let queue = match policy {
            Policy::Disconnect | Policy::DropNewest => Queue::Connection(policy),
            Policy::DropOldest => Queue::Room(Waiting {
                backlog: Backlog::default(),
                place: sender.fan_out().waiter().place,
                caller: calls.caller(id),
            }),
        };
        Self { id, sender, tally: Arc::default(), queue, slow_since: None }
    }

    pub(super) fn deliver(
        &mut self,
        batch: &Batch,
        limits: &RoomLimits,
        count: &mut MemberStats,
    ) -> Fate {
        let policy = match &mut self.queue {
            Queue::Connection(policy) => *policy,
            Queue::Room(waiting) => {
                return match waiting.deliver(&self.sender, batch, limits, count) {
                    Ok(()) => Fate::Stays,
                    Err(_) => Fate::Gone,
                };
            }
        };
        match self.sender.offer(batch.bytes.clone()) {
            Ok(queued) => {
                count.delivered(batch);
                if policy == Policy::Disconnect {
                    self.note_queued(queued, limits.soft);
                }
                Fate::Stays
            }
            Err(Error::Full { .. }) if policy == Policy::DropNewest => {
                count.dropped(batch);
                Fate::Stays
            }
            Err(Error::Full { .. }) => self.evict(),
            Err(_) => Fate::Gone,
        }
    }

    /// Its connection has moved: hands over what waits for that.
    pub(super) fn go_on(&mut self, limits: &RoomLimits, count: &mut MemberStats) -> Fate {
        let Queue::Room(waiting) = &mut self.queue else {
            return Fate::Stays;
        };
        match waiting.pump(&self.sender, limits.portion(), count) {
            Ok(_) => Fate::Stays,
            Err(_) => Fate::Gone,
        }
    }

    /// It leaves: what waits goes to its connection, as much as has room there.
    pub(super) fn hand_over(&mut self, count: &mut MemberStats) {
        if let Queue::Room(waiting) = &mut self.queue {
            if waiting.fill(&self.sender, usize::MAX, count).is_ok() {
                waiting.backlog.clear(count);
            }
        }
    }

    /// Disconnects it if it was over the soft limit for too long.
    pub(super) fn check_slow(&mut self, soft: usize, soft_for: Duration, now: Instant) -> Fate {
        let Some(since) = self.slow_since else {
            return Fate::Stays;
        };
        self.note_queued(self.sender.queued(), soft);
        if self.slow_since.is_some() && now.duration_since(since) >= soft_for {
            return self.evict();
        }
        Fate::Stays
    }

    fn note_queued(&mut self, queued: usize, soft: usize) {
        if queued <= soft {
            self.slow_since = None;
        } else if self.slow_since.is_none() {
            self.slow_since = Some(Instant::now());
        }
    }

    fn evict(&self) -> Fate {
        self.sender.abort();
        Fate::Evicted
    }
}

impl<S: Transport> Drop for Member<S> {
    fn drop(&mut self) {
        if let Queue::Room(waiting) = &self.queue {
            self.sender.fan_out().leave(waiting.place);
        }
    }
}

impl Waiting {
    fn deliver<S: Transport>(
        &mut self,
        sender: &SendHalf<S>,
        batch: &Batch,
        limits: &RoomLimits,
        count: &mut MemberStats,
    ) -> Result<(), Error> {
        let is_first = self.backlog.is_empty();
        self.backlog.push(batch.clone());
        let queued = if is_first {
            self.pump(sender, limits.portion(), count)?
        } else {
            // The connection calls when it has moved.
            sender.queued()
        };
        self.backlog.trim(limits.hard.saturating_sub(queued), count);
        Ok(())
    }

    /// Hands over the front of the backlog, and sees to it that the connection calls for more. Returns
    /// what is queued there.
    fn pump<S: Transport>(
        &mut self,
        sender: &SendHalf<S>,
        portion: usize,
        count: &mut MemberStats,
    ) -> Result<usize, Error> {
        // As always: before the stream is polled.
        sender.fan_out().wait(self.place, &self.caller);
        let handed_before = count.messages;
        let queued = self.fill(sender, portion, count)?;
        if self.backlog.is_empty() {
            sender.fan_out().leave(self.place);
        } else if queued == 0 && count.messages > handed_before {
            // It took all, so nobody will call. The others have their turn first.
            self.caller.wake_by_ref();
        }
        Ok(queued)
    }

    /// Moves batches into the connection, the first if nothing is queued there, others while no more
    /// than `portion` is.
    fn fill<S: Transport>(
        &mut self,
        sender: &SendHalf<S>,
        portion: usize,
        count: &mut MemberStats,
    ) -> Result<usize, Error> {
        let backlog = &mut self.backlog;
        sender.fill(self.place, |sender| {
            while let Some(batch) = backlog.first().filter(|batch| has_room(sender, batch, portion))
            {
                if batch.bytes.len() > sender.max_outbox() {
                    count.dropped(batch);
                } else if sender.feed_bytes(batch.bytes.clone()).is_ok() {
                    count.delivered(batch);
                } else {
                    return;
                }
                backlog.pop();
            }
        })
    }
}

fn has_room(sender: &Sender, batch: &Batch, portion: usize) -> bool {
    sender.unsent() == 0 || sender.queued().saturating_add(batch.charge()) <= portion
}
