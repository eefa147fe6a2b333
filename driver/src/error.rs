//! What an error of the system says about a connection.

use std::io::{self, ErrorKind};

use asyncnet_core::{Cause, Error, Loss};

/// The answer that is given again, such as the outcome of a close to every later close. An I/O error keeps
/// its kind, an error of a protocol its text.
pub(crate) fn again<T: Copy>(answer: &Result<T, Error>) -> Result<T, Error> {
    answer.as_ref().copied().map_err(repeat)
}

fn repeat(error: &Error) -> Error {
    match error {
        Error::Line(error) => Error::Line(error.clone()),
        Error::TooLarge { len, max } => Error::TooLarge { len: *len, max: *max },
        Error::Full { queued, max } => Error::Full { queued: *queued, max: *max },
        Error::LineBreak => Error::LineBreak,
        Error::Interrupted => Error::Interrupted,
        Error::TimedOut(timeout) => Error::TimedOut(*timeout),
        Error::Disconnected(end) => Error::Disconnected(*end),
        Error::Tls(error) => Error::Tls(error.clone()),
        Error::Upgrade(refused) => Error::Upgrade(refused.clone()),
        Error::Closed => Error::Closed,
        Error::Io(error) => Error::Io(error.kind().into()),
        other => Error::protocol(other.to_string()),
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
        ErrorKind::UnexpectedEof => Some(Cause::Truncated),
        kind => named_loss(kind).map(Cause::Lost),
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
