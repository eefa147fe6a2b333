//! A batch of lines, and the outbox to answer them into.

use asyncnet_core::{Bytes, Lines, Sender};

#[cfg(doc)]
use crate::Connection;
use crate::Error;

/// Every complete line that had arrived, and the outbox: borrowed side by side.
///
/// [`next_line`](Self::next_line) hands out lines while there is room for answers. The fields can also be
/// used apart: `lines` is an iterator over every line, full outbox or not.
#[derive(Debug)]
#[non_exhaustive]
pub struct Batch<'a> {
    /// The lines, consumed one by one.
    pub lines: Lines<'a>,
    /// Where the answers go.
    pub outbox: Outbox<'a>,
}

impl<'a> Batch<'a> {
    /// The next line. `None` when there is none, and also while more than half of `max_outbox` is
    /// queued: the rest is the next call's answer, which writes first. So an answer of up to a half of
    /// `max_outbox` always fits.
    #[inline]
    pub fn next_line(&mut self) -> Option<&'a [u8]> {
        if self.outbox.sender.is_congested() { None } else { self.lines.next() }
    }
}

/// The outbox of a connection, borrowed: it queues, and the connection transmits.
#[derive(Debug)]
pub struct Outbox<'a> {
    pub(crate) sender: &'a mut Sender,
}

impl Outbox<'_> {
    /// As [`Connection::feed`].
    ///
    /// # Errors
    ///
    /// As [`Connection::feed`].
    pub fn feed(&mut self, message: &[u8]) -> Result<(), Error> {
        Ok(self.sender.feed(message)?)
    }

    /// As [`Connection::feed_line`].
    ///
    /// # Errors
    ///
    /// As [`Connection::feed_line`].
    pub fn feed_line(&mut self, text: &[u8]) -> Result<(), Error> {
        Ok(self.sender.feed_line(text)?)
    }

    /// As [`Connection::feed_bytes`].
    ///
    /// # Errors
    ///
    /// As [`Connection::feed`].
    pub fn feed_bytes(&mut self, message: Bytes) -> Result<(), Error> {
        Ok(self.sender.feed_bytes(message)?)
    }
}
