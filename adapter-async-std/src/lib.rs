#![doc = include_str!("../README.md")]
//!
#![doc = include_str!("want.md")]
//!
//! # Where to read on
//!
//! Everything of the driver, the crate `asyncnet`, is here too: a program needs no other crate of ours.
//! [`Connection`], [`Writer`], [`Listener`] and [`Room`] are here without their type parameter; with it, for a child's pipes
//! or code that is generic over its stream, they are in [`asyncnet`].
//! [`asyncnet::Connection`] is where to read on: what is seen when the peer goes away, how sending works, and what a
//! cancelled call leaves behind. Numbers such as [L4] are rules of the [contract], all that a program may rely on.
//!
//! [L4]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l4
//! [contract]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md
//!
//! async-std runs on the reactor of smol (`async-io`), so this crate is [`asyncnet_smol`] under other names:
//! [`AsyncStd`] is its runtime, and only the conversions of async-std's own sockets ([`tcp_stream`], `unix_stream`)
//! are added.

#![cfg_attr(docsrs, feature(doc_cfg))]

use std::io;

#[doc(no_inline)]
pub use asyncnet_smol::*;

// Named again, so that their pages are here and a search finds them.
#[cfg(feature = "tls")]
#[doc(inline)]
pub use asyncnet_smol::connect_tls;
#[doc(inline)]
pub use asyncnet_smol::{
    AsyncSocket, Connection, Datagram, Listener, PipeStream, Room, Stream, Writer, child, connect,
    connect_with, listen, listen_with, stdio,
};

/// The async-std runtime.
pub use asyncnet_smol::Smol as AsyncStd;
/// The clock of async-std, for [`Io::with_clock`](asyncnet::Io::with_clock) and the like.
pub use asyncnet_smol::SmolClock as AsyncStdClock;

use asyncnet::net::SystemSocket;

/// Takes over a connected TCP socket of async-std.
///
/// ```no_run
/// # async fn adopt() -> std::io::Result<()> {
/// use asyncnet_async_std::{Config, tcp_stream};
///
/// let socket = async_std::net::TcpStream::connect("localhost:6667").await?;
/// let conn = tcp_stream(socket)?.into_connection(Config::default());
/// # drop(conn);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// If the socket was cloned and the system cannot duplicate its descriptor, or if the reactor cannot
/// register it.
pub fn tcp_stream(socket: async_std::net::TcpStream) -> io::Result<Stream> {
    AsyncStd::stream(system_socket(socket)?)
}

/// Takes over a connected Unix socket of async-std.
///
/// # Errors
///
/// As [`tcp_stream`].
#[cfg(unix)]
pub fn unix_stream(socket: async_std::os::unix::net::UnixStream) -> io::Result<Stream> {
    AsyncStd::stream(system_socket(socket)?)
}

/// A descriptor of our own; async-std's, which may be shared, is dropped.
#[cfg(unix)]
fn system_socket(socket: impl std::os::fd::AsFd) -> io::Result<SystemSocket> {
    Ok(socket.as_fd().try_clone_to_owned()?.into())
}

/// A socket of our own; async-std's, which may be shared, is dropped.
#[cfg(windows)]
fn system_socket(socket: impl std::os::windows::io::AsSocket) -> io::Result<SystemSocket> {
    Ok(socket.as_socket().try_clone_to_owned()?.into())
}
