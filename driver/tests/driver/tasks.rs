//! An executor that plays one schedule: in order, or as its seed says.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

/// SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    pub(crate) const fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) const fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

type Ready = Arc<Mutex<VecDeque<usize>>>;

struct Caller {
    task: usize,
    ready: Ready,
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        let mut ready = self.ready.lock().unwrap();
        if !ready.contains(&self.task) {
            ready.push_back(self.task);
        }
    }
}

struct Task<'a> {
    name: &'static str,
    future: Option<Pin<Box<dyn Future<Output = ()> + 'a>>>,
    waker: Waker,
}

pub(crate) struct Tasks<'a> {
    tasks: Vec<Task<'a>>,
    ready: Ready,
    order: Option<Random>,
}

impl<'a> Tasks<'a> {
    pub(crate) fn in_order() -> Self {
        Self { tasks: Vec::new(), ready: Ready::default(), order: None }
    }

    pub(crate) fn shuffled(seed: u64) -> Self {
        Self { order: Some(Random(seed)), ..Self::in_order() }
    }

    pub(crate) fn spawn(&mut self, name: &'static str, future: impl Future<Output = ()> + 'a) {
        let ready = Arc::clone(&self.ready);
        let waker = Waker::from(Arc::new(Caller { task: self.tasks.len(), ready }));
        waker.wake_by_ref();
        self.tasks.push(Task { name, future: Some(Box::pin(future)), waker });
    }

    /// Lets a task be polled though nothing has called it.
    pub(crate) fn wake(&self, name: &str) {
        let tasks = self.tasks.iter().filter(|task| task.name == name);
        tasks.for_each(|task| task.waker.wake_by_ref());
    }

    fn next(&mut self) -> Option<usize> {
        let mut ready = self.ready.lock().unwrap();
        match &mut self.order {
            Some(random) if !ready.is_empty() => {
                let at = random.below(ready.len());
                ready.remove(at)
            }
            _ => ready.pop_front(),
        }
    }

    /// Runs until nobody is called any more; returns the names of those that still wait.
    pub(crate) fn run(&mut self) -> Vec<&'static str> {
        let mut polls = 0;
        while let Some(next) = self.next() {
            let Task { name, future, waker } = &mut self.tasks[next];
            polls += 1;
            assert!(polls < 1_000_000, "{name} never comes to rest");
            if let Some(running) = future {
                if running.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
                    *future = None;
                }
            }
        }
        self.tasks.iter().filter(|task| task.future.is_some()).map(|task| task.name).collect()
    }

    /// Runs until everybody is done.
    #[track_caller]
    pub(crate) fn run_to_end(&mut self) {
        let waiting = self.run();
        assert!(waiting.is_empty(), "nobody wakes {waiting:?}");
    }
}

/// Lets the other tasks have their turn.
pub(crate) async fn turn() {
    let mut had = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut had, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

pub(crate) async fn turns(n: usize) {
    for _ in 0..n {
        turn().await;
    }
}

/// Polls `future` until it is ready, and drops it once it was pending more than `patience` times.
pub(crate) async fn within<F: Future>(patience: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = patience;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}
