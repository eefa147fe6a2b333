//! The Nim-style calls.

use alloc::string::String;
use alloc::vec::Vec;

use super::Connection;
use crate::{Error, Flags, Step};

impl Connection {
    /// Nim's `recv`. Buffered: `n` bytes, and fewer only at the end. Unbuffered: what there is, at
    /// most `n`. Empty: the end, or `n` is 0.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], [`Error::TimedOut`], [`Error::Closed`]; without [`Flags::SAFE_DISCONN`] also
    /// [`Error::Disconnected`] for an end that was not orderly.
    pub fn recv(&mut self, n: usize) -> Result<Step<Vec<u8>>, Error> {
        let flags = self.config().nim_flags;
        self.receive(|inbound| inbound.recv(n, flags))
    }

    /// Nim's `recvInto`: as [`recv`](Self::recv) for as many bytes as fit into `buf`, and returns
    /// how many came. `buf` is written only when the call completes.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_into(&mut self, buf: &mut [u8]) -> Result<Step<usize>, Error> {
        let flags = self.config().nim_flags;
        self.receive(|inbound| inbound.recv_into(buf, flags))
    }

    /// Nim's `recvLine`: a line without its terminator, `"\r\n"` for an empty one, `""` at the end.
    ///
    /// # Errors
    ///
    /// [`Error::Line`] for a bad line (one that is not UTF-8 is consumed, its bytes are in the
    /// error), [`Error::TimedOut`], [`Error::Closed`]; without [`Flags::SAFE_DISCONN`] also [`Error::Disconnected`] for
    /// an end that was not orderly.
    pub fn recv_line(&mut self) -> Result<Step<String>, Error> {
        let flags = self.config().nim_flags;
        self.receive(|inbound| inbound.recv_line(flags))
    }

    /// Nim's `recvLineInto`: as [`recv_line`](Self::recv_line) in bytes. The content of `line` is
    /// replaced when the call completes, by nothing at the end.
    ///
    /// # Errors
    ///
    /// As [`recv_line`](Self::recv_line), but for UTF-8, which is not checked.
    pub fn recv_line_into(&mut self, line: &mut Vec<u8>) -> Result<Step<()>, Error> {
        let flags = self.config().nim_flags;
        self.receive(|inbound| inbound.recv_line_into(line, flags))
    }

    /// Nim's `send`: queues a copy of `message`. With [`Flags::SAFE_DISCONN`] a peer that is gone is no
    /// error; [`is_disconnected`](Self::is_disconnected) tells.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        match self.link.feed(message) {
            Err(Error::Disconnected(_))
                if self.config().nim_flags.contains(Flags::SAFE_DISCONN) =>
            {
                Ok(())
            }
            result => result,
        }
    }
}
