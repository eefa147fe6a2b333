//! What the user can set: limits, framing, and what the Nim-style calls say about an end.

use core::time::Duration;

/// Which bytes end a line, in both directions: received lines end so, and so do the lines that are sent.
///
/// The text of a line that is sent must not hold its own line end:
/// [`holds_line_break`](Self::holds_line_break) says what that is.
///
/// ```
/// use asyncnet_core::{Config, Connection, Framing, Step};
///
/// let mut conn = Connection::new(Config::default().framing(Framing::Byte(0)));
/// conn.handle_input(b"one\0two\r\n\0");
/// assert_eq!(conn.next_line(), Ok(Step::Ready(Some(&b"one"[..]))));
/// assert_eq!(conn.next_line(), Ok(Step::Ready(Some(&b"two\r\n"[..]))));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Framing {
    /// LF ends a line, and one CR directly before that LF belongs to the terminator. Any other CR is
    /// data. Sent lines end in CR LF. The default: it reads what `nc`, `telnet` and every network client
    /// send.
    #[default]
    Lenient,
    /// Only CR LF ends a line. A CR or an LF alone is an error ([`LineError::BareCr`],
    /// [`LineError::BareLf`]) and the line that holds it is discarded. For protocols where two
    /// readers that disagree about a line end are a security hole (SMTP, HTTP). Sent lines end in CR LF.
    ///
    /// [`LineError::BareCr`]: crate::LineError::BareCr
    /// [`LineError::BareLf`]: crate::LineError::BareLf
    CrLf,
    /// LF ends a line, in both directions. A CR is data, wherever it stands. For JSON lines and the like.
    Lf,
    /// This byte ends a line, in both directions; all others are data. `Byte(0)` reads and sends lines
    /// that end in NUL.
    Byte(u8),
}

/// What the Nim-style calls (`recv`, `recv_line` and their kin) answer to an end that was not orderly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ends {
    /// A reset or a truncated stream answers `""`, as an orderly end does. This is Nim's `SafeDisconn`
    /// flag, and the default.
    #[default]
    Hide,
    /// A reset or a truncated stream is an error.
    Tell,
}

/// What a TLS stream that ends without a close notice is taken for. Anything on the network path can cut a
/// stream off like that, and what is missing may have been important.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Truncation {
    /// An end that is not orderly: the typed calls report it, [`Ends`] says whether the Nim-style calls do,
    /// and `end()` tells it always. The default.
    #[default]
    Report,
    /// The same, but the Nim-style calls report it too, whatever [`Ends`] says.
    Strict,
    /// An orderly end. For peers that never send the notice, and protocols that know their own end.
    Allow,
}

/// The settings of one connection.
///
/// Every limit is in bytes. Start from [`Config::default`] and change what you need:
///
/// ```
/// use asyncnet_core::{Config, Framing};
///
/// let smtp = Config::default().framing(Framing::CrLf).max_line(998);
/// assert_eq!(smtp.max_line, 998);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The longest line, its terminator not counted. Default 1 000 000.
    pub max_line: usize,
    /// The longest block that `next_block` or `recv` may ask for. Default 16 MiB.
    pub max_block: usize,
    /// How much may wait to be transmitted: every queued piece counts its length plus 64 bytes.
    /// Default 1 MiB, at least 1.
    pub max_outbox: usize,
    /// Buffered (the default): a read takes what the transport has. Unbuffered: a read takes no more
    /// than the pending call still needs, a line one byte at a time.
    pub buffered: bool,
    /// Which bytes end a line. Default [`Framing::Lenient`].
    pub framing: Framing,
    /// What the Nim-style calls answer to an end that was not orderly. Default [`Ends::Hide`].
    pub ends: Ends,
    /// What a TLS stream without a close notice is taken for. Default [`Truncation::Report`].
    pub truncation: Truncation,
    /// What bounds a close.
    pub close: CloseBounds,
    /// How long a TLS handshake may take. Default 10 s. Core has no clock: the
    /// program that does the I/O measures it.
    pub handshake: Duration,
}

/// What bounds an orderly close. Core has no clock: the program that does the I/O measures them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseBounds {
    /// How long it waits for the peer to take what is queued. Default 5 s.
    pub flush: Duration,
    /// How long it then goes on reading what the peer still sends. A socket that is closed with unread
    /// input is reset by the system, and the reset overtakes and destroys the last bytes that we sent.
    /// Default 2 s.
    pub drain: Duration,
    /// How much of that it reads at most, in bytes. Default 256 KiB.
    pub drain_bytes: usize,
}

impl Default for CloseBounds {
    fn default() -> Self {
        Self {
            flush: Duration::from_secs(5),
            drain: Duration::from_secs(2),
            drain_bytes: 256 << 10,
        }
    }
}

impl CloseBounds {
    /// Sets [`CloseBounds::flush`].
    #[must_use]
    pub const fn flush(mut self, time: Duration) -> Self {
        self.flush = time;
        self
    }

    /// Sets [`CloseBounds::drain`] and [`CloseBounds::drain_bytes`].
    #[must_use]
    pub const fn drain(mut self, time: Duration, bytes: usize) -> Self {
        self.drain = time;
        self.drain_bytes = bytes;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_line: 1_000_000,
            max_block: 16 << 20,
            max_outbox: 1 << 20,
            buffered: true,
            framing: Framing::Lenient,
            ends: Ends::Hide,
            truncation: Truncation::Report,
            close: CloseBounds::default(),
            handshake: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// Sets [`Config::max_line`].
    #[must_use]
    pub const fn max_line(mut self, bytes: usize) -> Self {
        self.max_line = bytes;
        self
    }

    /// Sets [`Config::max_block`].
    #[must_use]
    pub const fn max_block(mut self, bytes: usize) -> Self {
        self.max_block = bytes;
        self
    }

    /// Sets [`Config::max_outbox`].
    #[must_use]
    pub const fn max_outbox(mut self, bytes: usize) -> Self {
        self.max_outbox = bytes;
        self
    }

    /// Sets [`Config::buffered`].
    #[must_use]
    pub const fn buffered(mut self, buffered: bool) -> Self {
        self.buffered = buffered;
        self
    }

    /// Sets [`Config::framing`].
    #[must_use]
    pub const fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// Sets [`Config::close`].
    #[must_use]
    pub const fn close(mut self, bounds: CloseBounds) -> Self {
        self.close = bounds;
        self
    }

    /// Sets [`Config::truncation`].
    #[must_use]
    pub const fn truncation(mut self, truncation: Truncation) -> Self {
        self.truncation = truncation;
        self
    }

    /// Sets [`Config::handshake`].
    #[must_use]
    pub const fn handshake(mut self, time: Duration) -> Self {
        self.handshake = time;
        self
    }

    /// Sets [`Config::ends`].
    #[must_use]
    pub const fn ends(mut self, ends: Ends) -> Self {
        self.ends = ends;
        self
    }
}
