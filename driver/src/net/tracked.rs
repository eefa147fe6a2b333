//! The connections of a listener, one by one: how far they are, and what they have to do.

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use asyncnet_core::Time;

use crate::Address;

/// An open connection of a listener that [tracks](super::ListenOptions::track) them; made by
/// [`Listener::connections`](crate::Listener::connections).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenConnection {
    /// The peer; behind a proxy, the client.
    pub peer: Address,
    /// How long ago it was handed out.
    pub age: Duration,
    /// How many bytes it had received when it last waited for more (under TLS: after decryption).
    pub bytes_received: u64,
    /// How many bytes it had sent then (under TLS: before encryption).
    pub bytes_sent: u64,
}

/// What a connection has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Order {
    Nothing,
    /// Close as soon as nothing is half done.
    CloseIdle,
    Abort,
}

/// One connection.
pub(crate) struct Tracked {
    number: u64,
    peer: Address,
    since: Time,
    received: AtomicU64,
    sent: AtomicU64,
    order: AtomicU8,
    /// Of its task, or of all its tasks.
    waker: Mutex<Option<Waker>>,
}

impl Tracked {
    /// Says how far the connection has come.
    pub(crate) fn note(&self, received: u64, sent: u64) {
        self.received.store(received, Ordering::Relaxed);
        self.sent.store(sent, Ordering::Relaxed);
    }

    /// What it is to do. `waker` is woken when that changes.
    pub(crate) fn order(&self, waker: &Waker) -> Order {
        let mut place = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        let old = match &mut *place {
            Some(old) if old.will_wake(waker) => None,
            place => place.replace(waker.clone()),
        };
        drop(place);
        // It may run foreign code as it goes.
        drop(old);
        match self.order.load(Ordering::SeqCst) {
            0 => Order::Nothing,
            1 => Order::CloseIdle,
            _ => Order::Abort,
        }
    }

    fn tell(&self, order: Order) {
        self.order.store(order as u8, Ordering::SeqCst);
        let waker = mem::take(&mut *self.waker.lock().unwrap_or_else(PoisonError::into_inner));
        waker.into_iter().for_each(Waker::wake);
    }
}

/// All connections of one listener.
#[derive(Default)]
pub(super) struct Registry {
    all: Mutex<(u64, BTreeMap<u64, Arc<Tracked>>)>,
}

impl Registry {
    fn all(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, Arc<Tracked>>)> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, peer: Address, since: Time) -> Arc<Tracked> {
        let mut all = self.all();
        let (last, map) = &mut *all;
        *last += 1;
        let zero = AtomicU64::default;
        let tracked = Arc::new(Tracked {
            number: *last,
            peer,
            since,
            received: zero(),
            sent: zero(),
            order: AtomicU8::new(Order::Nothing as u8),
            waker: Mutex::default(),
        });
        map.insert(*last, Arc::clone(&tracked));
        tracked
    }

    pub(super) fn remove(&self, tracked: &Tracked) {
        let gone = self.all().1.remove(&tracked.number);
        // Its waker goes with it.
        drop(gone);
    }

    /// Tells all of them.
    pub(super) fn tell(&self, order: Order) {
        let all: Vec<_> = self.all().1.values().cloned().collect();
        all.iter().for_each(|tracked| tracked.tell(order));
    }

    pub(super) fn list(&self, now: Time) -> Vec<OpenConnection> {
        let list = |it: &Arc<Tracked>| OpenConnection {
            peer: it.peer.clone(),
            age: now.since(it.since),
            bytes_received: it.received.load(Ordering::Relaxed),
            bytes_sent: it.sent.load(Ordering::Relaxed),
        };
        self.all().1.values().map(list).collect()
    }
}
