//! Connections of a listener that came to nothing: how many, and why.

use std::fmt;
use std::sync::Arc;

use asyncnet_core::{TlsError, TlsErrorKind};

use crate::Address;

/// How many connections of a listener came to nothing, by cause; made by
/// [`Listener::failures`](crate::Listener::failures).
///
/// The TLS handshakes are those of a TLS listener, and those of a later `upgrade_tls` on its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failures {
    /// Peers that were not handed out: they left or took too long before they had sent the first byte of TLS or their
    /// PROXY header, or made way for others ([`ListenOptions::max_silent`](super::ListenOptions::max_silent)).
    pub silent: u64,
    /// Peers that were reset because they began without a good PROXY header.
    pub proxy_header: u64,
    /// The peer's certificate is not accepted here.
    pub certificate: u64,
    /// The peer ended TLS with an alert: it does not accept our certificate, for example.
    pub alert: u64,
    /// The peer speaks no TLS, or breaks its rules.
    pub protocol: u64,
    /// We and the peer have no version, cipher suite or application protocol in common.
    pub incompatible: u64,
    /// The peer left in the middle of the handshake.
    pub left: u64,
    /// The handshake took too long.
    pub timed_out: u64,
    /// Something on our own side.
    pub local: u64,
}

impl Failures {
    pub(super) const fn count(&mut self, error: &TlsError) {
        let count = match error.kind() {
            TlsErrorKind::Certificate(_) => &mut self.certificate,
            TlsErrorKind::Alert(_) => &mut self.alert,
            TlsErrorKind::Protocol => &mut self.protocol,
            TlsErrorKind::Incompatible => &mut self.incompatible,
            TlsErrorKind::LeftInHandshake => &mut self.left,
            TlsErrorKind::TimedOut => &mut self.timed_out,
            _ => &mut self.local,
        };
        *count += 1;
    }
}

/// A TLS handshake that failed, for
/// [`ListenOptions::on_handshake_failure`](super::ListenOptions::on_handshake_failure).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeFailure {
    /// The peer; behind a proxy, the client.
    pub peer: Address,
    /// Why.
    pub error: TlsError,
}

impl fmt::Display for HandshakeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the TLS handshake with {} failed: {}", self.peer, self.error)
    }
}

/// The program's callback for them.
pub(super) type OnFailure = Arc<dyn Fn(&HandshakeFailure) + Send + Sync>;
