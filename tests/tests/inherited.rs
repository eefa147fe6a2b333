//! A18: listening sockets from the supervisor. It is played by this program, which starts itself once more with a
//! socket as its standard input: the only descriptor that can be passed on without unsafe code.

#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};

use asyncnet::net::{ConnectOptions, connect};
use asyncnet::{Address, Listener, SendRuntime};
use asyncnet_async_std::AsyncStd;
use asyncnet_smol::Smol;
use asyncnet_tokio::Tokio;

/// What the process that is started is to listen at, one after the other.
const AT: &str = "ASYNCNET_INHERITED_AT";

/// Runs `test` again with `socket` as descriptor 0, as a supervisor would.
fn start(test: &str, socket: impl Into<OwnedFd>, count: &str, names: &str, at: &str) -> Output {
    let this = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(this);
    command.args(["--exact", test, "--nocapture"]).env(AT, at);
    command.env("LISTEN_FDS", count).env("LISTEN_FDS_FIRST_FD", "0").env("LISTEN_FDNAMES", names);
    command.stdin(Stdio::from(socket.into())).stderr(Stdio::inherit());
    command.output().expect("it runs")
}

/// In that process: serves one peer at each place that can be listened at, and says why others cannot.
async fn serve<R: SendRuntime>(at: &str) {
    for at in at.split(',') {
        match Listener::<R>::bind(at).await {
            Err(error) => println!("said {error}"),
            Ok(listener) => {
                println!("said listening on {}", listener.local_addr().expect("an address"));
                if listener.local_addr().is_ok_and(|it| matches!(it, Address::Ip(_))) {
                    let mut conn = listener.accept().await.expect("a peer");
                    conn.send_line(b"welcome").await.expect("a connection");
                    conn.close().await.expect("a connection");
                }
            }
        }
    }
    // Such a place is not to be connected to.
    let error = connect::<R>("fd:chat", ConnectOptions::new()).await.expect_err("no address");
    println!("said {error}");
}

/// The supervisor's side of a test, or the side of what it started.
fn play(test: &str, run: impl Fn(&str)) {
    if let Ok(at) = std::env::var(AT) {
        // Descriptor 3, if the runner has not opened one.
        let _own = std::fs::File::open("/dev/null").expect("it is there");
        return run(&at);
    }
    let said = |output: Output| -> Vec<String> {
        assert!(output.status.success());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().filter_map(|line| Some(line.split_once("said ")?.1.to_owned())).collect()
    };
    // The peer comes before the server is there: the socket's queue has it.
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address");
    let peer = std::thread::spawn(move || {
        let mut peer = TcpStream::connect(address).expect("it listens");
        peer.write_all(b"hello\n").expect("it listens");
        let mut line = String::new();
        BufReader::new(peer).read_line(&mut line).expect("an answer");
        line
    });
    let said_by = said(start(test, socket, "1", "chat", "fd:other,fd:chat,fd:chat,fd:0"));
    assert_eq!(peer.join().expect("it was served"), "welcome\r\n");
    let [other, listening, again, number, connecting] = &said_by[..] else { panic!("{said_by:?}") };
    assert!(other.contains("fd:other") && other.contains("only: chat"), "{other}");
    assert_eq!(*listening, format!("listening on {address}"));
    assert!(again.contains("taken already") && number.contains("taken already"), "{again}");
    assert!(
        connecting.contains("fd:chat") && connecting.contains("can only listen"),
        "{connecting}"
    );

    // One descriptor of three, and the others are not there or the process's own.
    let path = std::env::temp_dir().join(format!("asyncnet-{}-{test}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let socket = UnixListener::bind(&path).expect("a path");
    let said_by = said(start(test, socket, "600", "", "fd:599,fd:599,fd:3,fd:3,fd:0"));
    std::fs::remove_file(&path).expect("it is there");
    let [far, far_again, own, own_again, listening, _] = &said_by[..] else {
        panic!("{said_by:?}")
    };
    // Asked once more, each is refused for the same reason.
    assert_eq!((far, own), (far_again, own_again));
    assert!(far.contains("announces 600") && far.contains("599 is not open"), "{far}");
    assert!(own.contains("3 was opened by this process"), "{own}");
    assert_eq!(*listening, format!("listening on unix:{}", path.display()));

    // What does not listen, what is no socket, and a number that nobody means.
    let (one, _other) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let said_by = said(start(test, one, "1", "", "fd:0,fd:0"));
    assert!(said_by[..2].iter().all(|it| it.contains("does not listen")), "{said_by:?}");
    let file = std::fs::File::open("/dev/null").expect("it is there");
    let said_by = said(start(test, file, "1", "", "fd:0,fd:0"));
    assert!(said_by[..2].iter().all(|it| it.contains("not a socket")), "{said_by:?}");
    let file = std::fs::File::open("/dev/null").expect("it is there");
    let said_by = said(start(test, file, "4000000000", "", "fd:0"));
    assert!(said_by[0].contains("at most 1024"), "{said_by:?}");
    let file = std::fs::File::open("/dev/null").expect("it is there");
    let said_by = said(start(test, file, "", "", "fd:0"));
    assert!(said_by[0].contains("LISTEN_FDS is not set"), "{said_by:?}");
}

#[test]
fn a18_a_socket_from_the_supervisor_on_tokio() {
    play("a18_a_socket_from_the_supervisor_on_tokio", |at| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().expect("a runtime").block_on(serve::<Tokio>(at));
    });
}

#[test]
fn a18_a_socket_from_the_supervisor_on_smol() {
    play("a18_a_socket_from_the_supervisor_on_smol", |at| smol::block_on(serve::<Smol>(at)));
}

#[test]
fn a18_a_socket_from_the_supervisor_on_async_std() {
    play("a18_a_socket_from_the_supervisor_on_async_std", |at| {
        async_std::task::block_on(serve::<AsyncStd>(at));
    });
}
