//! What the application sends.

use bytes::Bytes;

use super::Link;
use crate::Error;
use crate::queue::Large;

impl Link {
    /// Whether a message of `n` bytes would be accepted whole, now. One of at most `max_queue` bytes always is
    /// when nothing is queued.
    #[must_use]
    pub fn has_room(&self, n: usize) -> bool {
        self.queue.fits(n, false)
    }

    /// The limit of the queue, in bytes.
    #[must_use]
    pub const fn max_queue(&self) -> usize {
        self.queue.max()
    }

    /// Queues a copy of `message`.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] if there is no room, [`Error::TooLarge`] if there never will be, or one of the final
    /// errors of [`check`](Self::check). Nothing is queued then.
    pub fn feed(&mut self, message: &[u8]) -> Result<(), Error> {
        self.check()?;
        self.queue.admit(message.len(), false)?;
        self.queue.push([message, &[]]);
        Ok(())
    }

    /// Queues `message`, shared and not copied from 1 KiB on.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn feed_shared(&mut self, message: Bytes) -> Result<(), Error> {
        self.check()?;
        self.queue.admit(message.len(), true)?;
        self.queue.push_shared(message);
        Ok(())
    }

    /// Queues `text` as a line: with the terminator of the framing behind it.
    ///
    /// # Errors
    ///
    /// [`Error::LineBreak`] if `text` holds a line break; otherwise as [`feed`](Self::feed).
    #[inline]
    pub fn feed_line(&mut self, text: &[u8]) -> Result<(), Error> {
        let n = self.line_len(text)?;
        self.check()?;
        self.queue.admit(n, false)?;
        self.push_line(text);
        Ok(())
    }

    /// As [`feed_shared`](Self::feed_shared), whatever is queued already: for a room, which bounds its members
    /// itself.
    ///
    /// # Errors
    ///
    /// The final errors of [`check`](Self::check); [`Error::Full`] while a large message is under way.
    pub fn feed_unbounded(&mut self, message: Bytes) -> Result<(), Error> {
        self.check()?;
        if self.has_large() {
            return Err(self.queue.refusal(0));
        }
        self.queue.push_shared(message);
        Ok(())
    }

    /// As [`feed`](Self::feed), for an answer of the task that receives: it counts for
    /// [`is_congested`](Self::is_congested), and is accepted as long as `max_queue` is not exceeded yet, or the
    /// unsent answers are within it by themselves.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn reply(&mut self, message: &[u8]) -> Result<(), Error> {
        self.check()?;
        self.queue.admit_reply(message.len())?;
        self.queue.push([message, &[]]);
        self.queue.note_reply(message.len());
        Ok(())
    }

    /// As [`reply`](Self::reply), without a copy from 1 KiB on.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn reply_shared(&mut self, message: Bytes) -> Result<(), Error> {
        self.check()?;
        let n = message.len();
        self.queue.admit_reply(n)?;
        self.queue.push_shared(message);
        self.queue.note_reply(n);
        Ok(())
    }

    /// As [`reply`](Self::reply), with a line.
    ///
    /// # Errors
    ///
    /// As [`feed_line`](Self::feed_line).
    #[inline]
    pub fn reply_line(&mut self, text: &[u8]) -> Result<(), Error> {
        let n = self.line_len(text)?;
        self.check()?;
        self.queue.admit_reply(n)?;
        self.push_line(text);
        self.queue.note_reply(n);
        Ok(())
    }

    /// The last `n` bytes that were accepted are an answer of the task that receives.
    #[inline]
    pub fn note_reply(&mut self, n: usize) {
        self.queue.note_reply(n);
    }

    /// How long the line `text` is on the wire, its terminator included.
    #[inline]
    fn line_len(&self, text: &[u8]) -> Result<usize, Error> {
        let framing = &self.config.framing;
        if framing.holds_line_break(text) {
            return Err(Error::LineBreak);
        }
        Ok(text.len().saturating_add(framing.terminator().len()))
    }

    #[inline]
    fn push_line(&mut self, text: &[u8]) {
        self.queue.push([text, self.config.framing.terminator()]);
        self.queue.lines += 1;
    }

    /// A line was sent in another way than by [`feed_line`](Self::feed_line).
    pub const fn note_line(&mut self) {
        self.queue.lines += 1;
    }

    /// Begins a message larger than `max_queue`: until [`end_large`](Self::end_large) only
    /// [`feed_part`](Self::feed_part) is accepted.
    ///
    /// # Errors
    ///
    /// The final errors of [`check`](Self::check); [`Error::Full`] if another one is under way.
    pub fn begin_large(&mut self) -> Result<(), Error> {
        self.check()?;
        if self.queue.large != Large::No {
            return Err(self.queue.refusal(0));
        }
        self.queue.large = Large::Begun;
        Ok(())
    }

    /// Queues a copy of the front of `rest` of a large message and returns how much that was: what there is
    /// room for, 0 if there is none.
    ///
    /// # Errors
    ///
    /// The final errors of [`check`](Self::check).
    pub fn feed_part(&mut self, rest: &[u8]) -> Result<usize, Error> {
        self.check()?;
        Ok(self.queue.push_part(rest))
    }

    /// Ends a large message: all its parts are queued, and others may follow.
    pub const fn end_large(&mut self) {
        self.queue.large = Large::No;
    }

    /// Gives up the large message that is under way, if there is one. If a part of it was queued, nothing can
    /// be sent from here on.
    pub fn give_up_large(&mut self) {
        let torn = self.queue.large == Large::Torn && !self.has_failed();
        self.queue.large = Large::No;
        if torn {
            self.interrupted = true;
            if let Some(wire) = &mut self.wire {
                wire.tear();
            }
            self.drop_queued();
        }
    }

    /// Whether a large message is under way.
    pub(super) fn has_large(&self) -> bool {
        self.queue.large != Large::No
    }
}
