//! The Nim-style calls: named as in Nim's `asyncnet`, and with its answers.

use super::Connection;
use crate::nim::Flags;
use crate::{Error, Transport};

/// # Nim-style calls
///
/// Named as in Nim's `asyncnet`, with its answers; [`nim`](crate::nim) maps every procedure. Their flags are those of
/// [`Config::nim_flags`](crate::Config), or of [`with_flags`](Self::with_flags).
impl<S: Transport> Connection<S> {
    /// Nim's `recv`. Buffered (the default): waits for `n` bytes, fewer only at the end. Unbuffered: what one
    /// read gives, at most `n`. Empty: the end, or `n` is 0. With [`Flags::PEEK`] it waits for one byte only, and
    /// leaves in place what it returns.
    ///
    /// Rules [B1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b1) and [B4](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b4).
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if `n` is above `max_block` (a peek takes any `n`); [`Error::TimedOut`];
    /// [`Error::Closed`] after our own close; without [`Flags::SAFE_DISCONN`] also [`Error::Disconnected`] for an
    /// end that was not orderly, once all bytes before it were returned.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the bytes stay in the inbox until the call completes.
    pub fn recv(&mut self, n: usize) -> impl Future<Output = Result<Vec<u8>, Error>> {
        let flags = self.begin_with_flags();
        async move { self.answer(|inbound| inbound.recv(n, flags)).await }
    }

    /// Nim's `recvInto`: as [`recv`](Self::recv) for as many bytes as `buf` holds. Returns how many came; `buf` is
    /// written only when the call completes.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// As [`recv`](Self::recv).
    #[doc(alias = "recvInto")]
    pub fn recv_into(&mut self, buf: &mut [u8]) -> impl Future<Output = Result<usize, Error>> {
        let flags = self.begin_with_flags();
        async move { self.answer(|inbound| inbound.recv_into(buf, flags)).await }
    }

    /// Nim's `recvLine`: the next line without its terminator, `"\r\n"` if it is empty, `""` at the end. A line
    /// that the end cut off is not returned; [`partial`](Self::partial) has it. With [`Flags::PEEK`] the line
    /// stays in place, a bad one too.
    ///
    /// Rule [L7](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l7).
    ///
    /// # Errors
    ///
    /// [`Error::Line`] for a bad line (one that is not UTF-8 is consumed whole, its bytes are in the error);
    /// otherwise as [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no byte is lost, the next call goes on where this one was.
    #[doc(alias = "recvLine")]
    pub fn recv_line(&mut self) -> impl Future<Output = Result<String, Error>> {
        let flags = self.begin_with_flags();
        async move { self.answer(|inbound| inbound.recv_line(flags)).await }
    }

    /// Nim's `recvLineInto`: as [`recv_line`](Self::recv_line), in bytes that need not be UTF-8. When the call
    /// completes the content of `line` is replaced (Nim appends), at the end by nothing.
    ///
    /// # Errors
    ///
    /// As [`recv_line`](Self::recv_line), but for UTF-8.
    ///
    /// # Cancel safety
    ///
    /// As [`recv_line`](Self::recv_line).
    #[doc(alias = "recvLineInto")]
    pub fn recv_line_into(
        &mut self,
        line: &mut Vec<u8>,
    ) -> impl Future<Output = Result<(), Error>> {
        let flags = self.begin_with_flags();
        async move { self.answer(|inbound| inbound.recv_line_into(line, flags)).await }
    }

    /// Nim's `send`: as [`send_all`](Self::send_all), but under [`Flags::SAFE_DISCONN`] a peer that is gone is no
    /// error; [`end`](Self::end) says so. **To send bytes and learn that the peer is gone, use `send_all`.**
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Interrupted`] and [`Error::Tls`]; without [`Flags::SAFE_DISCONN`] also
    /// [`Error::Disconnected`].
    ///
    /// # Cancel safety
    ///
    /// As [`send_all`](Self::send_all).
    pub fn send(&mut self, message: impl AsRef<[u8]>) -> impl Future<Output = Result<(), Error>> {
        let flags = self.begin_with_flags();
        async move {
            let sent = self.send_all(message).await;
            hide_loss(sent, flags, || self.handle.with(|engine| engine.link.forgive_dropped()))
        }
    }

    /// The `flags` argument of the next Nim-style call, and of that alone:
    /// `conn.with_flags(Flags::PEEK).recv(5).await?`.
    pub fn with_flags(&mut self, flags: Flags) -> &mut Self {
        self.for_next().flags = Some(flags);
        self
    }

    /// Nim's `hasDataBuffered`: whether bytes were received that no call has asked for yet.
    #[doc(alias = "hasDataBuffered")]
    #[must_use]
    pub fn has_data_buffered(&self) -> bool {
        !self.receiver.inbound.peek().is_empty()
    }

    /// Nim's `isClosed`: whether we closed the connection. That the peer is gone does not count.
    #[doc(alias = "isClosed")]
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.handle.look(|engine| engine.is_closing())
    }

    fn begin_with_flags(&mut self) -> Flags {
        let flags = self.begin();
        flags.unwrap_or(self.config().nim_flags)
    }
}

/// What a Nim-style call makes of a send to a peer that is gone.
pub(super) fn hide_loss(
    result: Result<(), Error>,
    flags: Flags,
    forgive: impl FnOnce(),
) -> Result<(), Error> {
    match result {
        Err(Error::Disconnected(_)) if flags.contains(Flags::SAFE_DISCONN) => {
            // A close is not to tell what was hidden here.
            forgive();
            Ok(())
        }
        result => result,
    }
}
