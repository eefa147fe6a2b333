//! Receiving in batches, and messages in a form of the program's own.

use super::{Inbound, Look, State, Want};
use crate::shortfall::{Lack, Shortfall};
use crate::unread::{Outcome, Settled};
use crate::{Error, Items, Step, Unread};

impl Inbound {
    /// One message in a form of your own. [`Unread`] says what a parser can do, and what its answer consumes.
    /// `None`: the input ended in good order, and nothing was unread.
    ///
    /// `short` belongs to one message: begin with its default, and hand in the same one until there is an
    /// answer. It keeps what the parser lacked, so that the parser is called again only when that is here,
    /// or a bad line is.
    ///
    /// ```
    /// use asyncnet_core::driver::{Inbound, Shortfall};
    /// use asyncnet_core::{Config, Error, Step, Unread};
    ///
    /// fn literal(unread: &mut Unread<'_>) -> Result<Vec<u8>, Error> {
    ///     let len = unread.line()?.len();
    ///     Ok(unread.block(len)?.to_vec())
    /// }
    ///
    /// let mut inbound = Inbound::new(Config::default().into());
    /// let mut short = Shortfall::default();
    /// inbound.handle_input(b"###\r\nab");
    /// assert_eq!(inbound.poll_with(&mut short, literal), Ok(Step::NeedInput));
    /// assert_eq!(inbound.peek(), b"###\r\nab", "nothing is consumed");
    /// inbound.handle_input(b"c");
    /// assert_eq!(inbound.poll_with(&mut short, literal), Ok(Step::Ready(Some(b"abc".to_vec()))));
    /// ```
    ///
    /// # Errors
    ///
    /// The parser's own; [`Error::Disconnected`] if the input ended in the middle of a message (what came is
    /// in [`partial`](Self::partial)) or not in good order; [`Error::Closed`] after our own close.
    pub fn poll_with<T>(
        &mut self,
        short: &mut Shortfall,
        parse: impl FnOnce(&mut Unread<'_>) -> Result<T, Error>,
    ) -> Result<Step<Option<T>>, Error> {
        match self.look(Want::More(*short)) {
            Look::NeedInput => return Ok(Step::NeedInput),
            Look::Final => return self.meet_end().map(|()| Step::Ready(None)),
            Look::Data => {}
        }
        let position = self.inbox.position();
        let (seen, searched) = (short.seen(position), self.inbox.front().searched_at(position));
        let unread = self.inbox.unread();
        let mut unread = Unread::new(unread, position, seen, searched, &self.config);
        let parsed = parse(&mut unread);
        let Settled { consumed: (bytes, lines), searched, is_over, outcome } =
            unread.settle(parsed);
        self.inbox.consume(bytes);
        let position = self.inbox.position();
        self.inbox.front_mut().lines += lines;
        self.inbox.front_mut().note(searched, position, is_over, bytes);
        *short = Shortfall::default();
        match outcome {
            Outcome::Answer(answer) => answer.map(|value| Step::Ready(Some(value))),
            Outcome::BadLine(error, resume) => Err(self.discard(error, resume)),
            Outcome::Short(lack) => {
                *short = Shortfall::new(position, self.inbox.len(), lack);
                match self.look(Want::More(*short)) {
                    Look::Final => self.meet_end().map(|()| Step::Ready(None)),
                    Look::Data | Look::NeedInput => Ok(Step::NeedInput),
                }
            }
        }
    }

    /// Whether there are [`items`](Self::items) to be taken. `None`: the input ended in good order.
    ///
    /// Waits for what the last batch was short of, see [`Want::Batch`].
    ///
    /// # Errors
    ///
    /// [`Error::Disconnected`] if the input ended not in good order, or what is left is no whole item (it is
    /// in [`partial`](Self::partial)); [`Error::Closed`] after our own close.
    #[inline]
    pub fn poll_batch(&mut self) -> Result<Step<Option<()>>, Error> {
        match self.look(Want::Batch) {
            Look::NeedInput => Ok(Step::NeedInput),
            Look::Data => Ok(Step::Ready(Some(()))),
            Look::Final => self.meet_end().map(|()| Step::Ready(None)),
        }
    }

    /// Everything that is here now, possibly nothing.
    pub fn items(&mut self) -> Items<'_> {
        let is_open = matches!(self.state, State::Open);
        if !is_open {
            self.inbox.set_searched(0);
        }
        let base = self.inbox.base();
        let (received, front) = self.inbox.parts();
        let received = if is_open { received } else { &[] };
        Items::new(received, front, &mut self.state, base, &self.config)
    }

    /// What `lack` comes to now.
    #[inline]
    pub(super) fn look_for(&mut self, lack: Lack) -> Look {
        let have = self.inbox.len();
        match lack {
            Lack::Nothing if have > 0 => Look::Data,
            // Anything at all: a line, or a byte of a block.
            Lack::Nothing => self.need_input(1, 0),
            Lack::Bytes(total) if have >= total => Look::Data,
            Lack::Bytes(total) => self.need_input(total - have, total),
            Lack::Line { begins: 0 } => self.look_for_line(),
            Lack::Line { begins } => self.look_for_line_behind(begins),
        }
    }
}
