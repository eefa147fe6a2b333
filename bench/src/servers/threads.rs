//! One thread of each runtime.

use std::future::Future;
use std::io;
use std::rc::Rc;

/// One thread that runs a server and its handlers.
///
/// `spawn` takes the handler as it is, without a box: what a connection keeps in memory is its future, and
/// a box of our own would be measured with it.
pub(super) trait Thread: Sized + 'static {
    /// Runs `main`.
    fn run<F>(main: impl FnOnce(Self) -> F) -> io::Result<()>
    where
        F: Future<Output = io::Result<()>> + 'static;

    /// Runs `task` beside it. What it came to is dropped: a client that breaks off is the load generator's
    /// business.
    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static);
}

pub(super) struct OnTokio;

impl Thread for OnTokio {
    fn run<F>(main: impl FnOnce(Self) -> F) -> io::Result<()>
    where
        F: Future<Output = io::Result<()>> + 'static,
    {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(main(Self))
    }

    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) {
        drop(tokio::spawn(task));
    }
}

/// async-std has no one thread to ask for: `main` sees to it that there is one, beside that of `main`.
pub(super) struct OnAsyncStd;

impl Thread for OnAsyncStd {
    fn run<F>(main: impl FnOnce(Self) -> F) -> io::Result<()>
    where
        F: Future<Output = io::Result<()>> + 'static,
    {
        async_std::task::block_on(main(Self))
    }

    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) {
        drop(async_std::task::spawn(task));
    }
}

pub(super) struct OnSmol(Rc<smol::LocalExecutor<'static>>);

impl Thread for OnSmol {
    fn run<F>(main: impl FnOnce(Self) -> F) -> io::Result<()>
    where
        F: Future<Output = io::Result<()>> + 'static,
    {
        let executor = Rc::new(smol::LocalExecutor::new());
        // A task of its own: what the executor's `run` is given is polled whenever anything happens at all.
        let main = executor.spawn(main(Self(Rc::clone(&executor))));
        smol::block_on(executor.run(main))
    }

    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) {
        self.0.spawn(task).detach();
    }
}
