//! Datagrams: single messages, each whole or not at all.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use socket2::{SockAddr, SockRef, Socket};

use super::error::failed;
use super::{Place, resolve_in};
use crate::fan_out::FanOut;
use crate::runtime::Direction;
use crate::{Address, OsSocket, Runtime};

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

/// A socket for datagrams, made by [`AsyncSocket::into_datagram`](crate::AsyncSocket::into_datagram).
///
/// One call sends or receives one datagram: two are never joined, and none is ever cut. Any number of
/// tasks may send and receive at once.
///
/// ```
/// # async fn run<R: asyncnet::Runtime>() -> std::io::Result<()> {
/// # type AsyncSocket<R> = asyncnet::AsyncSocket<R>;
/// use asyncnet::{Domain, Protocol, SockType};
///
/// let mut socket = AsyncSocket::<R>::new(Domain::Inet, SockType::Datagram, Protocol::Udp)?;
/// socket.bind_addr("127.0.0.1", 0).await?;
/// let socket = socket.into_datagram()?;
/// let port = socket.local_addr()?.port();
/// socket.send_to(b"to myself", "127.0.0.1", port).await?;
/// let (message, from) = socket.recv_from(1500).await?;
/// assert_eq!((&message[..], from.port()), (&b"to myself"[..], port));
/// # Ok(()) }
/// ```
pub struct Datagram<R: Runtime> {
    inner: R::Datagram,
    /// Those who wait: the runtime keeps one waker for each direction.
    fan_out: Arc<FanOut>,
    /// The waker of that fan-out.
    waker: Waker,
    /// A receive looks at the length first; nobody may take the datagram in between. And polling and
    /// leaving a waker are one step.
    poll_lock: Mutex<()>,
}

impl<R: Runtime> Datagram<R> {
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
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
        let failed = failed("send to", Place(address, port));
        let domain = SockRef::from(&self.os_socket()).local_addr()?.domain();
        match resolve_in::<R>(domain, address, port).await {
            Ok(found) => self.send(message, &found[0].into()).await.map_err(failed),
            Err(error) => Err(failed(error)),
        }
    }

    /// Sends one datagram to an address that a [`recv_from`](Self::recv_from) gave, or to a path.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to); `InvalidInput` for a Unix address without a path.
    ///
    /// # Cancel safety
    ///
    /// As [`send_to`](Self::send_to).
    pub async fn send_to_addr(&self, message: &[u8], address: &Address) -> io::Result<()> {
        let failed = failed("send to", address);
        match address.try_into() {
            Ok(to) => self.send(message, &to).await.map_err(failed),
            Err(error) => Err(failed(error)),
        }
    }

    async fn send(&self, message: &[u8], to: &SockAddr) -> io::Result<()> {
        // A datagram goes whole or not at all: the system never takes a part.
        self.attempt(Direction::Write, |socket| socket.send_to(message, to).map(drop)).await
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
        self.attempt(Direction::Read, |socket| take(socket, max)).await
    }

    async fn attempt<T>(
        &self,
        direction: Direction,
        mut attempt: impl FnMut(&SockRef<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        let waiter = self.fan_out.waiter();
        poll_fn(|cx: &mut Context<'_>| {
            waiter.wait(cx.waker());
            let mut cx = Context::from_waker(&self.waker);
            let mut poll = || loop {
                match R::poll_datagram(&self.inner, direction, &mut cx, &mut attempt) {
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
        Ok(SockRef::from(&self.os_socket()).local_addr()?.into())
    }

    /// The operating system's socket.
    #[doc(alias = "getFd")]
    pub fn os_socket(&self) -> OsSocket<'_> {
        R::datagram_socket(&self.inner)
    }
}

impl<R: Runtime> fmt::Debug for Datagram<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.local_addr().ok();
        f.debug_struct("Datagram").field("local_addr", &address).finish_non_exhaustive()
    }
}

/// Takes the next datagram, if it is no longer than `max`. Nobody else may receive meanwhile.
fn take(socket: &SockRef<'_>, max: usize) -> io::Result<(Vec<u8>, Address)> {
    let len = next_len(socket)?;
    if len > max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, DatagramTooLong { len, max }));
    }
    let from = socket.peek_sender()?;
    // One byte more than needed: an empty datagram is received, not left.
    let mut message = vec![0; len + 1];
    let n = (&**socket).read(&mut message)?;
    message.truncate(n);
    Ok((message, from.into()))
}

/// The length of the next datagram, which stays.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn next_len(socket: &SockRef<'_>) -> io::Result<usize> {
    socket.recv_with_flags(&mut [], libc::MSG_PEEK | libc::MSG_TRUNC)
}

/// The length of the next datagram, which stays.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn next_len(socket: &SockRef<'_>) -> io::Result<usize> {
    /// No datagram is longer than this.
    const LONGEST: usize = 64 << 10;
    socket.peek(&mut vec![std::mem::MaybeUninit::uninit(); LONGEST])
}
