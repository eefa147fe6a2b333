//! Dot blocks: texts of any number of lines that a line with a single dot ends, as in SMTP, POP3 and NNTP.
//!
//! On the wire a line of the text that begins with a dot has one more in front (*dot stuffing*), so that no line of
//! the text can be taken for the end. [`DotReader`] takes that dot away, [`DotWriter`] and [`stuffed`] put it there.
//! Text in a counted block, such as that of SMTP's `BDAT`, is not stuffed: send it with
//! [`send_all`](Connection::send_all).
//!
//! ```
//! use asyncnet::dot::{DotReader, stuffed};
//! use asyncnet::net::pipe;
//! use asyncnet::{Config, Connection, Error};
//! # use futures_lite::future::block_on;
//!
//! # block_on(async {
//! let (client, server) = pipe(1024);
//! let mut client = Connection::new(client, Config::default());
//! let mut server = Connection::new(server, Config::default());
//!
//! client.send_all(stuffed(".profile\n.\nbye")).await?;
//!
//! let (mut block, mut text) = (DotReader::new(1 << 20), Vec::new());
//! while let Some(line) = block.next_line(&mut server).await? {
//!     text.push(line.to_vec());
//! }
//! assert_eq!(text, [&b".profile"[..], b".", b"bye"]);
//! # Ok::<(), Error>(()) })?;
//! # Ok::<(), Error>(())
//! ```

use memchr::memchr2_iter;

use crate::{Connection, Error, Transport};

/// Receives one dot block, line by line, in little memory. Make one for each block.
///
/// For SMTP set [`Framing::CrLf`](crate::Framing) on the connection: with a framing that takes a bare LF for the end of
/// a line, a block may end where the next server sees more text (SMTP smuggling).
#[derive(Debug)]
pub struct DotReader {
    max: usize,
    len: usize,
    is_over: bool,
}

impl DotReader {
    /// For a block of at most `max` bytes. Each line counts its bytes without the stuffed dot, and 2 for its end.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { max, len: 0, is_over: false }
    }

    /// The next line of the text, without its terminator and without the stuffed dot. `None`: the block has ended.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use asyncnet::dot::DotReader;
    /// use asyncnet::{Connection, Error, Transport};
    ///
    /// /// A mail of at most 10 MiB, each line of it within a minute. `None` if it was too large or had a bad line.
    /// async fn mail<S: Transport>(conn: &mut Connection<S>) -> Result<Option<Vec<u8>>, Error> {
    ///     let (mut block, mut mail, mut is_good) = (DotReader::new(10 << 20), Vec::new(), true);
    ///     loop {
    ///         match block.next_line(conn.within(Duration::from_secs(60))).await {
    ///             Ok(Some(line)) => mail.extend([line, b"\r\n"].concat()),
    ///             Ok(None) => return Ok(is_good.then_some(mail)),
    ///             // The block goes on: its lines must not be taken for commands.
    ///             Err(Error::TooLarge { .. } | Error::Line(_)) => is_good = false,
    ///             Err(error) => return Err(error),
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] for the line with which the block exceeds `max`, and for each line after it: that line is
    /// discarded. [`Error::Line`] for a bad line, which is discarded. After both the block goes on until this
    /// returns `None`. [`Error::Disconnected`] if the connection ends inside the block, in good order too. Otherwise as
    /// [`Connection::next_line`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no line is lost, the next call goes on where this one was.
    pub fn next_line<'c, S: Transport>(
        &mut self,
        conn: &'c mut Connection<S>,
    ) -> impl Future<Output = Result<Option<&'c [u8]>, Error>> {
        // Made here and not in the future: a bound that is set for this call goes with it, though it is never polled.
        let line = if self.is_over {
            conn.begin();
            None
        } else {
            Some(conn.expect_line())
        };
        async move {
            match line {
                Some(line) => self.unstuff(line.await?),
                None => Ok(None),
            }
        }
    }

    /// The same for a `line` that was received by another call, such as
    /// [`Batch::next_line`](crate::Batch::next_line).
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] as [`next_line`](Self::next_line).
    pub fn unstuff<'l>(&mut self, line: &'l [u8]) -> Result<Option<&'l [u8]>, Error> {
        self.is_over |= line == b".";
        if self.is_over {
            return Ok(None);
        }
        let text = line.strip_prefix(b".").unwrap_or(line);
        self.len = self.len.saturating_add(text.len()).saturating_add(CR_LF.len());
        let Self { len, max, .. } = *self;
        if len > max { Err(Error::TooLarge { len, max }) } else { Ok(Some(text)) }
    }
}

/// Sends one dot block, in pieces of any size, in little memory. Make one for each block, and end it with
/// [`finish`](Self::finish).
///
/// Where a piece ends does not matter: it may end in the middle of a line. Every line end of the text, LF, CR LF or
/// CR, leaves as CR LF, whatever the connection's framing is, so that no reader finds an end of the block in the text.
///
/// ```
/// use std::io::Read;
///
/// use asyncnet::dot::DotWriter;
/// use asyncnet::{Connection, Error, Transport};
///
/// /// Sends a file as it is read.
/// async fn send<S: Transport>(conn: &mut Connection<S>, mut file: impl Read) -> Result<(), Error> {
///     let (mut block, mut piece) = (DotWriter::new(), [0; 8192]);
///     loop {
///         match file.read(&mut piece)? {
///             0 => return block.finish(conn).await,
///             n => block.feed_wait(conn, &piece[..n]).await?,
///         }
///     }
/// }
/// ```
#[derive(Debug, Default)]
#[must_use = "without `finish` the peer waits for the rest of the block"]
pub struct DotWriter {
    at: Place,
}

/// Where in a line the text is.
#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    Start,
    /// At the start of a line, behind a CR that was sent as CR LF: an LF would belong to it.
    BehindCr,
    Inside,
}

impl DotWriter {
    /// At the start of a block.
    pub const fn new() -> Self {
        Self { at: Place::Start }
    }

    /// Waits for room, then queues the next piece of the text.
    ///
    /// # Errors
    ///
    /// As [`Connection::send_all`].
    ///
    /// # Cancel safety
    ///
    /// As [`Connection::send_all`]: a piece that fits the queue is queued whole or not at all, and can be given again
    /// if the call was dropped. To drop the call for a larger one midway ends the sending side.
    pub async fn feed_wait<S: Transport>(
        &mut self,
        conn: &mut Connection<S>,
        piece: impl AsRef<[u8]>,
    ) -> Result<(), Error> {
        let mut at = self.at;
        let stuffed = at.stuff(piece.as_ref());
        conn.feed_wait(stuffed).await?;
        self.at = at;
        Ok(())
    }

    /// Ends the block, and waits until every byte was handed to the system. A last line without an end gets one.
    ///
    /// # Errors
    ///
    /// As [`Connection::send_all`].
    ///
    /// # Cancel safety
    ///
    /// As [`Connection::send_all`]; the end is queued whole or not at all.
    pub async fn finish<S: Transport>(self, conn: &mut Connection<S>) -> Result<(), Error> {
        conn.send_all(self.at.end()).await
    }
}

/// A whole dot block of `text`, its end included, to be sent with any call: `conn.feed(stuffed(text))`. Its lines are
/// those that a [`DotWriter`] sends.
#[must_use]
pub fn stuffed(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut at = Place::Start;
    let mut block = at.stuff(text.as_ref());
    block.extend_from_slice(at.end());
    block
}

const CR_LF: &[u8] = b"\r\n";

impl Place {
    /// What goes on the wire for `piece`.
    fn stuff(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut stuffed = Vec::with_capacity(piece.len() + piece.len() / 16);
        let mut from = 0;
        for end in memchr2_iter(b'\r', b'\n', piece) {
            self.line_part(&piece[from..end], &mut stuffed);
            from = end + 1;
            match (piece[end], *self) {
                (b'\n', Self::BehindCr) => *self = Self::Start,
                (byte, _) => {
                    stuffed.extend_from_slice(CR_LF);
                    *self = if byte == b'\r' { Self::BehindCr } else { Self::Start };
                }
            }
        }
        self.line_part(&piece[from..], &mut stuffed);
        stuffed
    }

    /// A part of one line.
    fn line_part(&mut self, part: &[u8], stuffed: &mut Vec<u8>) {
        if part.is_empty() {
            return;
        }
        if !matches!(self, Self::Inside) && part.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(part);
        *self = Self::Inside;
    }

    /// What ends the block.
    const fn end(self) -> &'static [u8] {
        match self {
            Self::Inside => b"\r\n.\r\n",
            Self::Start | Self::BehindCr => b".\r\n",
        }
    }
}
