//! What an error of the system says about a connection.

use std::io::{self, ErrorKind};

use asyncnet_core::{Cause, Loss};

/// What a failed write says about the connection: always that it is lost.
pub(crate) fn write_loss(error: &io::Error) -> Loss {
    error.kind().into()
}

/// What a failed read says about the connection: an end, or nothing.
pub(crate) fn read_end(error: &io::Error) -> Option<Cause> {
    match error.kind() {
        // What TLS streams of other libraries answer when the close notice is missing.
        ErrorKind::UnexpectedEof => Some(Cause::Truncated),
        kind => match kind.into() {
            Loss::Other => None,
            loss => Some(Cause::Lost(loss)),
        },
    }
}
