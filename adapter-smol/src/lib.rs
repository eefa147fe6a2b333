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
//! A connection over a socket of smol's own begins with [`Stream`].

#![cfg_attr(docsrs, feature(doc_cfg))]

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
