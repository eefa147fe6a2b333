//! Connecting to whichever address answers first (RFC 8305, "happy eyeballs").

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use asyncnet_core::Time;

use crate::{Address, Clock as _, Runtime};

/// How long an attempt has to itself before the next address joins.
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to one of `addresses`, each with a socket that `make` makes for it.
pub(super) async fn race<R: Runtime>(
    addresses: Vec<SocketAddr>,
    make: impl FnMut(SocketAddr) -> io::Result<R::Socket>,
) -> io::Result<R::Stream> {
    let mut race = Race::<R, _> {
        waiting: interleave(addresses),
        running: Vec::new(),
        make,
        clock: R::clock(),
        head_start: None,
        failure: None,
    };
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

struct Race<R: Runtime, M> {
    waiting: VecDeque<SocketAddr>,
    running: Vec<Pin<Box<R::Connect>>>,
    make: M,
    clock: R::Clock,
    /// When the next address joins.
    head_start: Option<Time>,
    failure: Option<Failure>,
}

impl<R: Runtime, M: FnMut(SocketAddr) -> io::Result<R::Socket>> Race<R, M> {
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
            let alone = match self.head_start {
                Some(until) if !failed => self.clock.poll_alarm(cx, until).is_pending(),
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
                // The last attempt is under way: no address is left to join.
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
        match (self.make)(address) {
            Ok(socket) => {
                self.running.push(Box::pin(R::connect(socket, &Address::Ip(address))));
                self.head_start = Some(self.clock.now() + HEAD_START);
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
        super::error::inside(&self.first)
    }
}
