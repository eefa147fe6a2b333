//! The open connections of a listener: how many there are, what is known of each, and how they notice its end.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake as _, Waker};

use asyncnet_core::{Time, TlsError};

use super::failures::OnFailure;
use super::latch::Latch;
use super::tracked::{Order, Registry, Tracked};
use super::{Drain, Failures, HandshakeFailure, ListenOptions, OpenConnection, Proxied};
use crate::Address;
use crate::engine::fan_out::FanOut;

/// What a listener and its connections share. Wakes the tasks that wait for one to close.
pub(crate) struct Open {
    count: AtomicUsize,
    pub(super) fan_out: Arc<FanOut>,
    failures: Mutex<Failures>,
    on_failure: Option<OnFailure>,
    pub(super) draining: Latch,
    /// If connections are tracked.
    registry: Option<Registry>,
    close_idle: bool,
    aborted: AtomicUsize,
}

impl Open {
    pub(super) fn new(fan_out: Arc<FanOut>, options: &ListenOptions) -> Arc<Self> {
        let tracks = options.track || options.close_idle;
        Arc::new(Self {
            count: AtomicUsize::new(0),
            fan_out,
            failures: Mutex::default(),
            on_failure: options.on_failure.clone(),
            draining: Latch::default(),
            registry: tracks.then(Registry::default),
            close_idle: options.close_idle,
            aborted: AtomicUsize::new(0),
        })
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// One more, from `peer`.
    pub(super) fn permit(
        self: &Arc<Self>,
        peer: &Address,
        proxied: Option<Box<Proxied>>,
        now: impl FnOnce() -> Time,
    ) -> Permit {
        self.count.fetch_add(1, Ordering::SeqCst);
        let tracked = self.registry.as_ref().map(|registry| registry.add(peer.clone(), now()));
        let is_needed = tracked.is_some() || proxied.is_some() || self.on_failure.is_some();
        let about = is_needed
            .then(|| Box::new(About { peer: peer.clone(), proxied, tracked, failed: None }));
        Permit { about, open: Counted(Arc::clone(self)) }
    }

    // ---- failures --------------------------------------------------------------------------------

    pub(super) fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- shutting down ---------------------------------------------------------------------------

    pub(super) fn begin_drain(&self) {
        self.draining.set();
        if let Some(registry) = self.registry.as_ref().filter(|_| self.close_idle) {
            registry.tell(Order::CloseIdle);
        }
    }

    /// Tells what is left to abort. Returns whether anything can be told.
    pub(super) fn abort_all(&self) -> bool {
        if let Some(registry) = &self.registry {
            registry.tell(Order::Abort);
        }
        self.registry.is_some()
    }

    /// How many were aborted at the limit of a shutdown.
    pub(super) fn aborted(&self) -> usize {
        self.aborted.load(Ordering::SeqCst)
    }

    pub(super) fn list(&self, now: Time) -> Vec<OpenConnection> {
        self.registry.as_ref().map(|registry| registry.list(now)).unwrap_or_default()
    }
}

/// An open connection. Dropping it says that it is closed, and runs code of the program: not to be done under a
/// lock.
pub(crate) struct Permit {
    /// If anything is known that somebody may ask for.
    about: Option<Box<About>>,
    /// Goes last, whatever the program's code does before.
    open: Counted,
}

/// Counts as one connection, until it is dropped.
struct Counted(Arc<Open>);

impl Deref for Counted {
    type Target = Arc<Open>;

    fn deref(&self) -> &Arc<Open> {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
        // A listener may drop connections while it holds its lock.
        self.fan_out.wake_by_ref();
    }
}

struct About {
    peer: Address,
    proxied: Option<Box<Proxied>>,
    tracked: Option<Arc<Tracked>>,
    failed: Option<TlsError>,
}

impl Permit {
    /// What a proxy said about the client.
    pub(crate) fn proxied(&self) -> Option<&Proxied> {
        self.about.as_ref()?.proxied.as_deref()
    }

    /// The address of the client, if a PROXY header has it.
    pub(crate) fn client_addr(&self) -> Option<&Address> {
        self.proxied()?.client_addr()
    }

    pub(crate) fn drain(&self) -> Drain {
        Drain::of(Some(Arc::clone(&*self.open)))
    }

    pub(crate) fn tracked(&self) -> Option<&Tracked> {
        self.about.as_ref()?.tracked.as_deref()
    }

    /// Whether the connection is to close as soon as nothing is half done. `waker` is woken when that changes.
    pub(crate) fn closes_idle(&self, waker: &Waker) -> bool {
        self.tracked().is_some_and(|tracked| tracked.order(waker) == Order::CloseIdle)
    }

    /// Whether the connection is to be aborted. `waker` is woken when that changes.
    pub(crate) fn aborts(&self, waker: &Waker) -> bool {
        self.tracked().is_some_and(|tracked| tracked.order(waker) == Order::Abort)
    }

    /// It was aborted at the limit of a shutdown.
    pub(crate) fn count_abort(&self) {
        self.open.aborted.fetch_add(1, Ordering::SeqCst);
    }

    /// Its handshake has failed. The program's callback runs when the connection is closed.
    pub(crate) fn count_failure(&mut self, error: &TlsError) {
        self.open.failures().count(error);
        if let Some(about) = &mut self.about {
            about.failed = Some(error.clone());
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(About { peer, tracked, failed, .. }) = self.about.take().map(|about| *about) {
            if let (Some(registry), Some(tracked)) = (&self.open.registry, tracked) {
                registry.remove(&tracked);
            }
            if let (Some(tell), Some(error)) = (&self.open.on_failure, failed) {
                tell(&HandshakeFailure { peer, error });
            }
        }
    }
}
