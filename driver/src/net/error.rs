//! Errors of socket calls say what was tried, and where.

use std::fmt;
use std::io;

/// What was tried when a socket call failed. It is inside the `io::Error`, whose kind is that of the
/// system's error: `error.get_ref()` finds it.
#[derive(Debug)]
pub struct SocketError {
    operation: &'static str,
    address: String,
    source: io::Error,
}

impl SocketError {
    /// The call: `"connect to"`, `"bind to"`, ..
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// The address that it was about.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What the system said.
    #[must_use]
    pub const fn system_error(&self) -> &io::Error {
        &self.source
    }
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, address, source } = self;
        write!(f, "cannot {operation} {address}: {source}")
    }
}

impl std::error::Error for SocketError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        inside(&self.source)
    }
}

/// The source of an error whose text ends with that of `error`: the error of TLS, if it is one. What the system said is
/// in the text already.
pub(super) fn inside(error: &io::Error) -> Option<&(dyn std::error::Error + 'static)> {
    error.get_ref().map(|inside| inside as _)
}

/// Adds what was tried to an error.
pub(crate) fn failed(
    operation: &'static str,
    address: impl fmt::Display,
) -> impl FnOnce(io::Error) -> io::Error {
    let address = address.to_string();
    move |source| io::Error::new(source.kind(), SocketError { operation, address, source })
}
