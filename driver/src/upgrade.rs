//! Going over to TLS on a connection that is there already, and what can stand in its way.

use std::fmt;
use std::io::{self, ErrorKind};

use asyncnet_core::{End, StartTlsError, TlsError};

use crate::{RecvError, SendError};

/// Why a connection did not go over to TLS.
///
/// | error | whose fault | what still works |
/// |---|---|---|
/// | [`BufferedPlaintext`](Self::BufferedPlaintext) | the peer's, which sent too early; or the caller's, who did not receive it | everything, in plain; nothing was changed |
/// | [`UnsentPlaintext`](Self::UnsentPlaintext), [`AlreadyTls`](Self::AlreadyTls), [`Discarding`](Self::Discarding), [`Context`](Self::Context) | the caller's | everything, as before |
/// | [`Ended`](Self::Ended), [`CannotSend`](Self::CannotSend) | as the end says | what works after that end |
/// | [`Tls`](Self::Tls) | the error says | nothing: close the connection, which also tells the peer why |
#[derive(Debug)]
#[non_exhaustive]
pub enum UpgradeError {
    /// This many bytes were received in plain and not asked for. Taken for bytes that came over TLS they
    /// would be trusted, which is how commands are smuggled into a session (CVE-2011-0411 and its kin). They
    /// are still there to be received. As an `io::Error`: `InvalidData`.
    BufferedPlaintext(usize),
    /// This many bytes are queued and not sent: flush first. As an `io::Error`: `InvalidInput`.
    UnsentPlaintext(usize),
    /// A bad line was reported and its rest has not arrived yet. As an `io::Error`: `InvalidData`.
    Discarding,
    /// The connection is secure already. As an `io::Error`: `InvalidInput`.
    AlreadyTls,
    /// The input has ended. As an `io::Error`: as [`RecvError::Disconnected`].
    Ended(End),
    /// Nothing can be sent any more. As an `io::Error`: as the error inside.
    CannotSend(SendError),
    /// The settings do not fit: no certificate for a server, a name that is none. As an `io::Error`:
    /// `InvalidInput`.
    Context(String),
    /// The handshake failed. Final: the next try answers the same. As an `io::Error`: as
    /// [`RecvError::Tls`].
    Tls(TlsError),
}

impl From<StartTlsError> for UpgradeError {
    fn from(error: StartTlsError) -> Self {
        match error {
            StartTlsError::BufferedPlaintext(n) => Self::BufferedPlaintext(n),
            StartTlsError::UnsentPlaintext(n) => Self::UnsentPlaintext(n),
            StartTlsError::Discarding => Self::Discarding,
            StartTlsError::Ended(end) => Self::Ended(end),
            StartTlsError::CannotSend(error) => Self::CannotSend(error.into()),
            // Core's list is open; nothing else can come from the same version of it.
            _ => Self::AlreadyTls,
        }
    }
}

impl From<TlsError> for UpgradeError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferedPlaintext(n) => StartTlsError::BufferedPlaintext(*n).fmt(f),
            Self::UnsentPlaintext(n) => StartTlsError::UnsentPlaintext(*n).fmt(f),
            Self::Discarding => StartTlsError::Discarding.fmt(f),
            Self::AlreadyTls => StartTlsError::AlreadyTls.fmt(f),
            Self::Ended(end) => end.fmt(f),
            Self::CannotSend(error) => error.fmt(f),
            Self::Context(why) => f.write_str(why),
            Self::Tls(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for UpgradeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::CannotSend(error) => Some(error),
            Self::Tls(error) => Some(error),
            _ => None,
        }
    }
}

impl From<UpgradeError> for io::Error {
    fn from(error: UpgradeError) -> Self {
        let kind = match &error {
            UpgradeError::BufferedPlaintext(_) | UpgradeError::Discarding => ErrorKind::InvalidData,
            UpgradeError::UnsentPlaintext(_)
            | UpgradeError::AlreadyTls
            | UpgradeError::Context(_) => ErrorKind::InvalidInput,
            UpgradeError::Ended(end) => Self::from(RecvError::Disconnected(*end)).kind(),
            UpgradeError::CannotSend(error) => Self::from(*error).kind(),
            UpgradeError::Tls(error) => Self::from(RecvError::Tls(error.clone())).kind(),
        };
        Self::new(kind, error)
    }
}
