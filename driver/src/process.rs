//! The standard streams of this process, and those of a child: for tools that speak a line protocol over pipes, as
//! language servers and MCP servers do.
//!
//! A server, which answers on its standard output what it reads on its standard input:
//!
//! ```no_run
//! use asyncnet::runtime::Pipes;
//! use asyncnet::{Config, Error, Framing, process};
//!
//! async fn serve<R: Pipes>() -> Result<(), Error> {
//!     let config = Config::default().framing(Framing::Lf);
//!     let mut conn = process::stdio::<R>()?.into_connection(config);
//!     while let Some(mut batch) = conn.next_batch().await? {
//!         while let Some(line) = batch.next_line()? {
//!             batch.reply_line(line)?;
//!         }
//!     }
//!     conn.close().await
//! }
//! ```
//!
//! And a client, which starts it:
//!
//! ```no_run
//! use std::process::Command;
//!
//! use asyncnet::runtime::Pipes;
//! use asyncnet::{Config, Error, Framing, process};
//!
//! async fn ask<R: Pipes>() -> Result<Vec<u8>, Error> {
//!     let (mut child, stream) = process::child::<R>(&mut Command::new("server"))?;
//!     let mut conn = stream.into_connection(Config::default().framing(Framing::Lf));
//!     conn.send_line("hello").await?;
//!     let answer = conn.expect_line().await?.to_vec();
//!     conn.close().await?; // the child sees the end of its input, and leaves
//!     child.wait()?;
//!     Ok(answer)
//! }
//! ```
//!
//! # What is polled
//!
//! On Unix, pipes and sockets are polled by the runtime, and no thread waits for them. Terminals and regular files
//! cannot be polled: a thread of the crate `blocking` reads or writes them, at most 64 KiB ahead. On Windows, and for
//! this process's own standard streams on Unix systems other than Linux, threads do all of it. A thread that
//! waits for a terminal does not keep the process from ending.
//!
//! Pipes have no reset and no address, and a write to a pipe whose reader is gone raises SIGPIPE, which a Rust program
//! ignores unless it says otherwise.

#[cfg(unix)]
mod descriptor;
#[cfg(unix)]
mod polled;

use std::io;
#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use blocking::Unblock;
use futures_io::{AsyncRead, AsyncWrite};

use crate::Duplex;
use crate::runtime::Pipes;

#[cfg(unix)]
pub use descriptor::Descriptor;
#[cfg(unix)]
use descriptor::Opened;

/// The standard streams of this process or of a child, with the clock `C`, as a [`Transport`](crate::Transport).
///
/// [`into_connection`](Duplex::into_connection) makes a connection of it.
pub type PipeStream<C> =
    Duplex<Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>, C>;

/// How far a thread reads or writes ahead, in bytes.
const AHEAD: usize = 64 << 10;

/// Takes over the standard input and output of this process.
///
/// On Unix the stream is their only owner from then on, so that the other end sees the end of our side as soon as the
/// connection ends it: the process's standard input is empty, and its standard output goes where its standard error
/// goes. A stray `println!` cannot break the protocol, and neither can a child that inherits the streams. Bytes
/// that `std::io::stdin()` has read before are not seen.
///
/// On Windows the process's own streams stay as they are, and the other end sees our end when the process ends.
///
/// Rules [P1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#p1) to [P3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#p3).
///
/// # Errors
///
/// `AlreadyExists` if they were taken over before; others as the system says.
#[doc(alias("stdin", "stdout"))]
pub fn stdio<R: Pipes>() -> io::Result<PipeStream<R::Clock>> {
    use std::sync::atomic::{AtomicBool, Ordering};
    static TAKEN: AtomicBool = AtomicBool::new(false);

    if TAKEN.swap(true, Ordering::Relaxed) {
        let why = "the standard streams of this process were taken over already";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
    }
    let taken = take_stdio::<R>();
    if taken.is_err() {
        TAKEN.store(false, Ordering::Relaxed);
    }
    taken
}

/// Starts `command` and connects to its standard input and output. Its standard error stays as the command says.
///
/// The child sees the end of its input when the connection ends its sending side, is closed or is dropped. The end of
/// the child is an end of the input. The child goes on if its handle is dropped; [`Child::wait`] blocks, so call
/// it after the end of the input, or on a thread. For a child that another crate started there is [`from_fds`].
///
/// Rules [P1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#p1) and [P2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#p2).
///
/// # Errors
///
/// If the child cannot be started, or the runtime cannot register its pipes. The child is killed then.
#[doc(alias("ChildStdin", "ChildStdout"))]
pub fn child<R: Pipes>(command: &mut Command) -> io::Result<(Child, PipeStream<R::Clock>)> {
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| {
        let program = command.get_program().to_string_lossy();
        io::Error::new(error.kind(), format!("cannot start {program}: {error}"))
    })?;
    let stream = child_stream::<R>(&mut child);
    if stream.is_err() {
        // It may be gone already.
        let _ = child.kill();
        let _ = child.wait();
    }
    Ok((child, stream?))
}

/// A stream that reads from one descriptor and writes to the other: pipes, sockets, terminals, files. Pipes and sockets
/// are made non-blocking.
///
/// Use it to connect to a child of `tokio::process` or `async_process`.
///
/// ```no_run
/// # use asyncnet::runtime::Pipes;
/// use asyncnet::process;
///
/// # fn over<R: Pipes>(stdout: std::process::ChildStdout, stdin: std::process::ChildStdin) -> std::io::Result<()> {
/// let stream = process::from_fds::<R>(stdout.into(), stdin.into())?;
/// # drop(stream); Ok(()) }
/// ```
///
/// # Errors
///
/// If the runtime cannot register one of them.
#[cfg(unix)]
pub fn from_fds<R: Pipes>(reader: OwnedFd, writer: OwnedFd) -> io::Result<PipeStream<R::Clock>> {
    let (reader, writer) = (Opened::owned(reader.into())?, Opened::owned(writer.into())?);
    polled::join::<R>(reader, writer)
}

#[cfg(unix)]
fn take_stdio<R: Pipes>() -> io::Result<PipeStream<R::Clock>> {
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;
    use std::os::fd::AsFd as _;

    use nix::unistd::{dup2_stdin, dup2_stdout};

    let (stdin, stdout) = (io::stdin(), io::stdout());
    // What was printed before leaves before.
    stdout.lock().flush()?;
    let reader = stdin.as_fd().try_clone_to_owned()?.into();
    let writer = stdout.as_fd().try_clone_to_owned()?.into();
    let stream = polled::join::<R>(
        Opened::shared(reader, OpenOptions::new().read(true))?,
        Opened::shared(writer, OpenOptions::new().write(true))?,
    )?;
    dup2_stdin(File::open("/dev/null")?)?;
    dup2_stdout(io::stderr())?;
    Ok(stream)
}

#[cfg(not(unix))]
fn take_stdio<R: Pipes>() -> io::Result<PipeStream<R::Clock>> {
    Ok(joined::<R>(threaded(io::stdin()), threaded(io::stdout())))
}

fn child_stream<R: Pipes>(child: &mut Child) -> io::Result<PipeStream<R::Clock>> {
    let (Some(stdout), Some(stdin)) = (child.stdout.take(), child.stdin.take()) else {
        unreachable!("both were asked for");
    };
    #[cfg(unix)]
    return from_fds::<R>(stdout.into(), stdin.into());
    #[cfg(not(unix))]
    Ok(joined::<R>(threaded(stdout), threaded(stdin)))
}

/// A stream that a thread reads or writes.
fn threaded<T>(stream: T) -> Box<Unblock<T>> {
    Box::new(Unblock::with_capacity(AHEAD, stream))
}

fn joined<R: Pipes>(
    reader: Box<dyn AsyncRead + Send + Unpin>,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
) -> PipeStream<R::Clock> {
    Duplex::new(reader, writer).with_clock(R::clock())
}
