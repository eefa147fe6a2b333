//! Pipes, polled by tokio.

use std::io;
use std::task::{Context, Poll, ready};

use asyncnet::process::Descriptor;
use asyncnet::runtime::Pipes;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

use crate::Tokio;

impl Pipes for Tokio {
    type Pipe = AsyncFd<Descriptor>;

    fn pipe(descriptor: Descriptor) -> io::Result<Self::Pipe> {
        #[allow(
            deprecated,
            reason = "newer versions have a call instead that safe code cannot make; a `Descriptor` owns what it names"
        )]
        AsyncFd::new(descriptor)
    }

    fn poll_pipe_read(
        pipe: &Self::Pipe,
        cx: &mut Context<'_>,
        read: &mut dyn FnMut(&Descriptor) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        poll_with(pipe, read, || pipe.poll_read_ready(cx))
    }

    fn poll_pipe_write(
        pipe: &Self::Pipe,
        cx: &mut Context<'_>,
        write: &mut dyn FnMut(&Descriptor) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        poll_with(pipe, write, || pipe.poll_write_ready(cx))
    }
}

/// Tries at once, and again whenever the descriptor may be ready.
fn poll_with<'a>(
    pipe: &'a AsyncFd<Descriptor>,
    attempt: &mut dyn FnMut(&Descriptor) -> io::Result<usize>,
    mut poll_ready: impl FnMut() -> Poll<io::Result<AsyncFdReadyGuard<'a, Descriptor>>>,
) -> Poll<io::Result<usize>> {
    let mut tried = attempt(pipe.get_ref());
    loop {
        match tried {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
        let mut guard = ready!(poll_ready())?;
        // At `WouldBlock` the guard clears tokio's readiness, so that the next `poll_ready` waits.
        tried = match guard.try_io(|pipe| attempt(pipe.get_ref())) {
            Ok(done) => done,
            Err(_) => Err(io::ErrorKind::WouldBlock.into()),
        };
    }
}
