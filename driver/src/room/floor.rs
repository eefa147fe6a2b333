//! The members, in the hands of the room's task.

use std::collections::VecDeque;
use std::time::Instant;

use super::Event;
use super::batch::Batch;
use super::limits::RoomLimits;
use super::member::{Fate, Member};
use super::stats::{MemberStats, RoomStats};
use crate::Transport;

pub(super) struct Floor<S: Transport> {
    /// In the order of their ids.
    members: Vec<Member<S>>,
    limits: RoomLimits,
    stats: RoomStats,
}

impl<S: Transport> Floor<S> {
    pub(super) fn new(limits: RoomLimits) -> Self {
        Self { members: Vec::new(), limits, stats: RoomStats::default() }
    }

    pub(super) fn stats(&self) -> RoomStats {
        RoomStats { members: self.members.len(), ..self.stats }
    }

    pub(super) fn apply(&mut self, events: VecDeque<Event<S>>) {
        for event in events {
            match event {
                Event::Join(member) => self.join(member),
                Event::Leave(id) => self.leave(id),
                Event::Message(message) => self.deliver(&message.into()),
            }
        }
    }

    fn join(&mut self, member: Member<S>) {
        // Two that join at once may come the other way round.
        let at = self.members.partition_point(|other| other.id < member.id);
        self.members.insert(at, member);
    }

    fn deliver(&mut self, batch: &Batch) {
        let Self { members, limits, stats } = self;
        members.retain_mut(|member| {
            let fate = counted(member, stats, |member, count| member.deliver(batch, limits, count));
            stats.evicted_hard += u64::from(fate == Fate::Evicted);
            fate == Fate::Stays
        });
    }

    /// The connections of those members have moved.
    pub(super) fn go_on(&mut self, called: Vec<u64>) {
        for id in called {
            // It may have left since.
            let Some(at) = self.find(id) else { continue };
            let Self { members, limits, stats } = self;
            let fate =
                counted(&mut members[at], stats, |member, count| member.go_on(limits, count));
            if fate != Fate::Stays {
                members.remove(at);
            }
        }
    }

    fn leave(&mut self, id: u64) {
        if let Some(at) = self.find(id) {
            let mut member = self.members.remove(at);
            counted(&mut member, &mut self.stats, Member::hand_over);
        }
    }

    fn find(&self, id: u64) -> Option<usize> {
        self.members.binary_search_by_key(&id, |member| member.id).ok()
    }

    /// When the next member may have been slow for too long; never, if no clock counts that far.
    pub(super) fn next_alarm(&self) -> Option<Instant> {
        let since = self.members.iter().filter_map(|member| member.slow_since).min()?;
        since.checked_add(self.limits.soft_for)
    }

    /// Disconnects the members that were over the soft limit for too long.
    pub(super) fn evict_slow(&mut self, now: Instant) {
        let Self { members, limits, stats } = self;
        members.retain_mut(|member| {
            let fate = member.check_slow(limits.soft, limits.soft_for, now);
            stats.evicted_soft += u64::from(fate == Fate::Evicted);
            fate == Fate::Stays
        });
    }

    /// The room is closed: all leave.
    pub(super) fn clear(&mut self) {
        for mut member in self.members.drain(..) {
            counted(&mut member, &mut self.stats, Member::hand_over);
        }
    }
}

/// Does `work`, and adds what it counts to the numbers of the member and of the room.
fn counted<S: Transport, T>(
    member: &mut Member<S>,
    stats: &mut RoomStats,
    work: impl FnOnce(&mut Member<S>, &mut MemberStats) -> T,
) -> T {
    let mut count = MemberStats::default();
    let done = work(member, &mut count);
    member.tally.add(&count);
    stats.total.add(&count);
    done
}
