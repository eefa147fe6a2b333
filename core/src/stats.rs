//! What a connection has done so far, in numbers.

/// What a connection received and sent so far, and what it has queued now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes received from the transport (under TLS: after decryption).
    pub bytes_received: u64,
    /// Good lines answered. A peek answers none.
    pub lines_received: u64,
    /// Lines dropped because they were longer than `max_line`.
    pub too_long: u64,
    /// Lines dropped because a CR or an LF stood alone in them (strict framing).
    pub bare: u64,
    /// Lines consumed by a call that answers text, and not UTF-8.
    pub not_utf8: u64,
    /// Bytes handed to the transport (under TLS: before encryption).
    pub bytes_sent: u64,
    /// Lines accepted by the calls that send a line.
    pub lines_sent: u64,
    /// What is queued now, in bytes as `max_queue` counts them: 64 more for each piece.
    pub queued: usize,
}
