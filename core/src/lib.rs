#![doc = include_str!("../README.md")]
//!
//! [`Connection`] says how a program drives it.

#![cfg_attr(docsrs, feature(doc_cfg))]
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
