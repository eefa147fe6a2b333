//! The members and the log, in the hands of the room's task, and its work in portions.
//!
//! After each turn of the event loop the task makes a *round* through the members. It yields
//! after [`SHARE`] of them and goes on where it was, so that a room of thousands is not one long poll.

use std::collections::{BTreeMap, VecDeque};

use super::backlog::Event;
use super::cursor::Cursor;
use super::limits::Limits;
use super::log::Log;
use super::seat::{Fate, Seat};
use super::stats::{MemberStats, RoomStats};
use crate::Transport;

/// How many members, or portions of 64 KiB, one poll serves.
const SHARE: usize = 128;

pub(super) struct Floor<S: Transport> {
    seats: BTreeMap<u64, Seat<S>>,
    log: Log,
    limits: Limits,
    stats: RoomStats,
    /// Members whose connections have moved.
    called: VecDeque<u64>,
    /// The member from which on the round goes on, while there is one.
    round: Option<u64>,
}

impl<S: Transport> Floor<S> {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            seats: BTreeMap::new(),
            log: Log::default(),
            limits,
            stats: RoomStats::default(),
            called: VecDeque::new(),
            round: None,
        }
    }

    pub(super) fn stats(&self) -> RoomStats {
        RoomStats { members: self.seats.len(), ..self.stats }
    }

    /// Whether it has work left from the last poll.
    pub(super) fn is_busy(&self) -> bool {
        self.is_in_round() || !self.called.is_empty()
    }

    pub(super) const fn is_in_round(&self) -> bool {
        self.round.is_some()
    }

    /// Takes note of what has happened, and begins a round.
    pub(super) fn begin_round(&mut self, events: VecDeque<Event<S>>, is_closed: bool) {
        for event in events {
            self.apply(event);
        }
        if is_closed {
            let Self { seats, log, .. } = self;
            seats.values_mut().for_each(|seat| seat.will_leave(log));
        }
        self.round = Some(0);
    }

    fn apply(&mut self, event: Event<S>) {
        let Self { seats, log, .. } = self;
        match event {
            Event::Join(mut seat) => {
                seat.enter(log);
                seats.insert(seat.id, *seat);
            }
            Event::Leave(id) => {
                if let Some(seat) = seats.get_mut(&id) {
                    seat.will_leave(log);
                }
            }
            Event::Said(draft) => log.push(draft, seats.len()),
            Event::Told(id, line) => {
                let seat = seats.get_mut(&id).filter(|seat| !seat.is_leaving());
                if let Some(cursor) = seat.and_then(Seat::cursor) {
                    cursor.tell(line, log);
                }
            }
        }
    }

    /// Does a share of the work: first for the connections that have moved.
    pub(super) fn work(&mut self, called: Vec<u64>) {
        self.called.extend(called);
        let mut done = 0;
        // The rest of the share is the round's.
        while done < SHARE / 2 {
            let Some(id) = self.called.pop_front() else { break };
            done += 1;
            let Self { seats, log, limits, stats, .. } = self;
            // It may have left since it was called. One that leaves is served in the round.
            let Some(seat) = seats.get_mut(&id).filter(|seat| !seat.is_leaving()) else { continue };
            let mut count = MemberStats::default();
            let fate = seat.go_on(log, limits, &mut count);
            seat.tally().add(&count);
            stats.total.add(&count);
            self.settle(id, fate);
        }
        let Some(from) = self.round else { return };
        let Self { seats, log, limits, stats, round, .. } = self;
        let mut gone = Vec::new();
        let mut members = seats.range_mut(from..);
        while done < SHARE {
            let Some((&id, seat)) = members.next() else {
                *round = None;
                break;
            };
            done += 1;
            *round = Some(id + 1);
            let mut count = MemberStats::default();
            let fate = seat.visit(log, limits, &mut count, &mut done);
            seat.tally().add(&count);
            stats.total.add(&count);
            if fate != Fate::Stays {
                gone.push((id, fate));
            }
        }
        for (id, fate) in gone {
            self.settle(id, fate);
        }
    }

    /// Lets a member go, if that is its fate.
    fn settle(&mut self, id: u64, fate: Fate) {
        let Self { seats, log, stats, .. } = self;
        match fate {
            Fate::Stays => return,
            Fate::Gone => {}
            Fate::EvictedHard => stats.evicted_hard += 1,
            Fate::EvictedSoft => stats.evicted_soft += 1,
        }
        let gone = seats.remove(&id);
        if let Some(cursor) = gone.and_then(|mut seat| seat.take_cursor()) {
            Cursor::release(cursor, log);
        }
    }
}
