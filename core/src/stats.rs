//! What a connection has done so far, in numbers.

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

/// What a sending side has given out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendStats {
    /// Bytes handed to the transport.
    pub bytes: u64,
    /// Lines accepted by the calls that send a line.
    pub lines: u64,
}
