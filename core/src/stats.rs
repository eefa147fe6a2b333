//! What a connection has done so far, in numbers.

use crate::LineError;

/// What a connection received and sent so far, and what it has queued now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes received from the transport (under TLS: after decryption).
    pub bytes_received: u64,
    /// Good lines that calls returned; a peek does not count.
    pub lines_received: u64,
    /// Lines dropped because they were longer than `max_line`.
    pub too_long: u64,
    /// Lines dropped because a CR or an LF stood alone in them (strict framing).
    pub bare: u64,
    /// Lines that were not UTF-8, consumed by a call that returns text.
    pub not_utf8: u64,
    /// Bytes handed to the transport (under TLS: before encryption).
    pub bytes_sent: u64,
    /// Lines accepted by the calls that send a line.
    pub lines_sent: u64,
    /// What is queued now, in bytes as `max_queue` counts them: 64 more for each piece.
    pub queued: usize,
}

/// How many bad lines there were, by cause.
#[derive(Clone, Copy, Default)]
pub(crate) struct BadLines {
    pub(crate) too_long: u64,
    pub(crate) bare: u64,
    pub(crate) not_utf8: u64,
}

impl BadLines {
    pub(crate) const fn count(&mut self, error: &LineError) {
        match error {
            LineError::TooLong { .. } => self.too_long += 1,
            LineError::BareCr | LineError::BareLf => self.bare += 1,
            LineError::Utf8(_) => self.not_utf8 += 1,
        }
    }
}
