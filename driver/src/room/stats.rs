//! What a room has done, in numbers.

use std::sync::{Mutex, PoisonError};

use super::batch::Batch;

/// What a member got from the room and what it missed. Every number only grows.
///
/// A message is counted once it is handed to the member's connection, or dropped. What still waits in the
/// room is in neither number, nor is what was lost with a connection that is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberStats {
    /// Messages that were handed to the connection.
    pub messages: u64,
    /// Their bytes, line ends included.
    pub bytes: u64,
    /// Messages that the member missed because it had no room for them.
    pub dropped_messages: u64,
    /// Their bytes.
    pub dropped_bytes: u64,
}

impl MemberStats {
    pub(super) fn delivered(&mut self, batch: &Batch) {
        self.messages += batch.messages;
        self.bytes += batch.bytes.len() as u64;
    }

    pub(super) fn dropped(&mut self, batch: &Batch) {
        self.dropped_messages += batch.messages;
        self.dropped_bytes += batch.bytes.len() as u64;
    }

    pub(super) const fn add(&mut self, more: &Self) {
        self.messages += more.messages;
        self.bytes += more.bytes;
        self.dropped_messages += more.dropped_messages;
        self.dropped_bytes += more.dropped_bytes;
    }
}

/// What a room has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomStats {
    /// How many members there are.
    pub members: usize,
    /// What all members got and missed, together; those that have left too.
    pub total: MemberStats,
    /// How many members were disconnected at the hard limit.
    pub evicted_hard: u64,
    /// How many members were disconnected because they were over the soft limit for too long.
    pub evicted_soft: u64,
}

impl RoomStats {
    /// How many members were disconnected, for whatever reason.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.evicted_hard + self.evicted_soft
    }
}

/// A member's numbers, shared by the room's task, which writes them, and the membership.
#[derive(Default)]
pub(super) struct Tally(Mutex<MemberStats>);

impl Tally {
    pub(super) fn add(&self, more: &MemberStats) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(more);
    }

    pub(super) fn read(&self) -> MemberStats {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
