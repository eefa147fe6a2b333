//! What an error of the system says about a connection.

use std::io::{self, ErrorKind};

use asyncnet_core::{Cause, Loss};

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
