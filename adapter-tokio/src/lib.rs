//! `asyncnet` on tokio: line sockets whose protocol runs on any runtime.
//!
//! A server that answers every line with itself, and a client:
//!
//! ```
//! use asyncnet_tokio::{Connection, Error, connect, listen};
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
//! #[tokio::main]
//! async fn main() -> Result<(), Error> {
//!     let listener = listen("127.0.0.1:0").await?;
//!     let address = listener.local_addr()?.to_string();
//!     tokio::spawn(async move {
//!         while let Ok(conn) = listener.accept().await {
//!             tokio::spawn(echo(conn));
//!         }
//!     });
//!
//!     let mut conn = connect(&address).await?;
//!     conn.send_line("hello").await?;
//!     assert_eq!(conn.expect_line().await?, b"hello");
//!     conn.close().await
//! }
//! ```
//!
//! A chat room: every line goes to everyone; a client that does not read is disconnected and never waited for.
//!
//! ```
//! use asyncnet_tokio::room::Limits;
//! use asyncnet_tokio::{Connection, Error, Listener, Room, connect, listen};
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
//!     tokio::spawn(task);
//!     loop {
//!         tokio::spawn(client(listener.accept().await?, room.clone()));
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Error> {
//!     let listener = listen("127.0.0.1:0").await?;
//!     let address = listener.local_addr()?.to_string();
//!     tokio::spawn(serve(listener));
//!
//!     let mut ann = connect(&address).await?;
//!     ann.send_line("Is anybody there?").await?;
//!     assert_eq!(ann.expect_line().await?, b"Is anybody there?");
//!     Ok(())
//! }
//! ```
//!
//! Everything of the driver, the crate `asyncnet`, is here too: a program needs no other crate of ours.
//! [`Connection`], [`Writer`], [`Listener`] and [`Room`] are here without their type parameter.
//! [`asyncnet::Connection`] is where to read on: what is seen when the peer goes away, how sending works, and what a
//! cancelled call leaves behind.
//!
//! A connection over a socket of tokio's own begins with [`Stream`]; [`TokioIo`] gives tokio's `AsyncRead` and
//! `AsyncWrite` to a connection.
//!
//! Everything runs inside a tokio runtime of any flavour whose I/O and time drivers are on: `#[tokio::main]` turns
//! both on, a [`Builder`](tokio::runtime::Builder) does with `enable_all()`. Without the I/O driver making a socket
//! panics; without the time driver a wait that is bounded in time does, and every close and TLS handshake is. A
//! connection that outlives its runtime does not panic: its calls, `close` included, end with errors.

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
#[cfg(unix)]
mod pipes;
mod short;
mod stream;
mod tokio_io;

pub use binding::{Acceptor, DatagramSocket, Tokio};
pub use clock::TokioClock;
#[cfg(feature = "tls")]
pub use short::connect_tls;
pub use short::{child, connect, connect_with, listen, listen_with, stdio};
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
/// The standard streams of this process or of a child: see [`process`].
pub type PipeStream = process::PipeStream<TokioClock>;

#[cfg(not(unix))]
impl runtime::Pipes for Tokio {}
