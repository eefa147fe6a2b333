//! The typed receives: calls that always say what happened.

use super::{Inbound, Look, Span, State, Want};
use crate::framing::{self, Found};
use crate::inbox::LARGEST_READ;
use crate::shortfall::Searched;
use crate::{Cause, Config, End, Error, Step};

impl Inbound {
    /// What a receive that wants `want` would answer now. Takes nothing.
    #[inline]
    pub fn look(&mut self, want: Want) -> Look {
        match (self.state, want) {
            (State::Closed(_), _) => return Look::Final,
            (_, Want::Block(n)) if n > self.config().max_block => return Look::Final,
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
                Found::More { .. } => self.need_line(0),
            },
            Want::Batch => {
                let lack = self.inbox.front().batch.lack(self.inbox.position());
                self.look_for(lack)
            }
            Want::More(short) => self.look_for(short.lack(self.inbox.position())),
            Want::Block(n) if have < n => self.need_input(n - have, n),
            Want::Bytes(n) if have == 0 => self.need_input(n, n),
            Want::Block(_) | Want::Bytes(_) => Look::Data,
        }
    }

    /// Whether the line at the front is here, good or bad.
    #[inline]
    pub(super) fn look_for_line(&mut self) -> Look {
        if self.inbox.len() == 0 {
            return self.need_line(0);
        }
        match self.find() {
            Found::Line { .. } | Found::Bad { .. } => Look::Data,
            Found::More { .. } => self.need_line(0),
        }
    }

    /// Whether the line that begins behind so many bytes is here, good or bad.
    pub(super) fn look_for_line_behind(&mut self, begins: usize) -> Look {
        let Config { framing, max_line, .. } = *self.config;
        let line = self.inbox.position().wrapping_add(begins as u64);
        let rest = self.inbox.unread().get(begins..).unwrap_or_default();
        let searched = self.inbox.front().searched_behind().of(line).min(rest.len());
        match framing::find(framing, max_line, rest, searched) {
            Found::Line { .. } | Found::Bad { .. } => Look::Data,
            Found::More { searched } => {
                self.inbox.front_mut().set_searched_behind(Searched::new(line, searched));
                self.need_line(begins)
            }
        }
    }

    fn need_line(&mut self, begins: usize) -> Look {
        let look =
            self.need_input(1, self.config.max_line.saturating_add(2).saturating_add(begins));
        self.wants_line = true;
        look
    }

    #[inline]
    pub(super) fn need_input(&mut self, missing: usize, need: usize) -> Look {
        if self.input_end.is_some() && !self.is_held() {
            return Look::Final;
        }
        self.missing = missing;
        self.need = need;
        self.wants_line = false;
        Look::NeedInput
    }

    #[inline]
    fn find(&mut self) -> Found {
        let Config { framing, max_line, .. } = *self.config;
        let found = framing::find(framing, max_line, self.inbox.unread(), self.inbox.searched());
        match found {
            // The terminator is found again at once if this was only a look.
            Found::Line { len, .. } => self.inbox.set_searched(len),
            Found::Bad { searched, .. } | Found::More { searched } => {
                self.inbox.set_searched(searched);
            }
        }
        found
    }

    fn consume(&mut self, n: usize) -> Span {
        self.inbox.consume(n);
        Span { end: self.inbox.position(), back: n, len: n }
    }

    /// The next line if a good one is here. `None` says nothing about why not.
    // As a call it would hand the span over through memory, which takes longer than the search.
    #[inline(always)]
    pub fn take_line(&mut self) -> Option<Span> {
        if !matches!(self.state, State::Open) {
            return None;
        }
        let Config { framing, max_line, .. } = *self.config;
        let (received, front) = self.inbox.parts();
        let unread = received.get(front.head..)?;
        let (len, back) = framing::good_line(framing, max_line, unread, &mut front.searched)?;
        debug_assert!(back <= unread.len(), "consumed more than there is");
        front.consume_line(front.head + back);
        Some(Span { end: self.inbox.position(), back, len })
    }

    /// Finds and consumes the next line. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// [`Error::Line`] for a bad line, [`Error::Disconnected`] for an end that is not clean,
    /// [`Error::Closed`] after our own close.
    #[inline]
    pub fn poll_line(&mut self) -> Result<Step<Option<Span>>, Error> {
        match self.take_line() {
            Some(span) => Ok(Step::Ready(Some(span))),
            None => self.poll_no_line(),
        }
    }

    /// The answer where no good line is here.
    #[cold]
    pub(crate) fn poll_no_line(&mut self) -> Result<Step<Option<Span>>, Error> {
        match self.look(Want::Line) {
            Look::Data | Look::NeedInput => Ok(Step::NeedInput),
            Look::Final => {
                if let (State::Open, Found::Bad { error, resume, .. }) = (self.state, self.find()) {
                    return Err(self.discard(error, resume));
                }
                self.meet_end().map(|()| Step::Ready(None))
            }
        }
    }

    /// Finds and consumes a block of exactly `n` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] above `max_block`; [`Error::Disconnected`] if the input ended
    /// before the block was whole (the bytes that came are then in [`partial`](Self::partial));
    /// [`Error::Closed`] after our own close.
    pub fn poll_block(&mut self, n: usize) -> Result<Step<Span>, Error> {
        self.check_block(n)?;
        match self.look(Want::Block(n)) {
            Look::Data => Ok(Step::Ready(self.consume(n))),
            Look::NeedInput => Ok(Step::NeedInput),
            Look::Final => Err(self.meet_end_of_block()),
        }
    }

    /// Meets the end, in front of bytes that a call had asked for.
    fn meet_end_of_block(&mut self) -> Error {
        self.meet_end().err().unwrap_or(Error::Disconnected(End::new(Cause::Eof, 0)))
    }

    /// Consumes `left` bytes, counts `left` down to 0, and stores none of them: for a block above
    /// `max_block`, or one that is refused. It can be called again with what is left.
    ///
    /// # Errors
    ///
    /// [`Error::Disconnected`] if the input ended before; [`Error::Closed`] after our own close.
    pub fn poll_skip(&mut self, left: &mut u64) -> Result<Step<()>, Error> {
        while *left > 0 {
            let most = usize::try_from(*left).unwrap_or(usize::MAX);
            match self.look(Want::Bytes(most.min(LARGEST_READ))) {
                Look::NeedInput => return Ok(Step::NeedInput),
                Look::Final => return Err(self.meet_end_of_block()),
                Look::Data => {}
            }
            let n = most.min(self.inbox.len());
            self.inbox.consume(n);
            *left -= n as u64;
            // What is left is the rest of a message: an end in front of it is not a clean one.
            let position = self.inbox.position();
            self.inbox.front_mut().note(Searched::default(), position, *left == 0, n);
        }
        Ok(Step::Ready(()))
    }

    /// The next `n` bytes, all of them, left in place.
    ///
    /// # Errors
    ///
    /// As [`poll_block`](Self::poll_block); the end is met only if nothing is left in front of it.
    pub fn peek_block(&mut self, n: usize) -> Result<Step<&[u8]>, Error> {
        self.check_block(n)?;
        match self.look(Want::Block(n)) {
            Look::Data => Ok(Step::Ready(&self.inbox.unread()[..n])),
            Look::NeedInput => Ok(Step::NeedInput),
            Look::Final => match self.peek_end() {
                Err(error) => Err(error),
                Ok(()) => Err(Error::Disconnected(End::new(Cause::Eof, 0))),
            },
        }
    }

    /// The next line if it is here whole; `None` otherwise. Never waits, and never meets an end: what comes
    /// in front of one is still answered.
    ///
    /// # Errors
    ///
    /// [`Error::Line`] for a bad line; [`Error::Closed`] after our own close.
    pub fn try_line(&mut self) -> Result<Option<Span>, Error> {
        match self.state {
            State::Closed(_) => return Err(Error::Closed),
            State::Open => {}
            State::Ended(_) | State::Discarding { .. } => return Ok(None),
        }
        if let Some(span) = self.take_line() {
            return Ok(Some(span));
        }
        match self.find() {
            Found::Bad { error, resume, .. } => Err(self.discard(error, resume)),
            Found::Line { .. } | Found::More { .. } => Ok(None),
        }
    }

    /// Consumes bytes as Nim's `recv` does: buffered, `n` bytes and fewer only at the end;
    /// unbuffered, what there is, at most `n`. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// As [`poll_block`](Self::poll_block), but an end that still has bytes gives those first.
    pub fn poll_recv(&mut self, n: usize) -> Result<Step<Option<Span>>, Error> {
        self.check_block(n)?;
        self.poll_want(self.want_recv(n), n)
    }

    /// What [`poll_recv`](Self::poll_recv) waits for.
    #[must_use]
    pub fn want_recv(&self, n: usize) -> Want {
        // Too large a block is an error at once, and must not wait for its first byte.
        if self.config.buffered || n > self.config.max_block {
            Want::Block(n)
        } else {
            Want::Bytes(n)
        }
    }

    /// As [`poll_bytes`](Self::poll_bytes), but every end is an error.
    ///
    /// # Errors
    ///
    /// [`Error::Disconnected`] for an end, [`Error::Closed`] after our own close.
    pub fn poll_some(&mut self, n: usize) -> Result<Step<Span>, Error> {
        match self.poll_bytes(n)? {
            Step::Ready(Some(span)) => Ok(Step::Ready(span)),
            Step::Ready(None) => Err(self.end().map_or(Error::Closed, Error::Disconnected)),
            Step::NeedInput => Ok(Step::NeedInput),
        }
    }

    /// Consumes what there is, at least one byte and at most `n`. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// [`Error::Disconnected`] for an end that is not clean, [`Error::Closed`] after our own
    /// close.
    pub fn poll_bytes(&mut self, n: usize) -> Result<Step<Option<Span>>, Error> {
        self.poll_want(Want::Bytes(n), n)
    }

    fn poll_want(&mut self, want: Want, n: usize) -> Result<Step<Option<Span>>, Error> {
        match self.look(want) {
            Look::NeedInput => return Ok(Step::NeedInput),
            Look::Final if self.peek().is_empty() => {
                return self.meet_end().map(|()| Step::Ready(None));
            }
            Look::Data | Look::Final => {}
        }
        let n = n.min(self.inbox.len());
        Ok(Step::Ready(Some(self.consume(n))))
    }

    fn check_block(&self, len: usize) -> Result<(), Error> {
        let max = self.config.max_block;
        if len > max && !self.is_closed() { Err(Error::TooLarge { len, max }) } else { Ok(()) }
    }

    /// The next line, left in place. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// As [`poll_line`](Self::poll_line), but a bad line is reported and kept: the next call meets it
    /// again.
    pub fn peek_line(&mut self) -> Result<Step<Option<&[u8]>>, Error> {
        match self.look(Want::Line) {
            Look::NeedInput => Ok(Step::NeedInput),
            Look::Data | Look::Final => match (self.state, self.find()) {
                (State::Open, Found::Line { len, .. }) => {
                    Ok(Step::Ready(Some(&self.inbox.unread()[..len])))
                }
                (State::Open, Found::Bad { error, .. }) => Err(error.into()),
                _ => self.peek_end().map(|()| Step::Ready(None)),
            },
        }
    }

    /// What there is, at least one byte and at most `n`, left in place. Empty: the input ended in good
    /// order, or `n` is 0.
    ///
    /// # Errors
    ///
    /// [`Error::Disconnected`] for an end that is not clean, [`Error::Closed`] after our own
    /// close.
    pub fn peek_bytes(&mut self, n: usize) -> Result<Step<&[u8]>, Error> {
        match self.look(Want::Bytes(n)) {
            Look::NeedInput => Ok(Step::NeedInput),
            Look::Data => Ok(Step::Ready(&self.inbox.unread()[..n.min(self.inbox.len())])),
            Look::Final => self.peek_end().map(|()| Step::Ready(&[][..])),
        }
    }
}
