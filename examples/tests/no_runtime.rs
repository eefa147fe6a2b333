//! The state machine over blocking sockets: deadlines, TLS, and peers that misbehave.

#[allow(dead_code, reason = "its `main` does not run here")]
#[path = "../no_runtime.rs"]
mod no_runtime;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use asyncnet_core::{Cause, Config, Error, LineError, Loss, Timeout, TlsLayer};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;

use no_runtime::{Blocking, config, echo, layer};

/// The two ends of a TCP connection. Ours gives up after a minute.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ours.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    (ours, listener.accept().unwrap().0)
}

/// What a server comes to whose client has sent `script` and ended its side.
fn scripted(script: &[u8]) -> Result<(), Error> {
    let (mut client, server) = pair();
    client.write_all(script).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    echo(Blocking::new(server, config()))
}

#[test]
fn l1_lines_go_there_and_back() {
    let (client, server) = pair();
    let served = thread::spawn(move || echo(Blocking::new(server, config())));
    let mut client = Blocking::new(client, config());
    let long = vec![b'x'; 64 << 10];
    for line in [&b""[..], b"one\r", &long] {
        client.feed_line(line).unwrap();
        assert_eq!(client.next_line().unwrap(), Some(line));
    }
    client.close().unwrap();
    served.join().unwrap().unwrap();
}

#[test]
fn bad_input_is_a_typed_error() {
    assert_eq!(scripted(b"one\n"), Ok(()));
    let Err(Error::Disconnected(end)) = scripted(b"one\ntw") else { panic!("an end") };
    assert_eq!((end.cause, end.partial), (Cause::Eof, 2));
    let too_long = Error::Line(LineError::TooLong { max: 64 << 10 });
    assert_eq!(scripted(&vec![b'x'; 100_000]), Err(too_long));
}

#[test]
fn d1_a_peer_that_says_nothing_is_a_timeout_and_bytes_that_trickle_do_not_help() {
    let short = config().receive_timeout(Duration::from_millis(20));
    let (mut client, server) = pair();
    let trickle = thread::spawn(move || {
        // Until the server has given up.
        while client.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    });
    let served = echo(Blocking::new(server, short));
    assert!(matches!(served, Err(Error::TimedOut(Timeout::Receive { .. }))), "{served:?}");
    trickle.join().unwrap();
}

#[test]
fn d3_a_peer_that_does_not_read_is_a_loss() {
    let (mut client, server) = pair();
    let pushing =
        thread::spawn(move || while client.write_all(&b"a line\n".repeat(10_000)).is_ok() {});
    let served = echo(Blocking::new(server, config().send_timeout(Duration::from_millis(20))));
    let Err(Error::Disconnected(end)) = served else { panic!("an end, not {served:?}") };
    assert_eq!(end.cause, Cause::Lost(Loss::TimedOut));
    pushing.join().unwrap();
}

#[test]
fn c6_a_close_reads_what_is_left_so_that_the_last_line_arrives() {
    let (mut client, server) = pair();
    client.write_all(b"unread\n").unwrap();
    let mut server = Blocking::new(server, config());
    let closing = thread::spawn(move || {
        // More than the client's system takes before the client reads.
        for _ in 0..6 {
            server.feed_line(&[b'x'; 60_000])?;
        }
        server.feed_line(b"bye")?;
        server.close()
    });
    // A server that left with the line unread would have reset the connection by now.
    thread::sleep(Duration::from_millis(100));
    let mut said = Vec::new();
    client.read_to_end(&mut said).unwrap();
    assert_eq!((said.len(), said.ends_with(b"\nbye\n")), (6 * 60_001 + 4, true));
    drop(client);
    closing.join().unwrap().unwrap();
}

#[test]
fn c3_a_close_behind_a_reset_is_no_error() {
    let (client, mut server) = pair();
    server.write_all(b"unread").unwrap();
    drop(client);
    assert_eq!(Blocking::new(server, config()).close(), Ok(()));
}

/// A server's end of TLS, and the certificate that a client has to trust.
fn identity() -> (TlsLayer, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsLayer::server(Arc::new(server)).unwrap(), made.cert.pem())
}

/// A client over TLS that takes the server for `host`.
fn secure(host: &str) -> (Result<Vec<u8>, Error>, Result<(), Error>) {
    let (client, server) = pair();
    let (shown, pem) = identity();
    let served = thread::spawn(move || {
        let mut server = Blocking::new(server, config());
        server.start_tls(shown)?;
        echo(server)
    });
    let file =
        std::env::temp_dir().join(format!("asyncnet-no-runtime-{}-{host}", std::process::id()));
    std::fs::write(&file, pem).unwrap();
    let asked = (|| {
        let mut client = Blocking::new(client, config());
        client.start_tls(layer(&file, host)?)?;
        client.feed_line(b"over TLS")?;
        let answer = client.next_line()?.unwrap_or_default().to_vec();
        client.close()?;
        Ok(answer)
    })();
    std::fs::remove_file(file).unwrap();
    (asked, served.join().unwrap())
}

#[test]
fn t2_lines_go_over_tls_and_the_name_is_verified() {
    let (asked, served) = secure("localhost");
    assert_eq!((asked, served), (Ok(b"over TLS".to_vec()), Ok(())));
    let (asked, served) = secure("elsewhere");
    assert!(matches!(asked, Err(Error::Tls(_))), "{asked:?}");
    // The alert was written: the server knows why.
    assert!(matches!(served, Err(Error::Tls(_))), "{served:?}");
}

#[test]
fn a_peer_that_is_no_tls_is_a_tls_error_and_one_that_says_nothing_is_a_timeout() {
    let (mut client, server) = pair();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut server = Blocking::new(server, config());
    let failed = server.start_tls(identity().0).and_then(|()| server.next_line().map(drop));
    assert!(matches!(failed, Err(Error::Tls(_))), "{failed:?}");
    // It was told why.
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 1);

    let (_client, server) = pair();
    let hasty = Config::default().handshake_timeout(Duration::from_millis(20));
    let mut server = Blocking::new(server, hasty);
    let failed = server.start_tls(identity().0).and_then(|()| server.next_line().map(drop));
    assert!(matches!(failed, Err(Error::Tls(_))), "{failed:?}");
}
