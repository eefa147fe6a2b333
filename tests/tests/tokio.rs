//! What tokio alone has: its traits over a connection, and a clock that stands still.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use asyncnet_tokio::net::{Pipe, pipe};
use asyncnet_tokio::{
    Cause, CloseLimits, Config, Connection, Error, Io, Loss, Runtime as _, Timeout, Tokio,
    TokioClock, TokioIo, Transport,
};
use futures_lite::AsyncWriteExt as _;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional, split};
use tokio::time::{Instant, sleep, timeout};

/// A bound, and no statement about speed.
const LIMIT: Duration = Duration::from_secs(60);
const CHUNK: usize = 8 << 10;
const CHUNKS: usize = 1024;

/// What the system is asked to buffer: little, so that both directions are soon full.
const BUFFER: usize = 64 << 10;

fn narrow(socket: SockRef<'_>) {
    socket.set_send_buffer_size(BUFFER).expect("an option");
    socket.set_recv_buffer_size(BUFFER).expect("an option");
}

/// A connection to an echo.
async fn connect() -> Connection {
    let conn = asyncnet_tokio::connect(&echo().to_string()).await.expect("a connection");
    narrow(SockRef::from(&conn.get_ref().and_then(Transport::os_socket).expect("a socket")));
    conn
}

/// An honest echo server for one client: it reads when it has written.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a client");
        narrow(SockRef::from(&socket));
        let mut buf = [0; CHUNK];
        while let n @ 1.. = socket.read(&mut buf).expect("the client is there") {
            socket.write_all(&buf[..n]).expect("the client is there");
        }
        let _ = socket.shutdown(Shutdown::Write);
    });
    address
}

/// What [`split`] makes of a connection sends and receives at once.
#[tokio::test]
async fn s5_split_gets_along_with_an_echo() {
    timeout(LIMIT, send_and_receive()).await.expect("it hangs");
}

async fn send_and_receive() {
    let conn = connect().await;
    let (mut reader, mut writer) = split(TokioIo(conn));
    let sending = tokio::spawn(async move {
        for i in 0..CHUNKS {
            writer.write_all(&[i as u8; CHUNK]).await.expect("the peer is there");
        }
        writer.shutdown().await.expect("the peer is there");
    });
    let mut chunk = [0; CHUNK];
    for i in 0..CHUNKS {
        reader.read_exact(&mut chunk).await.expect("the peer is there");
        assert!(chunk.iter().all(|byte| *byte == i as u8), "in chunk {i}");
    }
    assert_eq!(reader.read(&mut chunk).await.expect("a good end"), 0);
    sending.await.expect("it ends");
}

/// A proxy between a client that sends and receives at once and an echo.
#[tokio::test]
async fn s5_copy_bidirectional_is_a_proxy() {
    timeout(LIMIT, proxy()).await.expect("it hangs");
}

async fn proxy() {
    let listener = asyncnet_tokio::listen("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").ip().expect("TCP");
    let mut client = TcpStream::connect(address).expect("it listens");
    let receiving = client.try_clone().expect("a descriptor");
    thread::spawn(move || {
        for i in 0..CHUNKS {
            client.write_all(&[i as u8; CHUNK]).expect("the proxy is there");
        }
        client.shutdown(Shutdown::Write).expect("the proxy is there");
    });
    let received = thread::spawn(move || {
        let (mut receiving, mut received) = (receiving, Vec::new());
        receiving.read_to_end(&mut received).expect("a good end");
        received
    });
    let mut near = TokioIo(listener.accept().await.expect("a client"));
    let copied =
        copy_bidirectional(&mut near, &mut TokioIo(connect().await)).await.expect("good ends");
    assert_eq!(copied, ((CHUNKS * CHUNK) as u64, (CHUNKS * CHUNK) as u64));
    drop(near);
    let received = received.join().expect("it reads");
    assert_eq!(received.len(), CHUNKS * CHUNK);
    let right = |(i, chunk): (usize, &[u8])| chunk.iter().all(|byte| *byte == i as u8);
    assert!(received.chunks(CHUNK).enumerate().all(right));
}

const HOUR: Duration = Duration::from_secs(3600);

type Timed = asyncnet::Connection<Io<Pipe, TokioClock>>;

fn timed(config: Config) -> (Timed, Pipe) {
    let (ours, theirs) = pipe(CHUNK);
    (Timed::new(Io::new(ours).with_clock(Tokio::clock()), config), theirs)
}

/// Nothing happens but time, so each limit strikes when it is due, to the second.
#[tokio::test(start_paused = true)]
async fn d4_under_a_stopped_clock_every_limit_holds_exactly() {
    let (mut conn, mut peer) = timed(Config::default().receive_timeout(HOUR));
    let begun = Instant::now();
    // A byte now and then changes nothing.
    let trickle = tokio::spawn(async move {
        for _ in 0..5 {
            sleep(HOUR / 6).await;
            peer.write_all(b"x").await.expect("our side is there");
        }
        sleep(HOUR).await;
        peer.write_all(b"\n").await.expect("our side is there");
        peer
    });
    let late = conn.next_line().await.map(drop);
    assert_eq!(late, Err(Error::TimedOut(Timeout::Receive { partial: 5 })));
    assert_eq!(begun.elapsed().as_secs(), 3600);
    assert_eq!(conn.next_line().await.expect("a line"), Some(&b"xxxxx"[..]));
    drop(trickle.await);

    let (mut conn, _peer) = timed(Config::default().idle_timeout(HOUR));
    for hours in 1..3 {
        let begun = Instant::now();
        let late = conn.next_line().await.map(drop);
        assert_eq!(late, Err(Error::TimedOut(Timeout::Idle)), "in hour {hours}");
        assert_eq!(begun.elapsed().as_secs(), 3600);
    }

    let (mut conn, _peer) = timed(Config::default().send_timeout(HOUR));
    conn.feed(vec![b'.'; 200_000]).expect("there is room");
    let begun = Instant::now();
    match conn.flush().await {
        Err(Error::Disconnected(end)) => assert_eq!(end.cause, Cause::Lost(Loss::TimedOut)),
        other => panic!("{other:?}"),
    }
    assert_eq!(begun.elapsed().as_secs(), 3600);

    let limits = CloseLimits::default().flush(HOUR, 2 * HOUR);
    let (mut conn, _peer) = timed(Config::default().close(limits));
    conn.feed(vec![b'.'; 200_000]).expect("there is room");
    let begun = Instant::now();
    assert_eq!(conn.close().await, Err(Error::TimedOut(Timeout::Close)));
    assert_eq!(begun.elapsed().as_secs(), 3600);
}
