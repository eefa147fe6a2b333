//! `asyncnet` on tokio.
//!
//! [`Tokio`] is the runtime, [`Stream`] its TCP or Unix socket.
//!
//! [`AsyncSocket`], [`Listener`], [`Connection`], its halves and [`Room`] are here without their type parameter,
//! and all else that the driver (`asyncnet`) has is here too: a program needs no other crate of ours. A
//! connection over a socket of tokio's own begins with [`Stream`].
//!
//! ```
//! use std::io;
//!
//! use asyncnet_tokio::{AsyncSocket, Connection};
//!
//! async fn greet(mut client: Connection) -> io::Result<()> {
//!     let name = client.recv_line().await?;
//!     client.send(format!("Hello, {name}!\r\n").as_bytes()).await?;
//!     client.close().await?;
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> io::Result<()> {
//!     let mut socket = AsyncSocket::default();
//!     socket.bind_addr("127.0.0.1", 0).await?;
//!     let listener = socket.listen(128)?;
//!     let port = listener.local_addr()?.port();
//!     tokio::spawn(async move {
//!         while let Ok(client) = listener.accept().await {
//!             tokio::spawn(greet(client));
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
//! use asyncnet_tokio::{AsyncSocket, Connection, Listener, Room, RoomLimits, Runtime, Tokio};
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
//!     let (room, task) = Room::new(RoomLimits::default(), Tokio::timer());
//!     tokio::spawn(task);
//!     loop {
//!         tokio::spawn(client(listener.accept().await?, room.clone()));
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> io::Result<()> {
//!     let mut socket = AsyncSocket::default();
//!     socket.bind_addr("127.0.0.1", 0).await?;
//!     let listener = socket.listen(128)?;
//!     let port = listener.local_addr()?.port();
//!     tokio::spawn(serve(listener));
//!
//!     let mut ann = AsyncSocket::default().connect("127.0.0.1", port).await?;
//!     ann.send(b"Is anybody there?\r\n").await?;
//!     assert_eq!(ann.recv_line().await?, "Is anybody there?");
//!     Ok(())
//! }
//! ```
//!
//! Everything here runs inside a tokio runtime of any flavour whose I/O and time drivers are on:
//! `#[tokio::main]` turns both on, a [`Builder`](tokio::runtime::Builder) does with `enable_all()`.
//! Without the I/O driver making a socket panics, without the time driver a sleep does, and a
//! connection sleeps whenever it closes or shakes hands with a bound.

/// The same expression for either kind of socket in an `Inner`.
macro_rules! either {
    ($stream:expr, $socket:ident => $then:expr) => {
        match $stream {
            Inner::Tcp($socket) => $then,
            #[cfg(unix)]
            Inner::Unix($socket) => $then,
        }
    };
}

mod binding;
mod clock;
mod short;
mod stream;
mod tokio_io;

pub use binding::{Acceptor, DatagramSocket, Tokio};
pub use clock::TokioClock;
#[cfg(feature = "tls")]
pub use short::connect_tls;
pub use short::{connect, connect_with, listen, listen_with};
pub use stream::Stream;
pub use tokio_io::TokioIo;

#[doc(no_inline)]
pub use asyncnet::*;

/// A socket before it is connected or listens.
pub type AsyncSocket = asyncnet::AsyncSocket<Tokio>;
/// A listening socket.
pub type Listener = asyncnet::Listener<Tokio>;
/// A connection.
pub type Connection = asyncnet::Connection<Stream>;
/// A sender of a connection, for another task.
pub type Writer = asyncnet::Writer<Stream>;
/// A room of connections.
pub type Room = asyncnet::Room<Stream>;
/// A socket for datagrams.
pub type Datagram = asyncnet::net::Datagram<Tokio>;
