//! The receiving half of a connection: what the peer sent, as lines and blocks, and how it ended.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::framing::{self, Found};
use crate::inbox::{BLOCK, Inbox};
use crate::{BlockTooLarge, Cause, Config, End, LineError, Lines, Loss, RecvError, Step};

/// Where consumed bytes lie; [`Receiver::bytes`] turns it into a slice.
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

/// What a receive waits for. A driver asks [`Receiver::look`] with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Want {
    /// A whole line.
    Line,
    /// This many bytes, all of them.
    Block(usize),
    /// Any bytes, at most this many.
    Bytes(usize),
}

/// What a receive would answer now. See [`Receiver::look`].
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
enum State {
    Open,
    /// Inside a line that was reported as an error; `dropped` bytes of it are gone.
    Discarding {
        dropped: usize,
    },
    /// The end was met by a receive. What the inbox still holds is the partial.
    Ended(End),
    /// Closed by us; the end is the one met before, if there was one.
    Closed(End),
}

/// The receiving half of a [`Connection`](crate::Connection), of use alone when sending and receiving
/// belong to different tasks. The methods are documented there.
pub struct Receiver {
    inbox: Inbox,
    config: Config,
    state: State,
    /// What the transport said about the end of input; bytes in the inbox still come first.
    input_end: Option<Cause>,
    /// How many bytes the waiting call still needs: all that an unbuffered read may ask for.
    missing: usize,
    /// How many unread bytes the waiting call may need at most.
    need: usize,
}

impl Receiver {
    /// A receiver that has seen no input.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            inbox: Inbox::default(),
            config,
            state: State::Open,
            input_end: None,
            missing: 1,
            need: 0,
        }
    }

    /// The size of a block that is best to [`lend`](Self::lend), in bytes: 64 KiB.
    pub const BLOCK: usize = BLOCK;

    // ---- getters ---------------------------------------------------------------------------------

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

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

    /// The bytes of the unfinished line or block that came before the end.
    #[must_use]
    pub fn partial(&self) -> &[u8] {
        match self.state {
            State::Ended(_) | State::Closed(_) => self.inbox.unread(),
            State::Open | State::Discarding { .. } => &[],
        }
    }

    /// Whether a bad line was reported whose rest has not arrived yet.
    #[must_use]
    pub const fn is_discarding(&self) -> bool {
        matches!(self.state, State::Discarding { .. })
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
    pub fn space(&mut self) -> &mut [u8] {
        let limit = if self.config.buffered {
            usize::MAX
        } else {
            self.missing
        };
        self.inbox.space(limit, self.need)
    }

    /// The transport put `n` bytes into the last [`space`](Self::space). 0 is legal and no end.
    ///
    /// # Panics
    ///
    /// If `n` is more than `space` had offered.
    pub fn handle_read(&mut self, n: usize) {
        // What follows an end is no input any more.
        if self.wants_read() {
            self.inbox.filled(n);
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
        let limit = if self.config.buffered {
            BLOCK
        } else {
            self.missing
        };
        let wire = &wire[..wire.len().min(limit)];
        self.inbox.extend(wire, self.need);
        self.finish_discarding();
        wire.len()
    }

    /// The transport will bring no more input, for this reason. The first reason stays.
    pub fn handle_end(&mut self, cause: Cause) {
        self.input_end.get_or_insert(cause);
    }

    /// The transport read 0 bytes: the peer ended its side.
    pub fn handle_eof(&mut self) {
        self.handle_end(Cause::Eof);
    }

    /// The transport broke.
    pub fn handle_lost(&mut self, loss: Loss) {
        self.handle_end(Cause::Reset(loss));
    }

    /// Whether [`lend`](Self::lend)ing a block would save the receiver from making its own.
    #[must_use]
    pub fn wants_block(&self) -> bool {
        self.inbox.wants_block()
    }

    /// Lends storage for what will be received: [`Receiver::new_block`], or one taken back before.
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

    // ---- commands: what the application wants ----------------------------------------------------

    /// What a receive that wants `want` would answer now. Takes nothing.
    pub fn look(&mut self, want: Want) -> Look {
        match (self.state, want) {
            (State::Closed(_), _) => return Look::Final,
            // Nothing is wanted, so nothing has to be waited for.
            (_, Want::Block(0) | Want::Bytes(0)) => return Look::Data,
            (State::Ended(_), _) => return Look::Final,
            (State::Discarding { .. }, _) => return self.need_input(1, 0),
            (State::Open, _) => {}
        }
        let have = self.inbox.len();
        match want {
            Want::Line => match self.find() {
                Found::Line { .. } => Look::Data,
                Found::Bad { .. } => Look::Final,
                Found::More { .. } => self.need_input(1, self.config.max_line.saturating_add(2)),
            },
            Want::Block(n) if n > self.config.max_block => Look::Final,
            Want::Block(n) if have < n => self.need_input(n - have, n),
            Want::Bytes(n) if have == 0 => self.need_input(n, n),
            Want::Block(_) | Want::Bytes(_) => Look::Data,
        }
    }

    fn need_input(&mut self, missing: usize, need: usize) -> Look {
        if self.input_end.is_some() {
            return Look::Final;
        }
        self.missing = missing;
        self.need = need;
        Look::NeedInput
    }

    #[inline]
    fn find(&mut self) -> Found {
        let Config {
            framing, max_line, ..
        } = self.config;
        let found = framing::find(
            framing,
            max_line,
            self.inbox.unread(),
            self.inbox.searched(),
        );
        match found {
            // The terminator is found again at once if this was only a look.
            Found::Line { len, .. } => self.inbox.set_searched(len),
            Found::Bad { searched, .. } | Found::More { searched } => {
                self.inbox.set_searched(searched);
            }
        }
        found
    }

    #[inline]
    fn consume(&mut self, len: usize, next: usize) -> Span {
        self.inbox.consume(next);
        Span {
            end: self.inbox.position(),
            back: next,
            len,
        }
    }

    /// The next line if a good one is here. `None` says nothing about why not.
    #[inline]
    pub fn take_line(&mut self) -> Option<Span> {
        if !matches!(self.state, State::Open) {
            return None;
        }
        let Config {
            framing, max_line, ..
        } = self.config;
        match framing::find(
            framing,
            max_line,
            self.inbox.unread(),
            self.inbox.searched(),
        ) {
            Found::Line { len, next } => Some(self.consume(len, next)),
            Found::Bad { searched, .. } | Found::More { searched } => {
                self.inbox.set_searched(searched);
                None
            }
        }
    }

    /// Finds and consumes the next line. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// [`RecvError::Line`] for a bad line, [`RecvError::Disconnected`] for an end that is not clean,
    /// [`RecvError::Closed`] after our own close.
    #[inline]
    pub fn poll_line(&mut self) -> Result<Step<Option<Span>>, RecvError> {
        match self.take_line() {
            Some(span) => Ok(Step::Ready(Some(span))),
            None => self.poll_no_line(),
        }
    }

    /// The answer where no good line is here.
    #[cold]
    fn poll_no_line(&mut self) -> Result<Step<Option<Span>>, RecvError> {
        match self.look(Want::Line) {
            Look::Data | Look::NeedInput => Ok(Step::NeedInput),
            Look::Final => {
                if let (State::Open, Found::Bad { error, resume, .. }) = (self.state, self.find()) {
                    self.discard(resume);
                    return Err(error.into());
                }
                self.meet_end().map(|()| Step::Ready(None))
            }
        }
    }

    /// Finds and consumes a block of exactly `n` bytes.
    ///
    /// # Errors
    ///
    /// [`RecvError::BlockTooLarge`] above `max_block`; [`RecvError::Disconnected`] if the input ended
    /// before the block was whole (the bytes that came are then in [`partial`](Self::partial));
    /// [`RecvError::Closed`] after our own close.
    pub fn poll_block(&mut self, n: usize) -> Result<Step<Span>, RecvError> {
        self.check_block(n)?;
        match self.look(Want::Block(n)) {
            Look::Data => Ok(Step::Ready(self.consume(n, n))),
            Look::NeedInput => Ok(Step::NeedInput),
            Look::Final => {
                let met = self.meet_end();
                Err(met
                    .err()
                    .unwrap_or(RecvError::Disconnected(End::new(Cause::Eof, 0))))
            }
        }
    }

    /// Consumes bytes as the seed's `recv` does: buffered, `n` bytes and fewer only at the end;
    /// unbuffered, what there is, at most `n`. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// As [`poll_block`](Self::poll_block), but an end that still has bytes gives those first.
    pub fn poll_recv(&mut self, n: usize) -> Result<Step<Option<Span>>, RecvError> {
        self.check_block(n)?;
        let want = if self.config.buffered {
            Want::Block(n)
        } else {
            Want::Bytes(n)
        };
        self.poll_want(want, n)
    }

    /// Consumes what there is, at least one byte and at most `n`. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// [`RecvError::Disconnected`] for an end that is not clean, [`RecvError::Closed`] after our own
    /// close.
    pub fn poll_bytes(&mut self, n: usize) -> Result<Step<Option<Span>>, RecvError> {
        self.poll_want(Want::Bytes(n), n)
    }

    fn poll_want(&mut self, want: Want, n: usize) -> Result<Step<Option<Span>>, RecvError> {
        match self.look(want) {
            Look::NeedInput => return Ok(Step::NeedInput),
            Look::Final if self.peek().is_empty() => {
                return self.meet_end().map(|()| Step::Ready(None));
            }
            Look::Data | Look::Final => {}
        }
        let n = n.min(self.inbox.len());
        Ok(Step::Ready(Some(self.consume(n, n))))
    }

    fn check_block(&self, asked: usize) -> Result<(), BlockTooLarge> {
        let max = self.config.max_block;
        if asked > max && !self.is_closed() {
            Err(BlockTooLarge { asked, max })
        } else {
            Ok(())
        }
    }

    /// Every complete line there is, in one batch. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// As [`poll_line`](Self::poll_line). An error behind good lines ends the batch in front of it and
    /// is the next call's answer.
    pub fn next_lines(&mut self) -> Result<Step<Option<Lines<'_>>>, RecvError> {
        if self.look(Want::Line) == Look::Data {
            return Ok(Step::Ready(Some(self.lines())));
        }
        // Not a line, so this takes none.
        Ok(self.poll_line()?.map(|_| None))
    }

    /// Every complete line that is here now, possibly none.
    pub fn lines(&mut self) -> Lines<'_> {
        let Config {
            framing, max_line, ..
        } = self.config;
        let open = matches!(self.state, State::Open);
        if !open {
            self.inbox.set_searched(0);
        }
        let (received, marks) = self.inbox.parts();
        Lines::new(if open { received } else { &[] }, marks, framing, max_line)
    }

    /// The next line, left in place. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// As [`poll_line`](Self::poll_line), but a bad line is reported and kept: the next call meets it
    /// again.
    pub fn peek_line(&mut self) -> Result<Step<Option<&[u8]>>, RecvError> {
        match self.look(Want::Line) {
            Look::NeedInput => Ok(Step::NeedInput),
            Look::Data | Look::Final => match (self.state, self.find()) {
                (State::Open, Found::Line { len, .. }) => {
                    Ok(Step::Ready(Some(&self.inbox.unread()[..len])))
                }
                (State::Open, Found::Bad { error, .. }) => Err(error.into()),
                _ => answer(self.coming_end()).map(|()| Step::Ready(None)),
            },
        }
    }

    /// What there is, at least one byte and at most `n`, left in place. Empty: the input ended in good
    /// order, or `n` is 0.
    ///
    /// # Errors
    ///
    /// [`RecvError::Disconnected`] for an end that is not clean, [`RecvError::Closed`] after our own
    /// close.
    pub fn peek_bytes(&mut self, n: usize) -> Result<Step<&[u8]>, RecvError> {
        match self.look(Want::Bytes(n)) {
            Look::NeedInput => Ok(Step::NeedInput),
            Look::Data => Ok(Step::Ready(&self.inbox.unread()[..n.min(self.inbox.len())])),
            Look::Final => answer(self.coming_end()).map(|()| Step::Ready(&[][..])),
        }
    }

    /// Closes the receiving side at once: every later receive answers [`RecvError::Closed`].
    pub fn close(&mut self) {
        if !matches!(self.state, State::Ended(_) | State::Closed(_)) {
            self.inbox = Inbox::default();
            self.state = State::Closed(End::new(Cause::Closed, 0));
        } else if let State::Ended(end) = self.state {
            self.state = State::Closed(end);
        }
    }

    /// Whether this end is our own doing.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(
            self.state,
            State::Closed(_)
                | State::Ended(End {
                    cause: Cause::Closed,
                    ..
                })
        )
    }

    // ---- discarding and ending -------------------------------------------------------------------

    /// Starts to discard the line at the front, of which `n` bytes hold no terminator.
    fn discard(&mut self, n: usize) {
        self.inbox.consume(n);
        self.state = State::Discarding { dropped: n };
        self.finish_discarding();
    }

    /// Drops what has arrived of a line that is being discarded.
    fn finish_discarding(&mut self) {
        let State::Discarding { dropped } = self.state else {
            return;
        };
        let (n, state) = match framing::skip(self.config.framing, self.inbox.unread()) {
            Ok(next) => (next, State::Open),
            Err(n) => (
                n,
                State::Discarding {
                    dropped: dropped.saturating_add(n),
                },
            ),
        };
        self.inbox.consume(n);
        self.state = state;
    }

    /// The end as a receive would meet it now.
    fn coming_end(&self) -> End {
        let cause = self.input_end.unwrap_or(Cause::Eof);
        match self.state {
            State::Ended(end) | State::Closed(end) => end,
            State::Open => End::new(cause, self.inbox.len()),
            State::Discarding { dropped } => {
                End::new(cause, dropped.saturating_add(self.inbox.len()))
            }
        }
    }

    /// Meets the end: from here on it is final.
    fn meet_end(&mut self) -> Result<(), RecvError> {
        if matches!(self.state, State::Closed(_)) {
            return Err(RecvError::Closed);
        }
        let end = self.coming_end();
        if self.is_discarding() {
            self.inbox = Inbox::default();
        }
        self.state = State::Ended(end);
        answer(end)
    }
}

/// What the typed view makes of an end; a clean one is no error.
fn answer(end: End) -> Result<(), RecvError> {
    match end.cause {
        Cause::Closed => Err(RecvError::Closed),
        _ if end.is_clean() => Ok(()),
        _ => Err(RecvError::Disconnected(end)),
    }
}

impl fmt::Debug for Receiver {
    /// Says how much is buffered, never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
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
