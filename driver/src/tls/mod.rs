//! TLS: the settings, one side of a connection, and what a handshake came to.
//!
//! The settings ([`TlsContext`] and its builders) are there with the feature `tls`. A TLS
//! library of your own can be brought without it: see [`Side::custom`].

#[cfg(feature = "tls")]
mod client;
#[cfg(feature = "tls")]
mod context;
#[cfg(feature = "tls")]
mod error;
#[cfg(feature = "tls")]
mod pem;
#[cfg(feature = "tls")]
mod server;
mod session;
#[cfg(feature = "tls")]
mod shared;
mod side;

use crate::Error;

pub use asyncnet_core::{
    CertificateFault, Phase, SecureLayer, TlsError, TlsErrorKind, TlsSession, UpgradeRefused,
};
#[cfg(feature = "tls")]
pub use client::ClientBuilder;
#[cfg(feature = "tls")]
pub use context::TlsContext;
#[cfg(feature = "tls")]
pub use error::ContextError;
#[cfg(feature = "tls")]
#[doc(no_inline)]
pub use rustls;
#[cfg(feature = "tls")]
pub use server::{ClientCertificates, ServerBuilder};
pub use session::Session;
pub use side::Side;

/// Makes secure layers: what sockets know of TLS.
pub(crate) trait Layers: Send + Sync {
    /// The layer of a client that connects to `host`.
    fn client_layer(&self, host: Option<&str>) -> Result<Box<dyn SecureLayer>, Error>;

    /// The layer of a server.
    fn server_layer(&self) -> Result<Box<dyn SecureLayer>, Error>;
}
