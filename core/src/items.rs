//! A batch: everything that has arrived, taken without a copy and without a wait.

use core::fmt;

use crate::framing::{self, Found};
use crate::inbound::{State, discard};
use crate::inbox::Front;
use crate::shortfall::{Lack, Shortfall};
use crate::unread::{Outcome, Settled};
use crate::{Config, Error, Framing, LineError, Unread};

/// Everything that has arrived, as lines, blocks and messages in any order.
///
/// What it hands out borrows the received bytes and lives as long as the batch's own borrow, so several
/// items can be held at once. An item is consumed when it is handed out; what is not taken stays for the
/// next receive. `None` always means that the item is not all here: nothing of it was taken, and the next
/// batch waits for exactly what it lacked. A batch that took nothing
/// and lacked nothing waits for one byte more.
///
/// It has no destructor and holds nothing but borrows.
pub struct Items<'a> {
    received: &'a [u8],
    front: &'a mut Front,
    state: &'a mut State,
    /// Where `received` stands in the whole stream.
    base: u64,
    config: &'a Config,
    framing: Framing,
    max_line: usize,
    /// Whether every line that a look ahead finds is a good one.
    looks_ahead: bool,
    /// Where LFs are in the bytes from `window` on, bit 0 for the first; 0 if that is not known. Those of lines that
    /// were taken are gone.
    lfs: u64,
    /// Where in `received` those bytes begin.
    window: usize,
}

/// A line of up to so many bytes, its end included, is worth a look ahead: the next 64 bytes probably hold
/// several more.
const SHORT: usize = 24;

impl<'a> Items<'a> {
    pub(crate) fn new(
        received: &'a [u8],
        front: &'a mut Front,
        state: &'a mut State,
        base: u64,
        config: &'a Config,
    ) -> Self {
        let Config { framing, max_line, .. } = *config;
        let looks_ahead = framing == Framing::Lenient && max_line >= framing::WINDOW;
        let (lfs, window) = (0, 0);
        let mut items = Self {
            received,
            front,
            state,
            base,
            config,
            framing,
            max_line,
            looks_ahead,
            lfs,
            window,
        };
        // Holds only for a batch that takes nothing and lacks nothing.
        let lack = Lack::Bytes(items.unread().len() + 1);
        items.lacks(lack);
        items
    }

    /// The next line, without its terminator. `None`: it is not all here.
    ///
    /// # Errors
    ///
    /// [`Error::Line`] for a bad line. It is reported once and discarded; the next call returns what comes
    /// after it.
    // As a call it would take as long as the search.
    #[inline(always)]
    pub fn next_line(&mut self) -> Result<Option<&'a [u8]>, Error> {
        match self.good_line() {
            Some(line) => Ok(Some(line)),
            None => self.no_good_line(),
        }
    }

    /// Exactly `n` bytes. `None`: they are not all here.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if `n` is above `max_block`. Nothing is taken then.
    pub fn next_block(&mut self, n: usize) -> Result<Option<&'a [u8]>, Error> {
        let max = self.config.max_block;
        if n > max {
            self.answered();
            return Err(Error::TooLarge { len: n, max });
        }
        let Some(block) = self.unread().get(..n) else {
            self.lacks(Lack::Bytes(n));
            return Ok(None);
        };
        self.consume(n, 0);
        self.answered();
        Ok(Some(block))
    }

    /// Some of the next `n` bytes, at least one. `None`: none is here.
    #[must_use]
    pub fn next_bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let unread = self.unread();
        let bytes = &unread[..n.min(unread.len())];
        if bytes.is_empty() && n > 0 {
            return None;
        }
        self.consume(bytes.len(), 0);
        self.answered();
        Some(bytes)
    }

    /// A whole message, in a form of your own; the value may borrow the received bytes. `None`: it is not all
    /// here. [`Unread`] says what a parser can do, and what its answer consumes.
    ///
    /// # Errors
    ///
    /// The parser's own.
    pub fn next_with<T>(
        &mut self,
        parse: impl FnOnce(&mut Unread<'a>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        if !matches!(self.state, State::Open) {
            return Ok(None);
        }
        let (position, front) = (self.at(), &self.front);
        let (seen, searched) = (front.batch.seen(position), front.searched_at(position));
        let mut unread = Unread::new(self.unread(), position, seen, searched, self.config);
        let parsed = parse(&mut unread);
        let Settled { consumed: (bytes, lines), searched, is_over, outcome } =
            unread.settle(parsed);
        self.consume(bytes, lines);
        self.front.note(searched, self.at(), is_over, bytes);
        match outcome {
            Outcome::Answer(answer) => {
                self.answered();
                answer.map(Some)
            }
            Outcome::BadLine(error, resume) => Err(self.discard(error, resume)),
            Outcome::Short(lack) => {
                self.front.batch = Shortfall::new(self.at(), self.unread().len(), lack);
                Ok(None)
            }
        }
    }

    /// The next line if a good one is here.
    #[inline(always)]
    fn good_line(&mut self) -> Option<&'a [u8]> {
        let start = self.front.head;
        let (line, next) = if self.lfs == 0 {
            let unread = self.received.get(start..)?;
            let searched = &mut self.front.searched;
            let (len, next) = framing::good_line(self.framing, self.max_line, unread, searched)?;
            (&unread[..len], start + next)
        } else {
            // All that this takes from the line before it is the removal of a bit: the processor overlaps them.
            let lf = self.window + self.lfs.trailing_zeros() as usize;
            self.lfs &= self.lfs - 1;
            (framing::without_cr(self.received.get(start..lf)?), lf + 1)
        };
        self.front.consume_line(next);
        if self.lfs == 0 && next - start <= SHORT && self.looks_ahead {
            (self.lfs, self.window) = (look_ahead(&self.received[next..]), next);
        }
        Some(line)
    }

    /// The answer where no good line is here.
    #[cold]
    fn no_good_line(&mut self) -> Result<Option<&'a [u8]>, Error> {
        if !matches!(self.state, State::Open) {
            return Ok(None);
        }
        let unread = self.unread();
        if unread.is_empty() {
            self.lacks(Lack::Line { begins: 0 });
            return Ok(None);
        }
        match framing::find(self.framing, self.max_line, unread, self.front.searched) {
            Found::Bad { error, resume, .. } => Err(self.discard(error, resume)),
            Found::Line { .. } | Found::More { .. } => {
                self.lacks(Lack::Line { begins: 0 });
                Ok(None)
            }
        }
    }

    /// Reports the bad line at the front, once, and discards it: it holds no terminator in front of `resume`.
    fn discard(&mut self, error: LineError, resume: usize) -> Error {
        self.lfs = 0;
        self.front.count_bad(&error);
        discard::begin(self.received, self.front, self.state, self.framing, resume);
        error.into()
    }

    fn consume(&mut self, bytes: usize, lines: u64) {
        self.lfs = 0;
        self.front.consume(bytes);
        self.front.lines += lines;
    }

    /// What is unread; nothing while a bad line is being discarded, and behind the end.
    fn unread(&self) -> &'a [u8] {
        match self.state {
            State::Open => &self.received[self.front.head..],
            _ => &[],
        }
    }

    /// Where the unread begins in the whole stream.
    const fn at(&self) -> u64 {
        self.base.wrapping_add(self.front.head as u64)
    }

    /// Says that nothing is taken now for a reason of the caller's: the next batch is not to wait for a byte more.
    #[doc(hidden)]
    #[cold]
    pub fn hold(&mut self) {
        let one_more = Lack::Bytes(self.unread().len() + 1);
        if self.front.batch.lack(self.at()) == one_more {
            self.answered();
        }
    }

    /// There was an item, perhaps an empty one, or an error: the next batch need not wait.
    fn answered(&mut self) {
        self.lacks(Lack::Nothing);
    }

    /// Notes what the next batch has to wait for.
    fn lacks(&mut self, lack: Lack) {
        let at = self.at();
        self.front.batch = Shortfall::new(at, self.front.batch.seen(at), lack);
    }
}

/// Where LFs are at the front of `unread`. Apart, to leave the registers to the loop around `next_line`.
#[inline(never)]
fn look_ahead(unread: &[u8]) -> u64 {
    unread.first_chunk().map_or(0, framing::lfs)
}

impl fmt::Debug for Items<'_> {
    /// Says how much is here, never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("len", &self.unread().len()).finish_non_exhaustive()
    }
}
