//! C2 for the fan-out waker, the one lock-free part: no wake-up is lost, in whatever order its threads run.
//!
//! The file of the driver is compiled here a second time, with locks and atomics of a scheduler that decides
//! where each thread is interrupted. A lost wake-up is a deadlock, which it reports.

#![cfg(not(all(windows, target_env = "gnu")))] // shuttle unwinds its own stacks, which fails there.

#[path = "../../src/engine/fan_out.rs"]
#[expect(dead_code, reason = "the driver uses all of it")]
mod fan_out;

/// What `src/engine/sync.rs` has from the standard library.
mod sync {
    pub(crate) use shuttle::sync::atomic::{AtomicU8, Ordering};
    pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard};
    pub(crate) use std::sync::PoisonError;
}

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::{Wake, Waker};

use shuttle::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread::{self, Thread};

use crate::fan_out::{FanOut, Waiter};

/// How many orders each test goes through.
const ORDERS: usize = 10_000;

/// Wakes a thread that is parked.
struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn this_thread() -> Waker {
    Waker::from(Arc::new(Parked(thread::current())))
}

/// A stream that becomes ready some times, and keeps the last waker alone, as streams do.
#[derive(Default)]
struct Stream {
    ready: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Stream {
    /// Takes one readiness, or leaves the waker behind.
    fn poll(&self, waker: &Waker) -> bool {
        *self.waker.lock().unwrap() = Some(waker.clone());
        self.ready.fetch_update(SeqCst, SeqCst, |ready| ready.checked_sub(1)).is_ok()
    }

    fn become_ready(&self) {
        self.ready.fetch_add(1, SeqCst);
        let waker = self.waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What the tasks of a shared connection share, in small.
struct Shared {
    lock: Mutex<()>,
    /// Polled under the lock; becomes ready without it.
    stream: Stream,
    fan_out: Arc<FanOut>,
    waker: Waker,
}

impl Shared {
    fn new() -> Arc<Self> {
        let fan_out = FanOut::new();
        let waker = fan_out.waker();
        Arc::new(Self { lock: Mutex::default(), stream: Stream::default(), fan_out, waker })
    }

    /// Polls the stream as a task does: its own waker first, then the lock, then the wakes that were put off.
    fn poll(&self, waiter: &Waiter<'_>, waker: &Waker) -> bool {
        waiter.wait(waker);
        self.fan_out.locked(&self.lock, || self.stream.poll(&self.waker))
    }

    /// Waits until the stream was ready for this task.
    fn wait_for_one(&self) {
        let (waiter, waker) = (self.fan_out.waiter(), this_thread());
        while !self.poll(&waiter, &waker) {
            thread::park();
        }
    }
}

/// Starts `n` threads that do `work`, and waits for them.
fn threads(shared: &Arc<Shared>, n: usize, work: impl Fn(&Shared) + Clone + Send + 'static) {
    let started = (0..n).map(|_| {
        let (shared, work) = (Arc::clone(shared), work.clone());
        thread::spawn(move || work(&shared))
    });
    for thread in started.collect::<Vec<_>>() {
        thread.join().unwrap();
    }
}

fn in_any_order(scene: fn()) {
    shuttle::check_random(scene, ORDERS);
    shuttle::check_pct(scene, ORDERS / 5, 3);
}

#[test]
fn c2_every_task_that_waits_is_woken() {
    in_any_order(|| {
        let shared = Shared::new();
        let reactor = Arc::clone(&shared);
        let reactor = thread::spawn(move || (0..3).for_each(|_| reactor.stream.become_ready()));
        threads(&shared, 3, Shared::wait_for_one);
        reactor.join().unwrap();
    });
}

#[test]
fn c2_a_panic_under_the_lock_swallows_no_wake_behind_it() {
    // There is one task, and so one order.
    let scene = || {
        let shared = Shared::new();
        let (waiter, waker) = (shared.fan_out.waiter(), this_thread());
        waiter.wait(&waker);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            // As a panic, but without a report.
            shared.fan_out.locked(&shared.lock, || resume_unwind(Box::new(())))
        }));
        assert!(panicked.is_err());
        shared.waker.wake_by_ref();
        thread::park();
    };
    shuttle::check_random(scene, 1);
}

#[test]
fn c2_a_task_that_gives_up_takes_no_wake_up_with_it() {
    in_any_order(|| {
        let shared = Shared::new();
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || {
            // Polls once and leaves; what it took it gives back, as a connection does with what it read.
            let (waiter, waker) = (other.fan_out.waiter(), this_thread());
            if other.poll(&waiter, &waker) {
                other.stream.become_ready();
            }
        });
        let reactor = Arc::clone(&shared);
        let reactor = thread::spawn(move || reactor.stream.become_ready());
        threads(&shared, 1, Shared::wait_for_one);
        other.join().unwrap();
        reactor.join().unwrap();
    });
}

#[test]
fn c2_a_wake_that_falls_into_the_lock_comes_after_it() {
    in_any_order(|| {
        let shared = Shared::new();
        // A waker that takes the very lock: called while it is held, it would never return.
        struct Locks(Arc<Shared>, Thread);
        impl Wake for Locks {
            fn wake(self: Arc<Self>) {
                drop(self.0.lock.lock().unwrap());
                self.1.unpark();
            }
        }
        let reactor = Arc::clone(&shared);
        let reactor = thread::spawn(move || (0..2).for_each(|_| reactor.stream.become_ready()));
        let task = Arc::clone(&shared);
        let task = thread::spawn(move || {
            let waiter = task.fan_out.waiter();
            let waker = Waker::from(Arc::new(Locks(Arc::clone(&task), thread::current())));
            // The first poll lets others have their turn, as streams do: it wakes itself, inside the lock.
            waiter.wait(&waker);
            task.fan_out.locked(&task.lock, || task.waker.wake_by_ref());
            while !task.poll(&waiter, &waker) {
                thread::park();
            }
        });
        threads(&shared, 1, Shared::wait_for_one);
        task.join().unwrap();
        reactor.join().unwrap();
    });
}
