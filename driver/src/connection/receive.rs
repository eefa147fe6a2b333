//! The typed receiving calls.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use asyncnet_core::driver::{Inbound, Shortfall};
use asyncnet_core::{Step, Unread};

use super::batch::Out;
use super::handle::Handle;
use super::{Batch, Connection, NextLine, Once, Receiver};
use crate::engine::fan_out::Place;
use crate::nim::Flags;
use crate::{Error, Transport, log};

/// # Receiving many at once
impl<S: Transport> Connection<S> {
    /// All that has arrived, to be taken and answered without waiting. Waits for what the last batch was short
    /// of, and at first for one byte. `None`: the peer ended in good order.
    ///
    /// ```
    /// # async fn serve<S: asyncnet::Transport>(
    /// #     mut conn: asyncnet::Connection<S>,
    /// # ) -> Result<(), asyncnet::Error> {
    /// while let Some(mut batch) = conn.next_batch().await? {
    ///     while let Some(line) = batch.next_line()? {
    ///         batch.reply_line(line)?;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// Rules [N6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#n6) to [N8](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#n8).
    ///
    /// # Errors
    ///
    /// As [`next_line`](Self::next_line).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. What a batch has not taken is left for the next one.
    #[doc(alias("pipelining", "ready_chunks"))]
    pub fn next_batch(&mut self) -> impl Future<Output = Result<Option<Batch<'_, S>>, Error>> {
        self.begin();
        async move {
            if self.answer(Inbound::poll_batch).await?.is_none() {
                return Ok(None);
            }
            let Self { receiver, handle } = self;
            let out = match handle {
                Handle::Own(engine) => Out::Own(engine),
                Handle::Shared(shared) => Out::Shared(shared),
                Handle::Moving => unreachable!("it moves in one step"),
            };
            Ok(Some(Batch::new(receiver.inbound.items(), out, &mut receiver.replied)))
        }
    }
}

/// # Receiving one at a time
impl<S: Transport> Connection<S> {
    /// The next line, without its terminator, borrowed from the inbox. `None`: the peer ended in good order,
    /// between lines.
    ///
    /// Rules [L1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l1) to [L8](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l8).
    ///
    /// # Errors
    ///
    /// [`Error::Line`] for a bad line: the next call returns what comes after it. [`Error::Disconnected`] for
    /// an end that is not orderly, or in the middle of a line. [`Error::TimedOut`] if the line took too long;
    /// nothing is lost then. [`Error::Closed`] after our own close.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no byte is lost, the next call goes on where this one was.
    #[doc(alias("recvLine", "read_line", "read_until", "lines"))]
    #[inline]
    pub fn next_line(&mut self) -> NextLine<'_, S> {
        NextLine::new(self)
    }

    /// The next line; an end is an error. For clients that wait for a reply.
    ///
    /// # Errors
    ///
    /// As [`next_line`](Self::next_line); [`Error::Disconnected`] for an orderly end too.
    ///
    /// # Cancel safety
    ///
    /// As [`next_line`](Self::next_line).
    pub fn expect_line(&mut self) -> impl Future<Output = Result<&[u8], Error>> {
        self.begin();
        async move {
            let span = self
                .answer(|inbound| {
                    let step = inbound.poll_line()?;
                    expected(step, inbound)
                })
                .await?;
            Ok(self.receiver.inbound.bytes(span))
        }
    }

    /// Returns the next line if the inbox holds all of it, otherwise `None`, even at the end of the input. It does
    /// not read from the stream. After our own close it returns [`Error::Closed`].
    ///
    /// # Errors
    ///
    /// [`Error::Line`] for a bad line, as [`next_line`](Self::next_line).
    #[doc(alias("now_or_never", "try_read"))]
    pub fn try_next_line(&mut self) -> Result<Option<&[u8]>, Error> {
        let span = self.receiver.inbound.try_line().inspect_err(log::receive_failed)?;
        Ok(span.map(|span| self.receiver.inbound.bytes(span)))
    }

    /// Exactly `n` bytes, borrowed from the inbox. Memory grows with what arrives, not with `n`.
    ///
    /// Rules [B2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b2) and [B3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b3).
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if `n` is above `max_block`; nothing is read then, and
    /// [`next_bytes`](Self::next_bytes) or [`skip`](Self::skip) take it in pieces. [`Error::Disconnected`] if
    /// the input ended first: what came is in [`partial`](Self::partial). Otherwise as
    /// [`next_line`](Self::next_line).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the bytes stay in the inbox until the block is whole.
    #[doc(alias = "read_exact")]
    pub fn next_block(&mut self, n: usize) -> impl Future<Output = Result<&[u8], Error>> {
        self.begin();
        async move {
            let span = self.answer(|inbound| inbound.poll_block(n)).await?;
            Ok(self.receiver.inbound.bytes(span))
        }
    }

    /// Some of the next `n` bytes, at least one: a block of any size, piece by piece. Empty if `n` is 0.
    ///
    /// ```
    /// # async fn copy<S: asyncnet::Transport>(
    /// #     conn: &mut asyncnet::Connection<S>,
    /// #     mut file: impl std::io::Write,
    /// #     mut left: usize,
    /// # ) -> Result<(), asyncnet::Error> {
    /// while left > 0 {
    ///     let piece = conn.next_bytes(left).await?;
    ///     file.write_all(piece)?;
    ///     left -= piece.len();
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// Rule [B6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b6).
    ///
    /// # Errors
    ///
    /// [`Error::Disconnected`] for any end. Otherwise as [`next_line`](Self::next_line), but for bad lines.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what is not returned stays in the inbox.
    #[doc(alias("read", "copy"))]
    pub fn next_bytes(&mut self, n: usize) -> impl Future<Output = Result<&[u8], Error>> {
        self.begin();
        async move {
            let span = self.answer(|inbound| inbound.poll_some(n)).await?;
            Ok(self.receiver.inbound.bytes(span))
        }
    }

    /// Discards the next `n` bytes, however many, in little memory.
    ///
    /// Rules [B6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b6) and [C1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#c1).
    ///
    /// # Errors
    ///
    /// As [`next_bytes`](Self::next_bytes).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, but the count begins anew: bytes that were discarded when the call was dropped stay
    /// discarded, and the next call does not know of them.
    pub fn skip(&mut self, n: u64) -> impl Future<Output = Result<(), Error>> {
        self.begin();
        async move {
            let mut left = n;
            self.answer(|inbound| inbound.poll_skip(&mut left)).await
        }
    }

    /// A whole message of a form of your own: `parse` takes lines and blocks from what has arrived, with `?`.
    /// `None`: the peer ended in good order, between messages.
    ///
    /// Where something is not all here, nothing is consumed, and `parse` is called again once what it asked for has
    /// arrived. So a header and its payload are one message, even in a `select!` or under a deadline. The peer chooses
    /// what the message says: bound every count and every depth of nesting before you allocate or recurse.
    ///
    /// ```
    /// use asyncnet::{Connection, Error, Transport, Unread};
    ///
    /// /// A line with a length, then that many bytes.
    /// fn counted(unread: &mut Unread<'_>) -> Result<Vec<u8>, Error> {
    ///     let header = std::str::from_utf8(unread.line()?).map_err(Error::protocol)?;
    ///     let n = header.parse().map_err(Error::protocol)?;
    ///     Ok(unread.block(n)?.to_vec())
    /// }
    ///
    /// async fn next<S: Transport>(conn: &mut Connection<S>) -> Result<Option<Vec<u8>>, Error> {
    ///     conn.next_with(counted).await
    /// }
    /// ```
    ///
    /// Rules [N1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#n1) to [N5](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#n5).
    ///
    /// # Errors
    ///
    /// Those of `parse`, and as [`next_line`](Self::next_line). Of a message that ends in [`Error::Line`] or
    /// [`Error::Protocol`], what `parse` took is consumed, so that the next call makes progress; of one that ends
    /// in [`Error::TooLarge`], nothing.
    ///
    /// # Panics
    ///
    /// If `parse` does. Nothing is consumed then, and the connection works as before.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a message is consumed whole or not at all.
    #[doc(alias("codec", "Decoder", "Framed"))]
    pub fn next_with<T>(
        &mut self,
        mut parse: impl FnMut(&mut Unread<'_>) -> Result<T, Error>,
    ) -> impl Future<Output = Result<Option<T>, Error>> {
        self.begin();
        async move {
            let mut short = Shortfall::default();
            self.answer(|inbound| inbound.poll_with(&mut short, &mut parse)).await
        }
    }

    /// A whole message, as [`next_with`](Self::next_with); an end is an error. For clients that wait for a reply.
    ///
    /// # Errors
    ///
    /// As [`next_with`](Self::next_with); [`Error::Disconnected`] for an orderly end too.
    ///
    /// # Panics
    ///
    /// As [`next_with`](Self::next_with).
    ///
    /// # Cancel safety
    ///
    /// As [`next_with`](Self::next_with).
    pub fn expect_with<T>(
        &mut self,
        mut parse: impl FnMut(&mut Unread<'_>) -> Result<T, Error>,
    ) -> impl Future<Output = Result<T, Error>> {
        self.begin();
        async move {
            let mut short = Shortfall::default();
            self.answer(|inbound| {
                let step = inbound.poll_with(&mut short, &mut parse)?;
                expected(step, inbound)
            })
            .await
        }
    }

    /// All that has arrived, once that is at least `n` bytes. It stays in the inbox.
    ///
    /// To learn that the peer is gone while unread bytes wait, ask for one byte more than there are: that waits for
    /// the byte or the end, and consumes nothing.
    ///
    /// ```
    /// # use asyncnet::{Connection, Error, Transport};
    /// /// Returns when the peer is gone, or has sent something more.
    /// async fn changed<S: Transport>(conn: &mut Connection<S>, unread: usize) -> Result<(), Error> {
    ///     conn.peek(unread + 1).await.map(drop)
    /// }
    /// ```
    ///
    /// Rule [B4](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b4).
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if `n` is above `max_block`. [`Error::Disconnected`] if the input ends before `n` bytes
    /// arrive; the bytes that did arrive stay in the inbox. Otherwise as [`next_line`](Self::next_line).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it consumes nothing.
    #[doc(alias("fill_buf"))]
    pub fn peek(&mut self, n: usize) -> impl Future<Output = Result<&[u8], Error>> {
        self.begin();
        async move {
            self.answer(|inbound| Ok(inbound.peek_block(n)?.map(drop))).await?;
            Ok(self.receiver.inbound.peek())
        }
    }

    /// Bounds the next receive: it has its answer within `time`, or it returns [`Error::TimedOut`].
    ///
    /// The clock starts when that answer is first waited for. Neither bytes that trickle in nor a repetition of a
    /// dropped call restart it; while a [rate](crate::Config#rates) of the connection holds up what has arrived, it stands
    /// still. A `time` of zero has run out as soon as the receive has to wait. The bound goes with the call that it stands in
    /// front of. It bounds receives alone, and is forgotten by a call that sends, upgrades or closes;
    /// [`Config::receive_timeout`](crate::Config) bounds every receive.
    ///
    /// ```
    /// # async fn reply<S: asyncnet::Transport>(
    /// #     conn: &mut asyncnet::Connection<S>,
    /// # ) -> Result<(), asyncnet::Error> {
    /// use std::time::Duration;
    ///
    /// let line = conn.within(Duration::from_secs(30)).next_line().await?;
    /// # drop(line.map(<[u8]>::len)); Ok(()) }
    /// ```
    ///
    /// Rule [D1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#d1).
    #[doc(alias("timeout", "deadline"))]
    #[must_use = "it bounds the receive that is called on what it returns"]
    pub fn within(&mut self, time: Duration) -> &mut Self {
        self.for_next().within = Some(time);
        self
    }
}

impl<S: Transport> Connection<S> {
    /// Begins a receive: what was set for one receive alone belongs to this one. To be called when its future is made,
    /// so that it goes with a future that is dropped before it was polled. Returns its flags.
    pub(crate) fn begin(&mut self) -> Option<Flags> {
        let Receiver { once, within, flags, .. } = &mut *self.receiver;
        *once = match once {
            Once::ForNext => Once::ForLast,
            Once::ForLast | Once::Unset => {
                (*within, *flags) = (None, None);
                Once::Unset
            }
        };
        flags.take()
    }

    /// Where to set something for the next receive alone.
    pub(super) fn for_next(&mut self) -> &mut Receiver {
        let receiver = &mut *self.receiver;
        if receiver.once != Once::ForNext {
            receiver.once = Once::ForNext;
            (receiver.within, receiver.flags) = (None, None);
        }
        receiver
    }

    /// Begins a call that receives nothing: what was set for one receive alone is not for a later one.
    pub(super) fn begin_other(&mut self) {
        let receiver = &mut *self.receiver;
        receiver.once = Once::Unset;
        (receiver.within, receiver.flags) = (None, None);
    }

    /// Waits until `take` has an answer.
    pub(super) fn answer<T>(
        &mut self,
        mut take: impl FnMut(&mut Inbound) -> Result<Step<T>, Error>,
    ) -> impl Future<Output = Result<T, Error>> {
        poll_fn(move |cx| self.poll_answer(cx, &mut take))
    }

    pub(super) fn poll_answer<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(&mut Inbound) -> Result<Step<T>, Error>,
    ) -> Poll<Result<T, Error>> {
        let Receiver { inbound, within, waits, replied, .. } = &mut *self.receiver;
        let within = *within;
        let polled = match &mut self.handle {
            Handle::Own(engine) => {
                engine.link.bound_receive(within);
                let polled = engine.poll_receive(inbound, cx, take);
                *replied &= engine.link.unsent() > 0;
                if polled.is_ready() && engine.is_closed() {
                    // Its listener may have aborted it, though there are lines left.
                    drop(engine.take_remains());
                }
                polled
            }
            Handle::Shared(shared) => {
                if !*waits && !*replied && within.is_none() {
                    // What is here costs no lock.
                    match take(inbound) {
                        Ok(Step::NeedInput) => {}
                        Ok(Step::Ready(answer)) => {
                            if inbound.input_end().is_some() {
                                shared.after_answer(inbound, None);
                            }
                            return Poll::Ready(Ok(answer));
                        }
                        Err(error) => {
                            shared.after_answer(inbound, Some(&error));
                            return Poll::Ready(Err(error));
                        }
                    }
                }
                shared.fan_out.wait(Place::RECEIVER, cx.waker());
                shared.poll_receive(inbound, within, replied, take)
            }
            Handle::Moving => unreachable!("it moves in one step"),
        };
        *waits = polled.is_pending();
        polled
    }
}

/// An orderly end as an error.
fn expected<T>(step: Step<Option<T>>, inbound: &Inbound) -> Result<Step<T>, Error> {
    match step {
        Step::Ready(None) => Err(inbound.end().map_or(Error::Closed, Error::Disconnected)),
        Step::Ready(Some(answer)) => Ok(Step::Ready(answer)),
        Step::NeedInput => Ok(Step::NeedInput),
    }
}

impl<S: Transport> Drop for Connection<S> {
    fn drop(&mut self) {
        if let Handle::Shared(shared) = &self.handle {
            shared.fan_out.leave(Place::RECEIVER);
        }
    }
}
