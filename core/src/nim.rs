//! The Nim-style receives: named as in Nim's `asyncnet`, with its answers: `""` at the end.

use alloc::string::String;
use alloc::vec::Vec;

use crate::inbound::{Inbound, text};
use crate::{Cause, Error, LineError, Span, Step, Truncation};

/// What a Nim-style call returns for an empty line, to tell it from the end.
pub const EMPTY_LINE: &str = "\r\n";

bitflags::bitflags! {
    /// How a Nim-style call treats an end that is not orderly, and the bytes that it returns.
    ///
    /// Without flags a call reports every end that was not orderly and consumes what it returns.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Flags: u8 {
        /// Nim's `SafeDisconn`: a peer that is gone, in whatever way, is no error. A receive returns `""`, a
        /// send succeeds. The default of [`Config::nim_flags`](crate::Config::nim_flags).
        const SAFE_DISCONN = 1;
        /// Nim's `Peek`: a receive leaves in place what it returns. A send ignores it.
        const PEEK = 2;
    }
}

impl Inbound {
    /// Nim's `recv`. Buffered: `n` bytes, and fewer only at the end. Unbuffered: what there is, at most `n`.
    /// Empty: the end, or `n` is 0. With [`Flags::PEEK`]: what there is, at least one byte and at most `n`.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], [`Error::Closed`]; without [`Flags::SAFE_DISCONN`] also [`Error::Disconnected`] for
    /// an end that was not orderly.
    pub fn recv(&mut self, n: usize, flags: Flags) -> Result<Step<Vec<u8>>, Error> {
        let hides = self.hides(flags);
        if flags.contains(Flags::PEEK) {
            return match self.peek_bytes(n) {
                Ok(step) => Ok(step.map(<[u8]>::to_vec)),
                Err(error) => hide_end(error, hides).map(|()| Step::Ready(Vec::new())),
            };
        }
        let step = hide(self.poll_recv(n), hides)?;
        Ok(step.map(|span| self.span_bytes(span).to_vec()))
    }

    /// Nim's `recvInto`: as [`recv`](Self::recv) for as many bytes as fit into `buf`, and returns how many
    /// came. `buf` is written only when the call completes.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_into(&mut self, buf: &mut [u8], flags: Flags) -> Result<Step<usize>, Error> {
        let hides = self.hides(flags);
        if flags.contains(Flags::PEEK) {
            return match self.peek_bytes(buf.len()) {
                Ok(step) => Ok(step.map(|bytes| copy(bytes, buf))),
                Err(error) => hide_end(error, hides).map(|()| Step::Ready(0)),
            };
        }
        let step = hide(self.poll_recv(buf.len()), hides)?;
        Ok(step.map(|span| copy(self.span_bytes(span), buf)))
    }

    /// Nim's `recvLine`: a line without its terminator, `"\r\n"` for an empty one, `""` at the end. With
    /// [`Flags::PEEK`] the line stays in place.
    ///
    /// # Errors
    ///
    /// [`Error::Line`] for a bad line (one that is not UTF-8 is consumed, its bytes are in the error; under
    /// [`Flags::PEEK`] a bad line stays too), otherwise as [`recv`](Self::recv).
    pub fn recv_line(&mut self, flags: Flags) -> Result<Step<String>, Error> {
        let hides = self.hides(flags);
        if flags.contains(Flags::PEEK) {
            return match hide(self.peek_line(), hides)? {
                Step::NeedInput => Ok(Step::NeedInput),
                Step::Ready(None) => Ok(Step::Ready(String::new())),
                Step::Ready(Some(line)) => Ok(Step::Ready(line_text(line)?)),
            };
        }
        match hide(self.poll_line(), hides)? {
            Step::NeedInput => Ok(Step::NeedInput),
            Step::Ready(None) => Ok(Step::Ready(String::new())),
            Step::Ready(Some(span)) => {
                let text = line_text(self.bytes(span));
                if let Err(error) = &text {
                    self.count_bad(error);
                }
                Ok(Step::Ready(text?))
            }
        }
    }

    /// Nim's `recvLineInto`: as [`recv_line`](Self::recv_line) in bytes. The content of `line` is replaced
    /// when the call completes, by nothing at the end.
    ///
    /// # Errors
    ///
    /// As [`recv_line`](Self::recv_line), but for UTF-8, which is not checked.
    pub fn recv_line_into(&mut self, line: &mut Vec<u8>, flags: Flags) -> Result<Step<()>, Error> {
        let hides = self.hides(flags);
        if flags.contains(Flags::PEEK) {
            let step = hide(self.peek_line(), hides)?;
            return Ok(step.map(|found| replace(line, found)));
        }
        let step = hide(self.poll_line(), hides)?;
        Ok(step.map(|span| replace(line, span.map(|span| self.bytes(span)))))
    }

    fn hides(&self, flags: Flags) -> Hides {
        let losses = flags.contains(Flags::SAFE_DISCONN);
        Hides { losses, truncation: losses && self.config().truncation != Truncation::Strict }
    }

    fn span_bytes(&self, span: Option<Span>) -> &[u8] {
        span.map_or(&[], |span| self.bytes(span))
    }
}

fn copy(bytes: &[u8], buf: &mut [u8]) -> usize {
    buf[..bytes.len()].copy_from_slice(bytes);
    bytes.len()
}

/// Replaces the content of `into` by what a Nim-style call answers for `line`.
fn replace(into: &mut Vec<u8>, line: Option<&[u8]>) {
    into.clear();
    match line {
        Some([]) => into.extend_from_slice(EMPTY_LINE.as_bytes()),
        Some(line) => into.extend_from_slice(line),
        None => {}
    }
}

fn line_text(line: &[u8]) -> Result<String, LineError> {
    Ok(if line.is_empty() { EMPTY_LINE.into() } else { text(line)?.into() })
}

/// Which ends that are not orderly a call hides.
#[derive(Clone, Copy)]
struct Hides {
    losses: bool,
    truncation: bool,
}

/// Turns the ends that a call hides into "no bytes".
fn hide<T>(result: Result<Step<Option<T>>, Error>, hides: Hides) -> Result<Step<Option<T>>, Error> {
    result.or_else(|error| hide_end(error, hides).map(|()| Step::Ready(None)))
}

fn hide_end(error: Error, hides: Hides) -> Result<(), Error> {
    let Error::Disconnected(end) = error else {
        return Err(error);
    };
    let hidden = match end.cause {
        Cause::Eof => true,
        Cause::Truncated => hides.truncation,
        _ => hides.losses,
    };
    if hidden { Ok(()) } else { Err(error) }
}
