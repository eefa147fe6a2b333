//! What has arrived, for a parser that may have to be called again.

use core::fmt;

use crate::framing::{self, Found};
use crate::inbox::LARGEST_READ;
use crate::shortfall::{Lack, Searched};
use crate::{Config, Error, LineError};

/// The bytes that have arrived and are not taken yet, for a parser of messages in a form of its own.
///
/// A parser takes lines and blocks from the front. A call that finds too little answers
/// [`Error::Incomplete`]; pass it on with `?`. Then nothing is consumed, and the parser is called again,
/// from the message's start, once what it lacked is here. The lines and blocks borrow the received bytes.
///
/// ```
/// use asyncnet_core::{Error, Unread};
///
/// /// A line with a length, then that many bytes.
/// fn message<'a>(unread: &mut Unread<'a>) -> Result<&'a [u8], Error> {
///     let head = std::str::from_utf8(unread.line()?).map_err(Error::protocol)?;
///     let len = head.parse().map_err(Error::protocol)?;
///     unread.block(len)
/// }
/// ```
///
/// What the parser's answer consumes:
///
/// | answer | consumed |
/// |---|---|
/// | `Ok` | what was taken |
/// | not all here: any error after a call that found too little | nothing, or up to the [`checkpoint`](Self::checkpoint) |
/// | [`Error::Line`], [`Error::Protocol`] | what was taken, and the bad line with it: a caller that goes on makes progress |
/// | any other error, such as [`Error::TooLarge`] | nothing, or up to the checkpoint |
/// | a panic | nothing |
///
/// A parser that ignores an [`Error::Incomplete`] and returns `Ok` takes what it took until then.
///
/// From the message's start, or from one checkpoint to the next, at most `max_line` and `max_block` bytes
/// together can be taken: a peer cannot make a parser wait for ever more.
pub struct Unread<'a> {
    bytes: &'a [u8],
    /// How many of them were taken.
    taken: usize,
    lines: u64,
    /// The taken bytes and lines up to the checkpoint.
    kept: (usize, u64),
    seen: usize,
    lack: Option<Lack>,
    bad: Option<Bad>,
    /// The position of `bytes` in the stream.
    position: u64,
    searched: Searched,
    limits: Limits,
}

/// The settings that a parser is bound to.
#[derive(Clone, Copy)]
struct Limits {
    framing: crate::Framing,
    max_line: usize,
    max_block: usize,
}

/// A bad line that begins behind `begins` bytes and holds no terminator in front of `resume`.
#[derive(Clone, Copy)]
struct Bad {
    begins: usize,
    resume: usize,
}

/// What becomes of the bytes after a call of a parser.
pub(crate) struct Settled<T> {
    /// So many are consumed, so many lines among them.
    pub(crate) consumed: (usize, u64),
    pub(crate) searched: Searched,
    /// Whether the parser is done with its message, for good or ill.
    pub(crate) is_over: bool,
    pub(crate) outcome: Outcome<T>,
}

pub(crate) enum Outcome<T> {
    Answer(Result<T, Error>),
    /// Behind what is consumed begins a bad line; its terminator is not before so many bytes.
    BadLine(LineError, usize),
    Short(Lack),
}

impl<'a> Unread<'a> {
    /// What is unread at `position`, of which a call before has `seen` so many bytes.
    pub(crate) const fn new(
        bytes: &'a [u8],
        position: u64,
        seen: usize,
        searched: Searched,
        config: &Config,
    ) -> Self {
        let Config { framing, max_line, max_block, .. } = *config;
        let limits = Limits { framing, max_line, max_block };
        let (kept, lack, bad) = ((0, 0), None, None);
        Self { bytes, taken: 0, lines: 0, kept, seen, lack, bad, position, searched, limits }
    }

    /// Takes the next line, without its terminator. Framing and `max_line` are the connection's.
    ///
    /// # Errors
    ///
    /// [`Error::Incomplete`] if the line is not all here, [`Error::Line`] if it is a bad one,
    /// [`Error::TooLarge`] if it begins more than `max_block` bytes after the message's start.
    pub fn line(&mut self) -> Result<&'a [u8], Error> {
        self.check(self.taken, self.limits.max_block)?;
        let Limits { framing, max_line, .. } = self.limits;
        let (begins, line) = (self.taken, self.position.wrapping_add(self.taken as u64));
        let rest = &self.bytes[begins..];
        match framing::find(framing, max_line, rest, self.searched.of(line).min(rest.len())) {
            Found::Line { len, next } => {
                self.taken += next;
                self.lines += 1;
                Ok(&rest[..len])
            }
            Found::Bad { error, resume, .. } => {
                self.bad = Some(Bad { begins, resume });
                Err(error.into())
            }
            Found::More { searched } => {
                self.searched = Searched::new(line, searched);
                self.lack = Some(Lack::Line { begins });
                Err(Error::Incomplete)
            }
        }
    }

    /// Takes the next `n` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Incomplete`] if they are not all here; [`Error::TooLarge`] if `n` is above `max_block`, or
    /// the message above the limits that the type's page names.
    pub fn block(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let Limits { max_block: max, .. } = self.limits;
        if n > max {
            return Err(Error::TooLarge { len: n, max });
        }
        let end = self.taken.saturating_add(n);
        self.check(end, self.most())?;
        let Some(block) = self.bytes.get(self.taken..end) else {
            self.lack = Some(Lack::Bytes(end));
            return Err(Error::Incomplete);
        };
        self.taken = end;
        Ok(block)
    }

    /// All that has arrived and is not taken, for a parser that looks for itself. It takes with
    /// [`block`](Self::block).
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.taken..]
    }

    /// How many bytes of the message, from its start or the last checkpoint, the parser's call before has
    /// seen already: a search can go on there. 0 in the first call.
    #[must_use]
    pub const fn seen(&self) -> usize {
        self.seen.saturating_sub(self.kept.0)
    }

    /// The error to answer when the message needs `total` bytes at least, counted from its start or the last
    /// checkpoint. The parser is called again when they are here. A total that is here already means one
    /// byte more.
    ///
    /// It is [`Error::Incomplete`], or [`Error::TooLarge`] for a total above the limits that the type's page
    /// names.
    pub fn needs(&mut self, total: usize) -> Error {
        let total = self.kept.0.saturating_add(total);
        if let Err(too_large) = self.check(total, self.most()) {
            return too_large;
        }
        self.lack = Some(Lack::Bytes(total));
        Error::Incomplete
    }

    /// Consumes what was taken so far, whether or not what follows is here yet.
    ///
    /// For messages of many parts, such as an array of a million numbers: a parser that keeps its state
    /// outside of the closure makes a checkpoint after each part, and none is parsed twice. A call that
    /// starts anew begins after the checkpoint; the parser's state says how far it has come.
    pub const fn checkpoint(&mut self) {
        self.kept = (self.taken, self.lines);
    }

    /// The most that can be taken from one checkpoint to the next.
    const fn most(&self) -> usize {
        // Two bytes for the terminator.
        self.limits.max_block.saturating_add(self.limits.max_line).saturating_add(2)
    }

    /// Whether what ends at `end` is at most `max` bytes behind the last checkpoint.
    const fn check(&self, end: usize, max: usize) -> Result<(), Error> {
        let len = end - self.kept.0;
        if len > max { Err(Error::TooLarge { len, max }) } else { Ok(()) }
    }

    /// What the parser's answer makes of the bytes.
    pub(crate) fn settle<T>(self, parsed: Result<T, Error>) -> Settled<T> {
        let (taken, kept) = ((self.taken, self.lines), self.kept);
        let (consumed, outcome) = match (parsed, self.lack) {
            (Ok(value), _) => (taken, Outcome::Answer(Ok(value))),
            (Err(_), Some(lack)) => (kept, self.short(lack)),
            (Err(Error::Incomplete), None) => (kept, self.short(Lack::Nothing)),
            (Err(Error::Line(error)), None) => {
                match self.bad.filter(|it| it.begins == self.taken) {
                    Some(bad) => (taken, Outcome::BadLine(error, bad.resume)),
                    // One of the parser's own: a line that it took is bad.
                    None => (taken, Outcome::Answer(Err(error.into()))),
                }
            }
            (Err(error @ Error::Protocol(_)), None) => (taken, Outcome::Answer(Err(error))),
            (Err(error), None) => (kept, Outcome::Answer(Err(error))),
        };
        let is_over = match &outcome {
            Outcome::Short(_) => false,
            Outcome::BadLine(..) | Outcome::Answer(Ok(_)) => true,
            Outcome::Answer(Err(error)) => matches!(error, Error::Line(_) | Error::Protocol(_)),
        };
        Settled { consumed, searched: self.searched, is_over, outcome }
    }

    /// The parser waits; what it lacks, from the checkpoint on.
    fn short<T>(&self, lack: Lack) -> Outcome<T> {
        let (kept, here) = (self.kept.0, self.bytes.len());
        match lack {
            // A checkpoint behind the line: it was found after all.
            Lack::Line { begins } if begins >= kept => {
                Outcome::Short(Lack::Line { begins: begins - kept })
            }
            Lack::Bytes(total) if total > here => Outcome::Short(Lack::Bytes(total - kept)),
            _ => {
                let (len, max) = (here - kept + 1, self.most().saturating_add(LARGEST_READ));
                if len > max {
                    return Outcome::Answer(Err(Error::TooLarge { len, max }));
                }
                Outcome::Short(Lack::Bytes(len))
            }
        }
    }
}

impl fmt::Debug for Unread<'_> {
    /// Says how much is here, never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unread")
            .field("len", &self.bytes.len())
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}
