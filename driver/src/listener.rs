//! A listening socket.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use asyncnet_core::Config;
use socket2::{SockAddr, SockRef, Socket};

use crate::fan_out::{FanOut, Waiter};
use crate::{Address, Connection, Runtime};

/// How long an accept waits when the machine has no descriptor or no memory left: doubled from the first
/// to the last, for as long as it lasts.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// A listening socket. Any number of tasks may accept from it at once.
///
/// The connections inherit its settings, those of the socket and its [`Config`].
pub struct Listener<R: Runtime> {
    inner: R::Listener,
    config: Config,
    /// Accepts that wait: the runtime keeps one waker, this one wakes them all.
    fan_out: Arc<FanOut>,
    waker: Waker,
    nodelay: bool,
    /// Polling the runtime's listener and leaving a waker with it are one step.
    poll_lock: Mutex<()>,
}

impl<R: Runtime> Listener<R> {
    pub(crate) fn new(socket: Socket, config: Config) -> io::Result<Self> {
        let nodelay = socket.tcp_nodelay().unwrap_or(false);
        let inner = R::listener(socket)?;
        let fan_out = FanOut::new();
        let waker = fan_out.waker();
        Ok(Self { inner, config, fan_out, waker, nodelay, poll_lock: Mutex::new(()) })
    }

    /// The next connection.
    ///
    /// # Errors
    ///
    /// As [`accept_addr`](Self::accept_addr).
    ///
    /// # Cancel safety
    ///
    /// As [`accept_addr`](Self::accept_addr).
    pub async fn accept(&self) -> io::Result<Connection<R::Stream>> {
        Ok(self.accept_addr().await?.0)
    }

    /// The next connection, and where it comes from (address *and* port, which Nim leaves out).
    ///
    /// A peer that left before it was accepted is passed over. With no descriptor or no memory left it
    /// waits and tries again, up to once a second: the queue of the system holds the peers meanwhile.
    ///
    /// # Errors
    ///
    /// What is left is an error of the listener itself, and will not get better.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a connection that is not returned stays in the queue.
    #[doc(alias = "acceptAddr")]
    pub async fn accept_addr(&self) -> io::Result<(Connection<R::Stream>, Address)> {
        let waiter = self.fan_out.waiter();
        let mut wait = BACK_OFF.0;
        loop {
            match poll_fn(|cx| self.poll_accept(&waiter, cx)).await {
                Ok((stream, address)) => return Ok((self.connection(stream), address.into())),
                Err(error) if is_passing(&error) => {}
                Err(error) if is_shortage(&error) => {
                    R::sleep(wait).await;
                    wait = (wait * 2).min(BACK_OFF.1);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn poll_accept(
        &self,
        waiter: &Waiter<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(R::Stream, SockAddr)>> {
        waiter.wait(cx.waker());
        let _lock = self.poll_lock.lock().unwrap_or_else(PoisonError::into_inner);
        R::poll_accept(&self.inner, &mut Context::from_waker(&self.waker))
    }

    fn connection(&self, stream: R::Stream) -> Connection<R::Stream> {
        use crate::Transport as _;
        if let (true, Some(socket)) = (self.nodelay, stream.os_socket()) {
            // Some systems pass the option on to accepted sockets and some do not. One that refuses it
            // is no TCP socket, or its peer is gone already, which the first read will tell.
            let _ = SockRef::from(&socket).set_tcp_nodelay(true);
        }
        Connection::with_timer(stream, self.config, R::timer())
    }

    /// Our address: with port 0 in the bind, the port that the system chose.
    ///
    /// # Errors
    ///
    /// As the system says.
    #[doc(alias = "getLocalAddr")]
    pub fn local_addr(&self) -> io::Result<Address> {
        let socket = R::listener_socket(&self.inner);
        Ok(SockRef::from(&socket).local_addr()?.into())
    }
}

impl<R: Runtime> fmt::Debug for Listener<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.local_addr().ok();
        f.debug_struct("Listener").field("local_addr", &address).finish_non_exhaustive()
    }
}

/// Whether an error of accept is about one peer, which is gone, or about nothing.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
            | ErrorKind::TimedOut
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
    ) || is_protocol_error(error)
}

#[cfg(unix)]
fn is_protocol_error(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EPROTO)
}

#[cfg(not(unix))]
fn is_protocol_error(_: &io::Error) -> bool {
    false
}

/// Whether the machine is short of what a connection needs.
fn is_shortage(error: &io::Error) -> bool {
    error.kind() == ErrorKind::OutOfMemory
        || error.raw_os_error().is_some_and(|code| SHORTAGES.contains(&code))
}

#[cfg(unix)]
const SHORTAGES: [i32; 5] = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::ENOSPC];
/// WSAEMFILE and WSAENOBUFS.
#[cfg(windows)]
const SHORTAGES: [i32; 2] = [10024, 10055];
