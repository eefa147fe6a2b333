//! From a socket to a connection, and from an address to a connection.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::error::failed;
use super::place::{HostPort, ONLY_LISTENED_AT, Place, resolve, tls_name};
use super::race::race;
use super::socket::shown;
use super::{ConnectOptions, Domain, Setting, SockOpt};
#[cfg(feature = "tls")]
use crate::TlsContext;
use crate::runtime::Socket as _;
use crate::tls::{Layers, Side};
use crate::{Address, AsyncSocket, Connection, Error, Runtime, Transport, log};

/// Connects to `"host:port"` or `"unix:/path"`. Nim's `dial`, with everything that can be set.
///
/// The host is a name or an IP address; IPv6 stands in brackets, with a zone if it needs one:
/// `"[::1]:6667"`, `"[fe80::1%eth0]:6667"`. The addresses of a name are raced as RFC 8305 says, a new one
/// joining every 250 ms or as soon as one failed.
///
/// The adapters have this with their runtime in it: `asyncnet_tokio::connect("irc.example.org:6667")`.
///
/// ```
/// # async fn fetch<R: asyncnet::Runtime>() -> std::io::Result<()> {
/// use std::time::Duration;
///
/// use asyncnet::net::{ConnectOptions, connect};
///
/// let options = ConnectOptions::new().timeout(Duration::from_secs(10));
/// let mut conn = connect::<R>("irc.example.org:6667", options).await?;
/// conn.send_line(b"NICK ann").await?;
/// # Ok(()) }
/// ```
///
/// Rules [A4](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a4) and [A15](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a15).
///
/// # Errors
///
/// If no address answers: the first error and the last, together. `InvalidInput` for a text that is no
/// address, with an [`AddressError`](super::AddressError) inside that shows a right one. `TimedOut` at the
/// timeout. With TLS also those of the handshake ([`Error`], by way of `get_ref` and `source`).
///
/// # Cancel safety
///
/// Cancel safe: dropping the future closes every connection that was being made.
#[doc(alias("dial", "TcpStream", "UnixStream", "happy eyeballs"))]
pub async fn connect<R: Runtime>(
    to: &str,
    options: ConnectOptions,
) -> io::Result<Connection<R::Stream>> {
    let place = Place::parse(to)?;
    let failed = failed("connect to", to);
    let timeout = options.timeout;
    let connecting = connect_to_place::<R>(place, options);
    let connected = match timeout {
        Some(timeout) => within::<R, _>(timeout, connecting).await,
        None => connecting.await,
    };
    connected.map_err(failed)
}

async fn connect_to_place<R: Runtime>(
    place: Place<'_>,
    options: ConnectOptions,
) -> io::Result<Connection<R::Stream>> {
    let (stream, host) = match place {
        Place::Host(host, port) => {
            let mut found = resolve::<R>(host, port).await?;
            retain_family(&mut found, options.local.as_ref())?;
            let make = |address| make::<R>(Domain::of(address), &options);
            (race::<R>(found, make).await?, Some(host))
        }
        Place::Unix(address) => {
            let socket = make::<R>(Domain::Unix, &options)?;
            (R::connect(socket, &address).await?, None)
        }
        Place::Inherited(_) => {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, ONLY_LISTENED_AT));
        }
    };
    let connection = Connection::new(stream, options.config);
    if let Ok(address) = connection.socket().peer_addr() {
        log::connected(address);
    }
    if let Some(layers) = &options.layers {
        return become_client(connection, &**layers, host).await;
    }
    Ok(connection)
}

/// Leaves those that a socket bound to `local` can connect to.
fn retain_family(found: &mut Vec<SocketAddr>, local: Option<&Address>) -> io::Result<()> {
    let Some(local) = local else { return Ok(()) };
    found.retain(|to| local.ip().is_some_and(|local| local.is_ipv4() == to.is_ipv4()));
    if found.is_empty() {
        let what = "the host has no address of the family of the local address";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    Ok(())
}

fn make<R: Runtime>(domain: Domain, options: &ConnectOptions) -> io::Result<R::Socket> {
    let socket = R::Socket::stream(domain)?;
    if domain != Domain::Unix {
        socket.set(Setting::Flag(SockOpt::NoDelay, true))?;
    }
    for setting in &options.settings {
        socket.set(*setting)?;
    }
    if let Some(local) = &options.local {
        socket.bind(local)?;
    }
    Ok(socket)
}

/// `TimedOut` if `limit` is over before `future` is.
async fn within<R: Runtime, T>(
    limit: Duration,
    future: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let (mut future, mut limit) = (pin!(future), pin!(R::sleep(limit)));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Pending => limit.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
        done => done,
    })
    .await
}

impl<R: Runtime> AsyncSocket<R> {
    /// Connects to `address`, a name or an IP address, at `port`: Nim's `connect`. The addresses of a name
    /// are tried one after the other; [`connect`](super::connect) races them.
    ///
    /// Wrapped in TLS, an address whose handshake fails ends the call: the next address would only hide
    /// why.
    ///
    /// # Errors
    ///
    /// The error of the last address tried; `InvalidInput` if there is none of this socket's family, or it is
    /// a datagram socket. Wrapped in TLS also those of the handshake ([`Error`], by way of `get_ref` and
    /// `source`). The socket can be tried again, with all that was set on it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future closes the connection that was being made. The socket can be
    /// tried again.
    pub async fn connect(&mut self, address: &str, port: u16) -> io::Result<Connection<R::Stream>> {
        let failed = failed("connect to", HostPort(address, port));
        let mut last = io::ErrorKind::InvalidInput.into();
        match self.resolve(address, port).await {
            Err(error) => last = error,
            Ok(found) => {
                for found in found {
                    match self.connect_to(found.into(), Some(address)).await {
                        Ok(connection) => return Ok(connection),
                        Err(error) => last = error,
                    }
                    if is_of_tls(&last) {
                        break;
                    }
                }
            }
        }
        Err(failed(last))
    }

    /// Connects to a Unix socket: Nim's `connectUnix`. While its queue is full the connect is tried again.
    /// Wrapped in TLS, the context has to say which server to expect.
    ///
    /// # Errors
    ///
    /// As the system says; `InvalidInput` for a path that is too long.
    ///
    /// # Cancel safety
    ///
    /// As [`connect`](Self::connect).
    #[doc(alias = "connectUnix")]
    pub async fn connect_unix(
        &mut self,
        path: impl AsRef<Path>,
    ) -> io::Result<Connection<R::Stream>> {
        let address = Address::of_path(path.as_ref());
        let failed = failed("connect to", shown(&address));
        self.connect_to(address, None).await.map_err(failed)
    }

    async fn connect_to(
        &mut self,
        address: Address,
        host: Option<&str>,
    ) -> io::Result<Connection<R::Stream>> {
        self.check_stream()?;
        let stream = R::connect(self.take_socket_to(&address)?, &address).await?;
        log::connected(address);
        let connection = Connection::new(stream, self.config);
        match &self.layers {
            Some(layers) => become_client(connection, &**layers, host).await,
            None => Ok(connection),
        }
    }

    /// Makes the connections of this socket TLS: Nim's `wrapSocket`. Those that it connects are clients, and
    /// those that it accepts once it listens are servers.
    ///
    /// [`connect`](Self::connect) then returns after the handshake, and verifies the certificate for the host
    /// that it was given. A [`Listener`](crate::Listener) hands out a connection once its peer has spoken; its
    /// handshake goes on in the task that uses it. Every handshake is bounded by
    /// [`Config::handshake_timeout`](crate::Config).
    ///
    /// ```
    /// # async fn fetch<R: asyncnet::Runtime>() -> Result<(), Box<dyn std::error::Error>> {
    /// # type AsyncSocket<R> = asyncnet::AsyncSocket<R>;
    /// use asyncnet::TlsContext;
    ///
    /// let mut socket = AsyncSocket::<R>::default();
    /// socket.wrap_tls(&TlsContext::client().build()?);
    /// let mut server = socket.connect("imap.example.org", 993).await?;
    /// println!("{}", server.recv_line().await?);
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "tls")]
    #[doc(alias = "wrapSocket")]
    pub fn wrap_tls(&mut self, context: &TlsContext) {
        self.layers = Some(std::sync::Arc::new(context.clone()));
    }
}

fn is_of_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Error>())
}

/// Goes through the handshake of a client that connected to `host`. After a failure the peer gets an alert.
async fn become_client<S: Transport>(
    mut connection: Connection<S>,
    layers: &dyn Layers,
    host: Option<&str>,
) -> io::Result<Connection<S>> {
    let layer = layers.client_layer(host.map(tls_name))?;
    if let Err(error) = connection.upgrade_tls(Side::custom(layer)).await {
        connection.end_failed_handshake().await;
        return Err(error.into());
    }
    Ok(connection)
}
