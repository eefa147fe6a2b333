//! One waker that wakes many tasks.
//!
//! A stream keeps one waker for each direction, and the last poll wins. When several tasks share a
//! stream they all poll it with the same fan-out waker, and leave their own wakers here.

use std::mem;
use std::task::{Wake, Waker};

use super::sync::{Arc, AtomicU8, Mutex, MutexGuard, Ordering, PoisonError};

/// A place in the fan-out. The numbers are never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u64);

impl Place {
    /// The place of the one task that receives.
    pub(crate) const RECEIVER: Self = Self(0);
    /// The place of the one task that sends, where there is only one.
    pub(crate) const SENDER: Self = Self(u64::MAX);
}

/// The tasks that wait. A lock of this list is a leaf: while it is held no other lock is taken, and no waker is
/// woken or dropped.
#[derive(Default)]
struct List {
    wakers: Vec<(Place, Waker)>,
    last: u64,
}

/// Whether the lock of what is shared is held; a wake that comes then is put off to the unlock, since a
/// waker may run or drop a task that wants that very lock.
const FREE: u8 = 0;
const HELD: u8 = 1;
const HELD_AND_WOKEN: u8 = 2;

#[derive(Default)]
pub(crate) struct FanOut {
    waiting: Mutex<List>,
    lock: AtomicU8,
}

impl FanOut {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The waker to poll the stream with.
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    fn waiting(&self) -> MutexGuard<'_, List> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A task that may wait, at a place that was never used.
    pub(crate) fn waiter(&self) -> Waiter<'_> {
        let mut waiting = self.waiting();
        waiting.last += 1;
        Waiter { fan_out: self, place: Place(waiting.last) }
    }

    /// Leaves `waker` at `place`. To be done before the stream is polled.
    pub(crate) fn wait(&self, place: Place, waker: &Waker) {
        let mut waiting = self.waiting();
        let known = waiting.wakers.iter_mut().find(|(other, _)| *other == place);
        let old = match known {
            Some((_, known)) if known.will_wake(waker) => None,
            Some((_, known)) => Some(mem::replace(known, waker.clone())),
            None => {
                waiting.wakers.push((place, waker.clone()));
                None
            }
        };
        drop(waiting);
        // The old waker goes only here.
        drop(old);
    }

    /// Takes back what was left at `place`.
    pub(crate) fn leave(&self, place: Place) {
        let mut waiting = self.waiting();
        let at = waiting.wakers.iter().position(|(other, _)| *other == place);
        let waker = at.map(|at| waiting.wakers.swap_remove(at));
        drop(waiting);
        drop(waker);
    }

    /// Wakes those whose place is `chosen`.
    pub(crate) fn wake_if(&self, chosen: impl Fn(Place) -> bool) {
        let mut waiting = self.waiting();
        if !waiting.wakers.iter().any(|(place, _)| chosen(*place)) {
            return;
        }
        let mut woken = mem::take(&mut waiting.wakers);
        let mut at = 0;
        while let Some((place, _)) = woken.get(at) {
            if chosen(*place) {
                at += 1;
            } else {
                waiting.wakers.push(woken.swap_remove(at));
            }
        }
        drop(waiting);
        for (_, waker) in woken.drain(..) {
            waker.wake();
        }
        // The list goes back empty, so that waiting allocates once and not each time.
        let mut waiting = self.waiting();
        if waiting.wakers.capacity() == 0 {
            waiting.wakers = woken;
        }
    }

    /// Does `work` under `lock`, and the wakes that fall into it afterwards, even if `work` panics.
    pub(crate) fn locked<T>(&self, lock: &Mutex<()>, work: impl FnOnce() -> T) -> T {
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.hold();
        let _held = Held { fan_out: self, guard: Some(guard) };
        work()
    }

    /// Says that the shared lock is held from here on.
    pub(crate) fn hold(&self) {
        self.lock.store(HELD, Ordering::SeqCst);
    }

    /// Says that it is about to be free, and whether a wake was put off. To be called before the unlock:
    /// the task that locks next must not have its own mark taken for ours.
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        self.lock.swap(FREE, Ordering::SeqCst) == HELD_AND_WOKEN
    }
}

/// The lock of what is shared, held. Dropped, it is free, and the wakes that were put off are done.
struct Held<'a> {
    fan_out: &'a FanOut,
    guard: Option<MutexGuard<'a, ()>>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let woken = self.fan_out.release();
        self.guard = None;
        if woken {
            self.fan_out.wake_if(|_| true);
        }
    }
}

/// A task that waits. Dropped, it waits no more.
pub(crate) struct Waiter<'a> {
    fan_out: &'a FanOut,
    pub(crate) place: Place,
}

impl Waiter<'_> {
    /// As [`FanOut::wait`] at its place.
    pub(crate) fn wait(&self, waker: &Waker) {
        self.fan_out.wait(self.place, waker);
    }

    /// As [`FanOut::leave`] at its place.
    pub(crate) fn leave(&self) {
        self.fan_out.leave(self.place);
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.fan_out.leave(self.place);
    }
}

impl Wake for FanOut {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let put_off =
            self.lock.compare_exchange(HELD, HELD_AND_WOKEN, Ordering::SeqCst, Ordering::SeqCst);
        if put_off == Err(FREE) {
            self.wake_if(|_| true);
        }
    }
}
