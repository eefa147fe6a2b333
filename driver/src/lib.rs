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
//! # I want to ..
//!
//! | | |
//! |---|---|
//! | answer lines | [`Connection::next_batch`], [`Batch::reply_line`] |
//! | read one line, or a line that has to come | [`Connection::next_line`], [`Connection::expect_line`] |
//! | read a block of known length | [`Connection::next_block`]; a large one: [`Connection::next_bytes`], [`Connection::skip`] |
//! | read a header and its payload as one message | [`Connection::next_with`], [`Connection::expect_with`], [`Batch::next_with`] |
//! | read or send a text that a single dot ends (SMTP, POP3, NNTP) | [`dot`] |
//! | bound a receive in time | [`Connection::within`], [`Config::receive_timeout`], [`Config::idle_timeout`] |
//! | bound how fast a peer is received | [`Config::max_lines_per_second`], [`Config::max_bytes_per_second`] |
//! | send a line, or bytes, and learn that the peer is gone | [`Connection::send_line`], [`Connection::send_all`] |
//! | send without waiting | [`Connection::feed`] and its kin |
//! | send from other tasks | [`Connection::writer`] |
//! | send to many clients | [`Room`] |
//! | listen and connect | [`Listener::bind`], [`net::connect`], or `listen` and `connect` of an adapter |
//! | go over to TLS | [`Connection::upgrade_tls`]; from the first byte: [`ListenOptions::tls`](net::ListenOptions), [`ConnectOptions::tls`](net::ConnectOptions) |
//! | shut down in good order | [`Listener::finish`], [`net::Drain`] |
//! | stand behind a proxy, take a socket from a supervisor | [`ListenOptions::proxy_protocol`](net::ListenOptions), [`Listener::bind`] with `"fd:NAME"` |
//! | replace certificates, see handshakes that fail | [`TlsContext::reload`](tls), [`Listener::failures`], [`ListenOptions::on_handshake_failure`](net::ListenOptions) |
//! | use this process's standard streams, or a child's | [`process::stdio`], [`process::child`] |
//! | use pipes, a stream of my own | [`Duplex`], [`Io`], [`Transport`] |
//! | test a protocol without sockets | [`net::pipe`] |
//! | come from Nim's `asyncnet` | [`nim`] |
//!
//! [`Connection`] is where to read on: what is seen when the peer goes away, how sending works, and what a
//! cancelled call leaves behind. The rules, with their numbers, are in `docs/contract.md` of the repository.
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `tls` | TLS by rustls, with the cryptography of ring |
//! | `aws-lc-rs` | the cryptography of aws-lc-rs besides, for the builders' `provider` |
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
