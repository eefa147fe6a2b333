//! `asyncnet` on async-std.
//!
//! [`AsyncStd`] is the runtime, [`Stream`] its TCP or Unix socket.
//!
//! [`AsyncSocket`], [`Listener`], [`Connection`], its halves and [`Room`] are here without their type parameter,
//! and all else that the driver (`asyncnet`) has is here too: a program needs no other crate of ours. A
//! connection over a socket of async-std's own begins with [`tcp_stream`].
//!
//! ```
//! use std::io;
//!
//! use async_std::task;
//! use asyncnet_async_std::{AsyncSocket, Connection};
//!
//! async fn greet(mut client: Connection) -> io::Result<()> {
//!     let name = client.recv_line().await?;
//!     client.send(format!("Hello, {name}!\r\n").as_bytes()).await?;
//!     client.close().await?;
//!     Ok(())
//! }
//!
//! fn main() -> io::Result<()> {
//!     task::block_on(run())
//! }
//!
//! async fn run() -> io::Result<()> {
//!     let mut socket = AsyncSocket::default();
//!     socket.bind_addr("127.0.0.1", 0).await?;
//!     let listener = socket.listen(128)?;
//!     let port = listener.local_addr()?.port();
//!     task::spawn(async move {
//!         while let Ok(client) = listener.accept().await {
//!             task::spawn(greet(client));
//!         }
//!     });
//!
//!     let mut server = AsyncSocket::default().connect("127.0.0.1", port).await?;
//!     server.send(b"Ada\r\n").await?;
//!     assert_eq!(server.recv_line().await?, "Hello, Ada!");
//!     Ok(())
//! }
//! ```
//!
//! The chat server of Nim's `asyncnet` in its shortest correct form. A line goes to everyone; who leaves
//! is removed, and who does not read is disconnected and never waited for:
//!
//! ```
//! use std::io;
//!
//! use asyncnet_async_std::{AsyncSocket, Connection, Listener, Room, RoomLimits, Runtime, AsyncStd};
//!
//! async fn client(client: Connection, room: Room) -> io::Result<()> {
//!     let (mut lines, sender) = client.split();
//!     let _member = room.join(sender)?;
//!     while let Some(line) = lines.next_line().await? {
//!         room.send_line(line).await?;
//!     }
//!     Ok(())
//! }
//!
//! async fn serve(listener: Listener) -> io::Result<()> {
//!     let (room, task) = Room::new(RoomLimits::default(), AsyncStd::timer());
//!     async_std::task::spawn(task);
//!     loop {
//!         async_std::task::spawn(client(listener.accept().await?, room.clone()));
//!     }
//! }
//!
//! fn main() -> io::Result<()> {
//!     async_std::task::block_on(run())
//! }
//!
//! async fn run() -> io::Result<()> {
//!     let mut socket = AsyncSocket::default();
//!     socket.bind_addr("127.0.0.1", 0).await?;
//!     let listener = socket.listen(128)?;
//!     let port = listener.local_addr()?.port();
//!     async_std::task::spawn(serve(listener));
//!
//!     let mut ann = AsyncSocket::default().connect("127.0.0.1", port).await?;
//!     ann.send(b"Is anybody there?\r\n").await?;
//!     assert_eq!(ann.recv_line().await?, "Is anybody there?");
//!     Ok(())
//! }
//! ```
//!
//! async-std is discontinued (RUSTSEC-2025-0052). This crate serves programs that still run on it; a new
//! program is better off with smol. async-std runs on the reactor of smol (`async-io`), so this crate is
//! [`asyncnet_smol`] under other names: [`AsyncStd`] is its runtime, and only the conversions of async-std's
//! own sockets ([`tcp_stream`], `unix_stream`) are added. To move to smol, change the name of the crate.

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
