//! What a connection has done so far, in numbers.

use crate::LineError;

/// What a receiving side has taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecvStats {
    /// Bytes received from the transport.
    pub bytes: u64,
    /// Good lines answered. A peek answers none.
    pub lines: u64,
    /// Lines dropped because they were longer than `max_line`.
    pub too_long: u64,
    /// Lines dropped because a CR or an LF stood alone in them (strict framing).
    pub bare: u64,
    /// Lines consumed by a call that answers text, and not UTF-8.
    pub not_utf8: u64,
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

/// What a sending side has given out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendStats {
    /// Bytes handed to the transport.
    pub bytes: u64,
    /// Lines accepted by the calls that send a line.
    pub lines: u64,
}
