//! What a room has done, in numbers.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Messages and their bytes.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) messages: u64,
    pub(super) bytes: usize,
}

/// What a member got from the room and what it missed. Every number only grows.
///
/// A message is counted once it is handed to the member's connection, or dropped. What still waits in the
/// room is in neither number, nor is what was lost with a connection that is gone. Messages that are not
/// for this member, such as its own in [`Member::send_line`](super::Member::send_line), are not counted.
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
    pub(super) const fn delivered(&mut self, size: Size) {
        self.messages += size.messages;
        self.bytes += size.bytes as u64;
    }

    pub(super) const fn dropped(&mut self, size: Size) {
        self.dropped_messages += size.messages;
        self.dropped_bytes += size.bytes as u64;
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
    /// How many members there are: those that have joined and that the room's task has not let go yet.
    pub members: usize,
    /// What all members got and missed, together; those that have left too.
    pub total: MemberStats,
    /// How many members were disconnected at the hard limit.
    pub evicted_hard: u64,
    /// How many members were disconnected because they were over the soft limit for too long.
    pub evicted_soft: u64,
}

impl RoomStats {
    /// How many members were disconnected, at either limit.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.evicted_hard + self.evicted_soft
    }
}

/// What the room's task tells the holder of the [`Member`](super::Member): its numbers, and that it is out
/// of the room. Its lock is a leaf.
#[derive(Default)]
pub(super) struct Tally(Mutex<Told>);

#[derive(Default)]
struct Told {
    stats: MemberStats,
    is_out: bool,
    /// Woken when it is out.
    leaver: Option<Waker>,
}

impl Tally {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, more: &MemberStats) {
        self.told().stats.add(more);
    }

    pub(super) fn read(&self) -> MemberStats {
        self.told().stats
    }

    /// The member is out of the room.
    pub(super) fn finish(&self) {
        let mut told = self.told();
        told.is_out = true;
        let leaver = told.leaver.take();
        drop(told);
        if let Some(leaver) = leaver {
            leaver.wake();
        }
    }

    /// Waits until the member is out of the room.
    pub(super) fn poll_out(&self, waker: &Waker) -> Poll<()> {
        let waker = waker.clone();
        let mut told = self.told();
        let (polled, old) = if told.is_out {
            (Poll::Ready(()), Some(waker))
        } else {
            (Poll::Pending, told.leaver.replace(waker))
        };
        drop(told);
        drop(old);
        polled
    }
}
