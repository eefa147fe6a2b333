#![doc = include_str!("../README.md")]
//!
#![doc = include_str!("want.md")]
//!
//! # Where to read on
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

#![cfg_attr(docsrs, feature(doc_cfg))]

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
