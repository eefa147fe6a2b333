//! What a user of futures-rustls on smol writes.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use futures_lite::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
};
use futures_rustls::TlsAcceptor;
use rustls::ServerConfig;
use smol::io::BufReader;
use smol::net::TcpListener;

use super::{block, unknown};
use crate::model::{BANNER, BLOCK, Kind, Task};
use crate::servers::threads::{OnSmol, Thread as _};

/// What a handler asks of its stream.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

pub(super) fn serve(
    listener: std::net::TcpListener,
    task: Task,
    config: Arc<ServerConfig>,
) -> io::Result<()> {
    OnSmol::run(async move |thread| {
        let (listener, acceptor) = (TcpListener::try_from(listener)?, TlsAcceptor::from(config));
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(task != Task::Banner)?;
            let accepting = acceptor.accept(stream);
            thread.spawn(async move { handle(accepting.await?, task).await });
        }
    })
}

async fn handle(stream: impl Stream, task: Task) -> io::Result<()> {
    match task {
        Task::Receive => receive(stream).await,
        Task::Send => send(stream).await,
        Task::Echo => echo(stream).await,
        Task::Banner => banner(stream).await,
        Task::EchoByHand | Task::Idle => Err(unknown(Kind::FuturesRustls, task)),
    }
}

async fn number(stream: &mut impl Stream) -> io::Result<u64> {
    let mut number = [0; 8];
    stream.read_exact(&mut number).await?;
    Ok(u64::from_be_bytes(number))
}

async fn receive(mut stream: impl Stream) -> io::Result<()> {
    let expected = number(&mut stream).await? * BLOCK as u64;
    let (mut buffer, mut bytes) = (vec![0; 64 << 10], 0);
    while bytes < expected {
        match stream.read(&mut buffer).await? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => bytes += n as u64,
        }
    }
    stream.write_all(&u64::to_be_bytes(bytes)).await?;
    stream.close().await
}

async fn send(mut stream: impl Stream) -> io::Result<()> {
    let block = block();
    for _ in 0..number(&mut stream).await? {
        stream.write_all(&block).await?;
    }
    stream.close().await
}

async fn echo(stream: impl Stream) -> io::Result<()> {
    let (mut stream, mut line) = (BufReader::new(stream), Vec::new());
    while stream.read_until(b'\n', &mut line).await? > 0 {
        stream.get_mut().write_all(&line).await?;
        stream.get_mut().flush().await?;
        line.clear();
    }
    stream.get_mut().close().await
}

async fn banner(mut stream: impl Stream) -> io::Result<()> {
    stream.write_all(BANNER).await?;
    stream.flush().await?;
    while stream.read(&mut [0; 64]).await? > 0 {}
    stream.close().await
}
