//! Our servers: one program for each mode, generic over the runtime, on one thread.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;

use asyncnet::{
    AsyncSocket, Connection, Listener, Room, RoomLimits, SendRuntime, SockOpt, Transport,
};
use asyncnet_async_std::AsyncStd;
use asyncnet_smol::Smol;
use asyncnet_tokio::Tokio;
use clap::ValueEnum;

use crate::Runtime;

/// What a server does with a line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Mode {
    /// Counts it, one `next_line().await` for each, and answers the count at the end
    Count,
    /// Counts it, every line that has arrived in one batch
    Drain,
    /// Sends it back
    Echo,
    /// Sends it to every client
    Chat,
}

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves on one thread of `runtime`. async-std has no such thing to ask for: whoever starts this process
/// sets `ASYNC_STD_THREAD_COUNT=1`.
pub(crate) fn serve(runtime: Runtime, mode: Mode, port: u16) -> io::Result<()> {
    match runtime {
        Runtime::Tokio => {
            let tasks = tokio::task::LocalSet::new();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let spawn = |job: Job| drop(tokio::task::spawn_local(job));
            runtime.block_on(tasks.run_until(accept::<Tokio>(mode, port, spawn)))
        }
        Runtime::AsyncStd => {
            let spawn = |job: Job| drop(async_std::task::spawn(job));
            async_std::task::block_on(accept::<AsyncStd>(mode, port, spawn))
        }
        Runtime::Smol => {
            let executor = Rc::new(smol::LocalExecutor::new());
            let tasks = Rc::clone(&executor);
            let spawn = move |job: Job| tasks.spawn(job).detach();
            smol::block_on(executor.run(accept::<Smol>(mode, port, spawn)))
        }
    }
}

async fn accept<R: SendRuntime>(mode: Mode, port: u16, spawn: impl Fn(Job)) -> io::Result<()> {
    let listener = listen::<R>(port).await?;
    println!("listening on {}", listener.local_addr()?);
    let room = Room::new(RoomLimits::default(), R::timer());
    spawn(Box::pin(room.clone().run()));
    loop {
        let conn = listener.accept().await?;
        let room = room.clone();
        spawn(Box::pin(async move {
            // A client that breaks off is the load generator's business.
            let _ = match mode {
                Mode::Count => count(conn).await,
                Mode::Drain => drain(conn).await,
                Mode::Echo => echo(conn).await,
                Mode::Chat => chat(conn, room).await,
            };
        }));
    }
}

async fn listen<R: SendRuntime>(port: u16) -> io::Result<Listener<R>> {
    let mut socket = AsyncSocket::<R>::default();
    socket.set_sock_opt(SockOpt::ReuseAddr, true)?;
    socket.bind_addr("127.0.0.1", port).await?;
    socket.listen(4096)
}

async fn count<S: Transport>(mut conn: Connection<S>) -> io::Result<()> {
    let mut lines = 0_u64;
    while conn.next_line().await?.is_some() {
        lines += 1;
    }
    conn.send_line(lines.to_string().as_bytes()).await?;
    Ok(conn.close().await?)
}

async fn drain<S: Transport>(mut conn: Connection<S>) -> io::Result<()> {
    let mut lines = 0;
    while let Some(batch) = conn.next_lines().await? {
        lines += batch.lines.count();
    }
    conn.send_line(lines.to_string().as_bytes()).await?;
    Ok(conn.close().await?)
}

async fn echo<S: Transport>(mut conn: Connection<S>) -> io::Result<()> {
    while let Some(mut batch) = conn.next_lines().await? {
        while let Some(line) = batch.next_line() {
            batch.outbox.feed_line(line)?;
        }
    }
    Ok(conn.close().await?)
}

async fn chat<S: Transport>(conn: Connection<S>, room: Room<S>) -> io::Result<()> {
    let (mut lines, sender) = conn.split();
    let _member = room.join(sender);
    while let Some(batch) = lines.next_lines().await? {
        for line in batch {
            room.send_line(line).await?;
        }
    }
    Ok(())
}
