//! Both halves as one machine.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::inbox::LARGEST_READ;

use crate::{
    Cause, Config, End, Ends, Error, Lines, Loss, Outgoing, Receiver, RecvStats, SecureLayer,
    SendStats, Sender, Span, Step, TlsSession,
};

/// One end of a line connection, as a state machine without I/O.
///
/// It owns the bytes received and not yet asked for (the *inbox*), the bytes accepted and not yet
/// transmitted (the *outbox*), and the rules: where a line ends, and what an end looks like. It never
/// reads, writes or waits. Its methods are of four families:
///
/// - **getters** change nothing;
/// - **`handle_*`** (and [`space`](Self::space)) take in what the transport did;
/// - **commands** are what the application wants: the receives (`next_line`, `recv`, ..), the sends
///   (`feed`, `send`, ..) and [`close`](Self::close);
/// - **output** ([`outgoing`](Self::outgoing), [`transmitted`](Self::transmitted)) is what to put on the
///   wire.
///
/// A loop around it transmits what is outgoing, asks, and reads when the answer is
/// [`Step::NeedInput`]:
///
/// ```
/// use asyncnet_core::{Config, Connection, Step};
/// use std::io::{Read, Write};
///
/// fn echo(mut wire: impl Read + Write) -> Result<(), Box<dyn std::error::Error>> {
///     let mut conn = Connection::new(Config::default());
///     loop {
///         while let Some(bytes) = conn.outgoing().next() {
///             let n = wire.write(bytes)?;
///             conn.transmitted(n);
///         }
///         match conn.poll_line()? {
///             Step::Ready(Some(span)) => {
///                 let line = conn.line(span).to_vec();
///                 conn.feed_line(&line)?;
///             }
///             Step::Ready(None) => return Ok(()),
///             Step::NeedInput => match wire.read(conn.space())? {
///                 0 => conn.handle_eof(),
///                 n => conn.handle_read(n),
///             },
///         }
///     }
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
/// Promises, each held by tests that know nothing but this interface: the answers depend on the bytes
/// alone and not on how they were cut into reads; what arrived before an end or an error is answered
/// before it; an end repeats for ever; no input makes it panic; memory stays within
/// `max_line` or `max_block` (whichever call waits) and `max_outbox`, plus one read of 64 KiB.
#[derive(Debug)]
pub struct Connection {
    receiver: Receiver,
    sender: Sender,
}

impl Connection {
    /// A connection that nothing has happened to.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { receiver: Receiver::new(config), sender: Sender::new(&config) }
    }

    /// The halves, for a driver whose receiving and sending belong to different tasks. It then has to
    /// pass what one half learns on to the other, as the `handle_*` methods here do.
    #[must_use]
    pub fn into_halves(self) -> (Receiver, Sender) {
        (self.receiver, self.sender)
    }

    // ---- getters ---------------------------------------------------------------------------------

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        self.receiver.config()
    }

    /// Bytes received and not yet asked for. Never waits; empty while a bad line is being discarded.
    #[must_use]
    pub fn peek(&self) -> &[u8] {
        self.receiver.peek()
    }

    /// The end, once a receive met it, or a write met a reset.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.receiver.end_after(self.sender.coming_end())
    }

    /// The bytes of the unfinished line or block that came before the end.
    #[must_use]
    pub fn partial(&self) -> &[u8] {
        self.receiver.partial()
    }

    /// What was received and sent so far, in numbers.
    #[must_use]
    pub const fn stats(&self) -> (RecvStats, SendStats) {
        (self.receiver.stats(), self.sender.stats())
    }

    /// Whether there is an [`end`](Self::end).
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.end().is_some()
    }

    /// Whether we closed the connection.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.receiver.is_closed()
    }

    /// Whether reading the transport can still bring anything.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        // What was queued before our close may wait for the rest of a handshake.
        let waits = || self.sender.is_handshaking() && self.sender.unsent() > 0;
        self.receiver.wants_read() || waits()
    }

    /// Whether a secure layer lies under the connection.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.sender.is_secure()
    }

    /// Whether the handshake of a secure layer is under way.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.sender.is_handshaking()
    }

    /// What the handshake came to; `None` if there is no secure layer.
    #[must_use]
    pub fn tls_session(&self) -> Option<TlsSession> {
        self.sender.tls_session()
    }

    /// Bytes accepted and not yet transmitted.
    #[must_use]
    pub const fn unsent(&self) -> usize {
        self.sender.unsent()
    }

    /// What `span` stands for; empty if it is an old one.
    #[must_use]
    pub fn line(&self, span: Span) -> &[u8] {
        self.receiver.bytes(span)
    }

    // ---- handle_*: what the transport did --------------------------------------------------------

    /// Room for a read from the transport; never empty, at most 64 KiB (unbuffered: at most what the
    /// waiting call still needs).
    pub fn space(&mut self) -> &mut [u8] {
        if self.sender.is_secure() { self.sender.wire_space() } else { self.receiver.space() }
    }

    /// The transport put `n` bytes into the last [`space`](Self::space). 0 is legal and no end.
    ///
    /// # Panics
    ///
    /// If `n` is more than `space` had offered.
    pub fn handle_read(&mut self, n: usize) {
        if self.sender.is_secure() {
            self.sender.handle_wire(n, Some(&mut self.receiver));
        } else {
            self.receiver.handle_read(n);
        }
    }

    /// Takes a copy of `wire`, or of its front, and returns how many bytes it took: at most 64 KiB
    /// (unbuffered: what the waiting call still needs), and nothing after an end. The twin of
    /// [`space`](Self::space) for transports that bring their own buffer.
    pub fn handle_input(&mut self, wire: &[u8]) -> usize {
        if !self.sender.is_secure() {
            return self.receiver.handle_input(wire);
        }
        if !self.wants_read() {
            return 0;
        }
        let wire = &wire[..wire.len().min(LARGEST_READ)];
        self.sender.handle_wire_input(&mut wire.to_vec(), Some(&mut self.receiver));
        wire.len()
    }

    /// The transport will bring no more: the peer ended its side, in good order if there is no secure
    /// layer that knows better.
    pub fn handle_eof(&mut self) {
        if self.sender.is_secure() {
            self.sender.handle_wire_eof();
            self.sender.pass_on(&mut self.receiver);
        } else {
            self.receiver.handle_end(self.sender.end_cause(Cause::Eof));
        }
    }

    /// A read met this loss. Nothing can be sent any more either.
    pub fn handle_lost(&mut self, loss: Loss) {
        if self.sender.is_secure() {
            self.sender.handle_wire_lost(loss);
            self.sender.pass_on(&mut self.receiver);
        } else {
            self.receiver.handle_end(self.sender.end_cause(Cause::Lost(loss)));
            self.sender.handle_lost(loss);
        }
    }

    /// A write met this loss. Receiving goes on with what is still there, and the end behind that is
    /// then a reset, whatever the transport calls it.
    pub fn handle_write_lost(&mut self, loss: Loss) {
        self.sender.handle_lost(loss);
    }

    // ---- commands: the typed view ----------------------------------------------------------------

    /// Finds and consumes the next line, and says where it lies: [`line`](Self::line) borrows it.
    /// `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// [`Error::Line`] for a bad line, [`Error::Disconnected`] for an end that is not clean,
    /// [`Error::Closed`] after our own close.
    pub fn poll_line(&mut self) -> Result<Step<Option<Span>>, Error> {
        self.receiver.poll_line()
    }

    /// The next line, without its terminator. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// As [`poll_line`](Self::poll_line).
    // As a call it would hand the line over through memory, which takes longer than the search.
    #[inline(always)]
    pub fn next_line(&mut self) -> Result<Step<Option<&[u8]>>, Error> {
        if let Some(span) = self.receiver.take_line() {
            return Ok(Step::Ready(Some(self.receiver.bytes(span))));
        }
        let step = self.receiver.poll_no_line()?;
        Ok(step.map(|span| span.map(|span| self.receiver.bytes(span))))
    }

    /// Every complete line there is, in one batch. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// As [`poll_line`](Self::poll_line). An error behind good lines ends the batch in front of it and
    /// is the next call's answer.
    pub fn next_lines(&mut self) -> Result<Step<Option<Lines<'_>>>, Error> {
        self.receiver.next_lines()
    }

    /// Exactly `n` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] above `max_block`; [`Error::Disconnected`] if the input ended
    /// before the block was whole (the bytes that came are then in [`partial`](Self::partial));
    /// [`Error::Closed`] after our own close.
    pub fn next_block(&mut self, n: usize) -> Result<Step<&[u8]>, Error> {
        let step = self.receiver.poll_block(n)?;
        Ok(step.map(|span| self.receiver.bytes(span)))
    }

    /// What there is, at least one byte and at most `n`. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// As [`poll_line`](Self::poll_line), but for bad lines: bytes are bytes here.
    pub fn next_bytes(&mut self, n: usize) -> Result<Step<Option<&[u8]>>, Error> {
        let step = self.receiver.poll_bytes(n)?;
        Ok(step.map(|span| span.map(|span| self.receiver.bytes(span))))
    }

    /// The next line, left in place. `None`: the input ended in good order.
    ///
    /// # Errors
    ///
    /// As [`poll_line`](Self::poll_line), but a bad line is reported and kept: the next call meets it
    /// again.
    pub fn peek_line(&mut self) -> Result<Step<Option<&[u8]>>, Error> {
        self.receiver.peek_line()
    }

    /// Queues a copy of `message`.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] if there is no room, or a final error. Nothing is queued then.
    pub fn feed(&mut self, message: &[u8]) -> Result<(), Error> {
        self.sender.feed(message)
    }

    /// Queues `message`, shared and not copied from 1 KiB on.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn feed_bytes(&mut self, message: Bytes) -> Result<(), Error> {
        self.sender.feed_bytes(message)
    }

    /// Queues `text` and a CR LF behind it.
    ///
    /// # Errors
    ///
    /// [`Error::LineBreak`] if `text` holds a CR or an LF; otherwise as [`feed`](Self::feed).
    pub fn feed_line(&mut self, text: &[u8]) -> Result<(), Error> {
        self.sender.feed_line(text)
    }

    /// Puts a secure layer under the connection and begins the handshake. It goes on with what
    /// comes in and goes out; what is queued meanwhile waits for its end
    /// ([`is_handshaking`](Self::is_handshaking)).
    ///
    /// # Errors
    ///
    /// If anything in plain is left over on either side, or the connection is over; nothing is changed
    /// then.
    pub fn start_tls(&mut self, layer: Box<dyn SecureLayer>) -> Result<(), Error> {
        self.sender.start_tls(&self.receiver, layer)?;
        self.sender.pass_on(&mut self.receiver);
        Ok(())
    }

    /// Ends both sides. What is queued is still [`outgoing`](Self::outgoing); receives answer
    /// [`Error::Closed`] from here on, sends [`Error::Closed`].
    pub fn close(&mut self) {
        self.receiver.close(self.sender.coming_end());
        self.sender.close();
    }

    /// Ends the sending side alone. What is queued is still [`outgoing`](Self::outgoing).
    pub fn close_write(&mut self) {
        self.sender.close();
    }

    // ---- commands: the seed view -----------------------------------------------------------------

    /// The seed's `recv`. Buffered: `n` bytes, and fewer only at the end. Unbuffered: what there is, at
    /// most `n`. Empty: the end, or `n` is 0.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], [`Error::Closed`]; with [`Ends::Tell`] also
    /// [`Error::Disconnected`] for an end that was not orderly.
    pub fn recv(&mut self, n: usize) -> Result<Step<Vec<u8>>, Error> {
        self.receiver.recv(n, self.ends())
    }

    /// The seed's `recvInto`: as [`recv`](Self::recv) for as many bytes as fit into `buf`, and returns
    /// how many came. `buf` is written only when the call completes.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_into(&mut self, buf: &mut [u8]) -> Result<Step<usize>, Error> {
        self.receiver.recv_into(buf, self.ends())
    }

    /// The seed's `recvLine`: a line without its terminator, `"\r\n"` for an empty one, `""` at the end.
    ///
    /// # Errors
    ///
    /// [`Error::Line`] for a bad line (one that is not UTF-8 is consumed, its bytes are in the
    /// error), [`Error::Closed`]; with [`Ends::Tell`] also [`Error::Disconnected`] for an end
    /// that was not orderly.
    pub fn recv_line(&mut self) -> Result<Step<String>, Error> {
        self.receiver.recv_line(self.ends())
    }

    /// The seed's `recvLineInto`: as [`recv_line`](Self::recv_line) in bytes. The content of `line` is
    /// replaced when the call completes, by nothing at the end.
    ///
    /// # Errors
    ///
    /// As [`recv_line`](Self::recv_line), but for UTF-8, which is not checked.
    pub fn recv_line_into(&mut self, line: &mut Vec<u8>) -> Result<Step<()>, Error> {
        self.receiver.recv_line_into(line, self.ends())
    }

    /// The seed's `send`: queues a copy of `message`. With [`Ends::Hide`] a peer that is gone is no
    /// error; [`is_disconnected`](Self::is_disconnected) tells.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        match self.sender.feed(message) {
            Err(Error::Disconnected(_)) if self.ends() == Ends::Hide => Ok(()),
            result => result,
        }
    }

    const fn ends(&self) -> Ends {
        self.receiver.config().ends
    }

    // ---- output: what to put on the wire ---------------------------------------------------------

    /// The bytes to put on the wire, in order. Over a secure layer: records, made now of what is queued.
    #[must_use]
    pub fn outgoing(&mut self) -> Outgoing<'_> {
        self.sender.outgoing()
    }

    /// The first `n` outgoing bytes are on the wire.
    ///
    /// # Panics
    ///
    /// If `n` is more than was outgoing.
    pub fn transmitted(&mut self, n: usize) {
        self.sender.transmitted(n);
    }
}
