//! Our servers: one program for each mode, generic over the runtime, on one thread.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use asyncnet::{
    AsyncSocket, Connection, Listener, Room, RoomLimits, SendHalf, SendRuntime, Setting, SockOpt,
    Transport,
};
use asyncnet_async_std::AsyncStd;
use asyncnet_smol::Smol;
use asyncnet_tokio::Tokio;

use super::Mode;
use super::threads::{OnAsyncStd, OnSmol, OnTokio, Thread};
use crate::Runtime;

/// Serves on one thread of `runtime`.
pub(crate) fn serve(runtime: Runtime, mode: Mode, port: u16) -> io::Result<()> {
    match runtime {
        Runtime::Tokio => OnTokio::run(|thread| plain::<Tokio>(mode, port, thread)),
        Runtime::AsyncStd => OnAsyncStd::run(|thread| plain::<AsyncStd>(mode, port, thread)),
        Runtime::Smol => OnSmol::run(|thread| plain::<Smol>(mode, port, thread)),
    }
}

/// Serves plain TCP.
async fn plain<R: SendRuntime>(mode: Mode, port: u16, thread: impl Thread) -> io::Result<()> {
    let listener = listen::<R>(port).await?;
    println!("listening on {}", listener.local_addr()?);
    let room = Room::new(RoomLimits::default(), R::timer());
    serve_all(mode, room, thread, async || listener.accept().await).await
}

/// Serves whatever `accept` hands out.
async fn serve_all<S: Transport + Send + Sync + 'static>(
    mode: Mode,
    room: Room<S>,
    thread: impl Thread,
    accept: impl AsyncFn() -> io::Result<Connection<S>>,
) -> io::Result<()> {
    let running = room.clone().run();
    thread.spawn(async {
        running.await;
        Ok(())
    });
    let members = Members::default();
    if mode == Mode::Stall {
        members.tell_queued();
    }
    loop {
        let conn = accept().await?;
        match mode {
            Mode::Count => thread.spawn(count(conn)),
            Mode::Drain => thread.spawn(drain(conn)),
            Mode::Echo => thread.spawn(echo(conn)),
            Mode::Chat => thread.spawn(chat(conn, room.clone(), |_| {})),
            Mode::Stall => {
                let members = members.clone();
                thread.spawn(chat(conn, room.clone(), move |sender| members.add(sender)));
            }
        }
    }
}

async fn listen<R: SendRuntime>(port: u16) -> io::Result<Listener<R>> {
    let mut socket = AsyncSocket::<R>::default();
    socket.set(Setting::Flag(SockOpt::ReuseAddr, true))?;
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

pub(super) async fn echo<S: Transport>(mut conn: Connection<S>) -> io::Result<()> {
    while let Some(mut batch) = conn.next_lines().await? {
        while let Some(line) = batch.next_line() {
            batch.outbox.feed_line(line)?;
        }
    }
    Ok(conn.close().await?)
}

async fn chat<S: Transport>(
    conn: Connection<S>,
    room: Room<S>,
    joined: impl FnOnce(SendHalf<S>),
) -> io::Result<()> {
    let (mut lines, sender) = conn.split();
    joined(sender.clone());
    let _member = room.join(sender);
    while let Some(batch) = lines.next_lines().await? {
        for line in batch {
            room.send_line(line).await?;
        }
    }
    Ok(())
}

/// Everybody who ever joined, to look at their queues from outside of the runtime.
struct Members<S: Transport>(Arc<Mutex<Vec<SendHalf<S>>>>);

impl<S: Transport> Default for Members<S> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<S: Transport> Clone for Members<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Transport + Send + 'static> Members<S> {
    fn add(&self, sender: SendHalf<S>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
    }

    fn longest_queue(&self) -> usize {
        let members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        members.iter().map(SendHalf::queued).max().unwrap_or(0)
    }

    /// Prints the longest queue for each line of the standard input.
    fn tell_queued(&self) {
        let members = self.clone();
        std::thread::spawn(move || {
            for _ in io::stdin().lines() {
                println!("{}", members.longest_queue());
            }
        });
    }
}
