//! Pipes, polled by smol.

use std::io;
use std::task::{Context, Poll};

use async_io::Async;
use asyncnet::process::Descriptor;
use asyncnet::runtime::Pipes;

use crate::Smol;
use crate::binding::poll_with;

impl Pipes for Smol {
    type Pipe = Async<Descriptor>;

    fn pipe(descriptor: Descriptor) -> io::Result<Self::Pipe> {
        Async::new_nonblocking(descriptor)
    }

    fn poll_pipe_read(
        pipe: &Self::Pipe,
        cx: &mut Context<'_>,
        read: &mut dyn FnMut(&Descriptor) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        poll_with(|| read(pipe.get_ref()), || pipe.poll_readable(cx))
    }

    fn poll_pipe_write(
        pipe: &Self::Pipe,
        cx: &mut Context<'_>,
        write: &mut dyn FnMut(&Descriptor) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        poll_with(|| write(pipe.get_ref()), || pipe.poll_writable(cx))
    }
}
