//! What a user of tokio writes without this library, one function for each way.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use futures_lite::StreamExt as _;
use futures_sink::Sink;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, BufWriter,
    WriteHalf,
};
use tokio::sync::{Mutex, mpsc};
use tokio_util::codec::{Framed, LinesCodec, LinesCodecError};

use super::threads::{OnTokio, Thread as _};
use super::{Mode, Way, unknown};

/// What a handler asks of its stream.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

pub(super) fn serve(listener: std::net::TcpListener, way: Way, mode: Mode) -> io::Result<()> {
    OnTokio::run(async move |thread| {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let room = Room::default();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            handle(stream, way, mode, &room, &thread)?;
        }
    })
}

fn handle<S: Stream>(
    stream: S,
    way: Way,
    mode: Mode,
    room: &Room<S>,
    thread: &OnTokio,
) -> io::Result<()> {
    match (mode, way) {
        (Mode::Count, Way::ReadLine) => thread.spawn(count_read_line(stream)),
        (Mode::Count, Way::ReadUntil) => thread.spawn(count_read_until(stream)),
        (Mode::Count, Way::Lines) => thread.spawn(count_lines(stream)),
        (Mode::Count, Way::Codec) => thread.spawn(count_codec(stream)),
        (Mode::Echo, Way::ReadLine) => thread.spawn(echo_read_line(stream)),
        (Mode::Echo, Way::ReadUntil) => thread.spawn(echo_read_until(stream)),
        (Mode::Echo, Way::Lines) => thread.spawn(echo_lines(stream)),
        (Mode::Echo, Way::Codec) => thread.spawn(echo_codec(stream)),
        (Mode::Echo, Way::Flush) => thread.spawn(echo_buffered(stream, |_| true)),
        (Mode::Echo, Way::Coalesce) => thread.spawn(echo_buffered(stream, <[u8]>::is_empty)),
        (Mode::Chat, Way::Mpsc) => thread.spawn(chat_mpsc(stream, room.clone())),
        (Mode::Chat, Way::Loop) => thread.spawn(chat_loop(stream, room.clone())),
        _ => return Err(unknown(way, mode)),
    }
    Ok(())
}

async fn answer(mut stream: impl Stream, lines: u64) -> io::Result<()> {
    stream.write_all(format!("{lines}\r\n").as_bytes()).await
}

async fn count_read_line(stream: impl Stream) -> io::Result<()> {
    let (mut stream, mut line, mut lines) = (BufReader::new(stream), String::new(), 0);
    while stream.read_line(&mut line).await? > 0 {
        lines += 1;
        line.clear();
    }
    answer(stream, lines).await
}

async fn count_read_until(stream: impl Stream) -> io::Result<()> {
    let (mut stream, mut line, mut lines) = (BufReader::new(stream), Vec::new(), 0);
    while stream.read_until(b'\n', &mut line).await? > 0 {
        lines += 1;
        line.clear();
    }
    answer(stream, lines).await
}

async fn count_lines(stream: impl Stream) -> io::Result<()> {
    let (mut stream, mut lines) = (BufReader::new(stream).lines(), 0);
    while stream.next_line().await?.is_some() {
        lines += 1;
    }
    answer(stream.into_inner(), lines).await
}

async fn count_codec(stream: impl Stream) -> io::Result<()> {
    let (mut stream, mut lines) = (Framed::new(stream, LinesCodec::new()), 0);
    while let Some(line) = stream.next().await {
        line.map_err(io::Error::other)?;
        lines += 1;
    }
    answer(stream.into_inner(), lines).await
}

async fn echo_read_line(stream: impl Stream) -> io::Result<()> {
    let (mut stream, mut line) = (BufReader::new(stream), String::new());
    while stream.read_line(&mut line).await? > 0 {
        stream.write_all(line.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

async fn echo_read_until(stream: impl Stream) -> io::Result<()> {
    let (mut stream, mut line) = (BufReader::new(stream), Vec::new());
    while stream.read_until(b'\n', &mut line).await? > 0 {
        stream.write_all(&line).await?;
        line.clear();
    }
    Ok(())
}

async fn echo_lines(stream: impl Stream) -> io::Result<()> {
    let mut stream = BufReader::new(stream).lines();
    while let Some(mut line) = stream.next_line().await? {
        line.push_str("\r\n");
        stream.get_mut().write_all(line.as_bytes()).await?;
    }
    Ok(())
}

/// The codec ends its lines with LF alone, so the CR is put back by hand.
async fn echo_codec(stream: impl Stream) -> io::Result<()> {
    let mut stream = Framed::new(stream, LinesCodec::new());
    while let Some(line) = stream.next().await {
        let mut line = line.map_err(io::Error::other)?;
        line.push('\r');
        send(&mut stream, line).await?;
    }
    Ok(())
}

/// What `SinkExt::send` does.
async fn send(
    mut sink: impl Sink<String, Error = LinesCodecError> + Unpin,
    line: String,
) -> io::Result<()> {
    let sent = async {
        poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx)).await?;
        Pin::new(&mut sink).start_send(line)?;
        poll_fn(|cx| Pin::new(&mut sink).poll_flush(cx)).await
    };
    sent.await.map_err(io::Error::other)
}

/// Buffers what it writes; `due` gets what is left to read and says whether to flush.
pub(super) async fn echo_buffered(
    stream: impl Stream,
    due: impl Fn(&[u8]) -> bool + Send,
) -> io::Result<()> {
    let mut stream = BufReader::new(BufWriter::with_capacity(64 << 10, stream));
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).await? > 0 {
        stream.write_all(&line).await?;
        line.clear();
        if due(stream.buffer()) {
            stream.flush().await?;
        }
    }
    Ok(())
}

/// Who is in the room: a channel for each, or the writing half of each.
struct Room<S> {
    channels: Arc<std::sync::Mutex<Vec<mpsc::UnboundedSender<Bytes>>>>,
    writers: Arc<Mutex<Vec<WriteHalf<S>>>>,
}

impl<S> Default for Room<S> {
    fn default() -> Self {
        Self { channels: Arc::default(), writers: Arc::default() }
    }
}

impl<S> Clone for Room<S> {
    fn clone(&self) -> Self {
        Self { channels: Arc::clone(&self.channels), writers: Arc::clone(&self.writers) }
    }
}

/// A channel for each client, and a task that writes what comes out of it.
async fn chat_mpsc<S: Stream>(stream: S, room: Room<S>) -> io::Result<()> {
    let (read, mut write) = tokio::io::split(stream);
    let (sender, mut lines) = mpsc::unbounded_channel::<Bytes>();
    room.channels.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
    drop(tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            if write.write_all(&line).await.is_err() {
                return;
            }
        }
    }));
    let (mut read, mut line) = (BufReader::new(read), Vec::new());
    while read.read_until(b'\n', &mut line).await? > 0 {
        let text = Bytes::copy_from_slice(&line);
        let mut channels = room.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.retain(|channel| channel.send(text.clone()).is_ok());
        drop(channels);
        line.clear();
    }
    Ok(())
}

/// The loop of every first chat server: it waits for each client in turn.
async fn chat_loop<S: Stream>(stream: S, room: Room<S>) -> io::Result<()> {
    let (read, write) = tokio::io::split(stream);
    room.writers.lock().await.push(write);
    let (mut read, mut line) = (BufReader::new(read), Vec::new());
    while read.read_until(b'\n', &mut line).await? > 0 {
        for writer in room.writers.lock().await.iter_mut() {
            // Somebody who is gone; nobody cleans up in this one.
            let _ = writer.write_all(&line).await;
        }
        line.clear();
    }
    Ok(())
}
