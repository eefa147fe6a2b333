//! How many TLS handshakes of a listener are under way.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Bounds the handshakes of one listener. Those above the bound wait, first come first served.
pub(super) struct Handshakes {
    max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    under_way: usize,
    /// Those that wait, by their number. One that is not here any more has its slot.
    waiting: BTreeMap<u64, Waker>,
    last: u64,
}

impl Handshakes {
    /// At most `max` at once; 0 counts as 1.
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max: max.max(1), state: Mutex::default() })
    }

    /// A slot for one handshake, not taken yet.
    pub(super) fn slot(self: &Arc<Self>) -> Slot {
        Slot { of: Arc::clone(self), number: None }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right of one connection to do its handshake. Dropping it gives the right to the next that waits, and
/// wakes it: not to be done under a lock.
pub(crate) struct Slot {
    of: Arc<Handshakes>,
    /// Its number, once it was asked for.
    number: Option<u64>,
}

impl Slot {
    /// Ready when the handshake may go on.
    pub(crate) fn poll_take(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.of.state();
        let Some(number) = self.number else {
            state.last += 1;
            let number = state.last;
            self.number = Some(number);
            if state.under_way < self.of.max {
                state.under_way += 1;
                return Poll::Ready(());
            }
            state.waiting.insert(number, cx.waker().clone());
            return Poll::Pending;
        };
        let old = match state.waiting.get_mut(&number) {
            None => return Poll::Ready(()),
            Some(waker) if waker.will_wake(cx.waker()) => return Poll::Pending,
            Some(waker) => mem::replace(waker, cx.waker().clone()),
        };
        drop(state);
        // A waker may run foreign code as it goes.
        drop(old);
        Poll::Pending
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut state = self.of.state();
        if let Some(waker) = state.waiting.remove(&number) {
            drop(state);
            drop(waker);
            return;
        }
        let next = state.waiting.pop_first();
        if next.is_none() {
            state.under_way -= 1;
        }
        drop(state);
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn takes(slot: &mut Slot) -> bool {
        slot.poll_take(&Context::from_waker(Waker::noop())).is_ready()
    }

    /// The first that waits is woken, with its latest waker, and nobody overtakes it.
    #[test]
    fn t6_a_slot_goes_to_the_first_that_waits() {
        let handshakes = Handshakes::new(0);
        let [mut first, mut second, mut third] = [(); 3].map(|()| handshakes.slot());
        assert!(takes(&mut first) && takes(&mut first));
        assert!(!takes(&mut second) && !takes(&mut third));
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        assert!(second.poll_take(&Context::from_waker(&waker)).is_pending());
        drop(first);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(!takes(&mut third), "the second is in front of it");
        assert!(takes(&mut second));
    }

    /// Whether it waits, has its slot without knowing it, or never asked.
    #[test]
    fn t6_a_slot_that_is_dropped_is_lost_in_no_state() {
        let handshakes = Handshakes::new(1);
        let [mut first, mut second, mut third] = [(); 3].map(|()| handshakes.slot());
        drop(handshakes.slot());
        assert!(takes(&mut first));
        assert!(!takes(&mut second) && !takes(&mut third));
        drop(second);
        assert!(!takes(&mut third), "the first goes on");
        drop(first);
        // It was given the slot, and goes before it has looked.
        drop(third);
        assert_eq!(handshakes.state().under_way, 0);
        assert!(takes(&mut handshakes.slot()));
    }
}
