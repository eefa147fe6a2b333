//! [A8], [A10], [A11] and [A13] for Unix sockets.
//!
//! [A8]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a8
//! [A10]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a10
//! [A11]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a11
//! [A13]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a13

use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use asyncnet::net::{
    ConnectOptions, Datagram, DatagramTooLong, Domain, connect, remove_stale_socket,
};
use asyncnet::{Address, AsyncSocket, Listener};
use blocking::unblock;
use futures_lite::future::zip;

use crate::bed::{Platform, System};
use crate::places::{TempPath, tried};
use crate::tools::{assert_line, soon, waits};

fn unix<R: System>() -> AsyncSocket<R> {
    let socket = AsyncSocket::new(Domain::Unix);
    socket.expect("a socket")
}

/// One end knows the path, the other has none.
pub async fn a10_a_path_is_bound_and_connected<P: Platform>() {
    let path = TempPath::new();
    let mut socket = unix::<P::Runtime>();
    socket.bind_unix(&path).expect("a new path");
    let listener = socket.listen(4).expect("a listener");
    let at = Address::Unix(path.as_ref().to_owned());
    assert_eq!(listener.local_addr().expect("an address"), at);
    let mut ours = unix::<P::Runtime>().connect_unix(&path).await.expect("a connection");
    let (mut theirs, from) = listener.accept_addr().await.expect("a connection");
    assert_eq!(from, Address::Unnamed);
    assert_eq!((from.ip(), from.port()), (None, 0));
    assert_eq!(ours.socket().peer_addr().expect("an address"), at);
    ours.send(b"line\n").await.expect("a connection");
    assert_line!(theirs, "line");
    theirs.send(b"reply\n").await.expect("a connection");
    assert_line!(ours, "reply");
}

/// Too long, taken, not there, or not a path at all.
pub async fn a10_a_path_that_does_not_do_is_an_error_that_names_it<P: Platform>() {
    let path = TempPath::new();
    let told = path.as_ref().to_str().expect("it is text");
    let long = format!("{told}{}", "x".repeat(200));
    let mut socket = unix::<P::Runtime>();
    let error = socket.bind_unix(&long).expect_err("too long");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(tried(&error), ("bind to", &*long));
    let error = socket.connect_unix(&long).await.expect_err("too long");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(tried(&error), ("connect to", &*long));
    let error = socket.connect_unix(&path).await.expect_err("nothing is there");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(tried(&error), ("connect to", told));
    fs::write(&path, "").expect("a file");
    let error = socket.bind_unix(&path).expect_err("a file is there");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert_eq!(tried(&error), ("bind to", told));
    fs::remove_file(&path).expect("a file");
    let error = socket.bind_addr("127.0.0.1", 0).await.expect_err("another family");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    // It is of use all the same.
    socket.bind_unix(&path).expect("a new path");
}

/// One that is in use stays, and so does what is no socket.
pub async fn a10_only_a_stale_socket_is_removed<P: Platform>() {
    let path = TempPath::new();
    let told = path.as_ref().to_str().expect("it is text");
    remove_stale_socket(&path).expect("nothing is there");
    for _ in 0..2 {
        let mut socket = unix::<P::Runtime>();
        socket.bind_unix(&path).expect("it is free again");
        let listener = socket.listen(4).expect("a listener");
        let error = remove_stale_socket(&path).expect_err("somebody listens");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert_eq!(tried(&error), ("remove the socket file", told));
        drop(listener);
        let error = unix::<P::Runtime>().bind_unix(&path).expect_err("the file is there");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        soon(|| remove_stale_socket(&path)).expect("nobody listens any more");
        assert!(!path.as_ref().exists());
    }
    fs::write(&path, "precious").expect("a file");
    let error = remove_stale_socket(&path).expect_err("no socket");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(fs::read(&path).expect("it is there"), b"precious");
}

/// Whatever is bound there: it is asked at once, though its queue is full, and gets no client by that.
pub async fn a10_a_server_notices_nothing_of_the_question_whether_it_is_there<P: Platform>() {
    let path = TempPath::new();
    let mut socket = unix::<P::Runtime>();
    socket.bind_unix(&path).expect("a new path");
    let listener = socket.listen(1).expect("a listener");
    {
        let mut accepting = pin!(listener.accept());
        assert!(waits(accepting.as_mut()).await, "nobody came");
        for _ in 0..10 {
            let error = remove_stale_socket(&path).expect_err("somebody listens");
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
        }
        assert!(waits(accepting.as_mut()).await, "nobody came");
    }
    // Until the system takes no more: a connect that blocks would stay here for ever.
    let mut queue = Vec::new();
    for _ in 0..8 {
        let client = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let client = client.expect("a socket");
        client.set_nonblocking(true).expect("an option");
        let to = socket2::SockAddr::unix(&path).expect("a path");
        let full = client.connect(&to).is_err_and(|it| it.kind() == ErrorKind::WouldBlock);
        queue.push(client);
        if full {
            break;
        }
    }
    let error = remove_stale_socket(&path).expect_err("somebody listens");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(path.as_ref().exists());
    drop((listener, queue));
    soon(|| remove_stale_socket(&path)).expect("nobody listens any more");

    let bound = UnixDatagram::bind(&path).expect("a new path");
    let error = remove_stale_socket(&path).expect_err("somebody has it");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    drop(bound);
}

/// However a bind and a removal fall together: the file of a socket that is bound is there in the end.
pub async fn a10_no_socket_that_is_bound_loses_its_file<P: Platform>() {
    let path = TempPath::new();
    let (at, over) = (path.as_ref().to_owned(), Arc::new(AtomicBool::new(false)));
    let removing = [(); 3].map(|()| {
        let (at, over) = (at.clone(), Arc::clone(&over));
        unblock(move || {
            while !over.load(Ordering::SeqCst) {
                // A server is there, or is not.
                let _ = remove_stale_socket(&at);
            }
        })
    });
    let binding = unblock(move || {
        for round in 0..1000 {
            let bound = loop {
                if let Ok(bound) = UnixListener::bind(&at) {
                    break bound;
                }
                // The last one's, if nobody else was as quick.
                let _ = remove_stale_socket(&at);
            };
            let found = (0..10_000).any(|_| UnixStream::connect(&at).is_ok());
            assert!(found, "round {round}: the server is there, and its file is not");
            drop(bound);
        }
    });
    binding.await;
    over.store(true, Ordering::SeqCst);
    for removed in removing {
        removed.await;
    }
}

/// Linux alone has them.
pub async fn a10_an_abstract_name_leaves_no_file<P: Platform>() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let path = TempPath::new();
    let name = format!("\0{}", path.as_ref().to_str().expect("it is text"));
    let mut socket = unix::<P::Runtime>();
    socket.bind_unix(&name).expect("a new name");
    let listener = socket.listen(4).expect("a listener");
    assert!(!path.as_ref().exists());
    let mut ours = unix::<P::Runtime>().connect_unix(&name).await.expect("a connection");
    let mut theirs = listener.accept().await.expect("a connection");
    ours.send(b"line\n").await.expect("a connection");
    assert_line!(theirs, "line");
    let error = unix::<P::Runtime>().bind_unix(&name).expect_err("it is taken");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

/// By their types and as bare descriptors.
pub async fn a8_unix_sockets_are_adopted<P: Platform>() {
    let path = TempPath::new();
    let listener = OwnedFd::from(UnixListener::bind(&path).expect("a new path"));
    let listener = AsyncSocket::<P::Runtime>::adopt(listener).expect("a socket");
    let listener = listener.into_listener().expect("a listener");
    let stream = UnixStream::connect(&path).expect("it listens");
    let stream = AsyncSocket::<P::Runtime>::adopt(stream).expect("a socket");
    let mut ours = stream.into_connection().expect("a connection");
    let mut theirs = listener.accept().await.expect("a connection");
    ours.send(b"line\n").await.expect("a connection");
    assert_line!(theirs, "line");

    let (one, other) = UnixStream::pair().expect("a pair");
    let one = AsyncSocket::<P::Runtime>::adopt(OwnedFd::from(one)).expect("a socket");
    let mut one = one.into_connection().expect("a connection");
    let other = AsyncSocket::<P::Runtime>::adopt(other).expect("a socket");
    let mut other = other.into_connection().expect("a connection");
    one.send(b"line\n").await.expect("a connection");
    assert_line!(other, "line");

    let file = OwnedFd::from(fs::File::open(std::env::temp_dir()).expect("a folder"));
    AsyncSocket::<P::Runtime>::adopt(file).expect_err("no socket");
}

/// Those of Unix sockets too: in order, empty, too long, and from nowhere.
pub async fn a11_unix_datagrams_stay_apart<P: Platform>() {
    let (path, other) = (TempPath::new(), TempPath::new());
    let [ours, theirs] = [Some(&path), Some(&other)].map(datagram::<P::Runtime>);
    let at = ours.local_addr().expect("an address");
    let from = theirs.local_addr().expect("an address");
    assert_eq!(at, Address::Unix(path.as_ref().to_owned()));
    for message in [&b"one"[..], b"", b"three"] {
        theirs.send_to_addr(message, &at).await.expect("it leaves");
    }
    assert_eq!(ours.recv_from(3).await.expect("a datagram"), (b"one".to_vec(), from.clone()));
    assert_eq!(ours.recv_from(3).await.expect("a datagram"), (Vec::new(), from.clone()));
    let error = ours.recv_from(3).await.expect_err("it is too long");
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    let told = error.get_ref().and_then(|told| told.downcast_ref::<DatagramTooLong>());
    let told = told.expect("it tells how long");
    assert_eq!((told.len, told.max), (5, 3));
    assert_eq!(ours.recv_from(5).await.expect("a datagram"), (b"three".to_vec(), from));
    // One without a path can ask, but nobody can answer.
    datagram::<P::Runtime>(None).send_to_addr(b"?", &at).await.expect("it leaves");
    let (message, nowhere) = ours.recv_from(5).await.expect("a datagram");
    assert_eq!((&message[..], &nowhere), (&b"?"[..], &Address::Unnamed));
    let error = ours.send_to_addr(b"!", &nowhere).await.expect_err("it has no path");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(tried(&error).0, "send to");
}

fn datagram<R: System>(path: Option<&TempPath>) -> Datagram<R> {
    let socket = AsyncSocket::<R>::datagram(Domain::Unix);
    let mut socket = socket.expect("a socket");
    if let Some(path) = path {
        socket.bind_unix(path).expect("a new path");
    }
    socket.into_datagram().expect("a datagram socket")
}

/// On Linux: ourselves.
pub async fn a13_a_unix_socket_tells_who_is_there<P: Platform>() {
    let path = TempPath::new();
    let mut socket = unix::<P::Runtime>();
    socket.bind_unix(&path).expect("a new path");
    let listener = socket.listen(4).expect("a listener");
    let ours = unix::<P::Runtime>().connect_unix(&path).await.expect("a connection");
    let theirs = listener.accept().await.expect("a connection");
    for conn in [ours, theirs] {
        let told = conn.socket().peer_cred();
        if cfg!(any(target_os = "linux", target_os = "android")) {
            use std::os::unix::fs::MetadataExt as _;

            let told = told.expect("an answer");
            let file = fs::metadata(&path).expect("the socket file");
            assert_eq!(told.pid.unsigned_abs(), std::process::id());
            assert_eq!(told.uid, file.uid());
        } else {
            assert_eq!(told.expect_err("no answer").kind(), ErrorKind::Unsupported);
        }
    }
}

/// A peer with an abstract name is told by that name, and can be answered.
pub async fn a11_an_abstract_peer_is_answered<P: Platform>() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let path = TempPath::new();
    let name = path.as_ref().to_str().expect("it is text").trim_start_matches('/');
    let [ours, theirs] = ["ours", "theirs"].map(|end| format!("unix:@{name}-{end}"));
    let one = Datagram::<P::Runtime>::bind(&ours).await.expect("a new name");
    let other = Datagram::<P::Runtime>::bind(&theirs).await.expect("a new name");
    one.send_to_addr(b"?", &theirs.parse().expect("an address")).await.expect("it leaves");
    let (message, from) = other.recv_from(9).await.expect("a datagram");
    assert_eq!((&message[..], from.to_string()), (&b"?"[..], ours));
    other.send_to_addr(b"!", &from).await.expect("it has a name");
    assert_eq!(one.recv_from(9).await.expect("a datagram").0, b"!");
}

/// Listening at a path and connecting to it in one call each; abstract names too.
pub async fn a15_a_path_is_an_address_too<P: Platform>() {
    let path = TempPath::new();
    let file = path.as_ref().to_str().expect("it is text");
    let mut places = vec![format!("unix:{file}")];
    if cfg!(target_os = "linux") {
        places.push(format!("unix:@{file}"));
    }
    for place in places {
        let listener = Listener::<P::Runtime>::bind(&place).await.expect("a new name");
        assert_eq!(listener.local_addr().expect("an address").to_string(), place);
        let connecting = connect::<P::Runtime>(&place, ConnectOptions::new());
        let (ours, theirs) = zip(connecting, listener.accept()).await;
        let (mut ours, mut theirs) = (ours.expect("a connection"), theirs.expect("a connection"));
        assert_eq!(ours.socket().peer_addr().expect("an address").to_string(), place);
        ours.send_line(b"line").await.expect("a connection");
        assert_line!(theirs, "line");
    }
}
