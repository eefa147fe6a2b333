//! Addresses, sockets and their options, listening and connecting.
//!
//! The short way is [`Listener::bind`](crate::Listener::bind) and [`connect`]. [`AsyncSocket`] is the long
//! way, step by step as in Nim.

pub(crate) mod address;
mod connect;
mod datagram;
mod error;
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

pub use address::{Address, AddressError, PeerCred};
pub use connect::connect;
pub use datagram::{Datagram, DatagramTooLong};
pub use error::SocketError;
pub use listener::{Incoming, Listener};
pub use options::{Domain, KeepAlive, Setting, SockOpt};
pub use proxied::Proxied;
pub use setup::{ConnectOptions, ListenOptions};
pub use socket::AsyncSocket;
#[cfg(unix)]
pub use stale::remove_stale_socket;
pub use system::SystemSocket;

pub use crate::connection::SocketInfo;
pub use crate::transport::{OsSocket, Pipe, pipe};
