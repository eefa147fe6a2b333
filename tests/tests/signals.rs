//! S9: no write raises SIGPIPE. Shown by child processes that a SIGPIPE would end.
#![cfg(unix)]

use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use asyncnet::{Config, Connection, Error, TlsContext, Transport};
use asyncnet_async_std::AsyncStd;
use asyncnet_conformance::System;
use asyncnet_smol::Smol;
use asyncnet_tokio::Tokio;
use futures_lite::future::zip;
use signal_hook::consts::SIGPIPE;
use signal_hook::flag::register_conditional_default;
use socket2::{Domain, Socket, Type};

/// Tells a child what to do.
const SCENE: &str = "ASYNCNET_TEST_SIGPIPE";

/// Another process of this program that does nothing but `scene`, and the signal that it died of.
fn child(scene: &str) -> Option<i32> {
    let this = std::env::current_exe().expect("a program");
    let mut child = Command::new(this);
    child.args(["--exact", "the_child"]).env(SCENE, scene).stdout(Stdio::null());
    let status = child.status().expect("it starts");
    assert!(status.success() || status.signal().is_some(), "{scene}: {status}");
    status.signal()
}

#[test]
fn s9_a_process_that_sigpipe_would_end_lives_though_its_peer_left() {
    // The test is a test: a plain write to a pipe that nobody reads is the end.
    assert_eq!(child("a pipe"), Some(SIGPIPE));
    for scene in ["tokio", "smol", "async-std"] {
        assert_eq!(child(scene), None, "on {scene}");
    }
}

/// Not a test of its own: what the child processes of the other one run.
#[test]
fn the_child() {
    let Ok(scene) = std::env::var(SCENE) else { return };
    // Rust programs ignore the signal; from here on it ends this one, as it does those of other languages.
    register_conditional_default(SIGPIPE, Arc::new(AtomicBool::new(true))).expect("a handler");
    match &*scene {
        "a pipe" => write_to_a_pipe(),
        "tokio" => {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().build().expect("a runtime");
            runtime.block_on(write_to_nobody::<Tokio>());
        }
        "smol" => smol::block_on(write_to_nobody::<Smol>()),
        "async-std" => async_std::task::block_on(write_to_nobody::<AsyncStd>()),
        scene => panic!("nobody knows {scene}"),
    }
}

fn write_to_a_pipe() {
    let mut reader = Command::new("true").stdin(Stdio::piped()).spawn().expect("it starts");
    let mut pipe = reader.stdin.take().expect("a pipe");
    assert!(reader.wait().is_ok_and(|status| status.success()));
    drop(pipe.write(b"nobody reads"));
}

/// Sockets of both families whose peers have gone.
fn lonely<R: System>() -> [R::Stream; 2] {
    let (unix, theirs) = UnixStream::pair().expect("a pair");
    drop(theirs);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").into();
    let tcp = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    tcp.connect(&address).expect("it listens");
    drop(listener.accept().expect("a peer"));
    [Socket::from(unix), tcp].map(|socket| R::stream(socket).expect("a stream"))
}

async fn write_to_nobody<R: System>() {
    for two_pieces in [false, true] {
        for stream in lonely::<R>() {
            meets_a_broken_pipe(stream, two_pieces).await;
        }
        for stream in lonely::<R>() {
            let mut conn = Connection::new(stream, Config::default());
            while let Ok(()) = send(&mut conn, two_pieces).await {}
            drop(conn.close().await);
        }
        write_secretly_to_nobody::<R>(two_pieces).await;
    }
}

/// The server's settings, and a client's that trusts it.
fn settings() -> [TlsContext; 2] {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a key");
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let server = TlsContext::server().identity_pem(certificate.as_bytes(), key.as_bytes());
    let client = TlsContext::client().ca_pem(certificate.as_bytes());
    [
        server.expect("PEM").build().expect("a server"),
        client.expect("PEM").build().expect("a client"),
    ]
}

/// Over TLS, whose last words meet the broken pipe too: a peer that shook hands and left without a word.
async fn write_secretly_to_nobody<R: System>(two_pieces: bool) {
    let [server, client] = settings();
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let [mut ours, mut theirs] = [ours, theirs].map(|socket| {
        let stream = R::stream(Socket::from(socket)).expect("a stream");
        Connection::new(stream, Config::default())
    });
    let (one, other) = zip(
        ours.upgrade_tls(server.as_server()),
        theirs.upgrade_tls(client.as_client("localhost")),
    )
    .await;
    one.and(other).expect("the handshake succeeds");
    theirs.abort();
    while let Ok(()) = send(&mut ours, two_pieces).await {}
    drop(ours.close().await);
}

async fn send<S: Transport>(conn: &mut Connection<S>, two_pieces: bool) -> Result<(), Error> {
    for _ in 0..=u8::from(two_pieces) {
        // Too long to be merged.
        conn.feed_shared(vec![b'.'; 8 << 10].into())?;
    }
    conn.flush().await
}

/// Writes until the system says so. A reset comes first, perhaps, and is no occasion for a signal.
async fn meets_a_broken_pipe<S: Transport>(mut stream: S, two_pieces: bool) {
    let pieces = [IoSlice::new(b"one"), IoSlice::new(b"two")];
    for _ in 0..100 {
        let written = poll_fn(|cx| {
            let stream = Pin::new(&mut stream);
            if two_pieces {
                stream.poll_write_vectored(cx, &pieces)
            } else {
                stream.poll_write(cx, b"one")
            }
        });
        if written.await.is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
            return;
        }
    }
    panic!("the pipe does not break");
}
