//! The operations that need TLS. The layer itself is not here yet; this is where its calls go:
//!
//! - `wrap` before a connect or a listen is `AsyncSocket::wrap_tls` with a context;
//! - `wrap` of a connection is `Connection::upgrade_tls` with a context and a role;
//! - `is_ssl` is `Connection::is_tls`, `peer_cert_count` counts `Connection::peer_certificates`;
//! - `new_context` makes a context from the files of the script, in [`Settings::certs`].
//!
//! [`Settings::certs`]: super::Settings::certs

use asyncnet::Runtime;

use super::answer::{Answer, Failure, ok};
use super::{Op, Stage};

const MISSING: &str = "this build has no TLS";

impl<R: Runtime> Stage<R> {
    /// Wraps a socket. One that was to be secure and is not takes no further part: nothing of the script
    /// is to leave in plaintext.
    pub(super) fn wrap(&self, op: &Op) -> Answer {
        self.remove(op.socket())?;
        Err(Failure::missing(MISSING))
    }

    pub(super) fn is_tls(&self, op: &Op) -> Answer {
        self.socket(op)?;
        ok(false)
    }

    pub(super) fn peer_cert_count(&self) -> Answer {
        Err(Failure::missing(MISSING))
    }

    pub(super) fn new_context(&self) -> Answer {
        Err(Failure::missing(MISSING))
    }
}
