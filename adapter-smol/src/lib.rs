//! `asyncnet` on smol.
//!
//! [`Smol`] is the runtime, [`Stream`] its TCP or Unix socket.
//!
//! [`AsyncSocket`], [`Listener`], [`Connection`], its halves and [`Room`] are here without their type parameter,
//! and all else that the driver (`asyncnet`) has is here too: a program needs no other crate of ours. A
//! connection over a socket of smol's own begins with [`Stream`].
//!
//! ```
//! use std::io;
//!
//! use asyncnet_smol::{AsyncSocket, Connection};
//!
//! async fn greet(mut client: Connection) -> io::Result<()> {
//!     let name = client.recv_line().await?;
//!     client.send(format!("Hello, {name}!\r\n").as_bytes()).await?;
//!     client.close().await?;
//!     Ok(())
//! }
//!
//! fn main() -> io::Result<()> {
//!     smol::block_on(run())
//! }
//!
//! async fn run() -> io::Result<()> {
//!     let mut socket = AsyncSocket::default();
//!     socket.bind_addr("127.0.0.1", 0).await?;
//!     let listener = socket.listen(128)?;
//!     let port = listener.local_addr()?.port();
//!     smol::spawn(async move {
//!         while let Ok(client) = listener.accept().await {
//!             smol::spawn(greet(client)).detach();
//!         }
//!     })
//!     .detach();
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
//! use asyncnet_smol::{AsyncSocket, Connection, Listener, Room, RoomLimits, Runtime, Smol};
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
//!     let (room, task) = Room::new(RoomLimits::default(), Smol::timer());
//!     smol::spawn(task).detach();
//!     loop {
//!         smol::spawn(client(listener.accept().await?, room.clone())).detach();
//!     }
//! }
//!
//! fn main() -> io::Result<()> {
//!     smol::block_on(run())
//! }
//!
//! async fn run() -> io::Result<()> {
//!     let mut socket = AsyncSocket::default();
//!     socket.bind_addr("127.0.0.1", 0).await?;
//!     let listener = socket.listen(128)?;
//!     let port = listener.local_addr()?.port();
//!     smol::spawn(serve(listener)).detach();
//!
//!     let mut ann = AsyncSocket::default().connect("127.0.0.1", port).await?;
//!     ann.send(b"Is anybody there?\r\n").await?;
//!     assert_eq!(ann.recv_line().await?, "Is anybody there?");
//!     Ok(())
//! }
//! ```
//!
//! Sockets and timers live in the reactor of `async-io`, which runs on a thread of its own where nobody
//! else drives it: everything here works on any executor, `smol::block_on` and `smol::spawn` among them.
//! Names are looked up on the threads of `blocking`.

mod binding;
mod clock;
mod short;
mod stream;

pub use binding::Smol;
pub use clock::SmolClock;
#[cfg(feature = "tls")]
pub use short::connect_tls;
pub use short::{connect, connect_with, listen, listen_with};
pub use stream::Stream;

#[doc(no_inline)]
pub use asyncnet::*;

/// A socket before it is connected or listens.
pub type AsyncSocket = asyncnet::AsyncSocket<Smol>;
/// A listening socket.
pub type Listener = asyncnet::Listener<Smol>;
/// A connection.
pub type Connection = asyncnet::Connection<Stream>;
/// A sender of a connection, for another task.
pub type Writer = asyncnet::Writer<Stream>;
/// A room of connections.
pub type Room = asyncnet::Room<Stream>;
/// A socket for datagrams.
pub type Datagram = asyncnet::net::Datagram<Smol>;
