//! Addresses, sockets and their options, listening and connecting.
//!
//! The short way is [`Listener::bind`](crate::Listener::bind) and [`connect`]. [`AsyncSocket`] is the long
//! way, step by step as in Nim.

mod accept_error;
mod accepting;
pub(crate) mod address;
mod backoff;
mod bind;
mod connect;
mod datagram;
mod drain;
mod error;
mod failures;
pub(crate) mod handshakes;
#[cfg(unix)]
mod inherited;
mod latch;
mod listener;
pub(crate) mod open;
pub(crate) mod options;
mod place;
mod proxied;
#[cfg(feature = "proxy")]
mod proxy;
mod race;
mod setup;
mod silent;
mod socket;
#[cfg(unix)]
mod stale;
pub mod system;
mod tracked;

pub use accepting::Incoming;
pub use address::{Address, AddressError, PeerCred};
pub use backoff::Backoff;
pub use connect::connect;
pub use datagram::{Datagram, DatagramTooLong};
pub use drain::{Drain, Finished};
pub use error::SocketError;
pub use failures::{Failures, HandshakeFailure};
pub use listener::Listener;
pub use options::{Domain, KeepAlive, Setting, SockOpt};
pub use place::host_name;
pub use proxied::Proxied;
pub use setup::{ConnectOptions, ListenOptions};
pub use socket::AsyncSocket;
#[cfg(unix)]
pub use stale::remove_stale_socket;
#[doc(no_inline)]
pub use system::SystemSocket;
pub use tracked::OpenConnection;

pub use crate::connection::SocketInfo;
pub use crate::transport::{OsSocket, Pipe, pipe};
