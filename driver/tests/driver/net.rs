//! Sockets, listeners and connects over the toy runtime; pipes and pairs of a reader and a writer.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use asyncnet::net::{ConnectOptions, ListenOptions, Pipe, Setting, SockOpt, connect, pipe};
use asyncnet::{
    AsyncSocket, Clock as _, Config, Connection, Duplex, Io, Listener, Runtime as _, Transport as _,
};
use futures_lite::future::{block_on, zip};
use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::poll_once;
use crate::toy::{self, SILENT, Toy};

async fn listen() -> (Listener<Toy>, asyncnet::Address) {
    let listener = Listener::<Toy>::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

#[test]
fn a15_listen_and_connect_need_no_system_socket() {
    block_on(async {
        let (listener, address) = listen().await;
        let to = address.to_string();
        let connecting = connect::<Toy>(&to, ConnectOptions::new());
        let (ours, theirs) = zip(connecting, listener.accept()).await;
        let (mut ours, mut theirs) = (ours.expect("a connection"), theirs.expect("a connection"));
        let (sent, line) = zip(ours.send_line(b"line"), theirs.recv_line()).await;
        sent.expect("it is sent");
        assert_eq!(line.expect("a line"), "line");
        assert_eq!(
            ours.socket().local_addr().expect_err("no addresses").kind(),
            ErrorKind::Unsupported
        );
        assert!(
            listener.os_socket().is_none()
                && ours.get_ref().is_some_and(|stream| stream.os_socket().is_none())
        );
        assert_eq!(listener.open_connections(), 1);
        drop(theirs);
        assert_eq!(listener.open_connections(), 0);
    });
}

#[test]
fn a15_a_socket_step_by_step_needs_no_system_socket() {
    block_on(async {
        let mut server = AsyncSocket::<Toy>::default();
        server.set(Setting::Flag(SockOpt::ReuseAddr, true)).expect("an option");
        assert!(server.get(SockOpt::ReuseAddr).expect("an option"));
        server.bind_addr("127.0.0.1", 0).await.expect("a port");
        let listener = server.listen(1).expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let mut ours = AsyncSocket::<Toy>::default();
        let mut ours = ours.connect("127.0.0.1", port).await.expect("a connection");
        let mut theirs = listener.accept().await.expect("a connection");
        ours.feed_line(b"line").expect("room");
        let (flushed, line) = zip(ours.flush(), theirs.recv_line()).await;
        flushed.expect("it is sent");
        assert_eq!(line.expect("a line"), "line");
        let error = AsyncSocket::<Toy>::default().os_socket().expect_err("there is none");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    });
}

#[test]
fn a15_a_socket_of_no_family_yet_connects_to_ipv6() {
    block_on(async {
        let listener = Listener::<Toy>::bind("[::1]:0").await.expect("a listener");
        let address = listener.local_addr().expect("an address").ip().expect("an IP address");
        toy::name("six.test", vec![address]);
        for host in ["::1", "[::1]", "six.test"] {
            let mut socket = AsyncSocket::<Toy>::default();
            socket.set(Setting::Flag(SockOpt::NoDelay, false)).expect("an option");
            socket.connect(host, address.port()).await.expect(host);
            listener.accept().await.expect("a connection");
        }
    });
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[test]
fn a4_connect_goes_on_at_once_behind_a_refusal() {
    let (_listener, there) = block_on(listen());
    let there = there.ip().expect("an IP address");
    toy::name("many.test", vec![address("[::1]:9"), address("[::2]:9"), there]);
    // No time passes here.
    let connecting = connect::<Toy>("many.test:9", ConnectOptions::new());
    assert!(matches!(poll_once(connecting), Poll::Ready(Ok(_))));
}

#[test]
fn a4_connect_gives_an_address_a_head_start_and_alternates_the_families() {
    let (_listener, there) = block_on(listen());
    let there = there.ip().expect("an IP address");
    let silent = |ip: &str| address(&format!("{ip}:{SILENT}"));
    toy::name("many.test", vec![silent("[::1]"), silent("[::2]"), silent("[::3]"), there]);
    let mut connecting = pin!(connect::<Toy>("many.test:9", ConnectOptions::new()));
    assert!(poll_once(connecting.as_mut()).is_pending());
    toy::advance(Duration::from_millis(249));
    assert!(poll_once(connecting.as_mut()).is_pending());
    toy::advance(Duration::from_millis(1));
    // The second address is the first of the other family.
    assert!(matches!(poll_once(connecting), Poll::Ready(Ok(_))));
}

#[test]
fn a15_a_connect_ends_at_its_timeout() {
    let options = ConnectOptions::new().timeout(Duration::from_secs(3));
    let to = format!("127.0.0.1:{SILENT}");
    let mut connecting = pin!(connect::<Toy>(&to, options));
    assert!(poll_once(connecting.as_mut()).is_pending());
    toy::advance(Duration::from_millis(2999));
    assert!(poll_once(connecting.as_mut()).is_pending());
    toy::advance(Duration::from_millis(1));
    let Poll::Ready(ended) = poll_once(connecting) else { panic!("it goes on") };
    assert_eq!(ended.expect_err("no answer").kind(), ErrorKind::TimedOut);
}

#[test]
fn a2_passing_errors_without_end_back_off() {
    let (listener, address) = block_on(listen());
    toy::inject(&address, std::iter::repeat_n(ErrorKind::ConnectionAborted, 1000));
    let mut accepting = pin!(listener.accept());
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..100 {
        assert!(accepting.as_mut().poll(&mut cx).is_pending());
    }
    let (polls, _) = toy::polls_and_waiting(&address);
    assert!(polls <= 33, "it spins: {polls} polls");
    // The pauses grow, up to a second.
    let mut before = polls;
    let mut pauses = Vec::new();
    while pauses.len() < 10 {
        let mut paused = Duration::ZERO;
        while toy::polls_and_waiting(&address).0 == before {
            toy::advance(Duration::from_millis(5));
            paused += Duration::from_millis(5);
            assert!(accepting.as_mut().poll(&mut cx).is_pending());
        }
        before = toy::polls_and_waiting(&address).0;
        pauses.push(paused.as_millis());
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
}

#[test]
fn a1_an_accept_that_backs_off_is_woken_by_the_clock_alone() {
    let (listener, address) = block_on(listen());
    toy::inject(&address, [ErrorKind::OutOfMemory]);
    let _peer = toy::connect(&address).expect("it listens");
    let mut accepting = pin!(listener.accept());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(accepting.as_mut().poll(&mut cx).is_pending());
    assert!(accepting.as_mut().poll(&mut cx).is_pending());
    assert_eq!(toy::polls_and_waiting(&address), (1, 1));
    toy::advance(Duration::from_millis(5));
    assert!(accepting.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn a12_accepts_wait_while_max_open_connections_are_open() {
    let options = ListenOptions::new().max_open(1);
    let listener = block_on(Listener::<Toy>::bind_with("127.0.0.1:0", options)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let _peers = [toy::connect(&address), toy::connect(&address)];
    let first = block_on(listener.accept()).expect("a connection");
    assert!(poll_once(listener.accept()).is_pending());
    drop(first);
    assert!(poll_once(listener.accept()).is_ready());
}

#[test]
fn a_sleep_begins_when_it_is_made() {
    let mut clock = Toy::clock();
    let start = clock.now();
    let mut sleep = pin!(Toy::sleep(Duration::from_secs(5)));
    toy::advance(Duration::from_secs(4));
    assert!(poll_once(sleep.as_mut()).is_pending());
    toy::advance(Duration::from_secs(1));
    assert!(poll_once(sleep.as_mut()).is_ready());
    assert_eq!(clock.now().since(start), Duration::from_secs(5));
}

#[test]
fn a_pipe_gives_at_most_a_chunk_and_holds_only_so_much() {
    block_on(async {
        let (mut one, mut other) = pipe(3);
        let block = vec![b'.'; 1 << 20];
        let Poll::Ready(written) = poll_once(one.write(&block)) else { panic!("there is room") };
        let written = written.expect("there is room");
        assert_eq!(written, 64 << 10);
        assert!(poll_once(one.write(b"more")).is_pending());
        let mut buf = [0; 16];
        assert_eq!(other.read(&mut buf).await.expect("bytes"), 3);
        assert_eq!(one.write(b"more").await.expect("there is room again"), 3);
    });
}

#[test]
fn a_pipe_ends_when_an_end_is_closed_or_dropped() {
    block_on(async {
        let (mut one, mut other) = pipe(usize::MAX);
        one.write_all(b"last").await.expect("it is there");
        one.close().await.expect("it closes");
        assert_eq!(
            one.write(b"x").await.expect_err("behind the end").kind(),
            ErrorKind::BrokenPipe
        );
        let mut said = Vec::new();
        other.read_to_end(&mut said).await.expect("an orderly end");
        assert_eq!(said, b"last");
        // The other direction goes on.
        other.write_all(b"answer").await.expect("it is there");
        drop(other);
        said.clear();
        one.read_to_end(&mut said).await.expect("an orderly end");
        assert_eq!(said, b"answer");
    });
}

#[test]
fn a_pipe_that_is_reset_is_reset_for_the_other_end() {
    block_on(async {
        let (mut one, mut other) = pipe(usize::MAX);
        one.write_all(b"lost").await.expect("it is there");
        one.reset_on_drop();
        drop(one);
        let error = other.read(&mut [0; 8]).await.expect_err("a reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(other.write(b"x").await.is_err());
    });
}

#[test]
fn an_aborted_connection_over_a_pipe_is_a_reset() {
    let (ours, mut peer) = pipe(usize::MAX);
    Connection::new(ours, Config::default()).abort();
    let error = block_on(peer.read(&mut [0; 8])).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// A writer that tells when it is dropped.
struct Told(Pipe, std::rc::Rc<std::cell::Cell<bool>>);

impl Drop for Told {
    fn drop(&mut self) {
        self.1.set(true);
    }
}

impl futures_io::AsyncWrite for Told {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // As the standard input of a child: only the drop ends it.
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_duplex_drops_its_writer_at_the_end_of_the_sending_side() {
    block_on(async {
        let (stdin, mut child) = pipe(usize::MAX);
        let (_unused, stdout) = pipe(usize::MAX);
        let dropped = std::rc::Rc::default();
        let told = Told(stdin, std::rc::Rc::clone(&dropped));
        let mut conn = Connection::new(Duplex::new(stdout, told), Config::default());
        conn.send_line(b"last").await.expect("it is sent");
        conn.shutdown_write().await.expect("it ends");
        assert!(dropped.get());
        let mut said = Vec::new();
        child.read_to_end(&mut said).await.expect("an orderly end");
        assert_eq!(said, b"last\r\n");
        let stream = &mut conn.into_parts().expect("it is open").0;
        let error = stream.write(b"x").await.expect_err("behind the end");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn io_and_duplex_have_the_clock_that_they_are_given() {
    let (one, other) = pipe(usize::MAX);
    let mut io = Io::new(one);
    assert!(io.clock().is_none());
    let mut timed = io.with_clock(Toy::clock());
    assert!(timed.clock().is_some());
    let (reader, writer) = pipe(usize::MAX);
    let mut duplex = Duplex::new(reader, writer);
    assert!(duplex.clock().is_none());
    let mut timed = duplex.with_clock(Toy::clock());
    assert!(timed.clock().is_some());
    drop(other);
}
