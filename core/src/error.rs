//! One error for everything that a connection answers.

#[cfg(feature = "std")]
mod io;
mod parts;

use alloc::boxed::Box;
use alloc::string::ToString;
use core::{error, fmt};

use crate::{End, TlsError};

pub use parts::{LineError, Timeout, UpgradeRefused};

/// Why a call failed.
///
/// Every receive and every send returns this type, so one `?` serves a whole program. Calls on the socket and the
/// `futures` traits return `std::io::Error`. With the feature `std` this type converts into one that keeps the kind,
/// and back into what it was.
///
/// | error | what still works |
/// |---|---|
/// | [`Line`](Self::Line) | everything; the next receive returns what comes after the bad line |
/// | [`TooLarge`](Self::TooLarge), [`LineBreak`](Self::LineBreak) | everything; nothing was read, nothing was queued |
/// | [`Full`](Self::Full) | everything; the same message fits once the queue has drained |
/// | [`TimedOut`](Self::TimedOut) with [`Receive`](Timeout::Receive) | everything; the next receive goes on with a fresh clock |
/// | [`TimedOut`](Self::TimedOut) with [`Idle`](Timeout::Idle) | everything; the clock starts again |
/// | [`Upgrade`](Self::Upgrade) | everything, as before |
/// | [`Disconnected`](Self::Disconnected) | sending, if the peer only ended its side |
/// | [`Interrupted`](Self::Interrupted) | receiving |
/// | [`Tls`](Self::Tls), [`Closed`](Self::Closed), [`TimedOut`](Self::TimedOut) with [`Close`](Timeout::Close) | nothing |
/// | `Io` (feature `std`) | everything; the call can be repeated |
/// | [`Protocol`](Self::Protocol) | the connection; your protocol decides whether the conversation can go on |
///
/// A handshake that takes too long is a `Tls` error, and queued bytes that make no progress for too long are a
/// `Disconnected` with [`Loss::TimedOut`](crate::Loss).
///
/// `Closed` from a send after only our side was ended leaves receiving as it was.
///
/// Two errors are equal if they say the same: `Io` errors are compared by their kind, `Protocol` errors by
/// their text.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The peer sent a bad line. It is reported once and discarded. Kind: `InvalidData`.
    Line(LineError),
    /// A message is larger than the queue, or a block larger than `max_block`: it can never fit. Nothing
    /// was queued or read. Kind: `InvalidInput`.
    TooLarge {
        /// What was asked for, in bytes.
        len: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The queue has no room now. The message fits once the queue has drained. Kind: `WouldBlock`.
    Full {
        /// What is queued now, in bytes, as the limit counts them.
        queued: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The text of a line holds a line break and would arrive as two lines. Kind: `InvalidInput`.
    LineBreak,
    /// A message larger than the queue was given up half-way. Its first part may be on the wire, so nothing
    /// may follow it. Kind: `ConnectionAborted`.
    Interrupted,
    /// A time limit ran out. Kind: `TimedOut`.
    TimedOut(Timeout),
    /// The connection ended, not in good order or in the middle of a line or block. Kind: `UnexpectedEof`,
    /// or the kind of the [`Loss`](crate::Loss).
    Disconnected(End),
    /// TLS failed, in its handshake or because of what the peer sent. Kind: `InvalidData`; `UnexpectedEof`
    /// for a peer that left during the handshake, `TimedOut` for a handshake that took too long.
    Tls(TlsError),
    /// The connection cannot go over to TLS now. Nothing was changed. Kind: `InvalidInput`; `InvalidData`
    /// for [`BufferedPlaintext`](UpgradeRefused::BufferedPlaintext) and
    /// [`Discarding`](UpgradeRefused::Discarding).
    Upgrade(UpgradeRefused),
    /// This program closed the connection, or its sending side. Kind: `NotConnected`.
    Closed,
    /// The operating system refused a call, for a reason that does not end the connection. Kind: as it is.
    #[cfg(feature = "std")]
    Io(std::io::Error),
    /// The peer broke the rules of the protocol on top. [`Error::protocol`] makes it; the library never
    /// does. Kind: `InvalidData`.
    Protocol(Box<dyn error::Error + Send + Sync>),
    /// Only a parser sees this error: the message has not fully arrived. Return it with `?`. No call on a
    /// connection returns it. Kind: `WouldBlock`.
    Incomplete,
}

impl Error {
    /// An error of the protocol on top, so that one type carries a whole program's errors.
    ///
    /// ```
    /// use asyncnet_core::Error;
    ///
    /// fn number(line: &[u8]) -> Result<u64, Error> {
    ///     std::str::from_utf8(line).map_err(Error::protocol)?.parse().map_err(Error::protocol)
    /// }
    ///
    /// assert_eq!(number(b"250"), Ok(250));
    /// assert_eq!(number(b"x").unwrap_err().to_string(), "invalid digit found in string");
    /// ```
    #[must_use]
    pub fn protocol(why: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self::Protocol(why.into())
    }

    /// Whether the peer or the network ended the connection. Such an end is everyday life for a server.
    #[must_use]
    pub const fn is_disconnect(&self) -> bool {
        matches!(self, Self::Disconnected(_))
    }

    /// Whether the connection works as before: the next call can go on as if this one had not failed. A
    /// [`Protocol`](Self::Protocol) error leaves the connection unharmed; whether the conversation can go
    /// on is the protocol's own decision.
    #[must_use]
    pub const fn is_recoverable(&self) -> bool {
        match self {
            Self::Line(_)
            | Self::TooLarge { .. }
            | Self::Full { .. }
            | Self::LineBreak
            | Self::TimedOut(Timeout::Receive { .. } | Timeout::Idle)
            | Self::Upgrade(_)
            | Self::Protocol(_)
            | Self::Incomplete => true,
            #[cfg(feature = "std")]
            Self::Io(_) => true,
            Self::Interrupted
            | Self::TimedOut(_)
            | Self::Disconnected(_)
            | Self::Tls(_)
            | Self::Closed => false,
        }
    }
}

impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Line(a), Self::Line(b)) => a == b,
            (Self::TooLarge { len: a, max: x }, Self::TooLarge { len: b, max: y })
            | (Self::Full { queued: a, max: x }, Self::Full { queued: b, max: y }) => {
                (a, x) == (b, y)
            }
            (Self::TimedOut(a), Self::TimedOut(b)) => a == b,
            (Self::Disconnected(a), Self::Disconnected(b)) => a == b,
            (Self::Tls(a), Self::Tls(b)) => a == b,
            (Self::Upgrade(a), Self::Upgrade(b)) => a == b,
            #[cfg(feature = "std")]
            (Self::Io(a), Self::Io(b)) => a.kind() == b.kind(),
            (Self::Protocol(a), Self::Protocol(b)) => a.to_string() == b.to_string(),
            (Self::LineBreak, Self::LineBreak)
            | (Self::Interrupted, Self::Interrupted)
            | (Self::Closed, Self::Closed)
            | (Self::Incomplete, Self::Incomplete) => true,
            _ => false,
        }
    }
}

impl Eq for Error {}

impl From<LineError> for Error {
    fn from(error: LineError) -> Self {
        Self::Line(error)
    }
}

impl From<TlsError> for Error {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl From<UpgradeRefused> for Error {
    fn from(refused: UpgradeRefused) -> Self {
        Self::Upgrade(refused)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(error) => error.fmt(f),
            Self::TooLarge { len, max } => {
                write!(f, "a message or block of {len} bytes is larger than the limit of {max}")
            }
            Self::Full { queued, max } => {
                write!(f, "the send queue is full: it holds {queued} of at most {max} bytes")
            }
            Self::LineBreak => f.write_str("the text of a line holds a line break"),
            Self::Interrupted => f.write_str(
                "a message larger than the queue was given up half-way: nothing more can be sent",
            ),
            Self::TimedOut(timeout) => timeout.fmt(f),
            Self::Disconnected(end) => end.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Upgrade(refused) => refused.fmt(f),
            Self::Closed => f.write_str("this program has closed the connection"),
            #[cfg(feature = "std")]
            Self::Io(error) => error.fmt(f),
            Self::Protocol(error) => error.fmt(f),
            Self::Incomplete => f.write_str("the message has not arrived completely"),
        }
    }
}

impl error::Error for Error {
    /// The source of the error inside, whose text this one shows: a report of the whole chain says nothing twice.
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Line(error) => error.source(),
            Self::Tls(error) => error.source(),
            Self::Upgrade(error) => error.source(),
            #[cfg(feature = "std")]
            Self::Io(error) => error.source(),
            Self::Protocol(error) => error.source(),
            _ => None,
        }
    }
}
