//! All that has arrived, and the queue to answer into, side by side.

use std::fmt;
use std::sync::Arc;

use asyncnet_core::driver::Link;
use asyncnet_core::{Bytes, Items, Unread};

use crate::engine::Engine;
use crate::engine::fan_out::Place;
use crate::engine::shared::Shared;
use crate::{Error, Transport, log};

/// Where the answers of a batch go.
pub(super) enum Out<'a, S: Transport> {
    Own(&'a mut Engine<S>),
    Shared(&'a Arc<Shared<S>>),
}

/// All that has arrived, as lines, blocks and messages, and the way to answer them; made by
/// [`Connection::next_batch`](crate::Connection::next_batch).
///
/// What it hands out lives as long as the batch's borrow of the connection, not as long as a call. So an item can be
/// answered while it is borrowed, and several can be held at once. What is not taken stays for the next batch: a
/// batch can be left at any point, and kept across an await.
pub struct Batch<'a, S: Transport> {
    items: Items<'a>,
    out: Out<'a, S>,
    /// Whether answers of this task may be unsent.
    replied: &'a mut bool,
}

/// # Receiving
impl<'a, S: Transport> Batch<'a, S> {
    pub(super) const fn new(items: Items<'a>, out: Out<'a, S>, replied: &'a mut bool) -> Self {
        Self { items, out, replied }
    }

    /// The next line, without its terminator. `None` if no complete line has arrived, if more than
    /// [`Config::high_water`](crate::Config) bytes of answers are unsent, or if an answer is unsent and the queue
    /// exceeds `max_queue`. Then call [`next_batch`](crate::Connection::next_batch) again.
    ///
    /// # Errors
    ///
    /// [`Error::Line`] for a bad line. The batch ends there; the next one goes on after it.
    // As a call it would take as long as the search.
    #[inline(always)]
    pub fn next_line(&mut self) -> Result<Option<&'a [u8]>, Error> {
        if self.is_held_up() {
            Ok(None)
        } else {
            self.items.next_line().inspect_err(log::receive_failed)
        }
    }

    /// The next `n` bytes. `None`: they are not all here, and nothing was taken; or as
    /// [`next_line`](Self::next_line). A header and its block are one message: take them with
    /// [`next_with`](Self::next_with).
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if `n` is above `max_block`.
    pub fn next_block(&mut self, n: usize) -> Result<Option<&'a [u8]>, Error> {
        if self.is_held_up() { Ok(None) } else { self.items.next_block(n) }
    }

    /// Some of the next `n` bytes, as many as are here. `None`: none are, or as [`next_line`](Self::next_line).
    pub fn next_bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        if self.is_held_up() { None } else { self.items.next_bytes(n) }
    }

    /// A whole message, which may borrow from what has arrived. `None`: it is not all here, and nothing of it was
    /// taken; or as [`next_line`](Self::next_line).
    ///
    /// ```
    /// use asyncnet::{Connection, Error, Transport, Unread};
    ///
    /// /// A line with a length, then that many bytes: borrowed, not copied.
    /// fn counted<'a>(unread: &mut Unread<'a>) -> Result<&'a [u8], Error> {
    ///     let header = std::str::from_utf8(unread.line()?).map_err(Error::protocol)?;
    ///     unread.block(header.parse().map_err(Error::protocol)?)
    /// }
    ///
    /// async fn echo<S: Transport>(conn: &mut Connection<S>) -> Result<(), Error> {
    ///     while let Some(mut batch) = conn.next_batch().await? {
    ///         while let Some(payload) = batch.next_with(counted)? {
    ///             batch.reply_fmt(format_args!("{}", payload.len()))?;
    ///             batch.reply(payload)?;
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Connection::next_with`](crate::Connection::next_with).
    pub fn next_with<T>(
        &mut self,
        parse: impl FnOnce(&mut Unread<'a>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        if self.is_held_up() {
            Ok(None)
        } else {
            self.items.next_with(parse).inspect_err(log::receive_failed)
        }
    }

    /// Whether too many answers are unsent: they are to be written first.
    #[inline]
    fn is_held_up(&mut self) -> bool {
        *self.replied && self.has_too_many_answers()
    }

    fn has_too_many_answers(&mut self) -> bool {
        let held_up = match &self.out {
            Out::Own(engine) => engine.is_congested(),
            Out::Shared(shared) => shared.lock(None).engine.is_congested(),
        };
        if held_up {
            self.items.hold();
        }
        held_up
    }
}

/// # Answering
///
/// An answer of at most `max_queue` bytes is queued if the queue does not exceed `max_queue` yet, or if the unsent
/// answers including this one total at most `max_queue` bytes. Messages queued by writers therefore never block an
/// answer, unless one of them is larger than `max_queue` and only partly queued.
impl<S: Transport> Batch<'_, S> {
    /// Queues a copy of `message`.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if `message` is longer than `max_queue`. [`Error::Full`] if the queue exceeds `max_queue` and
    /// the unsent answers including this one do too, or while a message larger than `max_queue` is being sent. Any
    /// other error means that nothing can be sent any more. On every error, nothing of `message` is queued.
    pub fn reply(&mut self, message: impl AsRef<[u8]>) -> Result<(), Error> {
        self.queue(|link| link.reply(message.as_ref()))
    }

    /// Queues `text` as a line.
    ///
    /// # Errors
    ///
    /// [`Error::LineBreak`] if `text` holds a line break; otherwise as [`reply`](Self::reply).
    #[inline]
    pub fn reply_line(&mut self, text: impl AsRef<[u8]>) -> Result<(), Error> {
        self.queue(|link| link.reply_line(text.as_ref()))
    }

    /// Queues formatted text as a line: `batch.reply_fmt(format_args!("PONG {token}"))`.
    ///
    /// # Errors
    ///
    /// As [`reply_line`](Self::reply_line).
    pub fn reply_fmt(&mut self, text: fmt::Arguments<'_>) -> Result<(), Error> {
        self.reply_line(text.to_string())
    }

    /// Queues `message`, shared and not copied from 1 KiB on.
    ///
    /// # Errors
    ///
    /// As [`reply`](Self::reply).
    pub fn reply_shared(&mut self, message: Bytes) -> Result<(), Error> {
        self.queue(|link| link.reply_shared(message))
    }

    #[inline]
    fn queue(&mut self, reply: impl FnOnce(&mut Link) -> Result<(), Error>) -> Result<(), Error> {
        *self.replied = true;
        match &mut self.out {
            Out::Own(engine) => reply(&mut engine.link),
            Out::Shared(shared) => {
                shared.queue_at_once(Some(Place::RECEIVER), |state| reply(&mut state.engine.link))
            }
        }
    }
}

impl<S: Transport> fmt::Debug for Batch<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("items", &self.items).finish_non_exhaustive()
    }
}
