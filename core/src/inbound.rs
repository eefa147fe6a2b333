//! The receiving half of a connection: what the peer sent, as lines and blocks, and how it ended.

pub(crate) mod discard;
mod held;
mod settings;
mod typed;
mod with;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use bytes::BytesMut;

use crate::inbox::{BLOCK, Inbox, LARGEST_READ};
use crate::shortfall::Shortfall;
use crate::stats::BadLines;
use crate::{
    Cause, Config, End, Error, Framing, LineError, Stats, TlsError, Truncation, UpgradeRefused,
};

/// Where consumed bytes lie; [`Inbound::bytes`] turns it into a slice.
///
/// A span stands for bytes and borrows nothing, so a loop can hold it where it could not hold a slice.
/// It is good until the next receive or read; an old one gives an empty slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where the stream stood behind the bytes (and their terminator).
    end: u64,
    /// How far before `end` the bytes start.
    back: usize,
    len: usize,
}

/// What a receive waits for. A driver asks [`Inbound::look`] with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Want {
    /// A whole line.
    Line,
    /// This many bytes, all of them.
    Block(usize),
    /// Any bytes, at most this many.
    Bytes(usize),
    /// What the last batch was short of: the item for which it had no answer, or one byte more if it took
    /// nothing and lacked nothing. One byte if it took all that it asked for.
    Batch,
    /// What a parser was short of.
    More(Shortfall),
}

/// What a receive would answer now. See [`Inbound::look`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The bytes that it wants.
    Data,
    /// An end or an error, or what came before an end.
    Final,
    /// Nothing: it has to wait for input.
    NeedInput,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum State {
    Open,
    /// Inside a line that was reported as an error; `dropped` bytes of it are gone.
    Discarding {
        dropped: usize,
        /// What the line has to end with.
        framing: Framing,
    },
    /// The end was met by a receive. What the inbox still holds is the partial.
    Ended(End),
    /// Closed by us; the end is the one met before, if there was one.
    Closed(End),
}

/// The receiving half of a [`Connection`](crate::Connection), of use alone when sending and receiving
/// belong to different tasks. The methods are documented there.
pub struct Inbound {
    inbox: Inbox,
    config: Arc<Config>,
    state: State,
    /// What the transport said about the end of input; bytes in the inbox still come first.
    input_end: Option<Cause>,
    /// Why the secure layer failed, if that is the end.
    tls_error: Option<Box<TlsError>>,
    /// How many bytes the waiting call still needs: all that an unbuffered read may ask for.
    missing: usize,
    /// How many unread bytes the waiting call may need at most.
    need: usize,
    /// It waits for the end of a line.
    wants_line: bool,
    /// What arrived faster than a rate allows, and no receive sees yet.
    held: Option<Box<BytesMut>>,
}

impl Inbound {
    /// An inbound half that has seen no input.
    #[must_use]
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            inbox: Inbox::default(),
            config,
            state: State::Open,
            input_end: None,
            tls_error: None,
            missing: 1,
            need: 0,
            wants_line: false,
            held: None,
        }
    }

    /// The size of a block that is best to [`lend`](Self::lend), in bytes: 64 KiB and a little, so that reads can
    /// start at an aligned address.
    pub const BLOCK: usize = BLOCK;

    // ---- getters ---------------------------------------------------------------------------------

    /// Bytes received and not yet asked for. Never waits; empty while a bad line is being discarded.
    #[must_use]
    pub fn peek(&self) -> &[u8] {
        match self.state {
            State::Open => self.inbox.unread(),
            _ => &[],
        }
    }

    /// The end, once a receive met it.
    #[must_use]
    pub const fn end(&self) -> Option<End> {
        match self.state {
            State::Ended(end) | State::Closed(end) => Some(end),
            State::Open | State::Discarding { .. } => None,
        }
    }

    /// The end of a connection whose sending half has met `coming`
    /// ([`Link::coming_end`](crate::driver::Link::coming_end)): the one that a receive met, or the one that
    /// a receive will meet.
    #[must_use]
    pub fn end_after(&self, coming: Option<Cause>) -> Option<End> {
        let end = |coming| End::new(self.input_end.unwrap_or(coming), 0);
        self.end().or_else(|| coming.map(end))
    }

    /// The bytes of the unfinished line or block that came before the end.
    #[must_use]
    pub fn partial(&self) -> &[u8] {
        match self.state {
            State::Ended(_) | State::Closed(_) => self.inbox.unread(),
            State::Open | State::Discarding { .. } => &[],
        }
    }

    /// What was received so far, in numbers.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let front = self.inbox.front();
        let BadLines { too_long, bare, not_utf8 } = front.bad();
        let bytes_received = self.inbox.received() + self.held().len() as u64;
        let lines_received = front.lines;
        Stats { bytes_received, lines_received, too_long, bare, not_utf8, ..Stats::default() }
    }

    pub(crate) fn count_bad(&mut self, error: &LineError) {
        self.inbox.front_mut().count_bad(error);
    }

    /// How many bytes are here that no receive has answered.
    #[must_use]
    pub const fn arrived(&self) -> usize {
        self.inbox.len()
    }

    /// Whether a bad line was reported whose rest has not arrived yet.
    #[must_use]
    pub const fn is_discarding(&self) -> bool {
        matches!(self.state, State::Discarding { .. })
    }

    /// The end of the input, once the transport has told it; what came before it is still answered first.
    #[must_use]
    pub const fn input_end(&self) -> Option<Cause> {
        self.input_end
    }

    /// Whether reading the transport can still bring anything.
    #[must_use]
    pub const fn wants_read(&self) -> bool {
        self.input_end.is_none() && !matches!(self.state, State::Closed(_))
    }

    /// The bytes that `span` stands for.
    #[inline]
    #[must_use]
    pub fn bytes(&self, span: Span) -> &[u8] {
        if span.end == self.inbox.position() {
            self.inbox.consumed(span.back, span.len)
        } else {
            &[]
        }
    }

    // ---- handle_*: what the transport did --------------------------------------------------------

    /// Room for a read from the transport; never empty.
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        let limit = if self.config.buffered { usize::MAX } else { self.missing };
        self.inbox.space(limit, self.need)
    }

    /// The transport put `n` bytes into the last [`space`](Self::space). 0 is legal and no end.
    ///
    /// # Panics
    ///
    /// If `n` is more than `space` had offered.
    #[inline]
    pub fn handle_read(&mut self, n: usize) {
        // What follows an end is no input any more.
        if self.wants_read() {
            self.inbox.filled(n);
            if self.holds_back() {
                self.hold_back(n);
            }
            self.finish_discarding();
        }
    }

    /// Takes a copy of `wire`, or of its front, and returns how many bytes it took. It takes at most
    /// 64 KiB at a time (unbuffered: what the waiting call still needs), and nothing after an end.
    /// Receive what is there before handing in more.
    pub fn handle_input(&mut self, wire: &[u8]) -> usize {
        if !self.wants_read() {
            return 0;
        }
        let limit = if self.config.buffered { LARGEST_READ } else { self.missing };
        let wire = &wire[..wire.len().min(limit)];
        self.inbox.extend(wire, self.need);
        if self.holds_back() {
            self.hold_back(wire.len());
        }
        self.finish_discarding();
        wire.len()
    }

    /// Takes a copy of `plain`, all of it, which came out of a secure layer: its records set the measure,
    /// not the waiting call.
    pub fn handle_plain(&mut self, plain: &[u8]) {
        if self.wants_read() && !plain.is_empty() {
            self.inbox.extend(plain, self.need);
            if self.holds_back() {
                self.hold_back(plain.len());
            }
            self.finish_discarding();
        }
    }

    /// The transport will bring no more input, for this reason. The first reason stays.
    pub fn handle_end(&mut self, cause: Cause) {
        let cause = match (cause, self.config.truncation) {
            (Cause::Truncated, Truncation::Allow) => Cause::Eof,
            _ => cause,
        };
        self.input_end.get_or_insert(cause);
    }

    /// The secure layer failed. The cause is that, or a loss which was told before.
    pub fn handle_failed(&mut self, error: TlsError, cause: Cause) {
        if self.input_end.is_none() {
            self.input_end = Some(cause);
            self.tls_error = Some(Box::new(error));
        }
    }

    /// Whether a secure layer can take over here.
    pub(crate) fn check_start_tls(&self) -> Result<(), Error> {
        match self.state {
            State::Discarding { .. } => Err(UpgradeRefused::Discarding.into()),
            State::Closed(_) => Err(Error::Closed),
            State::Ended(end) => Err(Error::Disconnected(end)),
            State::Open if self.inbox.len() + self.held().len() > 0 => {
                let left = self.inbox.len() + self.held().len();
                Err(UpgradeRefused::BufferedPlaintext(left).into())
            }
            State::Open if self.input_end.is_some() => Err(Error::Disconnected(self.coming_end())),
            State::Open => Ok(()),
        }
    }

    /// Whether [`lend`](Self::lend)ing a block would save the inbound from making its own.
    #[must_use]
    #[inline]
    pub fn wants_block(&self) -> bool {
        self.inbox.wants_block()
    }

    /// Lends storage for what will be received: [`Inbound::new_block`], or one taken back before.
    pub fn lend(&mut self, block: Vec<u8>) {
        self.inbox.lend(block);
    }

    /// Takes back the storage, if nothing or little lies in it. To be called when a read would wait:
    /// then an idle connection holds no buffer.
    pub fn reclaim(&mut self) -> Option<Vec<u8>> {
        self.inbox.reclaim()
    }

    /// A new block to [`lend`](Self::lend).
    #[must_use]
    pub fn new_block() -> Vec<u8> {
        vec![0; BLOCK]
    }

    // ---- closing, discarding and ending ----------------------------------------------------------

    /// Closes the receiving side at once: every later receive returns [`Error::Closed`]. The end is
    /// our close, unless the sending half has told another one
    /// ([`Link::coming_end`](crate::driver::Link::coming_end)).
    pub fn close(&mut self, told: Option<Cause>) {
        if !matches!(self.state, State::Ended(_) | State::Closed(_)) {
            let end = self.end_after(told);
            self.inbox.free();
            self.held = None;
            self.state = State::Closed(end.unwrap_or(End::new(Cause::Closed, 0)));
        } else if let State::Ended(end) = self.state {
            self.state = State::Closed(end);
        }
    }

    /// Whether this end is our own doing.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed(_) | State::Ended(End { cause: Cause::Closed, .. }))
    }

    /// Reports the bad line at the front, and starts to discard it: `n` bytes of it hold no terminator.
    fn discard(&mut self, error: LineError, n: usize) -> Error {
        let (received, front) = self.inbox.parts();
        front.count_bad(&error);
        discard::begin(received, front, &mut self.state, self.config.framing, n);
        error.into()
    }

    /// Drops what has arrived of a line that is being discarded.
    fn finish_discarding(&mut self) {
        let (received, front) = self.inbox.parts();
        discard::go_on(received, front, &mut self.state);
    }

    /// The end as a receive would meet it now.
    fn coming_end(&self) -> End {
        let cause = self.input_end.unwrap_or(Cause::Eof);
        match self.state {
            State::Ended(end) | State::Closed(end) => end,
            State::Open => End::new(cause, self.inbox.len()),
            State::Discarding { dropped, .. } => {
                End::new(cause, dropped.saturating_add(self.inbox.len()))
            }
        }
    }

    /// What a peek answers to the end. It meets it only if nothing is left in front of it.
    fn peek_end(&mut self) -> Result<(), Error> {
        match self.state {
            State::Open if self.inbox.len() > 0 => self.answer(self.coming_end()),
            _ => self.meet_end(),
        }
    }

    /// Meets the end: from here on it is final.
    fn meet_end(&mut self) -> Result<(), Error> {
        if matches!(self.state, State::Closed(_)) {
            return Err(Error::Closed);
        }
        let end = self.coming_end();
        if self.is_discarding() {
            self.inbox.free();
        }
        // No more will come, so the block is not needed any more.
        self.inbox.reclaim();
        self.state = State::Ended(end);
        self.answer(end)
    }

    /// Whether nothing is half done: no byte waits for a receive or for a rate, no message or skip has consumed a part
    /// of what it needs, and no bad line is being discarded.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.arrived() == 0 && !self.is_held() && !self.is_in_message() && !self.is_discarding()
    }

    /// Whether a part of a message was consumed, and nothing behind it.
    fn is_in_message(&self) -> bool {
        self.inbox.front().is_in_message(self.inbox.position())
    }

    /// What the typed calls make of an end; a clean one is no error.
    fn answer(&self, end: End) -> Result<(), Error> {
        match (end.cause, &self.tls_error) {
            (Cause::Closed, _) => Err(Error::Closed),
            (_, Some(error)) => Err(Error::Tls((**error).clone())),
            // In the middle of a message of which a part was consumed, no end is clean.
            _ if end.is_clean() && !self.is_in_message() => Ok(()),
            _ => Err(Error::Disconnected(end)),
        }
    }
}

impl fmt::Debug for Inbound {
    /// Says how much is buffered, never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound")
            .field("unread", &self.inbox.len())
            .field("state", &self.state)
            .field("input_end", &self.input_end)
            .finish_non_exhaustive()
    }
}

/// Checks that a line is text.
pub(crate) fn text(line: &[u8]) -> Result<&str, LineError> {
    core::str::from_utf8(line).map_err(|_| LineError::Utf8(line.to_vec()))
}
