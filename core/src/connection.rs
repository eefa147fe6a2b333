//! A connection as a state machine without I/O.

mod nim;

use alloc::boxed::Box;
use alloc::sync::Arc;

use bytes::Bytes;

use crate::link::Link;
use crate::shortfall::Shortfall;
use crate::{
    Config, End, Error, Inbound, Items, Loss, Outgoing, SecureLayer, Span, Stats, Step, Time,
    TlsSession, Unread,
};

/// One end of a line connection, as a state machine without I/O.
///
/// It owns the bytes received and not yet asked for (the *inbox*), the bytes accepted and not yet transmitted (the
/// *queue*), every bound in time, and the rules: where a line ends, and what an end looks like. It never reads, writes
/// or waits. Its methods are of five families:
///
/// - **getters** change nothing;
/// - **`handle_*`** (and [`space`](Self::space)) take in what the transport did;
/// - **time** ([`poll_timeout`](Self::poll_timeout), [`handle_timeout`](Self::handle_timeout)) says when to call
///   again, and what time it is;
/// - **commands** are what the application wants: the receives (`next_line`, `next_with`, ..), the sends (`feed`, ..)
///   and [`close`](Self::close);
/// - **output** ([`outgoing`](Self::outgoing), [`transmitted`](Self::transmitted)) is what to put on the wire.
///
/// A loop around it transmits what is outgoing, asks, and waits when the answer is [`Step::NeedInput`]. Over a
/// blocking socket, with a deadline and a rate:
///
/// ```no_run
/// use std::io::{ErrorKind, Read, Write};
/// use std::net::TcpStream;
/// use std::time::{Duration, Instant};
///
/// use asyncnet_core::{Config, Connection, Loss, Step, Time};
///
/// fn echo(mut socket: TcpStream) -> Result<(), Box<dyn std::error::Error>> {
///     let start = Instant::now();
///     let now = || Time::from_start(start.elapsed());
///     let config = Config::default().receive_timeout(Duration::from_secs(30));
///     let mut conn = Connection::new(config.max_lines_per_second(100));
///     loop {
///         match conn.next_line()? {
///             Step::Ready(Some(line)) => {
///                 let line = line.to_vec();
///                 conn.feed_line(&line)?;
///             }
///             Step::Ready(None) => return Ok(()),
///             Step::NeedInput => wait(&mut conn, &mut socket, now)?,
///         }
///     }
/// }
///
/// /// Transmits, then reads for as long as the connection may wait, then says what happened.
/// fn wait(
///     conn: &mut Connection,
///     socket: &mut TcpStream,
///     now: impl Fn() -> Time,
/// ) -> std::io::Result<()> {
///     while let Some(piece) = conn.outgoing().next() {
///         let n = socket.write(piece)?;
///         conn.transmitted(n);
///     }
///     let limit = conn.poll_timeout(now()).map(|at| at.since(now()));
///     if !conn.wants_read() || limit == Some(Duration::ZERO) {
///         // A rate holds up what has arrived. Or it is too late, though a byte may be here: otherwise a peer that
///         // trickles would never be late.
///         std::thread::sleep(limit.unwrap_or_default());
///         conn.handle_timeout(now());
///         return Ok(());
///     }
///     socket.set_read_timeout(limit)?;
///     match socket.read(conn.space()) {
///         Ok(0) => conn.handle_eof(),
///         Ok(n) => conn.handle_read(n),
///         Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
///             conn.handle_timeout(now());
///         }
///         Err(_) => conn.handle_lost(Loss::Reset),
///     }
///     Ok(())
/// }
/// ```
///
/// The states of the receiving side; the sending side only goes from open to shut.
///
/// ```text
///             bad line reported                    line end arrives
///        +-------------------------> Discarding -----------------+
///        |                               |                       |
///      Open <----------------------------|-----------------------+
///        |                               |
///        | a receive meets the end       | a receive meets the end
///        v                               v
///      Ended(cause, partial)  <----------+        close(), from any state:  Closed
/// ```
///
/// Promises, each held by tests that know nothing but this interface: the answers depend on the bytes alone and not on
/// how they were cut into reads; what arrived before an end or an error is returned before it; an end repeats for
/// ever; no input makes it panic; memory stays within `max_line` or `max_block` (whichever call waits) and
/// `max_queue`, plus one read of 64 KiB.
#[derive(Debug)]
pub struct Connection {
    inbound: Inbound,
    link: Link,
    /// What the parser of [`next_with`](Self::next_with) lacked.
    short: Shortfall,
}

impl Connection {
    /// A connection that nothing has happened to.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let config = Arc::new(config);
        let short = Shortfall::default();
        Self { inbound: Inbound::new(Arc::clone(&config)), link: Link::new(config), short }
    }

    /// The parts, for a driver that leaves them with different tasks.
    #[doc(hidden)]
    #[must_use]
    pub fn into_halves(self) -> (Inbound, Link) {
        (self.inbound, self.link)
    }

    // ---- getters ---------------------------------------------------------------------------------

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.inbound.config()
    }

    /// Changes the settings: from the next line on, bytes that have arrived included.
    pub fn configure(&mut self, change: impl FnOnce(Config) -> Config) {
        let config = Arc::new(change(*self.config()));
        self.inbound.configure(Arc::clone(&config));
        self.link.configure(config);
    }

    /// Bytes received and not yet asked for. Never waits; empty while a bad line is being discarded.
    #[must_use]
    pub fn peek(&self) -> &[u8] {
        self.inbound.peek()
    }

    /// The end, once a receive met it, or a write met a reset.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.inbound.end_after(self.link.coming_end())
    }

    /// The bytes of the unfinished line or block that came before the end.
    #[must_use]
    pub fn partial(&self) -> &[u8] {
        self.inbound.partial()
    }

    /// What was received and sent so far, and what is queued now, in numbers.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.link.stats(Some(&self.inbound))
    }

    /// Whether there is an [`end`](Self::end).
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.end().is_some()
    }

    /// Whether we closed the connection.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.inbound.is_closed()
    }

    /// Whether the transport is to be read: not after an end, and not while a [rate](Config#rates) holds up what has
    /// arrived.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        self.link.wants_read(&self.inbound)
    }

    /// Whether a secure layer lies under the connection.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.link.is_secure()
    }

    /// Whether the handshake of a secure layer is under way.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.link.is_handshaking()
    }

    /// What the handshake came to; `None` if there is no secure layer.
    #[must_use]
    pub fn tls_session(&self) -> Option<TlsSession> {
        self.link.tls_session()
    }

    /// Bytes accepted and not yet transmitted.
    #[must_use]
    pub const fn unsent(&self) -> usize {
        self.link.unsent()
    }

    /// What `span` stands for; empty if it is an old one.
    #[must_use]
    pub fn line(&self, span: Span) -> &[u8] {
        self.inbound.bytes(span)
    }

    // ---- handle_*: what the transport did --------------------------------------------------------

    /// Room for a read from the transport; never empty, at most 64 KiB (unbuffered: at most what the
    /// waiting call still needs).
    pub fn space(&mut self) -> &mut [u8] {
        self.link.space(Some(&mut self.inbound))
    }

    /// The transport put `n` bytes into the last [`space`](Self::space). 0 is legal and no end.
    ///
    /// # Panics
    ///
    /// If `n` is more than `space` had offered.
    pub fn handle_read(&mut self, n: usize) {
        self.link.handle_read(Some(&mut self.inbound), n);
    }

    /// Takes a copy of `wire`, or of its front, and returns how many bytes it took: at most 64 KiB
    /// (unbuffered: what the waiting call still needs), and nothing unless it [wants to
    /// read](Self::wants_read). The twin of [`space`](Self::space) for transports that bring their own buffer.
    pub fn handle_input(&mut self, wire: &[u8]) -> usize {
        self.link.handle_input(Some(&mut self.inbound), wire)
    }

    /// The transport will bring no more: the peer ended its side, in good order if there is no secure
    /// layer that knows better.
    pub fn handle_eof(&mut self) {
        self.link.handle_eof(Some(&mut self.inbound));
    }

    /// A read met this loss. Nothing can be sent any more either.
    pub fn handle_lost(&mut self, loss: Loss) {
        self.link.handle_lost(Some(&mut self.inbound), loss);
    }

    /// A write met this loss. Receiving goes on with what is still there, and the end after that is
    /// then a reset, whatever the transport calls it.
    pub fn handle_write_lost(&mut self, loss: Loss) {
        self.link.handle_write_lost(loss);
    }

    // ---- time ------------------------------------------------------------------------------------

    /// To be called with the time when about to wait: when [`handle_timeout`](Self::handle_timeout) has to
    /// be called at the latest. `None`: nothing is bounded. A wait that began since the last call begins now,
    /// so that no other call needs to know the time.
    pub fn poll_timeout(&mut self, now: Time) -> Option<Time> {
        self.link.poll_timeout(now)
    }

    /// It is `now`. A receive that has waited too long returns [`Error::TimedOut`] when it is asked next; a
    /// handshake or a send that takes too long ends the connection.
    pub fn handle_timeout(&mut self, now: Time) {
        self.link.handle_timeout(now);
    }

    // ---- commands: typed calls -------------------------------------------------------------------

    fn receive<T>(
        &mut self,
        take: impl FnMut(&mut Inbound) -> Result<Step<T>, Error>,
    ) -> Result<Step<T>, Error> {
        self.link.receive(&mut self.inbound, take)
    }

    /// Finds and consumes the next line, and says where it lies: [`line`](Self::line) borrows it.
    /// `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// [`Error::Line`] for a bad line, [`Error::Disconnected`] for an end that is not clean,
    /// [`Error::TimedOut`] if it waited too long, [`Error::Closed`] after our own close.
    pub fn poll_line(&mut self) -> Result<Step<Option<Span>>, Error> {
        self.receive(Inbound::poll_line)
    }

    /// The next line, without its terminator. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// As [`poll_line`](Self::poll_line).
    // As a call it would hand the line over through memory, which takes longer than the search.
    #[inline(always)]
    pub fn next_line(&mut self) -> Result<Step<Option<&[u8]>>, Error> {
        if let Some(span) = self.inbound.take_line() {
            self.link.answered();
            return Ok(Step::Ready(Some(self.inbound.bytes(span))));
        }
        self.no_line()
    }

    /// The answer where no good line is here. Apart, so that the way of a line that is here is short.
    #[cold]
    #[inline(never)]
    fn no_line(&mut self) -> Result<Step<Option<&[u8]>>, Error> {
        let step = self.receive(Inbound::poll_line)?;
        Ok(step.map(|span| span.map(|span| self.inbound.bytes(span))))
    }

    /// All that has arrived, to be taken item by item. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// As [`poll_line`](Self::poll_line), but for bad lines, which the batch reports.
    pub fn next_batch(&mut self) -> Result<Step<Option<Items<'_>>>, Error> {
        let step = self.receive(Inbound::poll_batch)?;
        Ok(step.map(|some| some.map(|()| self.inbound.items())))
    }

    /// A whole message of a form of your own: `parse` takes lines and blocks from what has arrived, with `?`.
    /// Where something is not all here, nothing is consumed. `None`: the input ended in good order.
    ///
    /// ```
    /// use asyncnet_core::{Config, Connection, Error, Step, Unread};
    ///
    /// fn literal(unread: &mut Unread<'_>) -> Result<Vec<u8>, Error> {
    ///     let len = unread.line()?.len();
    ///     Ok(unread.block(len)?.to_vec())
    /// }
    ///
    /// let mut conn = Connection::new(Config::default());
    /// conn.handle_input(b"###\r\nab");
    /// assert_eq!(conn.next_with(literal), Ok(Step::NeedInput));
    /// assert_eq!(conn.peek(), b"###\r\nab", "nothing is consumed");
    /// conn.handle_input(b"c");
    /// assert_eq!(conn.next_with(literal), Ok(Step::Ready(Some(b"abc".to_vec()))));
    /// ```
    ///
    /// # Errors
    ///
    /// The parser's own; otherwise as [`next_block`](Self::next_block).
    pub fn next_with<T>(
        &mut self,
        mut parse: impl FnMut(&mut Unread<'_>) -> Result<T, Error>,
    ) -> Result<Step<Option<T>>, Error> {
        let Self { inbound, link, short } = self;
        link.receive(inbound, |inbound| inbound.poll_with(short, &mut parse))
    }

    /// The next line if it is here whole.
    ///
    /// # Errors
    ///
    /// [`Error::Line`] for a bad line.
    pub fn try_next_line(&mut self) -> Result<Option<&[u8]>, Error> {
        let span = self.inbound.try_line()?;
        Ok(span.map(|span| self.inbound.bytes(span)))
    }

    /// Discards the next `left` bytes, as they come, and counts them off.
    ///
    /// # Errors
    ///
    /// [`Error::Disconnected`] for any end; otherwise as [`poll_line`](Self::poll_line).
    pub fn skip(&mut self, left: &mut u64) -> Result<Step<()>, Error> {
        self.receive(|inbound| inbound.poll_skip(left))
    }

    /// All that has arrived, once that is at least `n` bytes; it stays.
    ///
    /// # Errors
    ///
    /// As [`next_block`](Self::next_block).
    pub fn peek_block(&mut self, n: usize) -> Result<Step<&[u8]>, Error> {
        let step = self.receive(|inbound| Ok(inbound.peek_block(n)?.map(drop)))?;
        Ok(step.map(|()| self.inbound.peek()))
    }

    /// Exactly `n` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] above `max_block`; [`Error::Disconnected`] if the input ended before the block was
    /// whole (the bytes that came are then in [`partial`](Self::partial)); otherwise as
    /// [`poll_line`](Self::poll_line).
    pub fn next_block(&mut self, n: usize) -> Result<Step<&[u8]>, Error> {
        let step = self.receive(|inbound| inbound.poll_block(n))?;
        Ok(step.map(|span| self.inbound.bytes(span)))
    }

    /// What there is, at least one byte and at most `n`. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// As [`poll_line`](Self::poll_line), but for bad lines: bytes are bytes here.
    pub fn next_bytes(&mut self, n: usize) -> Result<Step<Option<&[u8]>>, Error> {
        let step = self.receive(|inbound| inbound.poll_bytes(n))?;
        Ok(step.map(|span| span.map(|span| self.inbound.bytes(span))))
    }

    /// The next line, left in place. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// As [`poll_line`](Self::poll_line), but a bad line is reported and kept: the next call meets it
    /// again.
    pub fn peek_line(&mut self) -> Result<Step<Option<&[u8]>>, Error> {
        let step =
            self.receive(|inbound| Ok(inbound.peek_line()?.map(|line| line.map(<[u8]>::len))))?;
        Ok(step.map(|len| len.map(|len| &self.inbound.peek()[..len])))
    }

    /// Queues a copy of `message`.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] if there is no room, [`Error::TooLarge`] if there never will be, or a final error.
    /// Nothing is queued then.
    pub fn feed(&mut self, message: &[u8]) -> Result<(), Error> {
        self.link.feed(message)
    }

    /// Queues `message`, shared and not copied from 1 KiB on.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn feed_shared(&mut self, message: Bytes) -> Result<(), Error> {
        self.link.feed_shared(message)
    }

    /// Queues `text` as a line.
    ///
    /// # Errors
    ///
    /// [`Error::LineBreak`] if `text` holds a line break; otherwise as [`feed`](Self::feed).
    pub fn feed_line(&mut self, text: &[u8]) -> Result<(), Error> {
        self.link.feed_line(text)
    }

    /// Puts a secure layer under the connection and begins the handshake. It goes on with what
    /// comes in and goes out; what is queued meanwhile waits for its end
    /// ([`is_handshaking`](Self::is_handshaking)).
    ///
    /// # Errors
    ///
    /// [`Error::Upgrade`] if any plaintext is left over on either side, or why the connection is over;
    /// nothing is changed then.
    pub fn start_tls(&mut self, layer: Box<dyn SecureLayer>) -> Result<(), Error> {
        self.link.start_tls(&mut self.inbound, layer)
    }

    /// Ends both sides. What is queued is still [`outgoing`](Self::outgoing); receives and sends answer
    /// [`Error::Closed`] from here on.
    pub fn close(&mut self) {
        self.link.close_inbound(&mut self.inbound);
        self.link.close();
    }

    /// Ends the sending side alone. What is queued is still [`outgoing`](Self::outgoing).
    pub fn close_write(&mut self) {
        self.link.close_write();
    }

    // ---- output: what to put on the wire ---------------------------------------------------------

    /// The bytes to put on the wire, in order. Over a secure layer: records, made now of what is queued.
    #[must_use]
    pub fn outgoing(&mut self) -> Outgoing<'_> {
        self.link.outgoing()
    }

    /// The first `n` outgoing bytes are on the wire.
    ///
    /// # Panics
    ///
    /// If `n` is more than was outgoing.
    pub fn transmitted(&mut self, n: usize) {
        self.link.transmitted(n);
    }
}
