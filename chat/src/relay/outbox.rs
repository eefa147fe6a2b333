//! The lines that clients of this server said, until the broker has confirmed them.
//!
//! Every line gets a number, also one that is not kept: so the others see a gap, and count it. What is under way when a
//! connection breaks stays, and is sent again on the next one. Nobody who says a line waits here.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::bell::Bell;
use super::envelope::{self, Origin, count};

/// How many bytes of lines one message takes, unless a single line has more.
const BATCH: usize = 64 << 10;

/// What a message counts besides its lines.
const OVERHEAD: usize = 64;

/// How many messages may be under way. Lines that come meanwhile are merged into the next.
const WINDOW: usize = 16;

pub(super) struct Outbox {
    origin: Origin,
    /// How many bytes are kept at most.
    limit: usize,
    state: Mutex<State>,
    /// Rings when there may be something to send.
    pub(super) moved: Bell,
}

struct State {
    /// The number of the next line.
    next: u64,
    /// What is not confirmed, the oldest first.
    batches: VecDeque<Batch>,
    /// What they count, in bytes.
    bytes: usize,
    /// How many of them, at the front, are under way.
    sent: usize,
    /// What the broker owes us an answer to.
    owed: VecDeque<Owed>,
    /// How many answers have come.
    answers: u64,
    /// The most bytes of lines that a message can take, as the broker says.
    largest: usize,
    published: u64,
    lost: Lost,
}

struct Batch {
    /// The number of the first line.
    first: u64,
    count: u64,
    /// The lines, each ended by LF.
    lines: Vec<u8>,
}

/// What an answer of the broker confirms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// The oldest message.
    Batch,
    /// A message without lines.
    Number,
    /// That the broker is there.
    Ping,
}

/// Lines of our clients that the other servers do not get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// There was no room for them.
    pub(crate) full: u64,
    /// They do not fit in a message.
    pub(crate) too_long: u64,
    /// They were not confirmed when the server stopped.
    pub(crate) at_stop: u64,
}

impl Lost {
    pub(crate) const fn all(&self) -> u64 {
        self.full + self.too_long + self.at_stop
    }
}

/// The outbox in numbers. Every line that was said is published, kept or lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Lines that the broker has confirmed.
    pub(crate) published: u64,
    /// Lines that it has not confirmed yet.
    pub(crate) kept: u64,
    /// What those count, in bytes.
    pub(crate) kept_bytes: usize,
    pub(crate) lost: Lost,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Kept,
    /// There is no room for it.
    Full,
    /// It does not fit in a message.
    TooLong,
}

impl Outbox {
    /// An empty outbox that keeps at most `limit` bytes.
    pub(super) fn new(origin: Origin, limit: usize) -> Self {
        let state = State {
            next: 1,
            batches: VecDeque::new(),
            bytes: 0,
            sent: 0,
            owed: VecDeque::new(),
            answers: 0,
            largest: usize::MAX,
            published: 0,
            lost: Lost::default(),
        };
        Self { origin, limit, state: Mutex::new(state), moved: Bell::new() }
    }

    pub(super) const fn origin(&self) -> Origin {
        self.origin
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line without its end, if there is room.
    pub(super) fn say(&self, line: &[u8]) -> Said {
        let mut state = self.state();
        let said = state.say(line, self.limit);
        drop(state);
        if said == Said::Kept {
            self.moved.ring();
        }
        said
    }

    /// The next message to send, if there is one and not too much is under way. The broker owes its confirmation now.
    pub(super) fn take(&self) -> Option<Vec<u8>> {
        let mut state = self.state();
        if state.owed.len() >= WINDOW {
            return None;
        }
        state.fit();
        let Batch { first, lines, .. } = state.batches.get(state.sent)?;
        let message = envelope::write(self.origin, *first, lines);
        state.sent += 1;
        state.owed.push_back(Owed::Batch);
        Some(message)
    }

    /// A message that tells the number of the next line, unless lines in front of it are still to be sent.
    pub(super) fn number(&self) -> Option<Vec<u8>> {
        let mut state = self.state();
        if state.sent < state.batches.len() {
            return None;
        }
        state.owed.push_back(Owed::Number);
        Some(envelope::write(self.origin, state.next, b""))
    }

    /// The broker is asked whether it is there. Answers whether it owed nothing before.
    pub(super) fn ping_if_nothing_is_owed(&self) -> bool {
        let mut state = self.state();
        let is_idle = state.owed.is_empty();
        if is_idle {
            state.owed.push_back(Owed::Ping);
        }
        is_idle
    }

    /// An answer came. Returns what it confirms; `None` if nothing was owed.
    pub(super) fn answered(&self) -> Option<Owed> {
        let mut state = self.state();
        let owed = state.owed.pop_front()?;
        state.answers += 1;
        if owed == Owed::Batch {
            state.confirm();
        }
        drop(state);
        self.moved.ring();
        Some(owed)
    }

    /// A connection begins, or broke: what was under way is to be sent again. A message takes at most `largest` bytes
    /// of lines.
    pub(super) fn rewind(&self, largest: Option<usize>) {
        let mut state = self.state();
        state.sent = 0;
        state.owed.clear();
        if let Some(largest) = largest {
            state.largest = largest;
        }
    }

    /// Whether everything is confirmed.
    pub(super) fn is_empty(&self) -> bool {
        self.state().batches.is_empty()
    }

    /// How many answers have come, and whether any is owed.
    pub(super) fn progress(&self) -> (u64, bool) {
        let state = self.state();
        (state.answers, !state.owed.is_empty())
    }

    /// The server stops: what is not confirmed is lost. Returns how many lines that are.
    pub(super) fn give_up(&self) -> u64 {
        let mut state = self.state();
        let kept = state.kept();
        state.lost.at_stop += kept;
        state.batches.clear();
        (state.sent, state.bytes) = (0, 0);
        kept
    }

    pub(super) fn figures(&self) -> Figures {
        let state = self.state();
        let State { published, lost, bytes, .. } = *state;
        Figures { published, kept: state.kept(), kept_bytes: bytes, lost }
    }
}

impl State {
    fn say(&mut self, line: &[u8], limit: usize) -> Said {
        let (number, len) = (self.next, line.len() + 1);
        self.next += 1;
        if len > self.largest {
            self.lost.too_long += 1;
            return Said::TooLong;
        }
        let (is_unsent, most) = (self.sent < self.batches.len(), BATCH.min(self.largest));
        let last = self.batches.back_mut().filter(|last| {
            is_unsent && last.first + last.count == number && last.lines.len() + len <= most
        });
        let cost = if last.is_some() { len } else { len + OVERHEAD };
        if self.bytes + cost > limit {
            self.lost.full += 1;
            return Said::Full;
        }
        self.bytes += cost;
        let batch = match last {
            Some(last) => last,
            None => {
                self.batches.push_back(Batch { first: number, count: 0, lines: Vec::new() });
                self.batches.back_mut().expect("it was pushed just now")
            }
        };
        batch.lines.extend_from_slice(line);
        batch.lines.push(b'\n');
        batch.count += 1;
        Said::Kept
    }

    fn kept(&self) -> u64 {
        self.next - 1 - self.published - self.lost.all()
    }

    /// Cuts the batch that is sent next where the broker takes less than the last one did.
    fn fit(&mut self) {
        while let Some(batch) = self.batches.get_mut(self.sent) {
            if batch.lines.len() <= self.largest {
                return;
            }
            let fitting = &batch.lines[..self.largest];
            if let Some(last) = fitting.iter().rposition(|byte| *byte == b'\n') {
                let rest = batch.split_off(last + 1);
                self.bytes += OVERHEAD;
                self.batches.insert(self.sent + 1, rest);
                return;
            }
            // Its first line alone is too long.
            let end = batch.lines.iter().position(|byte| *byte == b'\n').expect("lines have ends");
            let rest = batch.split_off(end + 1);
            self.bytes -= end + 1;
            self.lost.too_long += 1;
            if rest.count > 0 {
                *batch = rest;
            } else {
                self.bytes -= OVERHEAD;
                self.batches.remove(self.sent);
            }
        }
    }

    /// The oldest batch is confirmed.
    fn confirm(&mut self) {
        if let Some(batch) = self.batches.pop_front() {
            self.sent -= 1;
            self.bytes -= batch.lines.len() + OVERHEAD;
            self.published += batch.count;
        }
    }
}

impl Batch {
    /// Takes off the lines from this place on.
    fn split_off(&mut self, at: usize) -> Self {
        let lines = self.lines.split_off(at);
        let taken = count(&lines);
        self.count -= taken;
        Self { first: self.first + self.count, count: taken, lines }
    }
}

#[cfg(test)]
mod tests {
    use super::super::envelope::read;
    use super::*;

    fn outbox(limit: usize) -> Outbox {
        Outbox::new(Origin(1), limit)
    }

    /// The number and the lines of the next message.
    fn taken(outbox: &Outbox) -> Option<(u64, Vec<String>)> {
        let message = outbox.take()?;
        Some(shown(&message))
    }

    fn shown(message: &[u8]) -> (u64, Vec<String>) {
        let message = read(message).expect("it was written here");
        let text = |line: &[u8]| String::from_utf8(line.to_vec()).expect("text");
        (message.first, message.lines().map(text).collect())
    }

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    /// Every line is published, kept or lost.
    fn sums_up(outbox: &Outbox, said: u64) {
        let Figures { published, kept, lost, .. } = outbox.figures();
        let sum = |of: fn(&Batch) -> u64| outbox.state().batches.iter().map(of).sum::<u64>();
        assert_eq!((published + kept + lost.all(), kept), (said, sum(|batch| batch.count)));
        let bytes = sum(|batch| (batch.lines.len() + OVERHEAD) as u64);
        assert_eq!(bytes, outbox.figures().kept_bytes as u64);
    }

    #[test]
    fn lines_that_wait_leave_together_and_those_under_way_stay_as_they_are() {
        let outbox = outbox(1 << 20);
        for line in ["a", "", "b"] {
            assert_eq!(outbox.say(line.as_bytes()), Said::Kept);
        }
        assert_eq!(taken(&outbox), Some((1, lines(&["a", "", "b"]))));
        outbox.say(b"c");
        assert_eq!(taken(&outbox), Some((4, lines(&["c"]))));
        assert_eq!(taken(&outbox), None);
        sums_up(&outbox, 4);
        assert_eq!(outbox.answered(), Some(Owed::Batch));
        assert_eq!(outbox.figures().published, 3);
        sums_up(&outbox, 4);
    }

    #[test]
    fn what_is_not_confirmed_is_sent_again_in_order() {
        let outbox = outbox(1 << 20);
        for line in ["a", "b", "c"] {
            outbox.say(line.as_bytes());
            taken(&outbox);
        }
        outbox.answered();
        outbox.say(b"d");
        outbox.rewind(None);
        // An answer to what went with the old connection is none.
        assert_eq!(outbox.answered(), None);
        assert_eq!(taken(&outbox), Some((2, lines(&["b"]))));
        assert_eq!(outbox.number(), None, "its number would make the others miss what follows");
        assert_eq!(taken(&outbox), Some((3, lines(&["c"]))));
        assert_eq!(taken(&outbox), Some((4, lines(&["d"]))));
        assert_eq!(shown(&outbox.number().expect("all is sent")), (5, vec![]));
        assert_eq!([(); 4].map(|()| outbox.answered()), {
            let batch = Some(Owed::Batch);
            [batch, batch, batch, Some(Owed::Number)]
        });
        assert!(outbox.is_empty());
        sums_up(&outbox, 4);
    }

    #[test]
    fn what_does_not_fit_is_counted_and_leaves_a_gap() {
        let outbox = outbox(2 * OVERHEAD + 10);
        assert_eq!(outbox.say(b"abcd"), Said::Kept);
        taken(&outbox);
        assert_eq!(outbox.say(b"0123456789"), Said::Full);
        assert_eq!(outbox.say(b"efgh"), Said::Kept);
        assert_eq!(outbox.say(b""), Said::Full);
        assert_eq!(outbox.figures().lost, Lost { full: 2, ..Lost::default() });
        assert_eq!(taken(&outbox), Some((3, lines(&["efgh"]))));
        outbox.answered();
        assert_eq!(outbox.say(b"ijkl"), Said::Kept);
        assert_eq!(taken(&outbox), Some((5, lines(&["ijkl"]))));
        sums_up(&outbox, 5);
    }

    #[test]
    fn memory_is_bounded_whatever_is_said() {
        let outbox = outbox(1000);
        for n in 0..10_000 {
            outbox.say(&vec![b'x'; n % 300]);
            if n % 7 == 0 {
                outbox.take();
            }
            assert!(outbox.figures().kept_bytes <= 1000);
        }
        sums_up(&outbox, 10_000);
    }

    #[test]
    fn the_window_bounds_what_is_under_way() {
        let outbox = outbox(1 << 20);
        for _ in 0..WINDOW {
            outbox.say(b"x");
            assert!(outbox.take().is_some());
        }
        outbox.say(b"y");
        outbox.say(b"z");
        assert_eq!(taken(&outbox), None);
        outbox.answered();
        assert_eq!(taken(&outbox), Some((17, lines(&["y", "z"]))));
    }

    #[test]
    fn messages_are_as_large_as_the_broker_takes_them() {
        let outbox = outbox(1 << 20);
        outbox.rewind(Some(4));
        assert_eq!(outbox.say(b"abcd"), Said::TooLong);
        for line in ["abc", "d", "e", "f"] {
            assert_eq!(outbox.say(line.as_bytes()), Said::Kept);
        }
        assert_eq!(taken(&outbox), Some((2, lines(&["abc"]))));
        assert_eq!(taken(&outbox), Some((3, lines(&["d", "e"]))));
        assert_eq!(taken(&outbox), Some((5, lines(&["f"]))));
        sums_up(&outbox, 5);
    }

    #[test]
    fn a_broker_that_takes_less_than_the_last_one_gets_smaller_messages() {
        let outbox = outbox(1 << 20);
        for line in ["abc", "too long", "d", "too long", "e", "f", "too long"] {
            outbox.say(line.as_bytes());
        }
        outbox.rewind(Some(4));
        assert_eq!(taken(&outbox), Some((1, lines(&["abc"]))));
        assert_eq!(taken(&outbox), Some((3, lines(&["d"]))));
        assert_eq!(taken(&outbox), Some((5, lines(&["e", "f"]))));
        assert_eq!(taken(&outbox), None);
        assert_eq!(outbox.figures().lost, Lost { too_long: 3, ..Lost::default() });
        sums_up(&outbox, 7);
    }

    #[test]
    fn what_is_left_when_the_server_stops_is_counted() {
        let outbox = outbox(1 << 20);
        for line in ["a", "b", "c"] {
            outbox.say(line.as_bytes());
            taken(&outbox);
        }
        outbox.answered();
        assert_eq!(outbox.give_up(), 2);
        assert!(outbox.is_empty());
        assert_eq!(outbox.figures().lost, Lost { at_stop: 2, ..Lost::default() });
        sums_up(&outbox, 3);
    }
}
