//! A clock that stands still until the test moves it. Each thread has its own.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use asyncnet::BoxSleep;

#[derive(Default)]
struct Clock {
    strikes: u64,
    sleepers: Vec<Waker>,
}

thread_local! {
    static CLOCK: RefCell<Arc<Mutex<Clock>>> = RefCell::default();
}

/// Ready when the clock has struck since it was made.
struct Sleep {
    clock: Arc<Mutex<Clock>>,
    made: u64,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut clock = self.clock.lock().unwrap();
        if clock.strikes > self.made {
            return Poll::Ready(());
        }
        clock.sleepers.push(cx.waker().clone());
        Poll::Pending
    }
}

/// The timer to hand to a connection or a room.
pub(crate) fn timer(_: Duration) -> BoxSleep {
    let clock = CLOCK.with_borrow(Arc::clone);
    let made = clock.lock().unwrap().strikes;
    Box::pin(Sleep { clock, made })
}

/// Ends every sleep that there is now.
pub(crate) fn strike() {
    let clock = CLOCK.with_borrow(Arc::clone);
    let sleepers = {
        let mut clock = clock.lock().unwrap();
        clock.strikes += 1;
        std::mem::take(&mut clock.sleepers)
    };
    sleepers.into_iter().for_each(Waker::wake);
}
