//! What a user of tokio-rustls writes.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::block;
use crate::model::{BANNER, BLOCK, Task};
use crate::servers::threads::{OnTokio, Thread as _};
use crate::servers::tokio_ways::{Stream, echo_buffered};

pub(super) fn serve(
    listener: std::net::TcpListener,
    task: Task,
    config: Arc<ServerConfig>,
) -> io::Result<()> {
    OnTokio::run(async move |thread| {
        if task == Task::Idle {
            let plain = crate::servers::listen(0)?;
            thread.spawn(plain_too(TcpListener::from_std(plain)?));
        }
        let (listener, acceptor) = (TcpListener::from_std(listener)?, TlsAcceptor::from(config));
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(task != Task::Banner)?;
            let accepting = acceptor.accept(stream);
            // The handler is a task of its own: what the handshake took is not kept.
            thread.spawn(async move {
                handle(accepting.await?, task);
                io::Result::Ok(())
            });
        }
    })
}

async fn plain_too(listener: TcpListener) -> io::Result<()> {
    loop {
        handle(listener.accept().await?.0, Task::Idle);
    }
}

fn handle(stream: impl Stream, task: Task) {
    match task {
        Task::Receive => OnTokio.spawn(receive(stream)),
        Task::Send => OnTokio.spawn(send(stream)),
        Task::Echo | Task::Idle => OnTokio.spawn(echo(stream)),
        Task::EchoByHand => OnTokio.spawn(echo_buffered(stream, <[u8]>::is_empty)),
        Task::Banner => OnTokio.spawn(banner(stream)),
    }
}

async fn receive(mut stream: impl Stream) -> io::Result<()> {
    let expected = stream.read_u64().await? * BLOCK as u64;
    let (mut buffer, mut bytes) = (vec![0; 64 << 10], 0);
    while bytes < expected {
        match stream.read(&mut buffer).await? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => bytes += n as u64,
        }
    }
    stream.write_all(&bytes.to_be_bytes()).await?;
    stream.shutdown().await
}

async fn send(mut stream: impl Stream) -> io::Result<()> {
    let block = block();
    for _ in 0..stream.read_u64().await? {
        stream.write_all(&block).await?;
    }
    stream.shutdown().await
}

pub(super) async fn echo(stream: impl Stream) -> io::Result<()> {
    let (mut stream, mut line) = (BufReader::new(stream), Vec::new());
    while stream.read_until(b'\n', &mut line).await? > 0 {
        stream.write_all(&line).await?;
        stream.flush().await?;
        line.clear();
    }
    stream.shutdown().await
}

async fn banner(mut stream: impl Stream) -> io::Result<()> {
    stream.write_all(BANNER).await?;
    stream.flush().await?;
    while stream.read(&mut [0; 64]).await? > 0 {}
    stream.shutdown().await
}
