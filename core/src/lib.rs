//! The sans-I/O core of `asyncnet`: a line connection as a pure state machine.
//!
//! Nothing here reads, writes, waits, locks or looks at a clock, and the crate is `no_std`. What the
//! transport did goes in, what the application asks is answered, what belongs on the wire comes out:
//! [`Connection`] says how. Most programs want the crates on top, `asyncnet-tokio`, `asyncnet-smol` or
//! `asyncnet-async-std`; take this one to bring your own I/O.
//!
//! ```
//! use asyncnet_core::{Config, Connection, Step};
//!
//! let mut conn = Connection::new(Config::default());
//! conn.handle_input(b"NICK ann\r\nUSER a");
//! assert_eq!(conn.next_line(), Ok(Step::Ready(Some(&b"NICK ann"[..]))));
//! assert_eq!(conn.next_line(), Ok(Step::NeedInput));
//!
//! // The peer leaves in the middle of a line: that is not a line, and not a clean end either.
//! conn.handle_eof();
//! assert!(conn.next_line().is_err());
//! assert_eq!(conn.partial(), b"USER a");
//! ```

#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod config;
mod connection;
mod end;
mod error;
mod framing;
mod inbox;
mod items;
mod nim;
mod outbox;
mod receiver;
#[cfg(feature = "rustls")]
mod rustls;
mod secure;
mod sender;
mod shortfall;
mod stats;
mod step;
mod unread;

#[cfg(feature = "rustls")]
pub use crate::rustls::TlsLayer;
pub use bytes::Bytes;
pub use config::{CloseBounds, Config, Ends, Framing, Truncation};
pub use connection::Connection;
pub use end::{Cause, End, Loss};
pub use error::{Error, LineError, Timeout, UpgradeRefused};
pub use framing::holds_line_break;
pub use items::{Items, Lines};
pub use nim::EMPTY_LINE;
pub use outbox::Outgoing;
pub use receiver::{Look, Receiver, Span, Want};
pub use secure::{CertificateFault, Phase, SecureLayer, TlsError, TlsErrorKind, TlsSession};
pub use sender::Sender;
pub use shortfall::Shortfall;
pub use stats::{RecvStats, SendStats};
pub use step::Step;
pub use unread::Unread;

/// The old name of [`Error`] for receives. It goes before 0.1.0.
pub type RecvError = Error;
/// The old name of [`Error`] for sends. It goes before 0.1.0.
pub type SendError = Error;
