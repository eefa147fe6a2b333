//! The end of a connection: the moment after which no more input will come, and why.

use core::fmt;

/// Why the input ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The peer ended its side in good order (TCP FIN).
    Eof,
    /// The connection broke: the peer, its host or the network is gone.
    Lost(Loss),
    /// A TLS stream ended without the close notice that makes an end trustworthy. Anything on the network
    /// path can cut it off; what arrived may not be all that the peer sent.
    Truncated,
    /// TLS failed: in its handshake, or because of what the peer sent.
    TlsFailed,
    /// We closed the connection.
    Closed,
}

/// How a connection broke. Each kind has its twin in `std::io::ErrorKind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// The peer reset the connection.
    Reset,
    /// The connection was aborted on our side of the network.
    Aborted,
    /// We wrote to a peer that no longer listens.
    BrokenPipe,
    /// The peer stopped answering.
    TimedOut,
    /// No route to the peer's host.
    HostUnreachable,
    /// No route to the peer's network.
    NetworkUnreachable,
    /// Our own network is down.
    NetworkDown,
    /// The transport took 0 bytes of a write, which it never may.
    WriteZero,
    /// The transport failed in a way that has no name here.
    Other,
}

/// The end of a connection's input. Final: once there is one, it stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct End {
    /// Why it ended.
    pub cause: Cause,
    /// How many bytes of an unfinished line or block came before the end. They can be read with
    /// `partial()`, except those of a line that had been reported as an error already: they are
    /// counted here and not kept.
    pub partial: usize,
}

impl End {
    /// An end for this reason, after `partial` bytes of an unfinished line or block.
    #[must_use]
    pub const fn new(cause: Cause, partial: usize) -> Self {
        Self { cause, partial }
    }

    /// Whether the peer ended in good order and between lines: nothing is missing.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        matches!(self.cause, Cause::Eof) && self.partial == 0
    }
}

impl From<Loss> for End {
    fn from(loss: Loss) -> Self {
        Self::new(Cause::Lost(loss), 0)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reset => "the peer reset the connection",
            Self::Aborted => "the connection was aborted",
            Self::BrokenPipe => "the peer does not read any more",
            Self::TimedOut => "the peer stopped answering",
            Self::HostUnreachable => "the peer's host cannot be reached",
            Self::NetworkUnreachable => "the peer's network cannot be reached",
            Self::NetworkDown => "the network is down",
            Self::WriteZero => "the transport accepted no byte of a write",
            Self::Other => "the transport failed",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eof => f.write_str("the peer closed the connection"),
            Self::Lost(loss) => loss.fmt(f),
            Self::Truncated => f.write_str("the TLS stream ended without a close notice"),
            Self::TlsFailed => f.write_str("TLS failed"),
            Self::Closed => f.write_str("this program has closed the connection"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)?;
        match self.partial {
            0 => Ok(()),
            1 => f.write_str(" after 1 byte of an unfinished line or block"),
            n => write!(f, " after {n} bytes of an unfinished line or block"),
        }
    }
}
