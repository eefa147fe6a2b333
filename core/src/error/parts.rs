//! What an [`Error`](super::Error) is made of.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The peer sent a line that breaks the rules.
///
/// The line is gone: reported once, then discarded through its terminator. Everything else still works,
/// and the next receive returns what comes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineError {
    /// The line is longer than `max_line` bytes, its terminator not counted. Reported as soon as that
    /// is known; the rest of the line is dropped as it arrives, without being stored.
    #[doc(alias("MaxLineLengthExceeded"))]
    TooLong {
        /// The limit, in bytes.
        max: usize,
    },
    /// [`Framing::CrLf`](crate::Framing::CrLf): a CR that no LF follows.
    BareCr,
    /// [`Framing::CrLf`](crate::Framing::CrLf): an LF that no CR precedes.
    BareLf,
    /// A call that returns text met a line that is not UTF-8. Its bytes are here, without the
    /// terminator.
    Utf8(Vec<u8>),
}

/// Which time limit ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timeout {
    /// A receive waited too long for its answer. Nothing is lost: the bytes that came stay for the next
    /// call.
    Receive {
        /// How many bytes of the answer had arrived.
        partial: usize,
    },
    /// No byte moved in either direction for too long.
    Idle,
    /// The peer did not take what was queued before a close. (A send timeout is a
    /// [`Loss::TimedOut`](crate::Loss::TimedOut), a handshake that took too long an
    /// [`Error::Tls`](crate::Error::Tls).)
    Close,
}

/// Why a connection cannot go over to TLS now. The attempt has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpgradeRefused {
    /// This many bytes of plaintext were received and not asked for. Taken for bytes that came over TLS they
    /// would be trusted, which is how commands are smuggled into a session (CVE-2011-0411). They are
    /// still there to be received.
    BufferedPlaintext(usize),
    /// This many bytes of plaintext are queued; they would leave in plaintext, or unexpectedly encrypted: flush first.
    UnsentPlaintext(usize),
    /// A bad line was reported, and its rest has not arrived yet.
    Discarding,
    /// The connection uses TLS already.
    AlreadyTls,
    /// The TLS settings do not fit, for this reason: a server without a certificate, a name that is none.
    Settings(String),
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { max } => write!(f, "the peer sent a line of more than {max} bytes"),
            Self::BareCr => f.write_str("the peer sent a line with a CR that no LF follows"),
            Self::BareLf => f.write_str("the peer sent a line with an LF that no CR precedes"),
            Self::Utf8(line) => {
                write!(f, "the peer sent a line of {} bytes that is not UTF-8", line.len())
            }
        }
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Receive { partial: 0 } => f.write_str("the peer sent nothing in time"),
            Self::Receive { partial } => {
                write!(f, "the peer sent only {partial} bytes in time")
            }
            Self::Idle => f.write_str("the connection was idle for too long"),
            Self::Close => f.write_str("the peer did not read what was queued before the close"),
        }
    }
}

impl fmt::Display for UpgradeRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferedPlaintext(n) => {
                write!(f, "TLS cannot start: {n} bytes of plaintext wait to be read")
            }
            Self::UnsentPlaintext(n) => {
                write!(f, "TLS cannot start: {n} bytes of plaintext wait to be sent")
            }
            Self::Discarding => {
                f.write_str("TLS cannot start: the rest of a bad line has not arrived yet")
            }
            Self::AlreadyTls => f.write_str("TLS cannot start: the connection uses TLS already"),
            Self::Settings(why) => write!(f, "TLS cannot start: {why}"),
        }
    }
}

impl core::error::Error for LineError {}
impl core::error::Error for UpgradeRefused {}
