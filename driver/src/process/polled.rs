//! A descriptor on a runtime, as a reader and a writer.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::descriptor::{Descriptor, Opened};
use super::{PipeStream, joined, threaded};
use crate::runtime::Pipes;

/// A descriptor that the runtime `R` polls.
struct Polled<R: Pipes>(R::Pipe);

/// Two descriptors as one stream.
pub(super) fn join<R: Pipes>(reader: Opened, writer: Opened) -> io::Result<PipeStream<R::Clock>> {
    let reader: Box<dyn AsyncRead + Send + Unpin> = match reader {
        Opened::Polled(descriptor) => Box::new(Polled::<R>(R::pipe(descriptor)?)),
        Opened::Blocking(file) => threaded(file),
    };
    let writer: Box<dyn AsyncWrite + Send + Unpin> = match writer {
        Opened::Polled(descriptor) => Box::new(Polled::<R>(R::pipe(descriptor)?)),
        Opened::Blocking(file) => threaded(file),
    };
    Ok(joined::<R>(reader, writer))
}

impl<R: Pipes> AsyncRead for Polled<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        R::poll_pipe_read(&self.0, cx, &mut |mut descriptor| descriptor.read(buf))
    }
}

impl<R: Pipes> AsyncWrite for Polled<R> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        R::poll_pipe_write(&self.0, cx, &mut |mut descriptor| descriptor.write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        R::poll_pipe_write(&self.0, cx, &mut |mut descriptor| descriptor.write_vectored(bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let end = &mut |descriptor: &Descriptor| descriptor.end_writing().map(|()| 0);
        R::poll_pipe_write(&self.0, cx, end).map_ok(drop)
    }
}
