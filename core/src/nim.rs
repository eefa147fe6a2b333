//! The Nim-style receives: named as in Nim's `asyncnet`, they answer `""` at the end.

use alloc::string::String;
use alloc::vec::Vec;

use crate::receiver::text;
use crate::{Cause, Ends, Error, LineError, Receiver, Span, Step, Truncation};

/// What the Nim-style calls answer for an empty line, to tell it from the end.
pub const EMPTY_LINE: &str = "\r\n";

impl Receiver {
    /// Nim's `recv`. Buffered: `n` bytes, and fewer only at the end. Unbuffered: what there is, at
    /// most `n`. Empty: the end, or `n` is 0.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], [`Error::Closed`]; with [`Ends::Tell`] also
    /// [`Error::Disconnected`] for an end that was not orderly.
    pub fn recv(&mut self, n: usize, ends: Ends) -> Result<Step<Vec<u8>>, Error> {
        let hides = self.hides(ends);
        let step = hide(self.poll_recv(n), hides)?;
        Ok(step.map(|span| self.answer_bytes(span).to_vec()))
    }

    /// Nim's `recvInto`: as [`recv`](Self::recv) for as many bytes as fit into `buf`, and returns
    /// how many came. `buf` is written only when the call completes.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_into(&mut self, buf: &mut [u8], ends: Ends) -> Result<Step<usize>, Error> {
        let hides = self.hides(ends);
        let step = hide(self.poll_recv(buf.len()), hides)?;
        Ok(step.map(|span| {
            let bytes = self.answer_bytes(span);
            buf[..bytes.len()].copy_from_slice(bytes);
            bytes.len()
        }))
    }

    /// Nim's `recvLine`: a line without its terminator, `"\r\n"` for an empty one, `""` at the end.
    ///
    /// # Errors
    ///
    /// [`Error::Line`] for a bad line (one that is not UTF-8 is consumed, its bytes are in the
    /// error), [`Error::Closed`]; with [`Ends::Tell`] also [`Error::Disconnected`] for an end
    /// that was not orderly.
    pub fn recv_line(&mut self, ends: Ends) -> Result<Step<String>, Error> {
        let hides = self.hides(ends);
        match hide(self.poll_line(), hides)? {
            Step::NeedInput => Ok(Step::NeedInput),
            Step::Ready(None) => Ok(Step::Ready(String::new())),
            Step::Ready(Some(span)) => {
                let text = answer_text(self.bytes(span));
                if let Err(error) = &text {
                    self.count_bad(error);
                }
                Ok(Step::Ready(text?))
            }
        }
    }

    /// Nim's `recvLineInto`: as [`recv_line`](Self::recv_line) in bytes. The content of `line` is
    /// replaced when the call completes, by nothing at the end.
    ///
    /// # Errors
    ///
    /// As [`recv_line`](Self::recv_line), but for UTF-8, which is not checked.
    pub fn recv_line_into(&mut self, line: &mut Vec<u8>, ends: Ends) -> Result<Step<()>, Error> {
        let hides = self.hides(ends);
        let step = hide(self.poll_line(), hides)?;
        Ok(step.map(|span| replace(line, span.map(|span| self.bytes(span)))))
    }

    /// [`recv_line_into`](Self::recv_line_into) with the `Peek` flag: the line stays in place.
    ///
    /// # Errors
    ///
    /// As [`recv_line_into`](Self::recv_line_into); a bad line stays in place too.
    pub fn recv_line_into_peek(
        &mut self,
        line: &mut Vec<u8>,
        ends: Ends,
    ) -> Result<Step<()>, Error> {
        let hides = self.hides(ends);
        let step = hide(self.peek_line(), hides)?;
        Ok(step.map(|found| replace(line, found)))
    }

    /// `recv` with the `Peek` flag: what there is, at least one byte and at most `n`, left in place.
    /// Empty: the end, or `n` is 0.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_peek(&mut self, n: usize, ends: Ends) -> Result<Step<Vec<u8>>, Error> {
        let hides = self.hides(ends);
        match self.peek_bytes(n) {
            Ok(step) => Ok(step.map(<[u8]>::to_vec)),
            Err(error) => hide_end(error, hides).map(|()| Step::Ready(Vec::new())),
        }
    }

    /// `recvLine` with the `Peek` flag: the next line, left in place.
    ///
    /// # Errors
    ///
    /// As [`recv_line`](Self::recv_line); a bad line stays in place too.
    pub fn recv_line_peek(&mut self, ends: Ends) -> Result<Step<String>, Error> {
        let hides = self.hides(ends);
        match hide(self.peek_line(), hides)? {
            Step::NeedInput => Ok(Step::NeedInput),
            Step::Ready(None) => Ok(Step::Ready(String::new())),
            Step::Ready(Some(line)) => Ok(Step::Ready(answer_text(line)?)),
        }
    }

    fn hides(&self, ends: Ends) -> Hides {
        let resets = ends == Ends::Hide;
        Hides { resets, truncation: resets && self.config().truncation != Truncation::Strict }
    }

    fn answer_bytes(&self, span: Option<Span>) -> &[u8] {
        span.map_or(&[], |span| self.bytes(span))
    }
}

/// Replaces the content of `into` by what the Nim-style calls answer for `line`.
fn replace(into: &mut Vec<u8>, line: Option<&[u8]>) {
    into.clear();
    match line {
        Some([]) => into.extend_from_slice(EMPTY_LINE.as_bytes()),
        Some(line) => into.extend_from_slice(line),
        None => {}
    }
}

fn answer_text(line: &[u8]) -> Result<String, LineError> {
    Ok(if line.is_empty() { EMPTY_LINE.into() } else { text(line)?.into() })
}

/// Which ends that are not orderly the Nim-style calls hide.
#[derive(Clone, Copy)]
struct Hides {
    resets: bool,
    truncation: bool,
}

/// Turns the ends that the Nim-style calls hide into "no bytes".
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
        _ => hides.resets,
    };
    if hidden { Ok(()) } else { Err(error) }
}
