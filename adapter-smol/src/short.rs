//! Listening and connecting in one call, and the streams of processes.

use std::io;
use std::process::{Child, Command};

use asyncnet::net::{ConnectOptions, ListenOptions};
use asyncnet::{net, process};

#[cfg(feature = "tls")]
use crate::TlsContext;
use crate::{Connection, Listener, PipeStream, Smol};

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

/// Takes over the standard input and output of this process: see [`process::stdio`].
///
/// ```no_run
/// # async fn serve() -> Result<(), asyncnet_smol::Error> {
/// use asyncnet_smol::{Config, Framing};
///
/// let mut conn = asyncnet_smol::stdio()?.into_connection(Config::default().framing(Framing::Lf));
/// while let Some(line) = conn.next_line().await? {
///     eprintln!("{} bytes", line.len());
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// As [`process::stdio`].
pub fn stdio() -> io::Result<PipeStream> {
    process::stdio::<Smol>()
}

/// Starts a child and connects to its standard input and output: see [`process::child`].
///
/// ```
/// # async fn sort() -> Result<(), asyncnet_smol::Error> {
/// use std::process::Command;
///
/// use asyncnet_smol::Config;
///
/// let (mut child, stream) = asyncnet_smol::child(&mut Command::new("sort"))?;
/// let mut conn = stream.into_connection(Config::default());
/// conn.send_all("b\na\n").await?;
/// conn.shutdown_write().await?;
/// assert_eq!(conn.next_line().await?, Some(&b"a"[..]));
/// assert_eq!(conn.next_line().await?, Some(&b"b"[..]));
/// assert_eq!(conn.next_line().await?, None);
/// child.wait()?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// As [`process::child`].
pub fn child(command: &mut Command) -> io::Result<(Child, PipeStream)> {
    process::child::<Smol>(command)
}
