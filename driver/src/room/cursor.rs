//! A member's position in the log.

use std::collections::VecDeque;
use std::ops::Range;

use asyncnet_core::Bytes;

use super::log::{Log, Segment, charge};
use super::stats::Size;

/// How many gaps a member may have. It bounds what a position costs.
const GAPS: usize = 32;

/// Where a member is in the log, and what lies before it there.
pub(super) struct Cursor {
    member: u64,
    /// The next segment.
    next: u64,
    /// Segments below this are counted: what of them lies ahead is in `lag`.
    seen: u64,
    /// Nothing from here on is for this member.
    pub(super) until: u64,
    /// Counted segments that are dropped and not yet passed.
    gaps: VecDeque<Range<u64>>,
    /// Nothing was kept behind the last gap so far.
    gap_is_open: bool,
    /// What was told to this member alone and is counted in `lag`.
    told: Told,
    /// What was told to it behind that, and is not counted yet.
    fresh_told: Told,
    /// What the counted messages ahead are charged.
    lag: usize,
}

/// Lines, and in front of which segment each was told.
type Told = VecDeque<(u64, Bytes)>;

/// The next thing for a member.
pub(super) enum Item<'a> {
    Said(&'a Segment),
    Told(&'a Bytes),
}

impl Item<'_> {
    pub(super) fn size(&self, member: u64) -> Size {
        match self {
            Self::Said(segment) => segment.size(member),
            Self::Told(line) => Size { messages: 1, bytes: line.len() },
        }
    }

    pub(super) fn charge(&self, member: u64) -> usize {
        match self {
            Self::Said(segment) => segment.charge(member),
            Self::Told(line) => charge(line.len()),
        }
    }

    /// As [`Segment::feed`].
    pub(super) fn feed(&self, member: u64, mut feed: impl FnMut(Bytes) -> bool) -> bool {
        match *self {
            Self::Said(segment) => segment.feed(member, feed),
            Self::Told(line) => feed(line.clone()),
        }
    }
}

impl Cursor {
    /// At the end of the log.
    pub(super) fn new(member: u64, log: &Log) -> Self {
        Self {
            member,
            next: log.end(),
            seen: log.end(),
            until: u64::MAX,
            gaps: VecDeque::new(),
            gap_is_open: false,
            told: Told::new(),
            fresh_told: Told::new(),
            lag: 0,
        }
    }

    /// What the counted messages ahead are charged.
    pub(super) const fn lag(&self) -> usize {
        self.lag
    }

    /// Tells the member something, behind what was said so far.
    pub(super) fn tell(&mut self, line: Bytes, log: &Log) {
        self.fresh_told.push_back((log.end(), line));
    }

    /// The next thing for this member, if it is not at the end.
    pub(super) fn front<'a>(&'a mut self, log: &'a mut Log) -> Option<Item<'a>> {
        let found = self.seek(log);
        match self.told.front().or(self.fresh_told.front()) {
            Some((before, line)) if *before <= self.next => Some(Item::Told(line)),
            _ if found => log.get(self.next).map(Item::Said),
            _ => None,
        }
    }

    /// Moves to the next segment with something for this member; whether there is one.
    fn seek(&mut self, log: &mut Log) -> bool {
        loop {
            let Some((number, segment)) = log.first(self.next, self.until) else {
                self.next = self.next.max(log.end().min(self.until));
                self.gaps.clear();
                return false;
            };
            if self.gaps.front().is_some_and(|gap| gap.start <= number) {
                let gap = self.gaps.pop_front();
                self.next = self.next.max(gap.map_or(0, |gap| gap.end));
                continue;
            }
            self.next = number;
            if segment.size(self.member).messages > 0 {
                return true;
            }
            self.next += 1;
            if number >= self.seen {
                log.release(number);
            }
        }
    }

    /// Passes what [`front`](Self::front) gave.
    pub(super) fn pass(&mut self, log: &mut Log) {
        let told = self.told.front().or(self.fresh_told.front());
        if told.is_some_and(|(before, _)| *before <= self.next) {
            match take_first(&mut self.told) {
                Some((_, line)) => self.lag -= charge(line.len()),
                None => drop(take_first(&mut self.fresh_told)),
            }
            return;
        }
        if let Some(segment) = log.get(self.next) {
            if self.next < self.seen {
                self.lag -= segment.charge(self.member);
            }
            log.release(self.next);
            self.next += 1;
        }
    }

    /// The next thing for this member that is not counted yet.
    pub(super) fn fresh<'a>(&'a mut self, log: &'a mut Log) -> Option<Item<'a>> {
        self.seen = self.seen.max(self.next);
        loop {
            let first = log.first(self.seen, self.until);
            let number = first.map_or(u64::MAX, |(number, _)| number);
            if self.fresh_told.front().is_some_and(|(before, _)| *before <= number) {
                return self.fresh_told.front().map(|(_, line)| Item::Told(line));
            }
            let (number, segment) = first?;
            self.seen = number;
            if segment.size(self.member).messages > 0 {
                // Looked up again for the borrow's sake.
                return log.get(number).map(Item::Said);
            }
            self.seen += 1;
            log.release(number);
        }
    }

    /// Counts what [`fresh`](Self::fresh) gave, `charge`d so much: it is kept.
    pub(super) fn keep(&mut self, charge: usize, log: &Log) {
        self.lag += charge;
        if self.fresh_is_told(log) {
            self.told.extend(take_first(&mut self.fresh_told));
        } else {
            self.seen += 1;
            self.gap_is_open = false;
        }
    }

    /// Drops what [`fresh`](Self::fresh) gave.
    pub(super) fn skip(&mut self, log: &mut Log) {
        if self.fresh_is_told(log) {
            drop(take_first(&mut self.fresh_told));
            return;
        }
        let number = self.seen;
        log.release(number);
        self.seen += 1;
        match self.gaps.back_mut() {
            Some(last) if self.gap_is_open => last.end = self.seen,
            _ => self.gaps.push_back(number..self.seen),
        }
        self.gap_is_open = true;
    }

    fn fresh_is_told(&self, log: &Log) -> bool {
        let number = log.first(self.seen, self.until).map_or(u64::MAX, |(number, _)| number);
        self.fresh_told.front().is_some_and(|(before, _)| *before <= number)
    }

    /// Whether nothing more can be kept without making the gaps too many.
    pub(super) fn must_skip(&self) -> bool {
        self.gap_is_open && self.gaps.len() >= GAPS
    }

    /// Whether another gap would make them too many.
    pub(super) fn has_too_many_gaps(&self) -> bool {
        !self.gap_is_open && self.gaps.len() >= GAPS
    }

    /// Gives up all that it holds.
    pub(super) fn release(mut self, log: &mut Log) {
        self.told.clear();
        self.fresh_told.clear();
        self.until = u64::MAX;
        while self.front(log).is_some() {
            self.pass(log);
        }
    }
}

/// Takes the first line. A queue that is empty then gives its memory back.
fn take_first(told: &mut Told) -> Option<(u64, Bytes)> {
    let first = told.pop_front()?;
    if told.is_empty() {
        *told = Told::new();
    }
    Some(first)
}
