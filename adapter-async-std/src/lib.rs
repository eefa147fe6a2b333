//! **async-std is discontinued** (RUSTSEC-2025-0052). This crate is for programs that still run on it; to move to
//! smol, replace `asyncnet-async-std` by `asyncnet-smol` and `async_std::task` by `smol`.
//!
//! `asyncnet` on async-std: line sockets whose protocol runs on any runtime.
//!
//! A server that answers every line with itself, and a client:
//!
//! ```
//! use asyncnet_async_std::{Connection, Error, connect, listen};
//!
//! async fn echo(mut conn: Connection) -> Result<(), Error> {
//!     while let Some(mut batch) = conn.next_batch().await? {
//!         while let Some(line) = batch.next_line()? {
//!             batch.reply_line(line)?;
//!         }
//!     }
//!     conn.close().await
//! }
//!
//! fn main() -> Result<(), Error> {
//!     async_std::task::block_on(async {
//!         let listener = listen("127.0.0.1:0").await?;
//!         let address = listener.local_addr()?.to_string();
//!         async_std::task::spawn(async move {
//!             while let Ok(conn) = listener.accept().await {
//!                 async_std::task::spawn(echo(conn));
//!             }
//!         });
//!
//!         let mut conn = connect(&address).await?;
//!         conn.send_line("hello").await?;
//!         assert_eq!(conn.expect_line().await?, b"hello");
//!         conn.close().await
//!     })
//! }
//! ```
//!
//! A chat room: every line goes to everyone; a client that does not read is disconnected and never waited for.
//!
//! ```
//! use asyncnet_async_std::room::Limits;
//! use asyncnet_async_std::{Connection, Error, Listener, Room, connect, listen};
//!
//! async fn client(mut conn: Connection, room: Room) -> Result<(), Error> {
//!     let _member = room.join(conn.writer())?;
//!     while let Some(line) = conn.next_line().await? {
//!         room.send_line(line).await?;
//!     }
//!     Ok(())
//! }
//!
//! async fn serve(listener: Listener) -> Result<(), Error> {
//!     let (room, task) = Room::new(Limits::default());
//!     async_std::task::spawn(task);
//!     loop {
//!         async_std::task::spawn(client(listener.accept().await?, room.clone()));
//!     }
//! }
//!
//! fn main() -> Result<(), Error> {
//!     async_std::task::block_on(async {
//!         let listener = listen("127.0.0.1:0").await?;
//!         let address = listener.local_addr()?.to_string();
//!         async_std::task::spawn(serve(listener));
//!
//!         let mut ann = connect(&address).await?;
//!         ann.send_line("Is anybody there?").await?;
//!         assert_eq!(ann.expect_line().await?, b"Is anybody there?");
//!         Ok(())
//!     })
//! }
//! ```
//!
//! Everything of the driver, the crate `asyncnet`, is here too: a program needs no other crate of ours.
//! [`Connection`], [`Writer`], [`Listener`] and [`Room`] are here without their type parameter.
//! [`asyncnet::Connection`] is where to read on: what is seen when the peer goes away, how sending works, and what a
//! cancelled call leaves behind.
//!
//! async-std runs on the reactor of smol (`async-io`), so this crate is [`asyncnet_smol`] under other names:
//! [`AsyncStd`] is its runtime, and only the conversions of async-std's own sockets ([`tcp_stream`], `unix_stream`)
//! are added.

use std::io;

#[doc(no_inline)]
pub use asyncnet_smol::*;

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
