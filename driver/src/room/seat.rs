//! One member, in the hands of the room's task.
//!
//! The member's queue is what lies between its cursor and the end of the log. Its connection gets a portion
//! of that at a time, and the next one when the last has left: once a connection has bytes, they cannot be
//! taken back.

use std::sync::Arc;

use super::cursor::Cursor;
use super::limits::{BACKLOG, Limits, Policy};
use super::log::{Log, charge};
use super::port::{Port, feed};
use super::stats::{MemberStats, Tally};
use crate::{Error, Transport};

/// How many portions a member gets in one visit.
const PORTIONS: usize = 32;

/// What becomes of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    /// It has left, or its connection can send no more.
    Gone,
    /// It was disconnected at the hard limit.
    EvictedHard,
    /// It was disconnected at the soft limit.
    EvictedSoft,
}

pub(super) struct Seat<S: Transport> {
    pub(super) id: u64,
    port: Port<S>,
    policy: Policy,
    tally: Arc<Tally>,
    /// There from its entry on.
    cursor: Option<Cursor>,
    flight: Flight,
    /// Its connection has to move before it takes more.
    is_blocked: bool,
    is_leaving: bool,
}

/// What the room has queued in a connection.
#[derive(Default)]
struct Flight {
    /// It has left when the connection has transmitted so many bytes in all.
    ticket: u64,
    /// At most how many bytes of it are left.
    bytes: usize,
}

impl Flight {
    const fn charge(&self) -> usize {
        if self.bytes == 0 { 0 } else { charge(self.bytes) }
    }
}

/// How a pump went.
struct Pumped {
    took_some: bool,
    /// Something for this member is left in the log.
    has_more: bool,
    /// A message above the hard limit is next.
    is_too_large: bool,
}

impl<S: Transport> Seat<S> {
    pub(super) fn new(id: u64, port: Port<S>, policy: Policy, tally: Arc<Tally>) -> Self {
        Self {
            id,
            port,
            policy,
            tally,
            cursor: None,
            flight: Flight::default(),
            is_blocked: false,
            is_leaving: false,
        }
    }

    /// It gets what is said from here on.
    pub(super) fn enter(&mut self, log: &Log) {
        self.cursor = Some(Cursor::new(self.id, log));
    }

    /// It gets what was said so far, and leaves at the next visit.
    pub(super) fn will_leave(&mut self, log: &Log) {
        if let Some(cursor) = self.cursor.as_mut().filter(|_| !self.is_leaving) {
            cursor.until = log.end();
            self.is_leaving = true;
        }
    }

    pub(super) const fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// It gives up its place in the log.
    pub(super) fn take_cursor(&mut self) -> Option<Cursor> {
        self.cursor.take()
    }

    pub(super) fn cursor(&mut self) -> Option<&mut Cursor> {
        self.cursor.as_mut()
    }

    /// Something was said: hands over what its connection takes, and keeps the rest or drops it as its
    /// policy says. `done` counts the portions handed over.
    pub(super) fn visit(
        &mut self,
        log: &mut Log,
        limits: &Limits,
        count: &mut MemberStats,
        done: &mut usize,
    ) -> Fate {
        let mut has_more = !self.is_blocked && self.has_more(log);
        // As many portions as one turn can bring, so that a member that is not behind gets them all.
        for _ in 0..PORTIONS.max(BACKLOG / limits.portion().max(1)) {
            if !has_more {
                break;
            }
            *done += 1;
            match self.pump(log, limits.portion(), limits, count) {
                Err(_) => return Fate::Gone,
                Ok(Pumped { is_too_large: true, .. }) => return self.evict(),
                Ok(pumped) => has_more = pumped.has_more && !self.is_blocked,
            }
        }
        if !self.keep_fresh(log, limits, count) {
            return self.evict();
        }
        if self.is_leaving {
            let before = count.bytes;
            self.hand_over(log, limits, count);
            *done += usize::try_from((count.bytes - before) >> 16).unwrap_or(usize::MAX);
            return Fate::Gone;
        }
        if has_more {
            self.port.call();
        }
        self.stay(limits)
    }

    /// Its connection has moved, or it has been slow for too long.
    pub(super) fn go_on(
        &mut self,
        log: &mut Log,
        limits: &Limits,
        count: &mut MemberStats,
    ) -> Fate {
        match self.pump(log, limits.portion(), limits, count) {
            Err(_) => return Fate::Gone,
            Ok(Pumped { is_too_large: true, .. }) => return self.evict(),
            // The connection took all, so it will not call. The other members have their turn first.
            Ok(Pumped { has_more: true, .. }) if !self.is_blocked => self.port.call(),
            Ok(_) => {}
        }
        self.stay(limits)
    }

    fn has_more(&mut self, log: &mut Log) -> bool {
        self.cursor.as_mut().is_some_and(|cursor| cursor.front(log).is_some())
    }

    /// Moves messages into the connection, if what it got before has left: a first one, and more as long as
    /// all are at most `portion` bytes.
    fn pump(
        &mut self,
        log: &mut Log,
        portion: usize,
        limits: &Limits,
        count: &mut MemberStats,
    ) -> Result<Pumped, Error> {
        let Self { id, port, policy, cursor, flight, .. } = self;
        let Some(cursor) = cursor else { return Err(Error::Closed) };
        let mut pumped = Pumped { took_some: false, has_more: true, is_too_large: false };
        let queued = port.pump(|sender| {
            if sender.transmitted_total() < flight.ticket {
                // It calls anyway.
                return false;
            }
            flight.bytes = 0;
            pumped.has_more = false;
            while let Some(item) = cursor.front(log) {
                let size = item.size(*id);
                if size.bytes > limits.hard {
                    if *policy == Policy::Disconnect {
                        pumped.is_too_large = true;
                        break;
                    }
                    count.dropped(size);
                    cursor.pass(log);
                    continue;
                }
                let has_room = flight.bytes == 0 || flight.bytes + size.bytes <= portion;
                if !has_room || !item.feed(*id, |piece| feed(sender, piece)) {
                    pumped.has_more = true;
                    break;
                }
                cursor.pass(log);
                count.delivered(size);
                flight.bytes += size.bytes;
                pumped.took_some = true;
            }
            if flight.bytes > 0 {
                flight.ticket = sender.accepted_total();
            }
            pumped.has_more
        })?;
        flight.bytes = flight.bytes.min(queued);
        self.is_blocked = queued > 0 || (!pumped.took_some && pumped.has_more);
        Ok(pumped)
    }

    /// Counts what was said since the last visit and waits now. `false`: it is too much for a member that
    /// has to get everything.
    fn keep_fresh(&mut self, log: &mut Log, limits: &Limits, count: &mut MemberStats) -> bool {
        let room = limits.hard.saturating_sub(self.flight.charge());
        let Some(cursor) = &mut self.cursor else { return true };
        while let Some(item) = cursor.fresh(log) {
            let (size, charge) = (item.size(self.id), item.charge(self.id));
            let fits = |cursor: &Cursor| cursor.lag().saturating_add(charge) <= room;
            match self.policy {
                Policy::Disconnect if !fits(cursor) => return false,
                Policy::Disconnect => {}
                Policy::DropNewest => {
                    if !fits(cursor) || cursor.must_skip() {
                        cursor.skip(log);
                        count.dropped(size);
                        continue;
                    }
                }
                Policy::DropOldest if charge > room => {
                    // It would drive out the others for nothing.
                    while cursor.has_too_many_gaps() && drop_front(cursor, self.id, log, count) {}
                    cursor.skip(log);
                    count.dropped(size);
                    continue;
                }
                Policy::DropOldest => {
                    while !fits(cursor) && drop_front(cursor, self.id, log, count) {}
                }
            }
            cursor.keep(charge, log);
        }
        true
    }

    /// It leaves: what waits for it goes into its connection.
    fn hand_over(&mut self, log: &mut Log, limits: &Limits, count: &mut MemberStats) {
        self.flight = Flight::default();
        if self.pump(log, usize::MAX, limits, count).is_err() {
            return;
        }
        let Some(cursor) = &mut self.cursor else { return };
        // A message that is larger than the connection's queue is under way there.
        while drop_front(cursor, self.id, log, count) {}
    }

    /// It stays, unless it has been over the soft limit for too long.
    fn stay(&mut self, limits: &Limits) -> Fate {
        let lag = self.cursor.as_ref().map_or(0, Cursor::lag);
        let is_over = self.policy == Policy::Disconnect
            && lag.saturating_add(self.flight.charge()) > limits.soft;
        if self.port.lags_too_long(is_over.then_some(limits.soft_for)) {
            self.port.abort();
            return Fate::EvictedSoft;
        }
        Fate::Stays
    }

    fn evict(&self) -> Fate {
        self.port.abort();
        Fate::EvictedHard
    }
}

/// Drops the next thing for a member; whether there was one.
fn drop_front(cursor: &mut Cursor, id: u64, log: &mut Log, count: &mut MemberStats) -> bool {
    let Some(size) = cursor.front(log).map(|item| item.size(id)) else { return false };
    cursor.pass(log);
    count.dropped(size);
    true
}

impl<S: Transport> Drop for Seat<S> {
    fn drop(&mut self) {
        self.tally.finish();
    }
}
