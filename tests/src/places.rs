//! Places to listen at, to connect to, and to be refused at.

use std::io::Error;
use std::net::{Ipv4Addr, SocketAddr};

use asyncnet::net::SocketError;
use asyncnet::net::{ConnectOptions, connect};
use asyncnet::{AsyncSocket, Config, Connection, Listener, Runtime};
use socket2::{Domain, Socket, Type};

/// A listener on a port of this machine, and where it is.
pub(crate) async fn listen<R: Runtime>() -> (Listener<R>, SocketAddr) {
    let mut socket = AsyncSocket::<R>::default();
    socket.bind_addr("127.0.0.1", 0).await.expect("a port");
    let listener = socket.listen(16).expect("a listener");
    let address = listener.local_addr().expect("an address");
    (listener, address.ip().expect("TCP"))
}

/// A connection to `host`, all of whose addresses are raced.
pub(crate) async fn dial<R: Runtime>(
    host: &str,
    port: u16,
    config: Config,
) -> Result<Connection<R::Stream>, Error> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.into() };
    connect::<R>(&format!("{host}:{port}"), ConnectOptions::new().config(config)).await
}

/// A port where nobody listens, as long as the socket lives.
pub(crate) fn refusing() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any.into()).expect("a port");
    let address = socket.local_addr().expect("an address");
    (socket, address.as_socket().expect("TCP"))
}

/// Whether this machine has IPv6.
pub(crate) fn has_v6() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok()
}

/// What was tried, and where.
pub(crate) fn tried(error: &Error) -> (&'static str, &str) {
    let detail = error.get_ref().and_then(|detail| detail.downcast_ref::<SocketError>());
    let detail = detail.expect("it tells what was tried");
    assert_eq!(detail.system_error().kind(), error.kind());
    (detail.operation(), detail.address())
}

/// A path of its own, which goes when this goes.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct TempPath(std::path::PathBuf);

#[cfg(unix)]
impl TempPath {
    pub(crate) fn new() -> Self {
        use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

        static NEXT: AtomicUsize = AtomicUsize::new(0);

        let next = NEXT.fetch_add(1, Relaxed);
        let name = format!("asyncnet-{}-{next}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

#[cfg(unix)]
impl AsRef<std::path::Path> for TempPath {
    fn as_ref(&self) -> &std::path::Path {
        &self.0
    }
}

#[cfg(unix)]
impl Drop for TempPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
