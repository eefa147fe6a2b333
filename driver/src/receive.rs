//! The receiving calls, written once for a [`Connection`] and a [`RecvHalf`].
//!
//! Both have a `receiver` and know how to wait for input (`poll_input`) and how to take a line that is
//! already here (`quick_line`); everything else is the same, down to the documentation.
//!
//! [`Connection`]: crate::Connection
//! [`RecvHalf`]: crate::RecvHalf

/// Expands to the receiving methods inside an `impl` block.
macro_rules! receive_calls {
    () => {
        /// Waits until core can answer `want`, then takes the answer.
        fn poll_step<T>(
            &mut self,
            cx: &mut Context<'_>,
            want: Want,
            mut take: impl FnMut(&mut Receiver) -> Result<Step<T>, crate::Error>,
        ) -> Poll<Result<T, Error>> {
            loop {
                ready!(self.poll_input(cx, want))?;
                match take(&mut self.receiver) {
                    Ok(Step::Ready(answer)) => return Poll::Ready(Ok(answer)),
                    Ok(Step::NeedInput) => {}
                    Err(error) => {
                        if let crate::Error::Line(error) = &error {
                            crate::log::line_dropped(error);
                        }
                        return Poll::Ready(Err(error.into()));
                    }
                }
            }
        }

        async fn step<T>(
            &mut self,
            want: Want,
            mut take: impl FnMut(&mut Receiver) -> Result<Step<T>, crate::Error>,
        ) -> Result<T, Error> {
            poll_fn(|cx| self.poll_step(cx, want, &mut take)).await
        }

        #[inline]
        fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Span>, Error>> {
            match self.quick_line() {
                Some(span) => Poll::Ready(Ok(Some(span))),
                None => self.poll_line_to_come(cx),
            }
        }

        fn flags(&self) -> Flags {
            self.receiver.config().ends.into()
        }

        /// Apart, so that the way of a line that is here is short.
        #[cold]
        fn poll_line_to_come(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Span>, Error>> {
            self.poll_step(cx, Want::Line, Receiver::poll_line)
        }

        // ---- typed view ------------------------------------------------------------------------

        /// The next line, without its terminator, borrowed from the inbox. `None`: the peer ended in
        /// good order, between lines.
        ///
        /// # Errors
        ///
        /// [`Error::Line`] for a bad line: the next call answers what comes behind it.
        /// [`Error::Disconnected`] for any end that is not a good one; [`Error::Closed`] after
        /// our own close.
        ///
        /// # Cancel safety
        ///
        /// Cancel safe: no byte is lost, the next call goes on where this one was.
        #[doc(alias = "recvLine")]
        #[doc(alias = "read_line")]
        #[inline]
        pub const fn next_line(&mut self) -> NextLine<'_, Self> {
            NextLine::new(self)
        }

        /// Exactly `n` bytes, borrowed from the inbox. Memory grows with what arrives, not with `n`.
        ///
        /// # Errors
        ///
        /// [`Error::TooLarge`] if `n` is above `max_block`; nothing is read then.
        /// [`Error::Disconnected`] if the input ended first: what came is in
        /// [`partial`](Self::partial). [`Error::Closed`] after our own close.
        ///
        /// # Cancel safety
        ///
        /// Cancel safe: the bytes stay in the inbox until the block is whole.
        #[doc(alias = "read_exact")]
        pub async fn next_block(&mut self, n: usize) -> Result<&[u8], Error> {
            let span = self.step(Want::Block(n), |receiver| receiver.poll_block(n)).await?;
            Ok(self.receiver.bytes(span))
        }

        /// What has arrived, at least one byte, left in place. Empty: the peer ended in good order.
        ///
        /// # Errors
        ///
        /// [`Error::Disconnected`] for an end that is not a good one; [`Error::Closed`] after
        /// our own close.
        ///
        /// # Cancel safety
        ///
        /// Cancel safe: it consumes nothing.
        pub async fn peek(&mut self) -> Result<&[u8], Error> {
            let n = self
                .step(Want::Bytes(usize::MAX), |receiver| {
                    Ok(receiver.peek_bytes(usize::MAX)?.map(<[u8]>::len))
                })
                .await?;
            Ok(&self.receiver.peek()[..n])
        }

        /// The lines that follow, as a `futures` stream of owned lines. It ends with the input; an end
        /// that is not a good one is its last item, an error. A bad line is an error and not the end.
        pub const fn lines(&mut self) -> LineStream<'_, Self> {
            LineStream::new(self)
        }

        /// The bytes of the unfinished line or block that came before the end. They stay until the
        /// connection is dropped, and never come back as a line.
        #[must_use]
        pub fn partial(&self) -> &[u8] {
            self.receiver.partial()
        }

        /// Whether bytes were received that nobody asked for yet.
        #[doc(alias = "hasDataBuffered")]
        #[must_use]
        pub fn has_data_buffered(&self) -> bool {
            !self.receiver.peek().is_empty()
        }

        /// The settings.
        #[must_use]
        pub const fn config(&self) -> &Config {
            self.receiver.config()
        }

        // ---- seed view -------------------------------------------------------------------------

        /// The seed's `recv`. Buffered (the default): waits for `n` bytes, fewer only at the end.
        /// Unbuffered: what one read gives, at most `n`. Empty: the end, or `n` is 0.
        ///
        /// # Errors
        ///
        /// As [`recv_with`](Self::recv_with), with the flags of [`Config::ends`](crate::Config).
        ///
        /// # Cancel safety
        ///
        /// Cancel safe: the bytes stay in the inbox until the call completes.
        pub async fn recv(&mut self, n: usize) -> Result<Vec<u8>, Error> {
            self.recv_with(n, self.flags()).await
        }

        /// [`recv`](Self::recv) with flags of its own. With [`Flags::PEEK`] it waits for one byte only,
        /// and leaves in place what it answers.
        ///
        /// # Errors
        ///
        /// [`Error::TooLarge`] if `n` is above `max_block` (a peek takes any `n`);
        /// [`Error::Closed`] after our own close; without [`Flags::SAFE_DISCONN`] also [`Error::Disconnected`] for an end that
        /// was not orderly, once all bytes before it were answered.
        ///
        /// # Cancel safety
        ///
        /// As [`recv`](Self::recv).
        pub async fn recv_with(&mut self, n: usize, flags: Flags) -> Result<Vec<u8>, Error> {
            let ends = flags.ends();
            if flags.contains(Flags::PEEK) {
                self.step(Want::Bytes(n), |receiver| receiver.recv_peek(n, ends)).await
            } else {
                self.step(self.receiver.want_recv(n), |receiver| receiver.recv(n, ends)).await
            }
        }

        /// The seed's `recvInto`: as [`recv`](Self::recv) for as many bytes as `buf` holds. Returns how
        /// many came; `buf` is written only when the call completes.
        ///
        /// # Errors
        ///
        /// As [`recv_with`](Self::recv_with), with the flags of [`Config::ends`](crate::Config).
        ///
        /// # Cancel safety
        ///
        /// As [`recv`](Self::recv).
        #[doc(alias = "recvInto")]
        pub async fn recv_into(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
            self.recv_into_with(buf, self.flags()).await
        }

        /// [`recv_into`](Self::recv_into) with flags of its own.
        ///
        /// # Errors
        ///
        /// As [`recv_with`](Self::recv_with).
        ///
        /// # Cancel safety
        ///
        /// As [`recv`](Self::recv).
        pub async fn recv_into_with(
            &mut self,
            buf: &mut [u8],
            flags: Flags,
        ) -> Result<usize, Error> {
            let (n, ends) = (buf.len(), flags.ends());
            if flags.contains(Flags::PEEK) {
                let bytes = self.recv_with(n, flags).await?;
                buf[..bytes.len()].copy_from_slice(&bytes);
                return Ok(bytes.len());
            }
            self.step(self.receiver.want_recv(n), |receiver| receiver.recv_into(buf, ends)).await
        }

        /// The seed's `recvLine`: the next line without its terminator, `"\r\n"` if it is empty, `""`
        /// at the end. A line that the end cut off is not answered; [`partial`](Self::partial) has it.
        ///
        /// # Errors
        ///
        /// As [`recv_line_with`](Self::recv_line_with), with the flags of
        /// [`Config::ends`](crate::Config).
        ///
        /// # Cancel safety
        ///
        /// Cancel safe: no byte is lost, the next call goes on where this one was.
        #[doc(alias = "recvLine")]
        pub async fn recv_line(&mut self) -> Result<String, Error> {
            self.recv_line_with(self.flags()).await
        }

        /// [`recv_line`](Self::recv_line) with flags of its own. With [`Flags::PEEK`] the line stays in
        /// place, a bad one too.
        ///
        /// # Errors
        ///
        /// [`Error::Line`] for a bad line (one that is not UTF-8 is consumed whole, its bytes are in
        /// the error); [`Error::Closed`] after our own close; without [`Flags::SAFE_DISCONN`] also
        /// [`Error::Disconnected`] for an end that was not orderly.
        ///
        /// # Cancel safety
        ///
        /// As [`recv_line`](Self::recv_line).
        pub async fn recv_line_with(&mut self, flags: Flags) -> Result<String, Error> {
            let ends = flags.ends();
            if flags.contains(Flags::PEEK) {
                self.step(Want::Line, |receiver| receiver.recv_line_peek(ends)).await
            } else {
                self.step(Want::Line, |receiver| receiver.recv_line(ends)).await
            }
        }

        /// The seed's `recvLineInto`: as [`recv_line`](Self::recv_line), in bytes. When the call
        /// completes the content of `line` is replaced (Nim appends), at the end by nothing.
        ///
        /// # Errors
        ///
        /// As [`recv_line_into_with`](Self::recv_line_into_with), with the flags of
        /// [`Config::ends`](crate::Config).
        ///
        /// # Cancel safety
        ///
        /// As [`recv_line`](Self::recv_line).
        #[doc(alias = "recvLineInto")]
        pub async fn recv_line_into(&mut self, line: &mut Vec<u8>) -> Result<(), Error> {
            self.recv_line_into_with(line, self.flags()).await
        }

        /// [`recv_line_into`](Self::recv_line_into) with flags of its own.
        ///
        /// # Errors
        ///
        /// As [`recv_line_with`](Self::recv_line_with), but for UTF-8, which is not checked.
        ///
        /// # Cancel safety
        ///
        /// As [`recv_line`](Self::recv_line).
        pub async fn recv_line_into_with(
            &mut self,
            line: &mut Vec<u8>,
            flags: Flags,
        ) -> Result<(), Error> {
            let ends = flags.ends();
            if flags.contains(Flags::PEEK) {
                self.step(Want::Line, |receiver| receiver.recv_line_into_peek(line, ends)).await
            } else {
                self.step(Want::Line, |receiver| receiver.recv_line_into(line, ends)).await
            }
        }
    };
}

/// Expands to the `futures` traits of the receiving side, for a type that has the methods above.
macro_rules! receive_traits {
    ($name:ident) => {
        impl<S: Transport> AsyncRead for $name<S> {
            /// Answers bytes, those of unfinished lines too. Every end but a good one is an error.
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                let this = self.get_mut();
                let want = Want::Bytes(buf.len());
                let span = ready!(this.poll_as_reader(cx, |this, cx| {
                    this.poll_step(cx, want, |receiver| receiver.poll_bytes(buf.len()))
                }))?;
                let bytes = span.map_or(&[][..], |span| this.receiver.bytes(span));
                buf[..bytes.len()].copy_from_slice(bytes);
                Poll::Ready(Ok(bytes.len()))
            }
        }

        impl<S: Transport> AsyncBufRead for $name<S> {
            fn poll_fill_buf(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<io::Result<&[u8]>> {
                let this = self.get_mut();
                let n = ready!(this.poll_as_reader(cx, |this, cx| {
                    this.poll_step(cx, Want::Bytes(usize::MAX), |receiver| {
                        Ok(receiver.peek_bytes(usize::MAX)?.map(<[u8]>::len))
                    })
                }))?;
                Poll::Ready(Ok(&this.receiver.peek()[..n]))
            }

            fn consume(self: Pin<&mut Self>, n: usize) {
                let receiver = &mut self.get_mut().receiver;
                let n = n.min(receiver.peek().len());
                if n > 0 {
                    // The bytes are here, so this takes them and cannot fail.
                    let _ = receiver.poll_bytes(n);
                }
            }
        }

        impl<'a, S: Transport> Future for NextLine<'a, $name<S>> {
            type Output = Result<Option<&'a [u8]>, Error>;

            /// # Panics
            ///
            /// If it has answered before.
            // A call would hand the line over through memory, half by half: the processor waits for that as
            // long as for the rest of the poll.
            #[inline(always)]
            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                let source = self.source.take().expect("polled after it had answered");
                if let Some(span) = source.quick_line() {
                    return Poll::Ready(Ok(Some(source.receiver.bytes(span))));
                }
                self.poll_later(source, cx)
            }
        }

        impl<'a, S: Transport> NextLine<'a, $name<S>> {
            #[cold]
            fn poll_later(
                &mut self,
                source: &'a mut $name<S>,
                cx: &mut Context<'_>,
            ) -> Poll<Result<Option<&'a [u8]>, Error>> {
                let polled = source.poll_line_to_come(cx);
                if polled.is_pending() {
                    self.source = Some(source);
                    return Poll::Pending;
                }
                polled.map_ok(|span| span.map(|span| source.receiver.bytes(span)))
            }
        }

        impl<S: Transport> Stream for LineStream<'_, $name<S>> {
            type Item = Result<Vec<u8>, Error>;

            fn poll_next(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<Option<Self::Item>> {
                if self.done {
                    return Poll::Ready(None);
                }
                let item = match ready!(self.source.poll_line(cx)) {
                    Ok(span) => span.map(|span| Ok(self.source.receiver.bytes(span).to_vec())),
                    Err(error) => Some(Err(error)),
                };
                self.done = !matches!(item, Some(Ok(_) | Err(Error::Line(_))));
                Poll::Ready(item)
            }
        }
    };
}

pub(crate) use {receive_calls, receive_traits};

/// A stream of owned lines, made by `lines()` of a connection or a receiving half.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct LineStream<'a, T> {
    pub(crate) source: &'a mut T,
    pub(crate) done: bool,
}

impl<'a, T> LineStream<'a, T> {
    pub(crate) const fn new(source: &'a mut T) -> Self {
        Self { source, done: false }
    }
}

/// The future of `next_line`, of a connection or a receiving half.
///
/// It has a name instead of being an `async fn`, so that a line that is already here costs its caller
/// little more than the search for its end.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct NextLine<'a, T> {
    /// Gone once it has answered.
    pub(crate) source: Option<&'a mut T>,
}

impl<'a, T> NextLine<'a, T> {
    pub(crate) const fn new(source: &'a mut T) -> Self {
        Self { source: Some(source) }
    }
}
