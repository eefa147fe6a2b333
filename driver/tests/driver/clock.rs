//! A clock that stands still until the test moves it. Each thread has its own, which all its connections share.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use asyncnet::Time;

#[derive(Default)]
struct World {
    now: Time,
    /// When the next alarm of each hand is, and what it wakes.
    alarms: BTreeMap<usize, (Time, Waker)>,
    hands: usize,
    calls: Calls,
}

/// How often clocks were asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) now: usize,
    pub(crate) poll_alarm: usize,
}

type Shared = Arc<Mutex<World>>;

thread_local! {
    static WORLD: RefCell<Shared> = RefCell::default();
}

fn locked(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The clock of one stream: it has one alarm.
pub(crate) struct Clock {
    world: Shared,
    hand: usize,
}

impl Clock {
    /// A clock that shows the time of this thread.
    pub(crate) fn new() -> Self {
        let world = WORLD.with_borrow(Arc::clone);
        let mut locked = locked(&world);
        locked.hands += 1;
        let hand = locked.hands;
        drop(locked);
        Self { world, hand }
    }
}

impl asyncnet::Clock for Clock {
    fn now(&mut self) -> Time {
        let mut world = locked(&self.world);
        world.calls.now += 1;
        world.now
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>, at: Time) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut world = locked(&self.world);
        world.calls.poll_alarm += 1;
        let (polled, old) = if at <= world.now {
            (Poll::Ready(()), world.alarms.remove(&self.hand))
        } else {
            (Poll::Pending, world.alarms.insert(self.hand, (at, waker)))
        };
        drop(world);
        drop(old);
        polled
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        let alarm = locked(&self.world).alarms.remove(&self.hand);
        drop(alarm);
    }
}

/// Lets time pass on this thread. What is due is woken later: by `advance`.
pub(crate) fn pass(time: Duration) {
    let world = WORLD.with_borrow(Arc::clone);
    let mut locked = locked(&world);
    locked.now = locked.now + time;
}

/// Lets time pass on this thread, and wakes what is due.
pub(crate) fn advance(time: Duration) {
    pass(time);
    let world = WORLD.with_borrow(Arc::clone);
    let mut locked = locked(&world);
    let now = locked.now;
    let hands: Vec<_> = locked.alarms.keys().copied().collect();
    let is_due = |hand: &usize| locked.alarms[hand].0 <= now;
    let due: Vec<_> = hands.into_iter().filter(is_due).collect();
    let due: Vec<_> = due.iter().filter_map(|hand| locked.alarms.remove(hand)).collect();
    drop(locked);
    due.into_iter().for_each(|(_, waker)| waker.wake());
}

/// Lets so much time pass that every bound of these tests runs out.
pub(crate) fn strike() {
    advance(Duration::from_secs(2 * 3600));
}

/// How often the clocks of this thread were asked so far.
pub(crate) fn calls() -> Calls {
    let world = WORLD.with_borrow(Arc::clone);
    locked(&world).calls
}
