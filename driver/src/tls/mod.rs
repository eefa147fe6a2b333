//! TLS for connections: what to show, whom to trust. The protocol itself is core's.

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
#[cfg(feature = "tls")]
mod shared;

use asyncnet_core::SecureLayer;

use crate::Error;

#[cfg(feature = "tls")]
pub use client::TlsClientBuilder;
#[cfg(feature = "tls")]
pub use context::{TlsContext, TlsRole};
#[cfg(feature = "tls")]
pub use error::TlsContextError;
#[cfg(feature = "tls")]
pub use server::{ClientCertificates, TlsServerBuilder};

/// Makes secure layers: what sockets know of TLS.
pub(crate) trait Layers: Send + Sync {
    /// The layer of a client that connects to `host`.
    fn client_layer(&self, host: Option<&str>) -> Result<Box<dyn SecureLayer>, Error>;

    /// The layer of a server.
    fn server_layer(&self) -> Result<Box<dyn SecureLayer>, Error>;
}
