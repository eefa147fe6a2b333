//! Errors of a driven connection, and what each is as an `io::Error`.

use std::fmt;
use std::io::{self, ErrorKind};

use asyncnet_core as core;
use asyncnet_core::{BlockTooLarge, Cause, End, LineError, Loss, TlsError, TlsErrorKind};

/// Why a receive has no bytes to answer.
///
/// | error | whose fault | what still works |
/// |---|---|---|
/// | [`Line`](Self::Line) | the peer's | everything; the next receive answers what comes behind the bad line |
/// | [`BlockTooLarge`](Self::BlockTooLarge) | the caller's | everything; nothing was read |
/// | [`Disconnected`](Self::Disconnected) | the peer's, or the network's | sending, unless it was a reset |
/// | [`Tls`](Self::Tls) | the error says | nothing; the typed and the seed view both tell it |
/// | [`Closed`](Self::Closed) | nobody's | nothing: we closed the connection |
/// | [`Io`](Self::Io) | this machine's | everything; nothing was lost, and the call can be repeated |
#[derive(Debug)]
#[non_exhaustive]
pub enum RecvError {
    /// The peer sent a bad line. As an `io::Error`: `InvalidData`.
    Line(LineError),
    /// The caller asked for too large a block. As an `io::Error`: `InvalidInput`.
    BlockTooLarge(BlockTooLarge),
    /// The input ended, in the middle of something or not in good order. As an `io::Error`:
    /// `UnexpectedEof`, or the kind of the reset.
    Disconnected(End),
    /// TLS failed, in its handshake or because of what the peer sent. As an `io::Error`: `InvalidData`;
    /// `UnexpectedEof` for a peer that left in the handshake, `TimedOut` for one that took too long.
    Tls(TlsError),
    /// We closed the connection. As an `io::Error`: `NotConnected`.
    Closed,
    /// The operating system refused a read for a reason that is not the peer's. As it is.
    Io(io::Error),
}

/// Why bytes were not sent.
///
/// | error | whose fault | what still works |
/// |---|---|---|
/// | [`Full`](Self::Full) | the peer's, which reads too slowly, or a large message is on its way | everything; nothing of the message was queued |
/// | [`LineBreak`](Self::LineBreak) | the caller's | everything; nothing of the message was queued |
/// | [`Interrupted`](Self::Interrupted) | the caller's | receiving |
/// | [`Disconnected`](Self::Disconnected) | the peer's, or the network's | receiving what has arrived |
/// | [`Tls`](Self::Tls) | the error says | receiving what has arrived |
/// | [`Closed`](Self::Closed) | nobody's | receiving, after `shutdown_write` |
/// | [`TimedOut`](Self::TimedOut) | the peer's, which does not read | nothing: the close that met it has reset the connection |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// There is no room in the outbox. As an `io::Error`: `WouldBlock`.
    Full {
        /// What is queued now, in bytes, as `max_outbox` counts them.
        queued: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The text of a line holds a CR or an LF. As an `io::Error`: `InvalidInput`.
    LineBreak,
    /// A message larger than `max_outbox` was given up midway. As an `io::Error`: `ConnectionAborted`.
    Interrupted,
    /// The connection broke. As an `io::Error`: the kind of the loss.
    Disconnected(Loss),
    /// TLS failed. As an `io::Error`: as [`RecvError::Tls`].
    Tls(TlsErrorKind),
    /// We ended the sending side. As an `io::Error`: `BrokenPipe`.
    Closed,
    /// A close gave up: the peer did not read what was queued. As an `io::Error`: `TimedOut`.
    TimedOut,
}

impl From<core::RecvError> for RecvError {
    fn from(error: core::RecvError) -> Self {
        match error {
            core::RecvError::Line(error) => Self::Line(error),
            core::RecvError::BlockTooLarge(error) => Self::BlockTooLarge(error),
            core::RecvError::Disconnected(end) => Self::Disconnected(end),
            core::RecvError::Tls(error) => Self::Tls(error),
            // Core's list is open; nothing else can come from the same version of it.
            _ => Self::Closed,
        }
    }
}

impl From<io::Error> for RecvError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<core::SendError> for SendError {
    fn from(error: core::SendError) -> Self {
        match error {
            core::SendError::Full { queued, max } => Self::Full { queued, max },
            core::SendError::LineBreak => Self::LineBreak,
            core::SendError::Interrupted => Self::Interrupted,
            core::SendError::Disconnected(loss) => Self::Disconnected(loss),
            core::SendError::Tls(kind) => Self::Tls(kind),
            // As above.
            _ => Self::Closed,
        }
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
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Full { queued, max } => core::SendError::Full { queued, max }.fmt(f),
            Self::LineBreak => core::SendError::LineBreak.fmt(f),
            Self::Interrupted => core::SendError::Interrupted.fmt(f),
            Self::Disconnected(loss) => loss.fmt(f),
            Self::Tls(kind) => kind.fmt(f),
            Self::Closed => core::SendError::Closed.fmt(f),
            Self::TimedOut => f.write_str("the peer did not read what was queued"),
        }
    }
}

impl std::error::Error for RecvError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Line(error) => Some(error),
            Self::BlockTooLarge(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::Disconnected(_) | Self::Closed => None,
        }
    }
}

impl std::error::Error for SendError {}

impl From<RecvError> for io::Error {
    fn from(error: RecvError) -> Self {
        let kind = match &error {
            RecvError::Io(_) => ErrorKind::Other,
            RecvError::Line(_) => ErrorKind::InvalidData,
            RecvError::BlockTooLarge(_) => ErrorKind::InvalidInput,
            RecvError::Disconnected(end) => match end.cause {
                Cause::Reset(loss) => kind_of(loss),
                _ => ErrorKind::UnexpectedEof,
            },
            RecvError::Tls(error) => kind_of_tls(error.kind()),
            RecvError::Closed => ErrorKind::NotConnected,
        };
        match error {
            RecvError::Io(error) => error,
            error => Self::new(kind, error),
        }
    }
}

impl From<SendError> for io::Error {
    fn from(error: SendError) -> Self {
        let kind = match error {
            SendError::Full { .. } => ErrorKind::WouldBlock,
            SendError::LineBreak => ErrorKind::InvalidInput,
            SendError::Interrupted => ErrorKind::ConnectionAborted,
            SendError::Disconnected(loss) => kind_of(loss),
            SendError::Tls(kind) => kind_of_tls(kind),
            SendError::Closed => ErrorKind::BrokenPipe,
            SendError::TimedOut => ErrorKind::TimedOut,
        };
        Self::new(kind, error)
    }
}

const fn kind_of(loss: Loss) -> ErrorKind {
    match loss {
        Loss::Reset => ErrorKind::ConnectionReset,
        Loss::Aborted => ErrorKind::ConnectionAborted,
        Loss::BrokenPipe => ErrorKind::BrokenPipe,
        Loss::TimedOut => ErrorKind::TimedOut,
        Loss::HostUnreachable => ErrorKind::HostUnreachable,
        Loss::NetworkUnreachable => ErrorKind::NetworkUnreachable,
        Loss::NetworkDown => ErrorKind::NetworkDown,
        Loss::WriteZero => ErrorKind::WriteZero,
        _ => ErrorKind::Other,
    }
}

const fn kind_of_tls(kind: TlsErrorKind) -> ErrorKind {
    match kind {
        TlsErrorKind::LeftInHandshake => ErrorKind::UnexpectedEof,
        TlsErrorKind::TimedOut => ErrorKind::TimedOut,
        _ => ErrorKind::InvalidData,
    }
}

/// What a failed write says about the connection: always that it is lost.
pub(crate) fn write_loss(error: &io::Error) -> Loss {
    named_loss(error.kind()).unwrap_or(Loss::Other)
}

/// What a failed read says about the connection: an end, or nothing.
pub(crate) fn read_end(error: &io::Error) -> Option<Cause> {
    match error.kind() {
        // What TLS streams of other libraries answer when the close notice is missing.
        ErrorKind::UnexpectedEof => Some(Cause::TlsTruncated),
        kind => named_loss(kind).map(Cause::Reset),
    }
}

fn named_loss(kind: ErrorKind) -> Option<Loss> {
    Some(match kind {
        ErrorKind::ConnectionReset | ErrorKind::NotConnected => Loss::Reset,
        ErrorKind::ConnectionAborted => Loss::Aborted,
        ErrorKind::BrokenPipe => Loss::BrokenPipe,
        ErrorKind::TimedOut => Loss::TimedOut,
        ErrorKind::HostUnreachable => Loss::HostUnreachable,
        ErrorKind::NetworkUnreachable => Loss::NetworkUnreachable,
        ErrorKind::NetworkDown => Loss::NetworkDown,
        ErrorKind::WriteZero => Loss::WriteZero,
        _ => return None,
    })
}
