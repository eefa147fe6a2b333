//! The peers of a listener that have connected and not said yet what it has to know: the first byte of TLS, or the
//! header of a proxy.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use asyncnet_core::Time;

use super::Proxied;
use super::open::Open;
use super::proxied::{Header, Parse};
use crate::engine::fan_out::FanOut;
use crate::{Address, Transport, log};

/// How much of a first flight is read here. The rest is read by the connection.
const FIRST_READ: usize = 2048;

/// Peers that are silent, the oldest first, at most as many as the listener allows.
pub(super) struct Silent<S> {
    peers: BTreeMap<u64, Peer<S>>,
    /// The number of the next peer.
    next: u64,
    max: usize,
    patience: Duration,
    opening: Opening,
    ready: Arc<Ready>,
    /// Where those that come to nothing are counted.
    open: Arc<Open>,
}

/// What a peer has to say first.
#[derive(Clone, Copy)]
pub(super) struct Opening {
    /// The header of a proxy, which this function reads.
    pub(super) header: Option<Parse>,
    /// The first byte of a client, behind the header if there is one.
    pub(super) hello: bool,
}

struct Peer<S> {
    stream: S,
    address: Address,
    /// What it has sent, from behind the header.
    early: Vec<u8>,
    proxied: Option<Box<Proxied>>,
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

/// A peer that has said what it had to say first.
pub(super) struct Spoken<S> {
    pub(super) stream: S,
    pub(super) address: Address,
    /// What it sent, from behind the header.
    pub(super) early: Vec<u8>,
    pub(super) proxied: Option<Box<Proxied>>,
}

/// How far a peer has come.
enum Progress {
    Waits,
    Done,
    Refused(&'static str),
}

impl<S> Peer<S> {
    /// Looks at what it has sent.
    fn progress(&mut self, opening: Opening) -> Progress {
        if let (Some(parse), None) = (opening.header, &self.proxied) {
            match parse(&self.early) {
                Header::Part => return Progress::Waits,
                Header::Refused(why) => return Progress::Refused(why),
                Header::Whole(len, said) => {
                    self.early.drain(..len);
                    let proxy = self.address.clone();
                    if let Some(client) = &said.client {
                        self.address = client.clone();
                    }
                    self.proxied = Some(Box::new(Proxied { proxy, said }));
                }
            }
        }
        if opening.hello && self.early.is_empty() { Progress::Waits } else { Progress::Done }
    }
}

/// What one step came to.
pub(super) enum Heard<S> {
    /// No peer has anything to tell.
    Nothing,
    /// This peer has said what it had to say first.
    Bytes(Spoken<S>),
    /// A peer was looked at, and stays.
    Silence,
    /// A peer left too early, or was refused.
    Left(S),
}

impl<S: Transport> Silent<S> {
    /// Room for `max` peers, each of which may be silent for `patience`. Tasks that wait at the fan-out of `open` are
    /// woken when one speaks.
    pub(super) fn new(max: usize, patience: Duration, opening: Opening, open: &Arc<Open>) -> Self {
        let ready = Ready { called: Mutex::default(), fan_out: Arc::clone(&open.fan_out) };
        let (peers, ready) = (BTreeMap::new(), Arc::new(ready));
        let open = Arc::clone(open);
        Self { peers, next: 0, max: max.max(1), patience, opening, ready, open }
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
        let (early, proxied) = (Vec::new(), None);
        self.peers.insert(peer, Peer { stream, address, early, proxied, deadline, waker, called });
        gone.map(|(_, Peer { mut stream, .. })| {
            self.open.failures().silent += 1;
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
        let mut said = [0; FIRST_READ];
        let mut cx = Context::from_waker(&peer.waker);
        let read = Pin::new(&mut peer.stream).poll_read(&mut cx, &mut said);
        let n = match read {
            Poll::Pending => return Heard::Silence,
            Poll::Ready(Err(error)) if error.kind() == std::io::ErrorKind::Interrupted => {
                peer.waker.wake_by_ref();
                return Heard::Silence;
            }
            Poll::Ready(read) => read.unwrap_or(0),
        };
        peer.early.extend_from_slice(&said[..n]);
        let progress = if n == 0 { None } else { Some(peer.progress(self.opening)) };
        if let Some(Progress::Waits) = progress {
            // There may be more.
            peer.waker.wake_by_ref();
            return Heard::Silence;
        }
        let Some(peer) = self.peers.remove(&number) else {
            return Heard::Silence;
        };
        let Peer { mut stream, address, early, proxied, .. } = peer;
        match progress {
            Some(Progress::Done) => Heard::Bytes(Spoken { stream, address, early, proxied }),
            Some(Progress::Refused(why)) => {
                log::proxy_refused(&address, why);
                self.open.failures().proxy_header += 1;
                stream.reset_on_drop();
                Heard::Left(stream)
            }
            Some(Progress::Waits) | None => {
                self.open.failures().silent += 1;
                Heard::Left(stream)
            }
        }
    }

    /// When the oldest peer has been silent for too long.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.peers.first_key_value().map(|(_, peer)| peer.deadline)
    }

    /// The oldest peer, if it has been silent for too long.
    pub(super) fn pop_late(&mut self, now: Time) -> Option<S> {
        let late = self.deadline().is_some_and(|deadline| deadline <= now);
        let (_, peer) = if late { self.peers.pop_first()? } else { return None };
        self.open.failures().silent += 1;
        Some(peer.stream)
    }
}
