//! Connecting to whichever address answers first (RFC 8305, "happy eyeballs").

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockAddr, Socket, Type};

use crate::Runtime;

/// How long an attempt has to itself before the next address joins.
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to one of `addresses`.
pub(super) async fn race<R: Runtime>(addresses: Vec<SocketAddr>) -> io::Result<R::Stream> {
    let waiting = interleave(addresses);
    let mut race = Race::<R> { waiting, running: Vec::new(), head_start: None, failure: None };
    poll_fn(|cx| race.poll(cx)).await
}

/// The order of RFC 8305: as the resolver has them, but the families take turns.
fn interleave(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else {
        return VecDeque::new();
    };
    let (mut one, mut other): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first);
    let mut order = VecDeque::new();
    while !(one.is_empty() && other.is_empty()) {
        order.extend(one.pop_front());
        order.extend(other.pop_front());
    }
    order
}

struct Race<R: Runtime> {
    waiting: VecDeque<SocketAddr>,
    running: Vec<Pin<Box<R::Connect>>>,
    head_start: Option<Pin<Box<R::Sleep>>>,
    failure: Option<Failure>,
}

impl<R: Runtime> Race<R> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<R::Stream>> {
        loop {
            let failed = match self.poll_running(cx) {
                Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                Poll::Ready(Err(error)) => {
                    self.note(error);
                    true
                }
                Poll::Pending => false,
            };
            let alone = match &mut self.head_start {
                Some(head_start) if !failed => head_start.as_mut().poll(cx).is_pending(),
                _ => false,
            };
            if alone {
                return Poll::Pending;
            }
            match self.waiting.pop_front() {
                Some(address) => self.start(address),
                None if self.running.is_empty() => {
                    return Poll::Ready(Err(self
                        .failure
                        .take()
                        .map_or_else(|| io::ErrorKind::NotFound.into(), Failure::into_error)));
                }
                // The last is under way: there is nobody to give a head start to.
                None => {
                    self.head_start = None;
                    if !failed {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// The first attempt that is decided.
    fn poll_running(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<R::Stream>> {
        for at in 0..self.running.len() {
            if let Poll::Ready(result) = self.running[at].as_mut().poll(cx) {
                drop(self.running.swap_remove(at));
                return Poll::Ready(result);
            }
        }
        Poll::Pending
    }

    fn start(&mut self, address: SocketAddr) {
        let address = SockAddr::from(address);
        let socket = Socket::new(address.domain(), Type::STREAM, Some(socket2::Protocol::TCP))
            .and_then(|socket| socket.set_tcp_nodelay(true).map(|()| socket));
        match socket {
            Ok(socket) => {
                self.running.push(Box::pin(R::connect(socket, address)));
                self.head_start = Some(Box::pin(R::sleep(HEAD_START)));
            }
            Err(error) => {
                self.note(error);
                self.head_start = None;
            }
        }
    }

    fn note(&mut self, error: io::Error) {
        match &mut self.failure {
            Some(failure) => failure.last = Some(error),
            None => {
                self.failure = Some(Failure { first: error, last: None });
            }
        }
    }
}

/// Why no address answered.
#[derive(Debug)]
struct Failure {
    first: io::Error,
    last: Option<io::Error>,
}

impl Failure {
    fn into_error(self) -> io::Error {
        match self.last {
            Some(_) => io::Error::new(self.first.kind(), self),
            None => self.first,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.last {
            Some(last) => write!(f, "{} (first), {last} (last)", self.first),
            None => self.first.fmt(f),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.first)
    }
}
