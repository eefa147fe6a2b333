//! `asyncnet` on async-std.
//!
//! [`AsyncStd`] is the runtime, [`Stream`] its TCP or Unix socket.
//!
//! [`AsyncSocket`], [`Listener`], [`Connection`], its halves and [`Room`] are here without their type parameter,
//! and all else that the driver (`asyncnet`) has is here too: a program needs no other crate of ours. A
//! connection over a socket of async-std's own begins with [`Stream`].
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
//! async-std is discontinued (RUSTSEC-2025-0052). This crate serves programs that run on it still; a new
//! one is better off with smol, whose reactor (`async-io`) is the one under async-std: nothing but the
//! names of the types changes.

/// The same expression for either kind of socket in an `Inner`.
macro_rules! either {
    ($inner:expr, $socket:ident => $then:expr) => {
        match $inner {
            Inner::Tcp($socket) => $then,
            #[cfg(unix)]
            Inner::Unix($socket) => $then,
        }
    };
}

mod runtime;
mod stream;

pub use runtime::{AsyncStd, Sleep};
pub use stream::Stream;

#[doc(no_inline)]
pub use asyncnet::*;

/// A socket before it is connected or listens.
pub type AsyncSocket = asyncnet::AsyncSocket<AsyncStd>;
/// A listening socket.
pub type Listener = asyncnet::Listener<AsyncStd>;
/// A connection.
pub type Connection = asyncnet::Connection<Stream>;
/// The receiving half of a connection that was split.
pub type RecvHalf = asyncnet::RecvHalf<Stream>;
/// The sending half of a connection that was split; cloneable.
pub type SendHalf = asyncnet::SendHalf<Stream>;
/// A room of connections.
pub type Room = asyncnet::Room<Stream>;
/// A socket for datagrams.
pub type Datagram = asyncnet::Datagram<AsyncStd>;
