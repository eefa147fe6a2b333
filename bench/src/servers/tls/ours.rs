//! Ours over TLS: the listener hands out connections whose handshake is over.

use std::io;

use asyncnet::{
    AsyncSocket, Connection, Listener, SendRuntime, Setting, SockOpt, TlsContext, Transport,
};
use asyncnet_async_std::AsyncStd;
use asyncnet_smol::Smol;
use asyncnet_tokio::Tokio;
use futures_lite::future::try_zip;

use super::block;
use crate::Runtime;
use crate::servers::ours::echo;
use crate::servers::threads::{OnAsyncStd, OnSmol, OnTokio, Thread};
use crate::tls::{BANNER, BLOCK, Identity, Task};

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
    let mut socket = AsyncSocket::<R>::default();
    if let Some(tls) = tls {
        socket.wrap_tls(tls);
    }
    socket.set(Setting::Flag(SockOpt::ReuseAddr, true))?;
    socket.set(Setting::Flag(SockOpt::NoDelay, task != Task::Banner))?;
    socket.bind_addr("127.0.0.1", port).await?;
    let listener = socket.listen(4096)?;
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

async fn number<S: Transport>(conn: &mut Connection<S>) -> io::Result<u64> {
    let mut number = [0; 8];
    number.copy_from_slice(conn.next_block(8).await?);
    Ok(u64::from_be_bytes(number))
}

async fn receive<S: Transport>(mut conn: Connection<S>) -> io::Result<()> {
    let mut bytes = 0_u64;
    for _ in 0..number(&mut conn).await? {
        bytes += conn.next_block(BLOCK).await?.len() as u64;
    }
    conn.send(&bytes.to_be_bytes()).await?;
    Ok(conn.close().await?)
}

async fn send<S: Transport>(mut conn: Connection<S>) -> io::Result<()> {
    let block = block();
    for _ in 0..number(&mut conn).await? {
        conn.send(&block).await?;
    }
    Ok(conn.close().await?)
}

async fn banner<S: Transport>(mut conn: Connection<S>) -> io::Result<()> {
    if conn.sock_opt(SockOpt::NoDelay)? {
        return Err(io::Error::other("NoDelay is on"));
    }
    conn.send(BANNER).await?;
    while conn.next_line().await?.is_some() {}
    Ok(conn.close().await?)
}
