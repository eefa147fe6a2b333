//! How many connections of a listener are open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake as _;

use super::Proxied;
use crate::Address;
use crate::engine::fan_out::FanOut;

/// Counts the open connections of one listener, and wakes the tasks that wait for one to close.
pub(crate) struct Open {
    count: AtomicUsize,
    pub(super) fan_out: Arc<FanOut>,
}

impl Open {
    pub(super) fn new(fan_out: Arc<FanOut>) -> Arc<Self> {
        Arc::new(Self { count: AtomicUsize::new(0), fan_out })
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// One more.
    pub(super) fn permit(self: &Arc<Self>, proxied: Option<Box<Proxied>>) -> Permit {
        self.count.fetch_add(1, Ordering::SeqCst);
        Permit { open: Arc::clone(self), proxied }
    }
}

/// An open connection. Dropping it says that it is closed.
pub(crate) struct Permit {
    open: Arc<Open>,
    proxied: Option<Box<Proxied>>,
}

impl Permit {
    /// What a proxy said about the client.
    pub(crate) fn proxied(&self) -> Option<&Proxied> {
        self.proxied.as_deref()
    }

    /// The address of the client, if a proxy told it.
    pub(crate) fn client_addr(&self) -> Option<&Address> {
        self.proxied()?.client_addr()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.open.count.fetch_sub(1, Ordering::SeqCst);
        // A listener may drop connections while it holds its lock.
        self.open.fan_out.wake_by_ref();
    }
}
