//! What the driver says through `tracing`, with the feature of that name; nothing without it. Never a
//! byte of what was sent or received.

use std::fmt::Display;
use std::io;

use asyncnet_core::{Cause, Error, TlsError};

/// Events, or nothing.
macro_rules! event {
    ($level:ident, $($rest:tt)*) => {
        #[cfg(feature = "tracing")]
        tracing::$level!($($rest)*);
    };
}

/// Values that only an event uses.
macro_rules! unused {
    ($($value:ident),*) => {
        #[cfg(not(feature = "tracing"))]
        let _ = ($($value,)*);
    };
}

pub(crate) fn connected(address: impl Display) {
    event!(debug, %address, "connected");
    unused!(address);
}

pub(crate) fn accepted(address: impl Display) {
    event!(debug, %address, "accepted");
    unused!(address);
}

pub(crate) fn proxy_refused(address: impl Display, why: &str) {
    event!(debug, %address, why, "the connection was refused");
    unused!(address, why);
}

pub(crate) fn backing_off(error: &io::Error) {
    event!(warn, %error, "cannot accept: out of resources; trying again");
    unused!(error);
}

pub(crate) fn ended(cause: Cause) {
    event!(debug, %cause, "input ended");
    unused!(cause);
}

#[cold]
pub(crate) fn receive_failed(error: &Error) {
    if let Error::Line(error) = error {
        event!(debug, %error, "line dropped");
        unused!(error);
    }
}

pub(crate) fn handshake_failed(error: &TlsError) {
    event!(debug, %error, "TLS handshake failed");
    unused!(error);
}

#[cfg(feature = "tls")]
pub(crate) fn certificate_expires(what: String, is_over: bool) {
    if is_over {
        event!(warn, "{what}: peers will refuse it");
    } else {
        event!(warn, "{what}, which is soon");
    }
    unused!(what);
}
