//! Listening and connecting in one call.

use std::io;

use asyncnet::net;
use asyncnet::net::{ConnectOptions, ListenOptions};

#[cfg(feature = "tls")]
use crate::TlsContext;
use crate::{Connection, Listener, Smol};

/// Listens at `"host:port"`, `"unix:/path"` or `"fd:NAME"`: see [`Listener::bind`](asyncnet::Listener::bind).
///
/// ```
/// # async fn serve() -> std::io::Result<()> {
/// let listener = asyncnet_smol::listen("127.0.0.1:7777").await?;
/// let mut conn = listener.accept().await?;
/// conn.send_line(b"welcome").await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// As [`Listener::bind`](asyncnet::Listener::bind).
///
/// # Cancel safety
///
/// Cancel safe: dropping the future closes the socket that was being made.
pub async fn listen(at: &str) -> io::Result<Listener> {
    Listener::bind(at).await
}

/// [`listen`] with options.
///
/// # Errors
///
/// As [`Listener::bind_with`](asyncnet::Listener::bind_with).
///
/// # Cancel safety
///
/// As [`listen`].
pub async fn listen_with(at: &str, options: ListenOptions) -> io::Result<Listener> {
    Listener::bind_with(at, options).await
}

/// Connects to `"host:port"`, over all addresses of the host at once, or to `"unix:/path"`: see
/// [`net::connect`].
///
/// ```
/// # async fn fetch() -> std::io::Result<()> {
/// let mut conn = asyncnet_smol::connect("irc.example.org:6667").await?;
/// conn.send_line(b"NICK ann").await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// As [`net::connect`].
///
/// # Cancel safety
///
/// Cancel safe: dropping the future closes every connection that was being made.
pub async fn connect(to: &str) -> io::Result<Connection> {
    connect_with(to, ConnectOptions::new()).await
}

/// [`connect`] over TLS. The certificate is verified for the host.
///
/// # Errors
///
/// As [`net::connect`].
///
/// # Cancel safety
///
/// As [`connect`].
#[cfg(feature = "tls")]
pub async fn connect_tls(to: &str, context: &TlsContext) -> io::Result<Connection> {
    connect_with(to, ConnectOptions::new().tls(context)).await
}

/// [`connect`] with options.
///
/// # Errors
///
/// As [`net::connect`].
///
/// # Cancel safety
///
/// As [`connect`].
pub async fn connect_with(to: &str, options: ConnectOptions) -> io::Result<Connection> {
    net::connect::<Smol>(to, options).await
}
