//! Line sockets for every async runtime: a protocol written once runs on tokio, async-std or smol, over TCP, Unix
//! sockets, pipes or TLS, with one documented answer to "what do I see when the peer goes away?".
//!
//! # Two ways in
//!
//! - A program for one runtime depends on the adapter of that runtime, `asyncnet-tokio`, `asyncnet-smol` or
//!   `asyncnet-async-std`, and never writes a type parameter.
//! - A protocol for all of them depends on this crate, and is generic over the stream:
//!
//! ```
//! use asyncnet::{Connection, Error, Transport};
//!
//! /// Answers every line with its length. Runs on any stream of any runtime.
//! async fn serve<S: Transport>(mut conn: Connection<S>) -> Result<(), Error> {
//!     while let Some(mut batch) = conn.next_batch().await? {
//!         while let Some(line) = batch.next_line()? {
//!             batch.reply_fmt(format_args!("{}", line.len()))?;
//!         }
//!     }
//!     conn.close().await
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
#![doc = include_str!("want.md")]
//!
//! # Where to read on
//!
//! The [guide](https://github.com/asyncnet/asyncnet/blob/main/docs/guide/README.md) has a page for each
//! task: deadlines, many clients, TLS, shutting down, limits, tests.
//!
//! [`Connection`] is where to read on: what is seen when the peer goes away, how sending works, and what a
//! cancelled call leaves behind. Numbers such as [L4] are rules of the [contract], all that a program may rely on.
//!
//! [L4]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l4
//! [contract]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `tls` | TLS by rustls, with the cryptography of ring |
//! | `aws-lc-rs` | adds the cryptography of aws-lc-rs, for the builders' `provider` |
//! | `proxy` | the PROXY protocol in front of accepted connections: [`ListenOptions::proxy_protocol`](net::ListenOptions) |
//! | `tracing` | events for connect, accept, ends and dropped lines; never a byte of what is sent or received |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod connection;
pub mod dot;
mod engine;
mod error;
mod log;
pub mod net;
pub mod nim;
pub mod process;
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
