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

mod connection;
mod engine;
mod error;
mod log;
pub mod net;
pub mod nim;
pub mod room;
pub mod runtime;
pub mod tls;
mod transport;

pub use asyncnet_core::{
    Bytes, Cause, CloseLimits, Config, End, Error, Framing, LineError, Loss, Stats, Time, Timeout,
    Truncation, Unread,
};
pub use connection::{Batch, Connection, LineStream, NextLine, Writer};
pub use net::{Address, AsyncSocket, Listener};
pub use room::Room;
pub use runtime::{Runtime, SendRuntime};
#[cfg(feature = "tls")]
pub use tls::TlsContext;
pub use transport::{Clock, Duplex, Io, Transport};
