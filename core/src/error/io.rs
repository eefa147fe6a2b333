//! An [`Error`] as a `std::io::Error`, and back.

use std::io::{self, ErrorKind};

use super::{Error, UpgradeRefused};
use crate::{Cause, Loss, TlsErrorKind};

impl Error {
    /// The kind that it has as a `std::io::Error`.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Line(_)
            | Self::Protocol(_)
            | Self::Upgrade(UpgradeRefused::BufferedPlaintext(_) | UpgradeRefused::Discarding) => {
                ErrorKind::InvalidData
            }
            Self::TooLarge { .. } | Self::LineBreak | Self::Upgrade(_) => ErrorKind::InvalidInput,
            Self::Full { .. } | Self::Incomplete => ErrorKind::WouldBlock,
            Self::Interrupted => ErrorKind::ConnectionAborted,
            Self::TimedOut(_) => ErrorKind::TimedOut,
            Self::Disconnected(end) => match end.cause {
                Cause::Lost(loss) => loss.into(),
                _ => ErrorKind::UnexpectedEof,
            },
            Self::Tls(error) => match error.kind() {
                TlsErrorKind::LeftInHandshake => ErrorKind::UnexpectedEof,
                TlsErrorKind::TimedOut => ErrorKind::TimedOut,
                _ => ErrorKind::InvalidData,
            },
            Self::Closed => ErrorKind::NotConnected,
            Self::Io(error) => error.kind(),
        }
    }
}

impl From<Loss> for ErrorKind {
    fn from(loss: Loss) -> Self {
        match loss {
            Loss::Reset => Self::ConnectionReset,
            Loss::Aborted => Self::ConnectionAborted,
            Loss::BrokenPipe => Self::BrokenPipe,
            Loss::TimedOut => Self::TimedOut,
            Loss::HostUnreachable => Self::HostUnreachable,
            Loss::NetworkUnreachable => Self::NetworkUnreachable,
            Loss::NetworkDown => Self::NetworkDown,
            Loss::WriteZero => Self::WriteZero,
            Loss::Other => Self::Other,
        }
    }
}

/// The loss that a failed read or write stands for, to be passed to `handle_lost` or `handle_write_lost`.
///
/// A kind that no loss has is [`Loss::Other`]. `WouldBlock`, `TimedOut` of a socket with a timeout, and `Interrupted` are
/// no loss: look for them first.
///
/// ```
/// use std::io::ErrorKind;
///
/// use asyncnet_core::Loss;
///
/// assert_eq!(Loss::from(ErrorKind::ConnectionReset), Loss::Reset);
/// assert_eq!(Loss::from(ErrorKind::PermissionDenied), Loss::Other);
/// ```
impl From<ErrorKind> for Loss {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::ConnectionReset | ErrorKind::NotConnected => Self::Reset,
            ErrorKind::ConnectionAborted => Self::Aborted,
            ErrorKind::BrokenPipe => Self::BrokenPipe,
            ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::HostUnreachable => Self::HostUnreachable,
            ErrorKind::NetworkUnreachable => Self::NetworkUnreachable,
            ErrorKind::NetworkDown => Self::NetworkDown,
            ErrorKind::WriteZero => Self::WriteZero,
            _ => Self::Other,
        }
    }
}

impl From<io::Error> for Error {
    /// An `io::Error` that holds an [`Error`] comes back as what it was; any other is an
    /// [`Io`](Self::Io).
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Io)
    }
}

impl From<Error> for io::Error {
    /// Keeps the [`kind`](Error::kind). An [`Io`](Error::Io) comes back as what it was.
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            error => Self::new(error.kind(), error),
        }
    }
}
