//! How the room's task hears that a connection has moved, and whose it was.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// The members that have called. Its lock is a leaf: while it is held no other lock is taken, and no
/// waker is woken or dropped.
#[derive(Default)]
pub(super) struct Calls {
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    members: Vec<u64>,
    /// The room's task, if it waits.
    runner: Option<Waker>,
}

impl Calls {
    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The waker with which `member` calls.
    pub(super) fn caller(self: &Arc<Self>, member: u64) -> Waker {
        Waker::from(Arc::new(Caller { calls: Arc::clone(self), member }))
    }

    /// Whether a member has called; if not, the next call wakes `runner`.
    pub(super) fn wait(&self, runner: &Waker) -> bool {
        let runner = runner.clone();
        let mut list = self.list();
        let called = !list.members.is_empty();
        let old = if called { Some(runner) } else { list.runner.replace(runner) };
        drop(list);
        drop(old);
        called
    }

    pub(super) fn take(&self) -> Vec<u64> {
        mem::take(&mut self.list().members)
    }
}

struct Caller {
    calls: Arc<Calls>,
    member: u64,
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut list = self.calls.list();
        list.members.push(self.member);
        let runner = list.runner.take();
        drop(list);
        if let Some(runner) = runner {
            runner.wake();
        }
    }
}
