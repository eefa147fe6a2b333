//! Errors, split by whose fault they are: [`LineError`] is the peer's, [`BlockTooLarge`] and
//! [`SendError`] are the caller's or the connection's.

use alloc::vec::Vec;
use core::fmt;

use crate::{End, Loss, TlsError, TlsErrorKind};

/// The peer sent a line that breaks the rules.
///
/// The line is gone: reported once, then discarded through its terminator. Everything else still works,
/// and the next receive answers what comes behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineError {
    /// The line is longer than `max_line` bytes, its terminator not counted. Reported as soon as that
    /// is known; the rest of the line is dropped as it arrives, without being stored.
    TooLong {
        /// The limit that it broke.
        max: usize,
    },
    /// Strict framing: a CR that no LF follows.
    BareCr,
    /// Strict framing: an LF that no CR precedes.
    BareLf,
    /// A call that answers text met a line that is not UTF-8. Its bytes are here, without the
    /// terminator.
    Utf8(Vec<u8>),
}

/// A block was asked for that is larger than `max_block`. Nothing was read or lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockTooLarge {
    /// What was asked for, in bytes.
    pub asked: usize,
    /// The limit, in bytes.
    pub max: usize,
}

/// Why a receive has no bytes to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvError {
    /// The peer sent a bad line. Go on receiving: the next call answers what comes behind it.
    Line(LineError),
    /// The caller asked for too large a block. Ask for less.
    BlockTooLarge(BlockTooLarge),
    /// The input ended, in the middle of something or not in good order. Final. Sending still works
    /// unless the cause was a reset.
    Disconnected(End),
    /// The secure layer failed. Final, for sending too.
    Tls(TlsError),
    /// We closed the connection. Final.
    Closed,
}

/// Why bytes were not accepted for sending. Nothing of the refused message was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// There is no room. Send what is queued, then try again.
    Full {
        /// What is queued now, in bytes, as `max_outbox` counts them.
        queued: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The text of a line holds a CR or an LF, and would arrive as two lines.
    LineBreak,
    /// A message larger than `max_outbox` was given up midway. Its first part may be on the wire, so
    /// nothing may follow it. Final; receiving still works.
    Interrupted,
    /// The connection broke. Final.
    Disconnected(Loss),
    /// The secure layer failed. Final.
    Tls(TlsErrorKind),
    /// We ended the sending side. Final.
    Closed,
}

impl From<LineError> for RecvError {
    fn from(error: LineError) -> Self {
        Self::Line(error)
    }
}

impl From<BlockTooLarge> for RecvError {
    fn from(error: BlockTooLarge) -> Self {
        Self::BlockTooLarge(error)
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { max } => write!(f, "a line is longer than {max} bytes"),
            Self::BareCr => f.write_str("a line holds a CR that no LF follows"),
            Self::BareLf => f.write_str("a line ends with an LF that no CR precedes"),
            Self::Utf8(line) => write!(f, "a line of {} bytes is not UTF-8", line.len()),
        }
    }
}

impl fmt::Display for BlockTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, max } = self;
        write!(f, "a block of {asked} bytes was asked for, at most {max} are allowed")
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(error) => error.fmt(f),
            Self::BlockTooLarge(error) => error.fmt(f),
            Self::Disconnected(end) => end.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Closed => f.write_str("the connection is closed"),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { queued, max } => {
                write!(f, "{queued} of at most {max} bytes already wait to be sent")
            }
            Self::LineBreak => f.write_str("the text of a line holds a CR or an LF"),
            Self::Interrupted => f.write_str("an earlier message was given up midway"),
            Self::Disconnected(loss) => loss.fmt(f),
            Self::Tls(kind) => kind.fmt(f),
            Self::Closed => f.write_str("the sending side is closed"),
        }
    }
}

impl core::error::Error for LineError {}
impl core::error::Error for BlockTooLarge {}
impl core::error::Error for SendError {}
impl core::error::Error for RecvError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Line(error) => Some(error),
            Self::BlockTooLarge(error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::Disconnected(_) | Self::Closed => None,
        }
    }
}
