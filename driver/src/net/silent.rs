//! The peers of a TLS listener that have connected and not sent a byte yet.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use asyncnet_core::Time;

use crate::engine::fan_out::FanOut;
use crate::{Address, Transport};

/// How much of a first flight is read here. The rest is read by the connection.
const FIRST_READ: usize = 2048;

/// Peers that are silent, the oldest first, at most as many as the listener allows.
pub(super) struct Silent<S> {
    peers: BTreeMap<u64, Peer<S>>,
    /// The number of the next peer.
    next: u64,
    max: usize,
    patience: Duration,
    ready: Arc<Ready>,
}

struct Peer<S> {
    stream: S,
    address: Address,
    deadline: Time,
    waker: Waker,
    called: Arc<Call>,
}

/// The numbers of the peers whose streams have something to tell.
struct Ready {
    called: Mutex<VecDeque<u64>>,
    fan_out: Arc<FanOut>,
}

impl Ready {
    fn called(&self) -> MutexGuard<'_, VecDeque<u64>> {
        self.called.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The waker of one peer's stream.
struct Call {
    peer: u64,
    /// It is in the list already.
    listed: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.listed.swap(true, Ordering::SeqCst) {
            self.ready.called().push_back(self.peer);
        }
        self.ready.fan_out.wake_by_ref();
    }
}

/// A peer that has sent its first bytes.
pub(super) struct Spoken<S> {
    pub(super) stream: S,
    pub(super) address: Address,
    /// What it sent.
    pub(super) early: Vec<u8>,
}

/// What one step came to.
pub(super) enum Heard<S> {
    /// No peer has anything to tell.
    Nothing,
    /// This peer has sent its first bytes.
    Bytes(Spoken<S>),
    /// A peer was looked at, and stays silent.
    Silence,
    /// A peer left without a byte.
    Left(S),
}

impl<S: Transport> Silent<S> {
    /// Room for `max` peers, each of which may be silent for `patience`. Tasks that wait at `fan_out` are
    /// woken when one speaks.
    pub(super) fn new(max: usize, patience: Duration, fan_out: &Arc<FanOut>) -> Self {
        let ready = Ready { called: Mutex::default(), fan_out: Arc::clone(fan_out) };
        let (peers, ready) = (BTreeMap::new(), Arc::new(ready));
        Self { peers, next: 0, max: max.max(1), patience, ready }
    }

    /// Takes in a peer that connected `now`. Where there is no room, the oldest silent peer comes out: its
    /// drop is a reset.
    pub(super) fn push(&mut self, stream: S, address: Address, now: Time) -> Option<S> {
        let peer = self.next;
        self.next += 1;
        let listed = AtomicBool::new(true);
        let called = Arc::new(Call { peer, listed, ready: Arc::clone(&self.ready) });
        // Its first bytes may be there already.
        self.ready.called().push_back(peer);
        let (deadline, waker) = (now + self.patience, Waker::from(Arc::clone(&called)));
        let gone = if self.peers.len() < self.max { None } else { self.peers.pop_first() };
        self.peers.insert(peer, Peer { stream, address, deadline, waker, called });
        gone.map(|(_, Peer { mut stream, .. })| {
            stream.reset_on_drop();
            stream
        })
    }

    /// Looks at one peer whose stream has something to tell.
    pub(super) fn hear(&mut self) -> Heard<S> {
        // In a statement of its own, so that the list is free again.
        let called = self.ready.called().pop_front();
        let Some(number) = called else { return Heard::Nothing };
        let Some(peer) = self.peers.get_mut(&number) else { return Heard::Silence };
        peer.called.listed.store(false, Ordering::SeqCst);
        let mut early = [0; FIRST_READ];
        let mut cx = Context::from_waker(&peer.waker);
        let read = Pin::new(&mut peer.stream).poll_read(&mut cx, &mut early);
        let n = match read {
            Poll::Pending => return Heard::Silence,
            Poll::Ready(Err(error)) if error.kind() == std::io::ErrorKind::Interrupted => {
                peer.waker.wake_by_ref();
                return Heard::Silence;
            }
            Poll::Ready(read) => read.unwrap_or(0),
        };
        let Some(Peer { stream, address, .. }) = self.peers.remove(&number) else {
            return Heard::Silence;
        };
        if n == 0 {
            return Heard::Left(stream);
        }
        Heard::Bytes(Spoken { stream, address, early: early[..n].to_vec() })
    }

    /// When the oldest peer has been silent for too long.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.peers.first_key_value().map(|(_, peer)| peer.deadline)
    }

    /// The oldest peer, if it has been silent for too long.
    pub(super) fn pop_late(&mut self, now: Time) -> Option<S> {
        let late = self.deadline().is_some_and(|deadline| deadline <= now);
        let (_, peer) = if late { self.peers.pop_first()? } else { return None };
        Some(peer.stream)
    }
}
