//! Something that happens once, and the tasks that wait for it.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Unlike a [`FanOut`](crate::engine::fan_out::FanOut), whose list is for a few tasks, it is made for as many as a
/// listener has connections: to wait and to leave cost little, however many wait.
///
/// Its lock is a leaf: no waker is woken or dropped while it is held, since a waker may run or drop a task that waits
/// here too.
#[derive(Default)]
pub(super) struct Latch {
    is_set: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    last: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Latch {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has happened.
    pub(super) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::SeqCst)
    }

    /// It has happened: wakes all that wait.
    pub(super) fn set(&self) {
        self.is_set.store(true, Ordering::SeqCst);
        let wakers = mem::take(&mut self.waiting().wakers);
        wakers.into_values().for_each(Waker::wake);
    }

    /// Waits until it has happened.
    pub(super) async fn wait(&self) {
        let mut place = Place { latch: self, number: None };
        poll_fn(|cx| place.poll(cx.waker())).await;
    }
}

/// A task that waits. Dropped, it waits no more.
struct Place<'a> {
    latch: &'a Latch,
    number: Option<u64>,
}

impl Place<'_> {
    fn poll(&mut self, waker: &Waker) -> Poll<()> {
        let waker = waker.clone();
        let mut waiting = self.latch.waiting();
        // Looked at under the lock: it is set first, and then the lock is taken for those that wait.
        if self.latch.is_set() {
            drop(waiting);
            return Poll::Ready(());
        }
        let number = *self.number.get_or_insert_with(|| {
            waiting.last += 1;
            waiting.last
        });
        let old = waiting.wakers.insert(number, waker);
        drop(waiting);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let waker = self.latch.waiting().wakers.remove(&number);
        drop(waker);
    }
}
