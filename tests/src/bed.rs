//! What the rules run on: an executor, a stream of ours, and the raw other end of it.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use asyncnet::net::SystemSocket;
use asyncnet::runtime::Datagrams;
use asyncnet::{Config, Connection, Runtime, SendRuntime, Transport};

use crate::tools::try_send;

/// How long a test may take before it counts as hanging. A bound, and no statement about speed. Under wine every call to the
/// system is a message to another process.
const LIMIT: Duration = Duration::from_secs(if cfg!(windows) { 180 } else { 60 });

/// A runtime over the sockets of the operating system, datagrams included.
pub trait System: Runtime<Socket = SystemSocket> + Datagrams<Datagram: Send + Sync> {}

impl<R: Runtime<Socket = SystemSocket> + Datagrams<Datagram: Send + Sync>> System for R {}

/// Runs futures.
pub trait Executor: 'static {
    /// Runs `future` to its end.
    fn block_on<T>(future: impl Future<Output = T>) -> T;

    /// Runs `task` beside the future that is in [`block_on`](Self::block_on), and gives what it gives.
    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T>;
}

/// A runtime under test, and how to run futures on it. All that a new adapter has to bring.
pub trait Platform: Executor {
    /// The adapter's runtime.
    type Runtime: SendRuntime + System;
}

/// A pair of executor and transport.
pub trait Bed: Executor {
    /// The stream under test.
    type Stream: Transport + Send + 'static;
    /// The raw other end.
    type Peer: Peer;

    /// So many bytes that the transport certainly does not hold half of them while nobody reads.
    const HOLDS: usize;
    /// Whether the transport carries a reset to the peer of a connection that is aborted.
    const RESETS: bool;
    /// Whether an idle stream takes a short message at the first attempt.
    const TAKES_AT_ONCE: bool;

    /// Whether it takes a few hundred bytes then, which a short message becomes over TLS.
    const TAKES_RECORDS: bool = Self::TAKES_AT_ONCE;
    /// Whether nothing lies between the connection and its stream: then unbuffered reads are exact, and the
    /// stream can be had back.
    const IS_PLAIN: bool = true;

    /// Whether ours sees that its peer [resets](Peer::reset), on the system below.
    #[must_use]
    fn peer_resets() -> bool {
        true
    }

    /// Checks whether the peer of a connection that was aborted saw a `reset`. Where the system below does not make them as it
    /// should, it may have seen either.
    fn assert_aborted(reset: bool) {
        assert!(reset == Self::RESETS || !Self::peer_resets(), "the peer saw a reset: {reset}");
    }

    /// A connection and its peer.
    fn pair(config: Config) -> impl Future<Output = (Connection<Self::Stream>, Self::Peer)> + Send;

    /// A connection with bytes on the way that its peer has not read, as many as
    /// [`HOLDS`](Self::HOLDS): whatever is queued behind them stays queued.
    fn stuffed(config: Config) -> impl Future<Output = (Connection<Self::Stream>, Self::Peer)> {
        async move {
            let (mut conn, peer) = Self::pair(config).await;
            try_send!(conn, vec![b'.'; Self::HOLDS].into()).expect("max_queue is too small");
            (conn, peer)
        }
    }
}

/// The raw other end of a connection. It waits without keeping the executor busy. Dropping it closes it.
pub trait Peer: Send + Sync + 'static {
    /// Sends all of `bytes`.
    fn send(&self, bytes: &[u8]) -> impl Future<Output = ()> + Send;

    /// Receives exactly `n` bytes.
    fn recv(&self, n: usize) -> impl Future<Output = Vec<u8>> + Send;

    /// Receives all there is, until the end.
    fn recv_all(&self) -> impl Future<Output = Rest> + Send;

    /// Ends its sending side in good order.
    fn shutdown(&self) -> impl Future<Output = ()> + Send;

    /// Breaks the connection. What it sent before still arrives. It must not have received anything.
    fn reset(self);
}

/// What a peer received before the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether the end was a reset.
    pub reset: bool,
}

impl Rest {
    /// These bytes, and an orderly end.
    pub fn clean(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self { bytes, reset: false }
    }
}

/// Runs a test, and fails it if it hangs, even if it keeps its thread busy.
///
/// # Panics
///
/// If the test does, or hangs.
pub fn run<E: Executor, F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let (running, ended) = channel::<()>();
    let named = thread::current().name().unwrap_or("test").to_owned();
    let thread = thread::Builder::new().name(named).spawn(move || {
        let _running = running;
        E::block_on(test());
    });
    let thread = thread.expect("a thread");
    if ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
        panic!("the test hangs");
    }
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}
