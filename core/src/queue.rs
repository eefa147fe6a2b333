//! The queue of messages: what was accepted for the peer, and how much more may be.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::mem;
use core::ops::Range;

use bytes::Bytes;

use crate::Error;
use crate::outbox::{Outbox, PIECE};

/// Whether a message larger than the queue is under way; nothing may come between its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Large {
    No,
    /// Nothing of it is queued yet.
    Begun,
    /// A part of it is queued, and perhaps on the wire.
    Torn,
}

/// Messages that were accepted, in order, and not transmitted yet.
pub(crate) struct Queue {
    pub(crate) outbox: Outbox,
    max: usize,
    pub(crate) large: Large,
    /// How many lines were accepted as such.
    pub(crate) lines: u64,
    replies: Replies,
}

impl Queue {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            outbox: Outbox::default(),
            max: at_least_one(max),
            large: Large::No,
            lines: 0,
            replies: Replies::default(),
        }
    }

    pub(crate) const fn max(&self) -> usize {
        self.max
    }

    pub(crate) const fn set_max(&mut self, bytes: usize) {
        self.max = at_least_one(bytes);
    }

    /// How many bytes were ever transmitted.
    pub(crate) const fn transmitted_total(&self) -> u64 {
        self.outbox.accepted() - self.outbox.len() as u64
    }

    /// Whether a message of `n` bytes would be accepted whole, now.
    #[inline]
    pub(crate) fn fits(&self, n: usize, shared: bool) -> bool {
        let fits = if self.outbox.len() == 0 {
            n <= self.max
        } else {
            // At most a piece more: mostly that is enough to know.
            self.outbox.charge().saturating_add(PIECE).saturating_add(n) <= self.max
                || self.outbox.charge_with(n, shared) <= self.max
        };
        fits && self.large == Large::No
    }

    #[inline]
    pub(crate) fn admit(&self, n: usize, shared: bool) -> Result<(), Error> {
        if self.fits(n, shared) { Ok(()) } else { Err(self.refusal(n)) }
    }

    /// As `admit`, for an answer to something that was received: it may go over the limit once, since the peer
    /// that reads slowly is read from no more. What others queued does not keep answers out that are within the
    /// limit by themselves.
    #[inline]
    pub(crate) fn admit_reply(&self, n: usize) -> Result<(), Error> {
        let has_turn = || {
            self.outbox.charge() <= self.max || self.unsent_replies() + n as u64 <= self.max as u64
        };
        let fits = n <= self.max && self.large == Large::No && has_turn();
        if fits { Ok(()) } else { Err(self.refusal(n)) }
    }

    #[cold]
    pub(crate) fn refusal(&self, n: usize) -> Error {
        if n > self.max {
            Error::TooLarge { len: n, max: self.max }
        } else {
            Error::Full { queued: self.outbox.charge(), max: self.max }
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, parts: [&[u8]; 2]) {
        self.outbox.push(parts);
    }

    pub(crate) fn push_shared(&mut self, bytes: Bytes) {
        self.outbox.push_shared(bytes);
    }

    /// Queues a copy of the front of `rest`, as much as there is room for, and returns how much that was.
    pub(crate) fn push_part(&mut self, rest: &[u8]) -> usize {
        let room = if self.outbox.len() == 0 { self.max } else { 0 };
        let n = room.min(rest.len());
        self.outbox.push([&rest[..n], &[]]);
        if n > 0 {
            self.large = Large::Torn;
        }
        n
    }

    #[inline]
    pub(crate) fn transmitted(&mut self, n: usize) {
        self.outbox.transmitted(n);
    }

    /// The last `n` bytes that were accepted are an answer of the task that receives.
    #[inline]
    pub(crate) fn note_reply(&mut self, n: usize) {
        let end = self.outbox.accepted();
        self.replies.note(end - n as u64..end, self.outbox.accepted() - self.outbox.len() as u64);
    }

    /// How many bytes of answers are unsent.
    pub(crate) fn unsent_replies(&self) -> u64 {
        self.replies.unsent(self.transmitted_total())
    }

    pub(crate) fn clear(&mut self) {
        self.outbox.clear();
        self.replies = Replies::default();
    }
}

/// Where in the stream of accepted bytes the answers of the receiving task lie, as far as they are unsent.
#[derive(Default)]
struct Replies {
    /// The last stretch.
    last: Range<u64>,
    /// Those in front of it, with bytes of others in between. A connection that has caught up keeps no list.
    #[expect(clippy::box_collection, reason = "an idle connection has none, and is to be small")]
    earlier: Option<Box<VecDeque<Range<u64>>>>,
}

impl Replies {
    #[inline]
    fn note(&mut self, new: Range<u64>, transmitted: u64) {
        if self.last.end == new.start {
            self.last.end = new.end;
        } else {
            self.note_apart(new, transmitted);
        }
    }

    #[cold]
    fn note_apart(&mut self, new: Range<u64>, transmitted: u64) {
        let last = mem::replace(&mut self.last, new);
        if last.end <= transmitted {
            // So are those in front of it.
            self.earlier = None;
            return;
        }
        let earlier = self.earlier.get_or_insert_default();
        while earlier.front().is_some_and(|earlier| earlier.end <= transmitted) {
            earlier.pop_front();
        }
        earlier.push_back(last);
    }

    fn unsent(&self, transmitted: u64) -> u64 {
        let unsent = |range: &Range<u64>| range.end.saturating_sub(range.start.max(transmitted));
        unsent(&self.last)
            + self.earlier.iter().flat_map(|earlier| earlier.iter()).map(unsent).sum::<u64>()
    }
}

/// A limit of 0 would stop every message for ever.
const fn at_least_one(limit: usize) -> usize {
    if limit == 0 { 1 } else { limit }
}
