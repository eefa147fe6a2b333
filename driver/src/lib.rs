//! Line sockets for every async runtime: a protocol written once runs on tokio, async-std or smol, with
//! one documented answer to "what do I see when the peer goes away?".
//!
//! This crate moves bytes between the sans-I/O core (`asyncnet-core`) and any `futures-io` stream. It is
//! Nim's `asyncnet` module done again, and where the original is wrong or unsafe this one says so.
//!
//! Two ways in:
//!
//! - A program for one runtime depends on that runtime's adapter, `asyncnet-tokio`, `asyncnet-smol` or
//!   `asyncnet-async-std`, and never sees a type parameter.
//! - A protocol for all of them depends on this crate, and is generic over the stream:
//!
//! ```
//! use asyncnet::{Connection, RecvError, Transport};
//!
//! /// Answers every line with its length. Runs on any stream of any runtime.
//! async fn serve<S: Transport>(mut conn: Connection<S>) -> Result<(), RecvError> {
//!     while let Some(mut batch) = conn.next_lines().await? {
//!         while let Some(line) = batch.next_line() {
//!             let answer = line.len().to_string();
//!             if batch.outbox.feed_line(answer.as_bytes()).is_err() {
//!                 return Ok(());
//!             }
//!         }
//!     }
//!     Ok(())
//! }
//!
//! // The future is `Send` whenever the stream is.
//! fn spawn<S: Transport + Send + 'static>(
//!     conn: Connection<S>,
//!     spawn: impl FnOnce(std::pin::Pin<Box<dyn Future<Output = ()> + Send>>),
//! ) {
//!     spawn(Box::pin(async move { drop(serve(conn).await) }));
//! }
//! ```
//!
//! [`Connection`] is where to read on: what the peer's leaving looks like, how sending works, and what a
//! cancelled call leaves behind.

mod batch;
mod close;
mod connection;
mod error;
mod fan_out;
mod flags;
mod link;
mod log;
mod message;
pub mod nim;
mod pool;
mod receive;
mod room;
mod runtime;
mod secure;
mod socket;
mod split;
mod sync;
mod tls;
mod transport;
mod upgrade;

pub use asyncnet_core::{
    BlockTooLarge, Bytes, Cause, CertificateFault, CloseBounds, Config, End, Ends, Framing,
    LineError, Lines, Loss, Phase, RecvStats, SecureLayer, SendStats, TlsError, TlsErrorKind,
    TlsSession, Truncation,
};
pub use batch::{Batch, Outbox};
pub use connection::Connection;
pub use error::{RecvError, SendError};
pub use flags::Flags;
pub use receive::{LineStream, NextLine};
pub use room::{Member, MemberStats, Policy, Room, RoomLimits, RoomStats, RoomTask};
pub use runtime::{BoxSleep, Direction, Runtime, SendRuntime, Timer};
pub use socket::address::{Address, PeerCred};
pub use socket::datagram::{Datagram, DatagramTooLong};
pub use socket::listener::{Incoming, Listener};
#[cfg(unix)]
pub use socket::remove_stale_socket;
pub use socket::{AsyncSocket, Domain, Keepalive, Protocol, SockOpt, SockType, SocketError};
pub use split::{RecvHalf, SendHalf};
#[cfg(feature = "tls")]
pub use tls::{
    ClientCertificates, TlsClientBuilder, TlsContext, TlsContextError, TlsRole, TlsServerBuilder,
};
pub use transport::{Io, OsSocket, Transport};
pub use upgrade::UpgradeError;

#[cfg(feature = "tls")]
#[doc(no_inline)]
pub use rustls;
