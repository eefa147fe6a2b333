//! Placeholder.

mod runtime;
mod transport;

pub use runtime::{BoxSleep, Runtime, SendRuntime, Timer};
pub use transport::{Io, OsSocket, Transport};
