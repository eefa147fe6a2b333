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
mod deadlines;
mod end;
mod error;
mod framing;
mod inbound;
mod inbox;
mod items;
mod link;
mod nim;
mod outbox;
mod queue;
mod rate;
mod shortfall;
mod stats;
mod step;
mod time;
mod unread;
mod wire;

pub use bytes::Bytes;
pub use config::{CloseLimits, Config, Framing, Truncation};
pub use connection::Connection;
pub use end::{Cause, End, Loss};
pub use error::{Error, LineError, Timeout, UpgradeRefused};
pub use inbound::Span;
pub use items::Items;
pub use nim::{EMPTY_LINE, Flags};
pub use outbox::Outgoing;
pub use stats::Stats;
pub use step::Step;
pub use time::Time;
pub use unread::Unread;
#[cfg(feature = "rustls")]
pub use wire::TlsLayer;
pub use wire::{CertificateFault, Phase, SecureLayer, TlsError, TlsErrorKind, TlsSession};

pub(crate) use inbound::Inbound;

/// The parts that a driver leaves with different tasks. They are [`Connection`]'s own, and no part of the
/// public interface: they may change in any release.
#[doc(hidden)]
pub mod driver {
    pub use crate::inbound::{Inbound, Look, Want};
    pub use crate::link::Link;
    pub use crate::shortfall::Shortfall;
    #[cfg(feature = "rustls")]
    pub use crate::wire::date::Date;
}
