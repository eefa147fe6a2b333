//! The settings: limits, framing, timeouts.

use core::time::Duration;

use crate::Flags;

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
#[doc(alias("LinesCodec", "AnyDelimiterCodec", "delimiter"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Framing {
    /// LF ends a line, and one CR directly before that LF belongs to the terminator. Any other CR is
    /// data. Sent lines end in CR LF. The default: it reads what `nc`, `telnet` and every network client
    /// send.
    /// Rule [L1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l1).
    #[default]
    Lenient,
    /// Only CR LF ends a line. A CR or an LF alone is an error ([`LineError::BareCr`],
    /// [`LineError::BareLf`]) and the line that holds it is discarded. For protocols where two
    /// readers that disagree about a line end are a security hole (SMTP, HTTP). Sent lines end in CR LF.
    /// Rule [L2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l2).
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

/// What a TLS stream that ends without a close notice counts as. A network attacker can cut the stream at any
/// point, so data before the cut may be incomplete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Truncation {
    /// An end that is not orderly: typed calls report it, Nim-style calls as their flags say, `end()` always. The
    /// default.
    #[default]
    Report,
    /// The same, but Nim-style calls report it too, whatever their flags.
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
///
/// # A public server
///
/// No timeout and no rate is set by default. A server that strangers can reach should set at least the first
/// two: without them a peer that sends a byte a minute, or reads nothing, keeps its connection for ever.
///
/// ```
/// use std::time::Duration;
///
/// use asyncnet_core::Config;
///
/// let config = Config::default()
///     .max_line(4096) // the longest line of the protocol
///     .receive_timeout(Duration::from_secs(60)) // a whole line, however it trickles in
///     .send_timeout(Duration::from_secs(30)) // a peer that reads nothing
///     .max_lines_per_second(100); // a peer that floods
/// # drop(config);
/// ```
///
/// Where a peer may be silent for long (chat, notifications), leave out the `receive_timeout`, set an
/// [`idle_timeout`](Self::idle_timeout) that is longer than the protocol's own pings are apart, and
/// bound each request with `within`.
///
/// # Times
///
/// Every time may be any `Duration`. Zero has run out when it begins: a call that has to wait fails at once, and one
/// that does not have to wait succeeds. [`Duration::MAX`] never runs out. The clock may stand still: then nothing runs
/// out. If it goes back, waits take that much longer, and no rate lets more through. A time that
/// changes while something waits counts from when that wait began.
///
/// # Rates
///
/// [`max_lines_per_second`](Self::max_lines_per_second) and [`max_bytes_per_second`](Self::max_bytes_per_second) bound
/// how fast a peer is received. What is over a rate waits: no receive sees it, and the transport is not read. Nothing
/// is dropped, the order stays, and the end of the input comes after the last line. After a pause as much may come at
/// once as the rate allows in [`rate_burst`](Self::rate_burst). At a high rate, what is allowed in a sixteenth of a
/// second may go on together.
///
/// The rate of bytes holds for every call. The rate of lines counts the lines that calls for lines take, good or bad:
/// the typed and the Nim-style ones, those of a batch, and those inside a message. A block or bytes that a call waits
/// for do not wait for it, whatever they hold. A message whose first line may be received is received whole, and so is
/// what was read as bytes first and then as lines: if that was over the rate, the next line waits correspondingly longer.
///
/// While a rate holds up what has arrived, the clocks of `receive_timeout`, `idle_timeout` and `within` stand still: that
/// time is not the peer's. A close lifts the rates. A rate needs a clock: over a stream without one there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The longest line, its terminator not counted. Default 1 000 000.
    /// Rule [L4](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l4).
    #[doc(alias("new_with_max_length", "max_length"))]
    pub max_line: usize,
    /// The longest block that `next_block` or `recv` may ask for. Default 16 MiB.
    /// Rules [B2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b2) and [B6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b6).
    pub max_block: usize,
    /// How much may be queued for sending: every queued piece counts its length plus 64 bytes. Default
    /// 1 MiB, at least 1.
    /// Rules [S2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s2) and [S6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s6).
    pub max_queue: usize,
    /// How many bytes of answers may be unsent before the connection hands out nothing more: a peer that does
    /// not read is not read from. What other tasks send does not count. Default 64 KiB.
    /// Rule [S6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s6).
    #[doc(alias("backpressure", "backpressure_boundary"))]
    pub high_water: usize,
    /// Buffered (the default): a read takes what the transport has. Unbuffered: a read takes no more
    /// than the pending call still needs, a line one byte at a time.
    /// Rules [B1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b1) and [B5](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b5).
    pub buffered: bool,
    /// Which bytes end a line. Default [`Framing::Lenient`].
    /// Rule [F1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#f1).
    pub framing: Framing,
    /// The flags of a Nim-style call that has none of its own. Default [`Flags::SAFE_DISCONN`].
    /// Rule [E3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#e3).
    pub nim_flags: Flags,
    /// What a secure stream without a close notice is taken for. Default [`Truncation::Report`].
    /// Rule [T13](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t13).
    pub truncation: Truncation,
    /// The limits of a close.
    /// Rule [C3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#c3).
    pub close: CloseLimits,
    /// How long a TLS handshake may take. Default 10 s.
    /// Rule [T6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t6).
    pub handshake_timeout: Duration,
    /// How long a receive may wait for its answer, however many bytes of it trickle in. Default: no limit. A
    /// public server should set one.
    /// Rule [D1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#d1).
    #[doc(alias("read_timeout", "timeout"))]
    pub receive_timeout: Option<Duration>,
    /// How long a receive may wait while no byte moves in either direction. Default: no limit.
    /// Rule [D2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#d2).
    pub idle_timeout: Option<Duration>,
    /// How long queued bytes may make no progress before the connection counts as lost. Default: no limit.
    /// Rule [D3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#d3).
    #[doc(alias("write_timeout"))]
    pub send_timeout: Option<Duration>,
    /// How many lines may be received in a second. What is over that waits, see [rates](Self#rates). Default: no
    /// limit; 0 counts as 1.
    /// Rule [D5](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#d5).
    #[doc(alias("rate limit"))]
    pub max_lines_per_second: Option<u32>,
    /// How many bytes may be received in a second (under TLS: after decryption). What is over that waits, see
    /// [rates](Self#rates). Default: no limit; 0 counts as 1.
    /// Rule [D5](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#d5).
    pub max_bytes_per_second: Option<u32>,
    /// How much may be received at once after a pause: what the rates allow in this time, at least one line
    /// or byte. Default 1 s.
    pub rate_burst: Duration,
}

/// The limits of an orderly close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseLimits {
    /// How long it waits while the peer takes nothing of what is queued. Default 5 s.
    pub stall: Duration,
    /// How long it sends what is queued in all. Default 60 s.
    pub total: Duration,
    /// How long it then goes on reading what the peer still sends. The system resets a socket that is closed
    /// with unread input, and the reset overtakes and destroys the last bytes that we sent. Default 2 s.
    pub drain: Duration,
    /// How much of that it reads at most, in bytes. Default 256 KiB.
    pub drain_bytes: usize,
}

impl Default for CloseLimits {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(5),
            total: Duration::from_secs(60),
            drain: Duration::from_secs(2),
            drain_bytes: 256 << 10,
        }
    }
}

impl CloseLimits {
    /// Sets [`CloseLimits::stall`] and [`CloseLimits::total`].
    #[must_use]
    pub const fn flush(mut self, stall: Duration, total: Duration) -> Self {
        self.stall = stall;
        self.total = total;
        self
    }

    /// Sets [`CloseLimits::drain`] and [`CloseLimits::drain_bytes`].
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
            max_queue: 1 << 20,
            high_water: 64 << 10,
            buffered: true,
            framing: Framing::Lenient,
            nim_flags: Flags::SAFE_DISCONN,
            truncation: Truncation::Report,
            close: CloseLimits::default(),
            handshake_timeout: Duration::from_secs(10),
            receive_timeout: None,
            idle_timeout: None,
            send_timeout: None,
            max_lines_per_second: None,
            max_bytes_per_second: None,
            rate_burst: Duration::from_secs(1),
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

    /// Sets [`Config::max_queue`].
    #[must_use]
    pub const fn max_queue(mut self, bytes: usize) -> Self {
        self.max_queue = bytes;
        self
    }

    /// Sets [`Config::high_water`].
    #[must_use]
    pub const fn high_water(mut self, bytes: usize) -> Self {
        self.high_water = bytes;
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
    pub const fn close(mut self, limits: CloseLimits) -> Self {
        self.close = limits;
        self
    }

    /// Sets [`Config::truncation`].
    #[must_use]
    pub const fn truncation(mut self, truncation: Truncation) -> Self {
        self.truncation = truncation;
        self
    }

    /// Sets [`Config::handshake_timeout`].
    #[must_use]
    pub const fn handshake_timeout(mut self, time: Duration) -> Self {
        self.handshake_timeout = time;
        self
    }

    /// Sets [`Config::receive_timeout`]; `None` for no limit.
    #[must_use]
    pub fn receive_timeout(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.receive_timeout = time.into();
        self
    }

    /// Sets [`Config::idle_timeout`]; `None` for no limit.
    #[must_use]
    pub fn idle_timeout(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = time.into();
        self
    }

    /// Sets [`Config::send_timeout`]; `None` for no limit.
    #[must_use]
    pub fn send_timeout(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.send_timeout = time.into();
        self
    }

    /// Sets [`Config::max_lines_per_second`]; `None` for no limit.
    #[must_use]
    pub fn max_lines_per_second(mut self, lines: impl Into<Option<u32>>) -> Self {
        self.max_lines_per_second = lines.into();
        self
    }

    /// Sets [`Config::max_bytes_per_second`]; `None` for no limit.
    #[must_use]
    pub fn max_bytes_per_second(mut self, bytes: impl Into<Option<u32>>) -> Self {
        self.max_bytes_per_second = bytes.into();
        self
    }

    /// Sets [`Config::rate_burst`].
    #[must_use]
    pub const fn rate_burst(mut self, time: Duration) -> Self {
        self.rate_burst = time;
        self
    }

    /// Sets [`Config::nim_flags`].
    #[must_use]
    pub const fn nim_flags(mut self, flags: Flags) -> Self {
        self.nim_flags = flags;
        self
    }
}
