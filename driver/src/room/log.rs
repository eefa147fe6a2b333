//! What was said and not yet taken by everyone, stored once for all members.

use std::collections::BTreeMap;

use asyncnet_core::Bytes;

use super::stats::Size;

/// What a segment is charged beside its length, as a queued piece in core.
const PIECE: usize = 64;
/// What it is charged for each part that is not for everyone.
const PART: usize = size_of::<Part>();

/// The segments, by their numbers. A segment stays while a member holds it.
#[derive(Default)]
pub(super) struct Log {
    /// The newest, which members that are not behind ask for again and again.
    newest: Option<(u64, Segment)>,
    /// All others.
    older: BTreeMap<u64, Segment>,
    /// None of those has this number, or a higher one.
    older_end: u64,
    /// The number of the next segment.
    end: u64,
}

impl Log {
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// Appends what was said, held by that many members.
    pub(super) fn push(&mut self, draft: Draft, holders: usize) {
        if holders > 0 {
            let newest = (self.end, draft.freeze(holders));
            if let Some((number, segment)) = self.newest.replace(newest) {
                self.older.insert(number, segment);
                self.older_end = number + 1;
            }
        }
        self.end += 1;
    }

    /// The segment with this number, if a member holds it.
    pub(super) fn get(&self, number: u64) -> Option<&Segment> {
        match &self.newest {
            Some((newest, segment)) if *newest == number => Some(segment),
            _ => self.older.get(&number),
        }
    }

    /// The first segment from `from` on and before `until`.
    pub(super) fn first(&self, from: u64, until: u64) -> Option<(u64, &Segment)> {
        let older = if from < self.older_end { self.first_older(from, until) } else { None };
        older.or_else(|| {
            let (number, segment) = self.newest.as_ref()?;
            (from..until).contains(number).then_some((*number, segment))
        })
    }

    fn first_older(&self, from: u64, until: u64) -> Option<(u64, &Segment)> {
        if from >= until {
            return None;
        }
        self.older.range(from..until).next().map(|(number, segment)| (*number, segment))
    }

    /// One member holds the segment no longer.
    pub(super) fn release(&mut self, number: u64) {
        let newest = self.newest.as_mut().filter(|(newest, _)| *newest == number);
        let is_newest = newest.is_some();
        let segment = newest.map(|(_, segment)| segment).or_else(|| self.older.get_mut(&number));
        let Some(segment) = segment else { return };
        segment.holders -= 1;
        if segment.holders > 0 {
            return;
        }
        if is_newest {
            self.newest = None;
        } else {
            self.older.remove(&number);
        }
    }
}

/// Messages that go together: those of one turn, merged.
pub(super) struct Segment {
    bytes: Bytes,
    messages: u64,
    /// What is for everyone but its speaker, sorted by speaker and then by place.
    parts: Vec<Part>,
    holders: usize,
}

struct Part {
    speaker: u64,
    start: usize,
    end: usize,
    messages: u64,
}

impl Segment {
    fn own(&self, member: u64) -> &[Part] {
        if self.parts.is_empty() {
            return &[];
        }
        let start = self.parts.partition_point(|part| part.speaker < member);
        let end = self.parts.partition_point(|part| part.speaker <= member);
        &self.parts[start..end]
    }

    /// How much of it is for `member`.
    pub(super) fn size(&self, member: u64) -> Size {
        let mut size = Size { messages: self.messages, bytes: self.bytes.len() };
        for part in self.own(member) {
            size.messages -= part.messages;
            size.bytes -= part.end - part.start;
        }
        size
    }

    /// What it costs `member` while it waits.
    pub(super) fn charge(&self, member: u64) -> usize {
        charge(self.size(member).bytes) + self.parts.len() * PART
    }

    /// Hands what is for `member` to `feed`, piece by piece and without a copy, until that answers `false`. Answers
    /// whether it took all.
    pub(super) fn feed(&self, member: u64, mut feed: impl FnMut(Bytes) -> bool) -> bool {
        let mut start = 0;
        for part in self.own(member) {
            if start < part.start && !feed(self.bytes.slice(start..part.start)) {
                return false;
            }
            start = part.end;
        }
        start == self.bytes.len() || feed(self.bytes.slice(start..))
    }
}

/// What `bytes` in a piece of their own are charged.
pub(super) const fn charge(bytes: usize) -> usize {
    bytes.saturating_add(PIECE)
}

/// A segment that may still grow.
#[derive(Default)]
pub(super) struct Draft {
    bytes: Vec<u8>,
    messages: u64,
    parts: Vec<Part>,
}

impl Draft {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a message, for everyone or for everyone but `speaker`. Returns what that is charged.
    pub(super) fn push(&mut self, message: [&[u8]; 2], speaker: Option<u64>) -> usize {
        let start = self.bytes.len();
        // At once: the first message is exactly as large as its memory.
        self.bytes.reserve(message[0].len() + message[1].len());
        self.bytes.extend_from_slice(message[0]);
        self.bytes.extend_from_slice(message[1]);
        self.messages += 1;
        let end = self.bytes.len();
        let Some(speaker) = speaker else { return end - start };
        match self.parts.last_mut() {
            Some(last) if last.speaker == speaker && last.end == start => {
                last.end = end;
                last.messages += 1;
                end - start
            }
            _ => {
                self.parts.push(Part { speaker, start, end, messages: 1 });
                end - start + PART
            }
        }
    }

    fn freeze(mut self, holders: usize) -> Segment {
        self.parts.sort_by_key(|part| part.speaker);
        self.parts.shrink_to_fit();
        self.bytes.shrink_to_fit();
        let Self { bytes, messages, parts } = self;
        Segment { bytes: bytes.into(), messages, parts, holders }
    }
}
