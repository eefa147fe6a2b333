//! Our servers: one program for each mode, generic over the runtime, on one thread.

use std::io;
use std::time::Duration;

use asyncnet::net::ListenOptions;
use asyncnet::room::Limits;
use asyncnet::{Config, Connection, Error, Listener, Room, SendRuntime, Transport};
use asyncnet_async_std::AsyncStd;
use asyncnet_smol::Smol;
use asyncnet_tokio::Tokio;

use super::Mode;
use super::threads::{OnAsyncStd, OnSmol, OnTokio, Thread};
use crate::model::Runtime;

/// As long as that of the peers.
pub(super) const BACKLOG: u32 = 4096;

/// Serves on one thread of `runtime`.
pub(crate) fn serve(runtime: Runtime, mode: Mode, port: u16, timeouts: bool) -> io::Result<()> {
    let minute = timeouts.then_some(Duration::from_secs(60));
    let config =
        Config::default().receive_timeout(minute).idle_timeout(minute).send_timeout(minute);
    match runtime {
        Runtime::Tokio => OnTokio::run(|thread| plain::<Tokio>(mode, port, config, thread)),
        Runtime::AsyncStd => {
            OnAsyncStd::run(|thread| plain::<AsyncStd>(mode, port, config, thread))
        }
        Runtime::Smol => OnSmol::run(|thread| plain::<Smol>(mode, port, config, thread)),
    }
}

/// Serves plain TCP.
async fn plain<R: SendRuntime>(
    mode: Mode,
    port: u16,
    config: Config,
    thread: impl Thread,
) -> io::Result<()> {
    let options = ListenOptions::new().backlog(BACKLOG).config(config);
    let listener = Listener::<R>::bind_with(&format!("127.0.0.1:{port}"), options).await?;
    println!("listening on {}", listener.local_addr()?);
    let (room, task) = Room::new(Limits::default());
    thread.spawn(task);
    loop {
        let conn = listener.accept().await?;
        match mode {
            Mode::Count => thread.spawn(count(conn)),
            Mode::Drain => thread.spawn(drain(conn)),
            Mode::Echo => thread.spawn(echo(conn)),
            Mode::Chat => thread.spawn(chat(conn, room.clone())),
        }
    }
}

async fn count<S: Transport>(mut conn: Connection<S>) -> Result<(), Error> {
    let mut lines = 0_u64;
    while conn.next_line().await?.is_some() {
        lines += 1;
    }
    conn.send_line(lines.to_string()).await?;
    conn.close().await
}

async fn drain<S: Transport>(mut conn: Connection<S>) -> Result<(), Error> {
    let mut lines = 0_u64;
    while let Some(mut batch) = conn.next_batch().await? {
        while batch.next_line()?.is_some() {
            lines += 1;
        }
    }
    conn.send_line(lines.to_string()).await?;
    conn.close().await
}

pub(super) async fn echo<S: Transport>(mut conn: Connection<S>) -> Result<(), Error> {
    while let Some(mut batch) = conn.next_batch().await? {
        while let Some(line) = batch.next_line()? {
            batch.reply_line(line)?;
        }
    }
    conn.close().await
}

async fn chat<S: Transport>(mut conn: Connection<S>, room: Room<S>) -> Result<(), Error> {
    let _member = room.join(conn.writer())?;
    while let Some(mut batch) = conn.next_batch().await? {
        while let Some(line) = batch.next_line()? {
            room.send_line(line).await?;
        }
    }
    Ok(())
}
