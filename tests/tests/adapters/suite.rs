// The sockets, the clock and the resolver of one runtime, as the driver sees them. `main.rs` includes this
// once for each: it brings `Subject`, `Stream` and `block_on`.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::{Ipv6Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use asyncnet::{Address, Clock as _, Runtime, SendRuntime, Transport};
use futures_io::{AsyncRead, AsyncWrite};
use socket2::{SockAddr, SockRef, Socket, Type};

/// A test, within a minute.
fn run<T>(test: impl Future<Output = T>) -> T {
    block_on(async { within(Duration::from_secs(60), test).await }).expect("done in time")
}

/// `None` if `limit` is over before `future` is.
async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let (mut future, mut sleep) = (pin!(future), pin!(Subject::sleep(limit)));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => sleep.as_mut().poll(cx).map(|()| None),
    })
    .await
}

fn loopback() -> SockAddr {
    SocketAddr::from(([127, 0, 0, 1], 0)).into()
}

/// A path for a Unix socket, removed at the end.
#[cfg(unix)]
struct TempPath(std::path::PathBuf);

#[cfg(unix)]
impl TempPath {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let name = format!("{}-{process}-{number}", module_path!().replace("::", "-"));
        Self(std::env::temp_dir().join(name))
    }

    fn address(&self) -> SockAddr {
        SockAddr::unix(&self.0).unwrap()
    }
}

#[cfg(unix)]
impl Drop for TempPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn socket_for(address: &SockAddr) -> Socket {
    Socket::new(address.domain(), Type::STREAM, None).unwrap()
}

fn listen(address: &SockAddr, backlog: i32) -> (<Subject as Runtime>::Listener, SockAddr) {
    let socket = socket_for(address);
    socket.bind(address).unwrap();
    socket.listen(backlog).unwrap();
    let address = socket.local_addr().unwrap();
    (Subject::listener(socket).unwrap(), address)
}

async fn connect(address: &SockAddr) -> io::Result<Stream> {
    Subject::connect(socket_for(address), &address.clone().into()).await
}

async fn accept(listener: &<Subject as Runtime>::Listener) -> (Stream, Address) {
    poll_fn(|cx| Subject::poll_accept(listener, cx)).await.unwrap()
}

async fn pair(address: &SockAddr) -> (Stream, Stream) {
    let (listener, address) = listen(address, 8);
    let client = connect(&address).await.unwrap();
    let (server, _) = accept(&listener).await;
    (client, server)
}

async fn read(stream: &mut Stream, buf: &mut [u8]) -> usize {
    poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, buf)).await.unwrap()
}

async fn read_to_end(stream: &mut Stream) -> Vec<u8> {
    let (mut all, mut buf) = (Vec::new(), [0; 1024]);
    loop {
        match read(stream, &mut buf).await {
            0 => return all,
            n => all.extend_from_slice(&buf[..n]),
        }
    }
}

async fn write(stream: &mut Stream, buf: &[u8]) -> usize {
    poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, buf)).await.unwrap()
}

#[test]
fn everything_moves_between_threads() {
    fn runtime<R: SendRuntime>() {}
    fn stream<S: Transport + Send + Sync + Unpin>() {}
    runtime::<Subject>();
    stream::<Stream>();
}

#[cfg(target_os = "linux")]
fn is_non_blocking_and_close_on_exec(stream: &Stream) -> bool {
    use std::os::fd::AsRawFd;
    let info = format!("/proc/self/fdinfo/{}", stream.as_raw_fd());
    let info = std::fs::read_to_string(info).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = u32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
    flags & 0o4000 != 0 && flags & 0o2_000_000 != 0
}

async fn echo_over(address: &SockAddr) {
    let (listener, address) = listen(address, 8);
    let mut waiting = pin!(accept(&listener));
    assert!(within(Duration::ZERO, waiting.as_mut()).await.is_none());
    let mut client = connect(&address).await.unwrap();
    let (mut server, peer) = waiting.await;

    let client_socket = client.os_socket().unwrap();
    let local = SockRef::from(&client_socket).local_addr().unwrap();
    assert_eq!(peer, local.into());
    let listening = Subject::listener_socket(&listener).unwrap();
    assert_eq!(SockRef::from(&listening).local_addr().unwrap(), address);
    assert_eq!(Subject::listener_addr(&listener).unwrap(), address.into());
    #[cfg(target_os = "linux")]
    assert!(is_non_blocking_and_close_on_exec(&server));

    let mut buf = [0; 16];
    assert!(within(Duration::from_millis(5), read(&mut server, &mut buf)).await.is_none());
    let parts = ["half", "", " close"].map(|part| IoSlice::new(part.as_bytes()));
    let sent = poll_fn(|cx| Pin::new(&mut client).poll_write_vectored(cx, &parts)).await;
    assert_eq!(sent.unwrap(), 10);
    poll_fn(|cx| Pin::new(&mut client).poll_shutdown_write(cx)).await.unwrap();
    let question = read_to_end(&mut server).await;
    assert_eq!(question, b"half close");
    assert_eq!(write(&mut server, &question).await, 10);
    poll_fn(|cx| Pin::new(&mut server).poll_close(cx)).await.unwrap();
    assert_eq!(read_to_end(&mut client).await, question);
}

#[test]
fn bytes_and_half_closes_cross_a_tcp_connection() {
    run(echo_over(&loopback()));
}

#[cfg(unix)]
#[test]
fn bytes_and_half_closes_cross_a_unix_connection() {
    let path = TempPath::new();
    run(echo_over(&path.address()));
}

async fn write_many_slices(address: &SockAddr) {
    let (mut client, mut server) = pair(address).await;
    let slices = vec![IoSlice::new(b"x"); 5000];
    let sent = poll_fn(|cx| Pin::new(&mut client).poll_write_vectored(cx, &slices));
    let sent = sent.await.unwrap();
    drop(client);
    assert_eq!(read_to_end(&mut server).await, vec![b'x'; sent]);
}

#[test]
fn more_slices_than_a_system_call_takes_are_fine_over_tcp() {
    run(write_many_slices(&loopback()));
}

#[cfg(unix)]
#[test]
fn more_slices_than_a_system_call_takes_are_fine_over_unix() {
    let path = TempPath::new();
    run(write_many_slices(&path.address()));
}

async fn fill_and_drain(address: &SockAddr) {
    let (mut writer, mut reader) = pair(address).await;
    let mut block = vec![7; 1 << 16];
    let mut backlog = 0;
    let patience = Duration::from_millis(50);
    while let Some(n) = within(patience, write(&mut writer, &block)).await {
        backlog += n;
    }
    let mut parts = [IoSlice::new(b"la"), IoSlice::new(b"st")];
    let last = poll_fn(|cx| Pin::new(&mut writer).poll_write_vectored(cx, &parts));
    let mut last = pin!(last);
    assert!(within(Duration::ZERO, last.as_mut()).await.is_none());
    while backlog > 0 {
        backlog -= read(&mut reader, &mut block).await;
    }
    let sent = last.await.unwrap();
    let mut rest = &mut parts[..];
    IoSlice::advance_slices(&mut rest, sent);
    let mut buf = [0; 8];
    assert_eq!(read(&mut reader, &mut buf).await, sent);
    assert_eq!(&buf[..sent], &b"last"[..sent]);
}

#[test]
fn a_writer_waits_while_its_tcp_connection_is_full() {
    run(fill_and_drain(&loopback()));
}

#[cfg(unix)]
#[test]
fn a_writer_waits_while_its_unix_connection_is_full() {
    let path = TempPath::new();
    run(fill_and_drain(&path.address()));
}

#[test]
fn a_port_where_nobody_listens_refuses() {
    let bound = socket_for(&loopback());
    bound.bind(&loopback()).unwrap();
    let address = bound.local_addr().unwrap();
    let error = run(connect(&address)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[cfg(unix)]
#[test]
fn a_unix_socket_where_nobody_listens_refuses() {
    let path = TempPath::new();
    let error = run(connect(&path.address())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    socket_for(&path.address()).bind(&path.address()).unwrap();
    let error = run(connect(&path.address())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

/// Connections to `address` until its backlog is full.
#[cfg(unix)]
async fn crowd(address: &SockAddr) -> Vec<Stream> {
    let mut crowd = Vec::new();
    let patience = Duration::from_millis(50);
    while let Some(stream) = within(patience, connect(address)).await {
        crowd.push(stream.unwrap());
    }
    crowd
}

#[cfg(target_os = "linux")] // elsewhere a full backlog refuses
#[test]
fn a_unix_connect_waits_for_room_in_the_backlog() {
    let path = TempPath::new();
    run(async {
        let (listener, address) = listen(&path.address(), 1);
        let crowd = crowd(&address).await;
        let mut connect = pin!(connect(&address));
        assert!(within(Duration::from_millis(20), connect.as_mut()).await.is_none());
        let _accepted = accept(&listener).await;
        connect.await.unwrap();
        drop(crowd);
    });
}

#[cfg(target_os = "linux")] // elsewhere a full backlog refuses
#[test]
fn dropping_a_connect_closes_its_socket() {
    run(async {
        let (_listener, address) = listen(&loopback(), 0);
        let _crowd = crowd(&address).await;
        // No one else binds there, so that nobody takes the port when it is free.
        let apart = SocketAddr::from(([127, 0, 0, 77], 0)).into();
        let socket = socket_for(&apart);
        socket.bind(&apart).unwrap();
        let local = socket.local_addr().unwrap();
        let connect = Subject::connect(socket, &address.into());
        assert!(within(Duration::from_millis(20), connect).await.is_none());
        // A process that another test starts may hold the socket for a moment.
        for _ in 0..500 {
            if socket_for(&local).bind(&local).is_ok() {
                return;
            }
            Subject::sleep(Duration::from_millis(10)).await;
        }
        panic!("the port is in use");
    });
}

#[test]
fn names_resolve() {
    let addresses = run(Subject::resolve("localhost", 7)).unwrap();
    assert!(!addresses.is_empty());
    assert!(addresses.iter().all(|a| a.ip().is_loopback() && a.port() == 7));
    let numeric = run(Subject::resolve("::1", 8)).unwrap();
    assert_eq!(numeric, [SocketAddr::from((Ipv6Addr::LOCALHOST, 8))]);
}

#[test]
fn sleeps_last_and_very_long_ones_are_fine() {
    let nap = Duration::from_millis(20);
    run(async {
        let begin = Instant::now();
        Subject::sleep(nap).await;
        assert!(begin.elapsed() >= nap);
        assert!(within(nap, Subject::sleep(Duration::MAX)).await.is_none());
    });
}

#[test]
fn a_clock_has_one_alarm_and_the_last_call_sets_it() {
    run(async {
        let mut clock = Subject::clock();
        let now = clock.now();
        let (near, far) = (now + Duration::from_millis(5), now + Duration::from_secs(3600));
        assert!(poll_fn(|cx| Poll::Ready(clock.poll_alarm(cx, near).is_pending())).await);
        let later = within(Duration::from_millis(20), poll_fn(|cx| clock.poll_alarm(cx, far)));
        assert!(later.await.is_none(), "the first alarm is still set");
        poll_fn(|cx| clock.poll_alarm(cx, near)).await;
        assert!(clock.now() >= near);
        // And again, though it was ready before.
        let next = clock.now() + Duration::from_millis(5);
        poll_fn(|cx| clock.poll_alarm(cx, next)).await;
        assert!(clock.now() >= next);
    });
}

#[test]
fn a_stream_has_the_clock_of_its_runtime() {
    run(async {
        let (mut client, _server) = pair(&loopback()).await;
        let clock = client.clock().expect("a clock");
        let start = clock.now();
        poll_fn(|cx| clock.poll_alarm(cx, start + Duration::from_millis(5))).await;
    });
}
