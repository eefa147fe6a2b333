//! Ours over TLS. Each handshake runs in the task of its connection.

use std::io;

use asyncnet::net::{ListenOptions, Setting, SockOpt};
use asyncnet::{Connection, Error, Listener, SendRuntime, TlsContext, Transport};
use asyncnet_async_std::AsyncStd;
use asyncnet_smol::Smol;
use asyncnet_tokio::Tokio;
use futures_lite::future::try_zip;

use super::block;
use crate::model::{BANNER, BLOCK, Runtime, Task};
use crate::secure::Identity;
use crate::servers::ours::{BACKLOG, echo};
use crate::servers::threads::{OnAsyncStd, OnSmol, OnTokio, Thread};

pub(super) fn serve(
    runtime: Runtime,
    task: Task,
    identity: &Identity,
    port: u16,
) -> io::Result<()> {
    let tls = TlsContext::server().identity_files(&identity.cert, &identity.key)?.build()?;
    match runtime {
        Runtime::Tokio => OnTokio::run(|thread| secure::<Tokio>(task, tls, port, thread)),
        Runtime::AsyncStd => OnAsyncStd::run(|thread| secure::<AsyncStd>(task, tls, port, thread)),
        Runtime::Smol => OnSmol::run(|thread| secure::<Smol>(task, tls, port, thread)),
    }
}

async fn secure<R: SendRuntime>(
    task: Task,
    tls: TlsContext,
    port: u16,
    thread: impl Thread,
) -> io::Result<()> {
    let secure = listen::<R>(port, task, Some(&tls)).await?;
    if task != Task::Idle {
        return serve_all(&secure, task, &thread).await;
    }
    let plain = listen::<R>(0, task, None).await?;
    let both = try_zip(serve_all(&secure, task, &thread), serve_all(&plain, task, &thread));
    both.await.map(drop)
}

async fn listen<R: SendRuntime>(
    port: u16,
    task: Task,
    tls: Option<&TlsContext>,
) -> io::Result<Listener<R>> {
    let no_delay = Setting::Flag(SockOpt::NoDelay, task != Task::Banner);
    let mut options = ListenOptions::new().backlog(BACKLOG).set(no_delay);
    if let Some(tls) = tls {
        options = options.tls(tls);
    }
    let listener = Listener::bind_with(&format!("127.0.0.1:{port}"), options).await?;
    println!("listening on {}", listener.local_addr()?);
    Ok(listener)
}

async fn serve_all<R: SendRuntime>(
    listener: &Listener<R>,
    task: Task,
    thread: &impl Thread,
) -> io::Result<()> {
    loop {
        let conn = listener.accept().await?;
        match task {
            Task::Receive => thread.spawn(receive(conn)),
            Task::Send => thread.spawn(send(conn)),
            Task::Echo | Task::EchoByHand | Task::Idle => thread.spawn(echo(conn)),
            Task::Banner => thread.spawn(banner(conn)),
        }
    }
}

async fn number<S: Transport>(conn: &mut Connection<S>) -> Result<u64, Error> {
    let mut number = [0; 8];
    number.copy_from_slice(conn.next_block(8).await?);
    Ok(u64::from_be_bytes(number))
}

async fn receive<S: Transport>(mut conn: Connection<S>) -> Result<(), Error> {
    let mut bytes = 0_u64;
    for _ in 0..number(&mut conn).await? {
        bytes += conn.next_block(BLOCK).await?.len() as u64;
    }
    conn.send_all(bytes.to_be_bytes()).await?;
    conn.close().await
}

async fn send<S: Transport>(mut conn: Connection<S>) -> Result<(), Error> {
    let block = block();
    for _ in 0..number(&mut conn).await? {
        conn.send_all(&block).await?;
    }
    conn.close().await
}

async fn banner<S: Transport>(mut conn: Connection<S>) -> Result<(), Error> {
    if conn.socket().get(SockOpt::NoDelay)? {
        return Err(Error::protocol("NoDelay is on"));
    }
    conn.send_all(BANNER).await?;
    while conn.next_line().await?.is_some() {}
    conn.close().await
}
