//! The sending half of a connection: what was accepted for the peer, and whether more may be.

mod secure;

use alloc::boxed::Box;
use core::fmt;

use bytes::Bytes;

use crate::outbox::{Outbox, Outgoing, PIECE};
use crate::secure::Wire;
use crate::{Cause, Config, End, Error, Framing, Loss, SendStats};

/// The sending half of a [`Connection`](crate::Connection), of use alone when sending and receiving
/// belong to different tasks. The methods are documented there.
pub struct Sender {
    outbox: Outbox,
    /// The secure layer, if there is one.
    wire: Option<Box<Wire>>,
    max_outbox: usize,
    framing: Framing,
    closed: bool,
    interrupted: bool,
    large: Large,
    loss: Option<Loss>,
    /// Accepted bytes were dropped.
    dropped: bool,
    /// How many lines were accepted as such.
    lines: u64,
}

/// Whether a message larger than the outbox is under way; nothing may come between its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Large {
    No,
    /// Nothing of it is queued yet.
    Begun,
    /// A part of it is queued, and perhaps on the wire.
    Torn,
}

impl Sender {
    /// A sender that has sent nothing.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            outbox: Outbox::default(),
            wire: None,
            max_outbox: at_least_one(config.max_outbox),
            framing: config.framing,
            closed: false,
            interrupted: false,
            large: Large::No,
            loss: None,
            dropped: false,
            lines: 0,
        }
    }

    // ---- getters ---------------------------------------------------------------------------------

    /// Bytes accepted and not yet transmitted.
    #[must_use]
    pub const fn unsent(&self) -> usize {
        self.outbox.len()
    }

    /// What those bytes are charged against `max_outbox`: 64 more for each queued piece.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.outbox.charge()
    }

    /// How many bytes were ever accepted. A message is transmitted when [`Sender::transmitted_total`]
    /// has come to what this was behind it.
    #[must_use]
    pub const fn accepted_total(&self) -> u64 {
        self.outbox.accepted()
    }

    /// How many bytes were ever transmitted.
    #[must_use]
    pub const fn transmitted_total(&self) -> u64 {
        self.outbox.accepted() - self.outbox.len() as u64
    }

    /// Whether more than half of `max_outbox` is queued: the peer should be written to before it is
    /// read from.
    #[must_use]
    #[inline]
    pub fn is_congested(&self) -> bool {
        self.outbox.len() > 0 && self.outbox.charge() > self.max_outbox / 2
    }

    /// Whether a message of `n` bytes would be accepted whole, now. One of at most `max_outbox` bytes
    /// always is when nothing is queued.
    #[must_use]
    pub fn has_room(&self, n: usize) -> bool {
        self.fits(n, false)
    }

    #[inline]
    fn fits(&self, n: usize, shared: bool) -> bool {
        let fits = if self.outbox.len() == 0 {
            n <= self.max_outbox
        } else {
            // At most a piece more: mostly that is enough to know.
            self.outbox.charge().saturating_add(PIECE).saturating_add(n) <= self.max_outbox
                || self.outbox.charge_with(n, shared) <= self.max_outbox
        };
        fits && self.large == Large::No
    }

    /// The limit, in bytes.
    #[must_use]
    pub const fn max_outbox(&self) -> usize {
        self.max_outbox
    }

    /// What was sent so far, in numbers.
    #[must_use]
    pub const fn stats(&self) -> SendStats {
        SendStats { bytes: self.transmitted_total(), lines: self.lines }
    }

    /// How the connection broke, if it did.
    #[must_use]
    pub const fn loss(&self) -> Option<Loss> {
        self.loss
    }

    /// The end as far as this half has met it.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.coming_end().map(|cause| End::new(cause, 0))
    }

    /// Whether bytes that were accepted never left.
    #[must_use]
    pub const fn has_dropped(&self) -> bool {
        self.dropped
    }

    /// Whether we ended the sending side.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether a message was torn: nothing can be sent any more, and the connection must not end as if
    /// all were well.
    #[must_use]
    pub const fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Whether anything can be sent.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Interrupted`], [`Error::Disconnected`] or
    /// [`Error::Tls`]; all are final.
    #[inline]
    pub fn check(&self) -> Result<(), Error> {
        match self.failure() {
            _ if self.closed => Err(Error::Closed),
            _ if self.interrupted => Err(Error::Interrupted),
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    /// What the receiving half is to take for the cause of an end that its transport reported as
    /// `seen`. A reset that a write met first is handed out only once by the system, so the read that
    /// follows sees an end that looks orderly and is not. Where it sees another reset, the first one was
    /// told already.
    #[must_use]
    pub fn end_cause(&self, seen: Cause) -> Cause {
        match (self.loss, seen) {
            (Some(loss), Cause::Eof | Cause::Truncated | Cause::Lost(_)) => Cause::Lost(loss),
            _ => seen,
        }
    }

    // ---- commands: what the application wants ----------------------------------------------------

    /// Queues a copy of `message`.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] if there is no room, or one of the final errors of [`check`](Self::check).
    /// Nothing is queued then.
    pub fn feed(&mut self, message: &[u8]) -> Result<(), Error> {
        self.admit(message.len(), false)?;
        self.outbox.push([message, &[]]);
        Ok(())
    }

    /// Queues `message`, shared and not copied from 1 KiB on.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn feed_bytes(&mut self, message: Bytes) -> Result<(), Error> {
        self.admit(message.len(), true)?;
        self.outbox.push_shared(message);
        Ok(())
    }

    /// Queues `text` as a line: [`Framing`] says what goes behind it.
    ///
    /// # Errors
    ///
    /// [`Error::LineBreak`] if `text` holds a line break; otherwise as [`feed`](Self::feed).
    pub fn feed_line(&mut self, text: &[u8]) -> Result<(), Error> {
        if self.framing.holds_line_break(text) {
            return Err(Error::LineBreak);
        }
        let end = self.framing.terminator();
        self.admit(text.len().saturating_add(end.len()), false)?;
        self.outbox.push([text, end]);
        self.lines += 1;
        Ok(())
    }

    #[inline]
    fn admit(&self, n: usize, shared: bool) -> Result<(), Error> {
        self.check()?;
        if self.fits(n, shared) { Ok(()) } else { Err(self.full()) }
    }

    fn full(&self) -> Error {
        Error::Full { queued: self.outbox.charge(), max: self.max_outbox }
    }

    /// Begins a message larger than `max_outbox`: until [`end_large`](Self::end_large) only
    /// [`feed_part`](Self::feed_part) is accepted.
    ///
    /// # Errors
    ///
    /// The final errors of [`check`](Self::check); [`Error::Full`] if another one is under way.
    pub fn begin_large(&mut self) -> Result<(), Error> {
        self.check()?;
        if self.large != Large::No {
            return Err(self.full());
        }
        self.large = Large::Begun;
        Ok(())
    }

    /// Queues a copy of the front of `rest` of a large message and returns how much that was: what
    /// there is room for, 0 if there is none.
    ///
    /// # Errors
    ///
    /// The final errors of [`check`](Self::check).
    pub fn feed_part(&mut self, rest: &[u8]) -> Result<usize, Error> {
        self.check()?;
        let room = if self.outbox.len() == 0 { self.max_outbox } else { 0 };
        let n = room.min(rest.len());
        self.outbox.push([&rest[..n], &[]]);
        if n > 0 {
            self.large = Large::Torn;
        }
        Ok(n)
    }

    /// Ends a large message: all its parts are queued, and others may follow.
    pub const fn end_large(&mut self) {
        self.large = Large::No;
    }

    /// Gives up the large message that is under way, if there is one. If a part of it was queued,
    /// nothing can be sent from here on.
    pub fn give_up_large(&mut self) {
        if self.large == Large::Torn && self.loss.is_none() {
            self.interrupted = true;
            if let Some(wire) = &mut self.wire {
                wire.tear();
            }
            self.drop_queued();
        }
        self.large = Large::No;
    }

    /// Changes the limit. What is queued already stays.
    pub const fn set_max_outbox(&mut self, bytes: usize) {
        self.max_outbox = at_least_one(bytes);
    }

    /// Ends the sending side. What is queued is still outgoing; a large message that is under way is
    /// torn by it.
    pub fn close(&mut self) {
        self.give_up_large();
        self.closed = true;
    }

    // ---- output: what to put on the wire ---------------------------------------------------------

    /// The bytes to put on the wire. Over a secure layer: records, made now of what is queued.
    #[must_use]
    #[inline]
    pub fn outgoing(&mut self) -> Outgoing<'_> {
        self.seal();
        match &self.wire {
            Some(wire) => Outgoing::one(wire.outgoing()),
            None => self.outbox.outgoing(),
        }
    }

    /// The first `n` outgoing bytes are on the wire.
    ///
    /// # Panics
    ///
    /// If `n` is more than was outgoing.
    #[inline]
    pub fn transmitted(&mut self, n: usize) {
        let n = match &mut self.wire {
            Some(wire) => wire.transmitted(n),
            None => n,
        };
        self.outbox.transmitted(n);
    }

    /// The transport broke: what is queued will never leave. The first loss stays, or the failure of a secure
    /// layer that came before it.
    pub fn handle_lost(&mut self, loss: Loss) {
        if self.failure().is_none() {
            self.loss = Some(loss);
        }
        self.drop_queued();
        if let Some(wire) = &mut self.wire {
            wire.clear();
        }
    }

    /// Forgets that bytes were dropped: somebody has taken note of it.
    pub const fn forgive_dropped(&mut self) {
        self.dropped = false;
    }

    /// Drops what is queued: it will never leave.
    pub fn drop_queued(&mut self) {
        self.dropped |= self.outbox.len() > 0;
        self.outbox.clear();
        if let Some(wire) = &mut self.wire {
            // A record that is on the wire in part is not torn.
            wire.forget_sealed();
        }
    }
}

/// A limit of 0 would stop every message for ever.
const fn at_least_one(limit: usize) -> usize {
    if limit == 0 { 1 } else { limit }
}

impl fmt::Debug for Sender {
    /// Says how much is queued, never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("unsent", &self.unsent())
            .field("closed", &self.closed)
            .field("interrupted", &self.interrupted)
            .field("loss", &self.loss)
            .finish_non_exhaustive()
    }
}
