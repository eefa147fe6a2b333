//! `asyncnet` on tokio.
//!
//! [`Tokio`] is the runtime, [`Stream`] its TCP or Unix socket.
//!
//! [`AsyncSocket`], [`Listener`], [`Connection`] and its halves are here without their type parameter,
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

mod runtime;
mod stream;

pub use runtime::{Acceptor, Tokio};
pub use stream::Stream;

#[doc(no_inline)]
pub use asyncnet::*;

/// A socket before it is connected or listens.
pub type AsyncSocket = asyncnet::AsyncSocket<Tokio>;
/// A listening socket.
pub type Listener = asyncnet::Listener<Tokio>;
/// A connection.
pub type Connection = asyncnet::Connection<Stream>;
/// The receiving half of a connection that was split.
pub type RecvHalf = asyncnet::RecvHalf<Stream>;
/// The sending half of a connection that was split; cloneable.
pub type SendHalf = asyncnet::SendHalf<Stream>;
