#![doc = include_str!("../README.md")]
//!
#![doc = include_str!("want.md")]
//!
//! | with tokio's own types | |
//! |---|---|
//! | make a connection of a `TcpStream` or `UnixStream` that I have | [`Stream`], [`Stream::into_connection`] |
//! | have the `TcpStream` back | [`Connection::into_parts`](asyncnet::Connection::into_parts), [`Stream::into_tcp`] |
//! | use tokio's `AsyncRead` and `AsyncWrite`, `copy` or `split` | [`TokioIo`] |
//! | use a paused clock in tests | [`TokioClock`] |
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

/// The driver, with its types as they are for any stream: `use asyncnet_tokio::asyncnet;`.
#[doc(no_inline)]
pub use asyncnet;
#[doc(no_inline)]
pub use asyncnet::*;

// Named again, so that their pages are here and a search finds them. `tls` would bring all pages of rustls along.
#[cfg(feature = "tls")]
#[doc(inline)]
pub use asyncnet::TlsContext;
#[doc(inline)]
pub use asyncnet::{
    Address, Batch, Bytes, Cause, Clock, CloseLimits, Config, Duplex, End, Error, Framing, Io,
    LineError, LineStream, Loss, NextLine, Runtime, SendRuntime, Stats, Time, Timeout, Transport,
    Truncation, Unread, dot, net, nim, process, room, runtime,
};

/// A socket of tokio before it is connected or listens: Nim's way, step by step. [`listen`] and [`connect`] are the
/// short way.
#[doc(alias("newAsyncSocket", "TcpSocket"))]
pub type AsyncSocket = asyncnet::AsyncSocket<Tokio>;
/// A listening socket of tokio, TCP or Unix, with or without TLS; made by [`listen`] and [`listen_with`].
///
/// [`accept`](asyncnet::Listener::accept) hands out the connections, [`finish`](asyncnet::Listener::finish) shuts down
/// gracefully.
#[doc(alias("TcpListener", "UnixListener", "graceful shutdown"))]
pub type Listener = asyncnet::Listener<Tokio>;
/// A connection over a socket of tokio: lines and blocks in, messages out; made by [`connect`], by
/// [`accept`](asyncnet::Listener::accept), or with [`Stream::into_connection`].
///
/// A server reads with [`next_batch`](asyncnet::Connection::next_batch) or
/// [`next_line`](asyncnet::Connection::next_line), a client with [`expect_line`](asyncnet::Connection::expect_line).
/// [`within`](asyncnet::Connection::within) bounds a receive in time, [`writer`](asyncnet::Connection::writer) sends from
/// other tasks, [`close`](asyncnet::Connection::close) ends it.
#[doc(alias(
    "Framed",
    "LinesCodec",
    "codec",
    "BufReader",
    "read_line",
    "read_until",
    "read_exact",
    "recvLine",
    "lines"
))]
#[doc(alias("write_all", "timeout", "deadline", "split", "starttls"))]
pub type Connection = asyncnet::Connection<Stream>;
/// A sender of a connection, for another task; made by [`Connection::writer`](asyncnet::Connection::writer).
#[doc(alias("WriteHalf", "OwnedWriteHalf", "into_split"))]
pub type Writer = asyncnet::Writer<Stream>;
/// A room of connections: how to send to many clients. [`Room::new`](asyncnet::Room::new) makes it.
#[doc(alias("broadcast", "fan-out"))]
pub type Room = asyncnet::Room<Stream>;
/// A socket for datagrams, UDP or Unix; made by [`Datagram::bind`](asyncnet::net::Datagram::bind).
#[doc(alias("UdpSocket", "UnixDatagram"))]
pub type Datagram = asyncnet::net::Datagram<Tokio>;
/// The standard streams of this process or of a child: see [`process`].
pub type PipeStream = process::PipeStream<TokioClock>;

#[cfg(not(unix))]
impl runtime::Pipes for Tokio {}
