//! The same work every time, without a socket, a clock or a runtime: what `instructions.sh` counts.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use asyncnet::{Config, Connection, Io};
use clap::ValueEnum;
use futures_lite::{AsyncRead, AsyncWrite};

use crate::framing;

/// How long a line takes, terminator included.
const LINE: usize = 64;

/// What to count.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Counted {
    /// core alone, `next_line`
    Framing,
    /// core alone, `next_batch`
    FramingBatch,
    /// The driver, one `next_line().await` for each line
    Ingest,
    /// The driver, `next_batch`
    Drain,
    /// Every line comes back, one at a time
    Echo,
    /// Every line comes back, 16 at a time
    Echo16,
}

/// Puts `lines` lines through.
pub(crate) fn run(what: Counted, lines: usize) -> io::Result<()> {
    let chunk = (16 << 10) / LINE;
    let done = match what {
        Counted::Framing => framing::next_line(&text(chunk), lines / chunk),
        Counted::FramingBatch => framing::next_batch(&text(chunk), lines / chunk),
        Counted::Ingest => finish(ingest(lines))?,
        Counted::Drain => finish(drain(lines))?,
        Counted::Echo => finish(echo(lines, 1))?,
        Counted::Echo16 => finish(echo(lines, 16))?,
    };
    println!("{done} lines");
    Ok(())
}

fn text(lines: usize) -> Vec<u8> {
    let mut line = vec![b'x'; LINE - 2];
    line.extend_from_slice(b"\r\n");
    line.repeat(lines)
}

/// Polls until it is done: our pipe never has anybody to wait for.
fn finish<T>(work: impl Future<Output = T>) -> T {
    let (mut work, mut cx) = (pin!(work), Context::from_waker(Waker::noop()));
    loop {
        if let Poll::Ready(done) = work.as_mut().poll(&mut cx) {
            return done;
        }
    }
}

async fn ingest(lines: usize) -> io::Result<usize> {
    let mut conn = pipe(lines, 1024);
    let mut count = 0;
    while conn.next_line().await?.is_some() {
        count += 1;
    }
    Ok(count)
}

async fn drain(lines: usize) -> io::Result<usize> {
    let mut conn = pipe(lines, 1024);
    let mut count = 0;
    while let Some(mut batch) = conn.next_batch().await? {
        while batch.next_line()?.is_some() {
            count += 1;
        }
    }
    Ok(count)
}

async fn echo(lines: usize, window: usize) -> io::Result<usize> {
    let mut conn = pipe(lines, window);
    let mut count = 0;
    while let Some(mut batch) = conn.next_batch().await? {
        while let Some(line) = batch.next_line()? {
            batch.reply_line(line)?;
            count += 1;
        }
    }
    conn.flush().await?;
    Ok(count)
}

/// A connection whose peer sends `lines` lines, `window` in one piece, and takes whatever it is sent.
fn pipe(lines: usize, window: usize) -> Connection<Io<Pipe>> {
    let pipe = Pipe { piece: text(window), left: lines / window * window * LINE, waited: false };
    Connection::new(Io::new(pipe), Config::default())
}

/// One end of a pipe. Before each piece it lets its reader wait once, as a socket would.
struct Pipe {
    piece: Vec<u8>,
    left: usize,
    waited: bool,
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.left == 0 {
            return Poll::Ready(Ok(0));
        }
        let from = (self.piece.len() - self.left % self.piece.len()) % self.piece.len();
        if from == 0 && !self.waited {
            self.waited = true;
            return Poll::Pending;
        }
        self.waited = false;
        let rest = &self.piece[from..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.left -= n;
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
