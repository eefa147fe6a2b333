//! What was said in one turn, merged; and a queue of that.

use std::collections::VecDeque;
use std::mem;

use asyncnet_core::Bytes;

use super::stats::MemberStats;

/// What a queued piece is charged beside its length, in core too.
const PIECE: usize = 64;

/// Messages that go together, stored once for all members.
#[derive(Clone)]
pub(super) struct Batch {
    pub(super) bytes: Bytes,
    pub(super) messages: u64,
}

impl Batch {
    /// What it is charged where it is queued.
    pub(super) fn charge(&self) -> usize {
        self.bytes.len().saturating_add(PIECE)
    }
}

/// Batches that wait, in order.
#[derive(Default)]
pub(super) struct Backlog {
    batches: VecDeque<Batch>,
    charge: usize,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    pub(super) fn first(&self) -> Option<&Batch> {
        self.batches.front()
    }

    pub(super) fn push(&mut self, batch: Batch) {
        self.charge += batch.charge();
        self.batches.push_back(batch);
    }

    pub(super) fn pop(&mut self) -> Option<Batch> {
        let batch = self.batches.pop_front()?;
        self.charge -= batch.charge();
        if self.batches.is_empty() {
            // Nobody keeps a queue for a member that has caught up.
            *self = Self::default();
        }
        Some(batch)
    }

    /// Drops the oldest until no more than `room` is charged. A newest that has no room by itself goes
    /// alone: it would drive out the others for nothing.
    pub(super) fn trim(&mut self, room: usize, count: &mut MemberStats) {
        let newest = self.batches.back().filter(|newest| newest.charge() > room).cloned();
        if let Some(newest) = newest {
            self.batches.pop_back();
            self.charge -= newest.charge();
            count.dropped(&newest);
        }
        while self.charge > room {
            let Some(oldest) = self.pop() else { return };
            count.dropped(&oldest);
        }
    }

    /// Gives up all of it.
    pub(super) fn clear(&mut self, count: &mut MemberStats) {
        mem::take(self).batches.iter().for_each(|batch| count.dropped(batch));
    }
}
