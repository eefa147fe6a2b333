//! What the rules are told with.

use std::io::ErrorKind;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use asyncnet::tls::TlsErrorKind;
use asyncnet::{Cause, End, Error, Transport, Writer};
use futures_lite::future::{poll_once, yield_now};

/// How often a future that is to wait gets its chance.
const CHANCES: usize = 100;

/// The answer of a future that must not wait.
pub(crate) async fn at_once<F: Future>(future: F) -> F::Output {
    let polled = poll_once(future).await;
    polled.expect("nothing had to be waited for")
}

/// Whether `future` waits, though everything else got its turn.
pub(crate) async fn waits<F: Future>(mut future: Pin<&mut F>) -> bool {
    for _ in 0..CHANCES {
        if poll_once(future.as_mut()).await.is_some() {
            return false;
        }
        yield_now().await;
    }
    true
}

/// Polls `future`, and drops it when it has waited `polls` times: not at once, but at the wake-up that
/// ends the last wait. Whoever loses a wake-up or a byte then, loses it for good.
pub(crate) async fn poll_n_times_then_drop<F: Future>(
    future: F,
    polls: usize,
) -> Option<F::Output> {
    Interrupted { future: pin!(future), polls }.await
}

struct Interrupted<'a, F> {
    future: Pin<&'a mut F>,
    polls: usize,
}

impl<F: Future> Future for Interrupted<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.future.as_mut().poll(cx).map(Some)
    }
}

/// Calls until the call is let through to its end: it is dropped at its first wait, at its second, at
/// its third, and so on.
macro_rules! interrupted {
    ($call:expr) => {{
        let mut polls = 0;
        loop {
            polls += 1;
            let call = async { $call };
            if let Some(answer) = $crate::tools::poll_n_times_then_drop(call, polls % 4).await {
                break answer;
            }
        }
    }};
}

/// Runs a scene twice: the receiver is a connection of its own, then one that has lent a writer.
macro_rules! receivers {
    ($bed:ty, $config:expr, |$receiver:ident, $peer:ident| $scene:block) => {{
        {
            let (mut $receiver, $peer) = <$bed>::pair($config).await;
            $scene
        }
        let (mut $receiver, $peer) = <$bed>::pair($config).await;
        let _writer = $receiver.writer();
        $scene
    }};
}

/// Runs a scene twice: the sender is a connection, then a writer of one.
macro_rules! senders {
    ($bed:ty, $config:expr, |$sender:ident, $peer:ident| $scene:block) => {{
        {
            let (mut $sender, $peer) = <$bed>::pair($config).await;
            $scene
        }
        let (mut lender, $peer) = <$bed>::pair($config).await;
        let $sender = lender.writer();
        $scene
    }};
}

/// Queues `bytes`, and writes what the transport takes now.
macro_rules! try_send {
    ($sender:expr, $bytes:expr) => {
        $sender.feed_shared($bytes).and_then(|()| $sender.try_flush())
    };
}

pub(crate) use {interrupted, receivers, senders, try_send};

/// What a connection tells of itself, as far as a writer knows it.
pub(crate) trait WriterFacts {
    fn end(&self) -> Option<End>;

    fn is_closed(&self) -> bool;
}

impl<S: Transport> WriterFacts for Writer<S> {
    fn end(&self) -> Option<End> {
        match self.check() {
            Err(Error::Disconnected(end)) => Some(end),
            _ => None,
        }
    }

    fn is_closed(&self) -> bool {
        self.check() == Err(Error::Closed)
    }
}

/// The next line of a connection, owned.
macro_rules! line {
    ($receiver:expr) => {
        $receiver
            .next_line()
            .await
            .map(|line| line.map(|line| String::from_utf8_lossy(line).into_owned()))
    };
}

/// Asserts that the next line is this one.
macro_rules! assert_line {
    ($receiver:expr, $line:expr) => {
        match $crate::tools::line!($receiver) {
            Ok(Some(line)) => assert_eq!(line, $line),
            other => panic!("expected the line {:?}, got {other:?}", $line),
        }
    };
}

/// Asserts that a result is an error of this kind.
macro_rules! assert_err {
    ($result:expr, $pattern:pat $(if $guard:expr)? $(,)?) => {{
        let result = $result;
        assert!(matches!(result, Err($pattern) $(if $guard)?), "{result:?}");
    }};
}

pub(crate) use {assert_err, assert_line, line};

/// Whether `error` is a reset.
pub(crate) fn is_reset(error: &Error) -> bool {
    matches!(error, Error::Disconnected(end) if matches!(end.cause, Cause::Lost(_)))
}

/// What `error` is as an `io::Error`.
pub(crate) fn kind(error: impl Into<std::io::Error>) -> ErrorKind {
    error.into().kind()
}

/// Why the handshake of a connect failed.
pub(crate) fn refusal(error: &std::io::Error) -> TlsErrorKind {
    let mut next = error.get_ref().map(|error| error as &(dyn std::error::Error + 'static));
    while let Some(error) = next {
        if let Some(Error::Tls(error)) = error.downcast_ref::<Error>() {
            return error.kind();
        }
        next = error.source();
    }
    panic!("not an error of TLS: {error:?}")
}

/// Tries until it succeeds, for ten seconds: the system, or a process that starts just now, may hold a descriptor
/// for a moment after its owner has closed it.
pub(crate) fn soon<T, E>(mut attempt: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    for _ in 0..1000 {
        if let Ok(value) = attempt() {
            return Ok(value);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    attempt()
}
