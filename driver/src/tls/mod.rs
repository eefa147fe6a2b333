//! TLS: the settings, one side of a connection, and what a handshake came to.
//!
//! The settings (`TlsContext` and its builders) need the feature `tls`. A TLS library of your own does not: see
//! [`Side::custom`].

#[cfg(feature = "tls")]
mod client;
#[cfg(feature = "tls")]
mod context;
#[cfg(feature = "tls")]
mod error;
#[cfg(feature = "tls")]
mod identities;
#[cfg(feature = "tls")]
mod pem;
#[cfg(feature = "tls")]
mod server;
mod session;
#[cfg(feature = "tls")]
mod shared;
mod side;

use crate::{Config, Connection, Error, Transport};

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

/// A connection over `stream` that is TLS from its first byte. `early` was read from the stream already and belongs to
/// it: a ClientHello on a shared port that was looked at first, or that came after a PROXY header.
///
/// ```
/// # #[cfg(feature = "tls")]
/// # use asyncnet::{Config, Connection, Error, TlsContext, Transport, tls};
/// /// Plain and TLS on one port: a TLS client begins with byte 22.
/// # #[cfg(feature = "tls")]
/// async fn sniff<S: Transport>(
///     mut conn: Connection<S>,
///     context: &TlsContext,
/// ) -> Result<Connection<S>, Error> {
///     if conn.peek(1).await?[..1] != [22] {
///         return Ok(conn);
///     }
///     let (stream, early) = conn.into_parts().map_err(|_| Error::Closed)?;
///     tls::begin(stream, early, Config::default(), context.as_server())
/// }
/// ```
///
/// # Errors
///
/// [`Error::Upgrade`] if `side` has settings that cannot be used. The handshake begins when the connection is used.
pub fn begin<S: Transport>(
    stream: S,
    early: Vec<u8>,
    config: Config,
    side: Side,
) -> Result<Connection<S>, Error> {
    let mut conn = Connection::new(stream, config);
    conn.begin_tls(side.into_layer()?, early)?;
    Ok(conn)
}

/// Makes secure layers: what sockets know of TLS.
pub(crate) trait Layers: Send + Sync {
    /// The layer of a client that connects to `host`.
    fn client_layer(&self, host: Option<&str>) -> Result<Box<dyn SecureLayer>, Error>;

    /// The layer of a server.
    fn server_layer(&self) -> Result<Box<dyn SecureLayer>, Error>;
}
