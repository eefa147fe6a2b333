//! What a user would write without this library, one function for each way.

use std::io;

use clap::ValueEnum;
use futures_lite::AsyncBufReadExt as _;
use futures_lite::AsyncWriteExt as _;
use futures_lite::StreamExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, BufWriter};
use tokio::net::TcpStream;
use tokio_util::codec::{FramedRead, LinesCodec};

/// A server of another kind.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Peer {
    TokioUntil,
    TokioLines,
    TokioCodec,
    TokioEcho,
    TokioEchoCoalesced,
    SmolUntil,
    AsyncStdUntil,
}

/// Serves on one thread.
pub(crate) fn serve(peer: Peer, port: u16) -> io::Result<()> {
    match peer {
        Peer::SmolUntil => smol::block_on(smol_until(port)),
        Peer::AsyncStdUntil => async_std::task::block_on(async_std_until(port)),
        _ => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(tokio_peer(peer, port)),
    }
}

async fn tokio_peer(peer: Peer, port: u16) -> io::Result<()> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        match peer {
            Peer::TokioUntil => tokio_until(stream).await?,
            Peer::TokioLines => tokio_lines(stream).await?,
            Peer::TokioCodec => tokio_codec(stream).await?,
            Peer::TokioEcho => tokio_echo(stream).await?,
            _ => tokio_echo_coalesced(stream).await?,
        }
    }
}

async fn tokio_until(stream: TcpStream) -> io::Result<()> {
    let (mut stream, mut line, mut lines) = (BufReader::new(stream), Vec::new(), 0_u64);
    while stream.read_until(b'\n', &mut line).await? > 0 {
        lines += 1;
        line.clear();
    }
    stream.write_all(format!("{lines}\r\n").as_bytes()).await
}

async fn tokio_lines(stream: TcpStream) -> io::Result<()> {
    let (mut stream, mut lines) = (BufReader::new(stream).lines(), 0_u64);
    while stream.next_line().await?.is_some() {
        lines += 1;
    }
    stream.get_mut().write_all(format!("{lines}\r\n").as_bytes()).await
}

async fn tokio_codec(stream: TcpStream) -> io::Result<()> {
    let (mut stream, mut lines) = (FramedRead::new(stream, LinesCodec::new()), 0_u64);
    while let Some(line) = stream.next().await {
        line.map_err(io::Error::other)?;
        lines += 1;
    }
    stream.get_mut().write_all(format!("{lines}\r\n").as_bytes()).await
}

/// One write for each line.
async fn tokio_echo(stream: TcpStream) -> io::Result<()> {
    let (mut stream, mut line) = (BufReader::new(stream), Vec::new());
    while stream.read_until(b'\n', &mut line).await? > 0 {
        stream.write_all(&line).await?;
        line.clear();
    }
    Ok(())
}

/// A flush, by hand, whenever the reader has nothing left.
async fn tokio_echo_coalesced(stream: TcpStream) -> io::Result<()> {
    let (read, write) = stream.into_split();
    let (mut read, mut write) = (BufReader::new(read), BufWriter::with_capacity(64 << 10, write));
    let mut line = Vec::new();
    while read.read_until(b'\n', &mut line).await? > 0 {
        write.write_all(&line).await?;
        line.clear();
        if read.buffer().is_empty() {
            write.flush().await?;
        }
    }
    Ok(())
}

async fn smol_until(port: u16) -> io::Result<()> {
    let listener = smol::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        count_until(futures_lite::io::BufReader::new(stream)).await?;
    }
}

async fn async_std_until(port: u16) -> io::Result<()> {
    let listener = async_std::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        count_until(futures_lite::io::BufReader::new(stream)).await?;
    }
}

async fn count_until<S>(mut stream: futures_lite::io::BufReader<S>) -> io::Result<()>
where
    S: futures_lite::AsyncRead + futures_lite::AsyncWrite + Unpin,
{
    let (mut line, mut lines) = (Vec::new(), 0_u64);
    while stream.read_until(b'\n', &mut line).await? > 0 {
        lines += 1;
        line.clear();
    }
    stream.get_mut().write_all(format!("{lines}\r\n").as_bytes()).await
}
