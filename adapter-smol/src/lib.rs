//! `asyncnet` on smol: line sockets whose protocol runs on any runtime.
//!
//! A server that answers every line with itself, and a client:
//!
//! ```
//! use asyncnet_smol::{Connection, Error, connect, listen};
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
//!     smol::block_on(async {
//!         let listener = listen("127.0.0.1:0").await?;
//!         let address = listener.local_addr()?.to_string();
//!         smol::spawn(async move {
//!             while let Ok(conn) = listener.accept().await {
//!                 smol::spawn(echo(conn)).detach();
//!             }
//!         }).detach();
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
//! use asyncnet_smol::room::Limits;
//! use asyncnet_smol::{Connection, Error, Listener, Room, connect, listen};
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
//!     smol::spawn(task).detach();
//!     loop {
//!         smol::spawn(client(listener.accept().await?, room.clone())).detach();
//!     }
//! }
//!
//! fn main() -> Result<(), Error> {
//!     smol::block_on(async {
//!         let listener = listen("127.0.0.1:0").await?;
//!         let address = listener.local_addr()?.to_string();
//!         smol::spawn(serve(listener)).detach();
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
//! A connection over a socket of smol's own begins with [`Stream`].

mod binding;
mod clock;
#[cfg(unix)]
mod pipes;
mod short;
mod stream;

pub use binding::Smol;
pub use clock::SmolClock;
#[cfg(feature = "tls")]
pub use short::connect_tls;
pub use short::{child, connect, connect_with, listen, listen_with, stdio};
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
/// The standard streams of this process or of a child: see [`process`].
pub type PipeStream = process::PipeStream<SmolClock>;

#[cfg(not(unix))]
impl runtime::Pipes for Smol {}
