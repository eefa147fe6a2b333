//! Bytes that arrived faster than a rate allows: no receive sees them yet, nor the end behind them.

use alloc::boxed::Box;

use bytes::BytesMut;

use super::Inbound;
use crate::rate::Lacks;

impl Inbound {
    /// Whether bytes are held back. Until they have gone on nothing more is to be read.
    #[inline]
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// The bytes that are held back.
    #[must_use]
    pub fn held(&self) -> &[u8] {
        self.held.as_ref().map_or(&[], |held| held)
    }

    /// Whether what arrives is held back first.
    pub(super) fn holds_back(&self) -> bool {
        let config = &self.config;
        let is_limited =
            config.max_lines_per_second.is_some() || config.max_bytes_per_second.is_some();
        is_limited || self.held.is_some()
    }

    /// The last `n` bytes that arrived are held back.
    #[cold]
    pub(super) fn hold_back(&mut self, n: usize) {
        if n > 0 {
            let held = self.held.get_or_insert_with(|| Box::new(BytesMut::with_capacity(n)));
            held.extend_from_slice(self.inbox.last(n));
            self.inbox.take_back(n);
        }
    }

    /// Lets at most `n` of the bytes go on that are held back. Returns whether any did.
    pub(crate) fn release(&mut self, n: usize) -> bool {
        let Some(held) = &mut self.held else { return false };
        let bytes = held.split_to(n.min(held.len()));
        if held.is_empty() {
            self.held = None;
        }
        self.inbox.extend(&bytes, self.need);
        self.finish_discarding();
        !bytes.is_empty()
    }

    /// How many lines were received, good or bad.
    pub(crate) fn lines_received(&self) -> u64 {
        let front = self.inbox.front();
        // One that is not UTF-8 is among the good ones.
        front.lines + front.bad().too_long + front.bad().bare
    }

    /// What the receive lacks that waits now.
    pub(crate) fn lacks(&self) -> Lacks {
        let have = self.inbox.len();
        let line = self.config.max_line.saturating_add(2);
        if self.wants_line && have > 0 && self.need > line {
            Lacks::LineOfMessage
        } else if !self.wants_line && self.need == have.saturating_add(self.missing) {
            Lacks::Bytes { missing: self.missing, have }
        } else {
            Lacks::Line
        }
    }
}
