//! Beds of real sockets: TCP over loopback and Unix socket pairs, on any platform.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::marker::PhantomData;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use asyncnet::{Config, Connection, Runtime};
use socket2::{Domain, Socket, Type};

use crate::bed::{Bed, Executor, Peer, Platform, Rest};
use crate::system::makes_resets;

/// What the system is asked to buffer in either direction.
const BUFFER: usize = 128 << 10;
/// A read of a peer that takes longer fails: the safety net of helper threads.
const PATIENCE: Duration = Duration::from_secs(40);

/// A platform over TCP.
#[derive(Debug)]
pub struct Tcp<P>(PhantomData<P>);

/// A platform over Unix sockets.
#[cfg(unix)]
#[derive(Debug)]
pub struct Unix<P>(PhantomData<P>);

fn connection<P: Platform>(
    ours: Socket,
    config: Config,
) -> Connection<<P::Runtime as Runtime>::Stream> {
    ours.set_send_buffer_size(BUFFER).expect("an option");
    let stream = P::Runtime::stream(ours).expect("the runtime takes a socket");
    Connection::new(stream, config)
}

impl<P: Platform> Executor for Tcp<P> {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        P::block_on(future)
    }

    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        P::spawn(task)
    }
}

impl<P: Platform> Platform for Tcp<P> {
    type Runtime = P::Runtime;
}

impl<P: Platform> Bed for Tcp<P> {
    type Stream = <P::Runtime as Runtime>::Stream;
    type Peer = SocketPeer;

    const HOLDS: usize = 2 << 20;
    const RESETS: bool = true;
    const TAKES_AT_ONCE: bool = true;

    fn peer_resets() -> bool {
        makes_resets()
    }

    async fn pair(config: Config) -> (Connection<Self::Stream>, SocketPeer) {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        listener.bind(&any.into()).expect("a port");
        listener.listen(1).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let peer = SocketPeer::connect(&address);
        let (ours, _) = listener.accept().expect("a connection");
        (connection::<P>(ours, config), peer)
    }
}

#[cfg(unix)]
impl<P: Platform> Executor for Unix<P> {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        P::block_on(future)
    }

    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        P::spawn(task)
    }
}

#[cfg(unix)]
impl<P: Platform> Bed for Unix<P> {
    type Stream = <P::Runtime as Runtime>::Stream;
    type Peer = SocketPeer;

    const HOLDS: usize = 2 << 20;
    const RESETS: bool = false;
    const TAKES_AT_ONCE: bool = true;

    async fn pair(config: Config) -> (Connection<Self::Stream>, SocketPeer) {
        let (ours, theirs) = Socket::pair(Domain::UNIX, Type::STREAM, None).expect("a pair");
        // A Unix socket is reset by a peer that closes it with bytes unread. This byte makes sure.
        ours.send(b"!").expect("an empty socket takes a byte");
        let peer = SocketPeer::new(theirs, true);
        (connection::<P>(ours, config), peer)
    }
}

/// A blocking socket, waited for on helper threads.
pub struct SocketPeer {
    socket: Arc<Socket>,
    /// Whether a first byte is still to be skipped.
    guarded: AtomicBool,
}

impl SocketPeer {
    fn new(socket: Socket, guarded: bool) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("an option");
        socket.set_write_timeout(Some(PATIENCE)).expect("an option");
        Self { socket: Arc::new(socket), guarded: AtomicBool::new(guarded) }
    }

    /// Connects to a TCP listener.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn connect(address: &socket2::SockAddr) -> Self {
        let socket = Socket::new(address.domain(), Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(BUFFER).expect("an option");
        socket.connect(address).expect("the listener is there");
        socket.set_tcp_nodelay(true).expect("an option");
        Self::new(socket, false)
    }

    /// Its own port; 0 for a Unix socket.
    ///
    /// # Panics
    ///
    /// If the system does not know it.
    #[must_use]
    pub fn port(&self) -> u16 {
        let address = self.socket.local_addr().expect("an address");
        address.as_socket().map_or(0, |address| address.port())
    }

    /// Runs `work` on a helper thread, behind what has to be skipped.
    async fn work<T: Send + 'static>(&self, work: impl FnOnce(&Socket) -> T + Send + 'static) -> T {
        let socket = Arc::clone(&self.socket);
        blocking::unblock(move || work(&socket)).await
    }

    async fn skip(&self) {
        if self.guarded.swap(false, SeqCst) {
            self.work(|mut socket| socket.read_exact(&mut [0])).await.expect("the first byte");
        }
    }
}

impl Peer for SocketPeer {
    async fn send(&self, bytes: &[u8]) {
        let bytes = bytes.to_vec();
        self.work(move |mut socket| socket.write_all(&bytes)).await.expect("our side reads");
    }

    async fn recv(&self, n: usize) -> Vec<u8> {
        self.skip().await;
        let read = move |mut socket: &Socket| {
            let mut bytes = vec![0; n];
            socket.read_exact(&mut bytes).map(|()| bytes)
        };
        self.work(read).await.expect("our side sends")
    }

    async fn recv_all(&self) -> Rest {
        self.skip().await;
        let read = |mut socket: &Socket| {
            let mut bytes = Vec::new();
            (socket.read_to_end(&mut bytes), bytes)
        };
        let (end, bytes) = self.work(read).await;
        let reset = match end {
            Ok(_) => false,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
            Err(error) => panic!("our side did not end: {error}"),
        };
        Rest { bytes, reset }
    }

    async fn shutdown(&self) {
        self.socket.shutdown(Shutdown::Write).expect("connected");
    }

    fn reset(self) {
        let guarded = self.guarded.into_inner();
        let unix = self.socket.local_addr().expect("an address").is_unix();
        assert!(guarded || !unix, "a peer that received cannot reset");
        let linger = Some(Duration::ZERO);
        self.socket.set_linger(linger).expect("an option");
    }
}

impl fmt::Debug for SocketPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}
