//! [S5], [S6] and [S9]: much in both directions, and tasks that only send.
//!
//! [S5]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s5
//! [S6]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s6
//! [S9]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s9

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};

use asyncnet::{AsyncSocket, Config, Connection, Error, Framing, Io, Transport};
use blocking::unblock;
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::future::{yield_now, zip};
use futures_lite::io::split;
use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};
use socket2::SockRef;

use crate::bed::{Bed, Peer, Platform, System};
use crate::raw::{Raw, plain, secure};
use crate::tls::{NAME, Role, context};
use crate::tools::assert_err;

/// What the system is asked to buffer: little, so that both directions are soon full.
const BUFFER: usize = 64 << 10;
const CHUNK: usize = 8 << 10;

fn narrow<S: Transport>(conn: &Connection<S>, theirs: &TcpStream) {
    let ours = conn.get_ref().and_then(Transport::os_socket).expect("a socket");
    for socket in [SockRef::from(&ours), SockRef::from(theirs)] {
        socket.set_send_buffer_size(BUFFER).expect("an option");
        socket.set_recv_buffer_size(BUFFER).expect("an option");
    }
}

/// Sends `chunks` numbered chunks with one half of `conn`, and asserts that the other receives `expected`.
async fn send_and_receive<P: Platform, S>(conn: S, chunks: usize)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut reader, mut writer) = split(conn);
    let sending = P::spawn(async move {
        for i in 0..chunks {
            writer.write_all(&[i as u8; CHUNK]).await.expect("the peer is there");
        }
        writer.close().await.expect("the peer is there");
    });
    let receiving = P::spawn(async move {
        let mut chunk = [0; CHUNK];
        for i in 0..chunks {
            reader.read_exact(&mut chunk).await.expect("the peer is there");
            assert!(chunk.iter().all(|byte| *byte == i as u8), "in chunk {i}");
        }
        assert_eq!(reader.read(&mut chunk).await.expect("a good end"), 0);
    });
    zip(sending, receiving).await;
}

/// An honest echo server: it reads when it has written.
fn echo(mut socket: TcpStream) {
    let mut buf = [0; CHUNK];
    loop {
        match socket.read(&mut buf).expect("our side is there") {
            0 => break,
            n => socket.write_all(&buf[..n]).expect("our side is there"),
        }
    }
    let _ = socket.shutdown(Shutdown::Write);
}

/// One task sends, one receives, over the two halves of a connection that the traits of `futures` see.
pub async fn s5_a_split_connection_gets_along_with_an_echo<P: Platform>() {
    let (conn, theirs) = plain::<P::Runtime>(Config::default());
    narrow(&conn, &theirs);
    let echo = unblock(move || echo(theirs));
    send_and_receive::<P, _>(conn, 1024).await;
    echo.await;
}

/// The same over TLS.
pub async fn s5_a_split_secure_connection_gets_along_with_an_echo<P: Platform>() {
    let (conn, mut peer) = secure::<P::Runtime>(Role::Server, Config::default()).await;
    narrow(&conn, &peer.socket);
    let echo = unblock(move || {
        let mut buf = [0; CHUNK];
        while let n @ 1.. = peer.read(&mut buf).expect("our side is there") {
            peer.write_all(&buf[..n]).expect("our side is there");
        }
        peer.close();
        drop::<Raw>(peer);
    });
    send_and_receive::<P, _>(conn, 256).await;
    echo.await;
}

/// Two connections of ours, each other's peer, in plain.
fn ends<R: System>() -> (Connection<R::Stream>, Connection<R::Stream>) {
    let (ours, theirs) = plain::<R>(Config::default());
    narrow(&ours, &theirs);
    let theirs = AsyncSocket::<R>::adopt(theirs).expect("a socket");
    (ours, theirs.into_connection().expect("a connection"))
}

/// Each of two ends of ours sends and receives at once.
pub async fn s5_two_split_connections_send_to_each_other<P: Platform>() {
    let (ours, theirs) = ends::<P::Runtime>();
    zip(send_and_receive::<P, _>(ours, 2048), send_and_receive::<P, _>(theirs, 2048)).await;
}

/// The same over TLS.
pub async fn s5_two_split_secure_connections_send_to_each_other<P: Platform>() {
    let (mut ours, mut theirs) = ends::<P::Runtime>();
    let client = Role::Client { server_name: NAME };
    let shaken =
        zip(ours.upgrade_tls(Role::Server.of(context())), theirs.upgrade_tls(client.of(context())));
    let (one, other) = shaken.await;
    one.and(other).expect("the handshake succeeds");
    zip(send_and_receive::<P, _>(ours, 2048), send_and_receive::<P, _>(theirs, 2048)).await;
}

/// A stream that always takes what is written, and whose peer says nothing.
struct Greedy;

impl AsyncRead for Greedy {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

impl AsyncWrite for Greedy {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len().min(4 << 10)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Counts its turns in a task of its own until it is dropped.
struct Ticker {
    turns: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
}

impl Ticker {
    async fn start<P: Platform>() -> Self {
        let this = Self { turns: Arc::default(), over: Arc::default() };
        let (turns, over) = (Arc::clone(&this.turns), Arc::clone(&this.over));
        // The task runs though its handle is dropped, on the executors that detach it, and otherwise with it.
        let task = P::spawn(async move {
            while !over.load(SeqCst) {
                turns.fetch_add(1, SeqCst);
                yield_now().await;
            }
        });
        std::mem::forget(task);
        while this.turns.load(SeqCst) == 0 {
            yield_now().await;
        }
        this
    }

    fn turns(&self) -> usize {
        self.turns.load(SeqCst)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
    }
}

/// A task that never has to wait gives its thread back all the same.
pub async fn s9_a_task_that_only_sends_lets_others_run<P: Platform>() {
    let small = [b'.'; 100];
    let large = vec![b'.'; 8 << 20];
    for by_writer in [false, true] {
        let mut conn = Connection::new(Io::new(Greedy), Config::default());
        let writer = by_writer.then(|| conn.writer());
        let ticker = Ticker::start::<P>().await;
        for message in [&small[..], &large] {
            // Where there are other threads, the ticker's may come late.
            let most = (1 << 30) / message.len();
            let before = ticker.turns();
            for _ in 0..most {
                if ticker.turns() > before {
                    break;
                }
                match &writer {
                    Some(writer) => writer.send_all(message).await.expect("it takes everything"),
                    None => conn.send_all(message).await.expect("it takes everything"),
                }
            }
            assert!(ticker.turns() > before, "{} bytes", message.len());
        }
    }
}

/// A server that answers every line with itself, as the README shows it.
async fn echo_lines<S: Transport>(conn: &mut Connection<S>) -> Result<(), Error> {
    while let Some(mut batch) = conn.next_batch().await? {
        while let Some(line) = batch.next_line()? {
            batch.reply_line(line)?;
        }
    }
    conn.close().await
}

/// A CR in a line is data, which an echo gives back; and its last answers leave before the close.
pub async fn s5_an_echo_answers_every_line_and_loses_no_last_answer<B: Bed>() {
    for n in [1, 40] {
        let (mut conn, peer) = B::pair(Config::default().framing(Framing::Lf)).await;
        let asking = async {
            let mut expected = Vec::new();
            for _ in 0..n {
                peer.send(b"one\r\na\rb\r\ntwo\r\n").await;
                expected.extend(b"one\r\na\rb\r\ntwo\r\n");
            }
            peer.shutdown().await;
            let rest = peer.recv_all().await;
            assert_eq!(String::from_utf8_lossy(&rest.bytes), String::from_utf8_lossy(&expected));
            assert!(!rest.reset);
            drop(peer);
        };
        let (served, ()) = zip(echo_lines(&mut conn), asking).await;
        served.expect("a good end");
    }
    // With the framing of the default it is an error that says why, and the connection is as before.
    let (mut conn, peer) = B::pair(Config::default()).await;
    peer.send(b"a\rb\nnext\n").await;
    let mut batch = conn.next_batch().await.expect("bytes").expect("bytes");
    while let Ok(Some(line)) = batch.next_line() {
        if line == b"a\rb" {
            assert_err!(batch.reply_line(line), Error::LineBreak);
        }
    }
    conn.send_line(b"fine").await.expect("nothing was queued");
    assert_eq!(peer.recv(6).await, b"fine\r\n");
}
