//! What a handshake came to.

use alloc::string::String;
use alloc::vec::Vec;

/// What a TLS handshake came to. Empty fields are not known (yet), or were not agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsSession {
    /// The version of the protocol: `"TLSv1.3"`.
    pub version: Option<String>,
    /// The cipher suite: `"TLS_AES_256_GCM_SHA384"`.
    pub cipher_suite: Option<String>,
    /// The application protocol (ALPN).
    pub alpn: Option<Vec<u8>>,
    /// The name that the client asked for (SNI), at a server.
    pub server_name: Option<String>,
    /// Whether an earlier session was resumed, which spares the certificates.
    pub resumed: Option<bool>,
    /// The peer's certificates in DER, its own first. At a server: those of a client that was asked for
    /// them.
    pub peer_certificates: Vec<Vec<u8>>,
}
