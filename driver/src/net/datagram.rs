//! Datagrams: single messages, each whole or not at all.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::Domain;
use super::OsSocket;
use super::address::AddressError;
use super::error::failed;
use super::place::{HostPort, ONLY_LISTENED_AT, Place, resolve, resolve_in};
use crate::Address;
use crate::engine::fan_out::FanOut;
use crate::runtime::{Datagrams, Socket as _};

/// A datagram that is longer than the call allows. It was left in place: ask again with more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatagramTooLong {
    /// The length of the datagram, in bytes.
    pub len: usize,
    /// What the call allowed.
    pub max: usize,
}

impl fmt::Display for DatagramTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a datagram of {} bytes is longer than {}", self.len, self.max)
    }
}

impl std::error::Error for DatagramTooLong {}

/// A socket for datagrams. [`bind`](Self::bind) makes one; one with options of its own is made step by step,
/// by [`AsyncSocket::datagram`](crate::AsyncSocket::datagram) and `into_datagram`.
///
/// One call sends or receives one datagram: two are never joined, and none is ever cut. Any number of
/// tasks may send and receive at once.
///
/// ```
/// # async fn run<R: asyncnet::runtime::Datagrams>() -> std::io::Result<()> {
/// # type Datagram<R> = asyncnet::net::Datagram<R>;
/// let socket = Datagram::<R>::bind("127.0.0.1:0").await?;
/// let port = socket.local_addr()?.port();
/// socket.send_to(b"to myself", "127.0.0.1", port).await?;
/// let (message, from) = socket.recv_from(1500).await?;
/// assert_eq!((&message[..], from.port()), (&b"to myself"[..], port));
/// # Ok(()) }
/// ```
///
/// Rule [A11](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a11).
#[doc(alias("UdpSocket", "UnixDatagram"))]
pub struct Datagram<R: Datagrams> {
    inner: R::Datagram,
    /// Those who wait: the runtime keeps one waker for each direction.
    fan_out: Arc<FanOut>,
    /// The waker of that fan-out.
    waker: Waker,
    /// A receive looks at the length first; nobody may take the datagram in between. And polling and
    /// leaving a waker are one step.
    poll_lock: Mutex<()>,
}

impl<R: Datagrams> Datagram<R> {
    /// A datagram socket at `"host:port"` (port 0: the system chooses), `"unix:/path"` or `"unix:@name"`. No
    /// host is any address of IPv4. A name binds the first address that can be bound.
    ///
    /// # Errors
    ///
    /// As the system says; `InvalidInput` for a text that is no address, with an
    /// [`AddressError`](super::AddressError) inside that shows a right one.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future closes the socket that was being made.
    pub async fn bind(at: &str) -> io::Result<Self> {
        let place = Place::parse(at)?;
        let bound = async {
            match place {
                Place::Unix(address) => Self::bind_one(&address),
                Place::Inherited(_) => Err(AddressError::new(at, ONLY_LISTENED_AT).into()),
                Place::Host(host, port) => {
                    let host = if host.is_empty() { "0.0.0.0" } else { host };
                    let mut last = io::ErrorKind::NotFound.into();
                    for found in resolve::<R>(host, port).await? {
                        match Self::bind_one(&found.into()) {
                            Ok(bound) => return Ok(bound),
                            Err(error) => last = error,
                        }
                    }
                    Err(last)
                }
            }
        };
        bound.await.map_err(failed("bind to", at))
    }

    fn bind_one(address: &Address) -> io::Result<Self> {
        let socket = R::Socket::datagram(address.ip().map_or(Domain::Unix, Domain::of))?;
        socket.bind(address)?;
        Self::new(socket)
    }

    pub(super) fn new(socket: R::Socket) -> io::Result<Self> {
        let inner = R::datagram(socket)?;
        let fan_out = FanOut::new();
        let waker = fan_out.waker();
        Ok(Self { inner, fan_out, waker, poll_lock: Mutex::new(()) })
    }

    /// Sends one datagram to `address`, a name (its first address of this socket's family is taken) or an
    /// IP address.
    ///
    /// # Errors
    ///
    /// As the system says, for a message that is too long for a datagram too; `InvalidInput` if there is
    /// no address of this socket's family.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the datagram was handed over or it was not.
    #[doc(alias = "sendTo")]
    pub async fn send_to(&self, message: &[u8], address: &str, port: u16) -> io::Result<()> {
        let failed = failed("send to", HostPort(address, port));
        let domain = self.local_addr()?.ip().map_or(Domain::Unix, Domain::of);
        match resolve_in::<R>(Some(domain), address, port).await {
            Ok(found) => self.send(message, &found[0].into()).await.map_err(failed),
            Err(error) => Err(failed(error)),
        }
    }

    /// Sends one datagram to an address that a [`recv_from`](Self::recv_from) gave, or to any other.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to); `InvalidInput` for an [`Address::Unnamed`].
    ///
    /// # Cancel safety
    ///
    /// As [`send_to`](Self::send_to).
    pub async fn send_to_addr(&self, message: &[u8], address: &Address) -> io::Result<()> {
        self.send(message, address).await.map_err(failed("send to", address))
    }

    async fn send(&self, message: &[u8], to: &Address) -> io::Result<()> {
        self.attempt(|cx| R::poll_send_to(&self.inner, cx, message, to)).await
    }

    /// Receives one datagram of at most `max` bytes, and where it comes from. It may be empty.
    ///
    /// # Errors
    ///
    /// As the system says; `InvalidData` with a [`DatagramTooLong`] inside for a datagram that is longer
    /// than `max`, which is left in place.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a datagram that is not returned stays in the socket.
    #[doc(alias = "recvFrom")]
    pub async fn recv_from(&self, max: usize) -> io::Result<(Vec<u8>, Address)> {
        self.attempt(|cx| R::poll_recv_from(&self.inner, cx, max)).await
    }

    async fn attempt<T>(
        &self,
        mut attempt: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        let waiter = self.fan_out.waiter();
        poll_fn(|cx: &mut Context<'_>| {
            waiter.wait(cx.waker());
            let mut cx = Context::from_waker(&self.waker);
            let mut poll = || loop {
                match attempt(&mut cx) {
                    Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    polled => return polled,
                }
            };
            self.fan_out.locked(&self.poll_lock, &mut poll)
        })
        .await
    }

    /// Our address.
    ///
    /// # Errors
    ///
    /// As the system says.
    #[doc(alias = "getLocalAddr")]
    pub fn local_addr(&self) -> io::Result<Address> {
        R::datagram_addr(&self.inner)
    }

    /// The operating system's socket, if there is one.
    #[doc(alias = "getFd")]
    pub fn os_socket(&self) -> Option<OsSocket<'_>> {
        R::datagram_socket(&self.inner)
    }
}

impl<R: Datagrams> fmt::Debug for Datagram<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.local_addr().ok();
        f.debug_struct("Datagram").field("local_addr", &address).finish_non_exhaustive()
    }
}
