//! What a user of async-std or smol writes without this library. The same text for both, with the traits
//! of each: they share `futures-io` and little else.

/// Expands to the ways of one runtime: its thread, its listener, its `BufReader` and its traits.
macro_rules! ways {
    ($Thread:ident, $TcpListener:ty, $BufReader:path, $($traits:path),+) => {
        use std::io;
        use std::sync::Arc;

        use futures_lite::io::{ReadHalf, WriteHalf};
        use futures_lite::{AsyncRead, AsyncWrite};
        use smol::lock::Mutex;
        use $BufReader as BufReader;
        $(use $traits as _;)+

        use crate::servers::threads::{$Thread, Thread as _};
        use crate::servers::{Mode, Way, unknown};

        /// What a handler asks of its stream.
        trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
        impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

        /// Who is in the room.
        type Room<S> = Arc<Mutex<Vec<WriteHalf<S>>>>;

        pub(in crate::servers) fn serve(
            listener: std::net::TcpListener,
            way: Way,
            mode: Mode,
        ) -> io::Result<()> {
            $Thread::run(async move |thread| {
                let listener = <$TcpListener>::try_from(listener).map_err(io::Error::other)?;
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
            thread: &$Thread,
        ) -> io::Result<()> {
            match (mode, way) {
                (Mode::Count, Way::ReadUntil) => thread.spawn(count_read_until(stream)),
                (Mode::Count, Way::Lines) => thread.spawn(count_lines(stream)),
                (Mode::Echo, Way::ReadUntil) => thread.spawn(echo_read_until(stream)),
                (Mode::Echo, Way::Lines) => thread.spawn(echo_lines(stream)),
                (Mode::Chat, Way::Loop) => thread.spawn(chat_loop(stream, Arc::clone(room))),
                _ => return Err(unknown(way, mode)),
            }
            Ok(())
        }

        async fn count_read_until(stream: impl Stream) -> io::Result<()> {
            let (mut stream, mut line, mut lines) = (BufReader::new(stream), Vec::new(), 0_u64);
            while stream.read_until(b'\n', &mut line).await? > 0 {
                lines += 1;
                line.clear();
            }
            stream.get_mut().write_all(format!("{lines}\r\n").as_bytes()).await
        }

        async fn count_lines(stream: impl Stream) -> io::Result<()> {
            let (read, mut write) = futures_lite::io::split(stream);
            let (mut stream, mut lines) = (BufReader::new(read).lines(), 0_u64);
            while let Some(line) = stream.next().await {
                line?;
                lines += 1;
            }
            write.write_all(format!("{lines}\r\n").as_bytes()).await
        }

        async fn echo_read_until(stream: impl Stream) -> io::Result<()> {
            let (mut stream, mut line) = (BufReader::new(stream), Vec::new());
            while stream.read_until(b'\n', &mut line).await? > 0 {
                stream.get_mut().write_all(&line).await?;
                line.clear();
            }
            Ok(())
        }

        async fn echo_lines(stream: impl Stream) -> io::Result<()> {
            let (read, mut write) = futures_lite::io::split(stream);
            let mut stream = BufReader::new(read).lines();
            while let Some(line) = stream.next().await {
                let mut line = line?;
                line.push_str("\r\n");
                write.write_all(line.as_bytes()).await?;
            }
            Ok(())
        }

        /// The loop of every first chat server: it waits for each client in turn.
        async fn chat_loop<S: Stream>(stream: S, room: Room<S>) -> io::Result<()> {
            let (read, write): (ReadHalf<S>, _) = futures_lite::io::split(stream);
            room.lock().await.push(write);
            let (mut read, mut line) = (BufReader::new(read), Vec::new());
            while read.read_until(b'\n', &mut line).await? > 0 {
                for writer in room.lock().await.iter_mut() {
                    // Somebody who is gone; nobody cleans up in this one.
                    let _ = writer.write_all(&line).await;
                }
                line.clear();
            }
            Ok(())
        }
    };
}

pub(super) mod async_std {
    ways!(
        OnAsyncStd,
        async_std::net::TcpListener,
        async_std::io::BufReader,
        async_std::io::prelude::BufReadExt,
        async_std::io::WriteExt,
        async_std::stream::StreamExt
    );
}

pub(super) mod smol {
    ways!(
        OnSmol,
        smol::net::TcpListener,
        smol::io::BufReader,
        smol::io::AsyncBufReadExt,
        smol::io::AsyncWriteExt,
        smol::stream::StreamExt
    );
}
