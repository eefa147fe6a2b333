//! The socket under a connection: its addresses, its options.

use std::io;

use super::Connection;
use crate::net::{address, options};
use crate::{Address, OsSocket, PeerCred, SockOpt, Transport};

impl<S: Transport> Connection<S> {
    /// The operating system's socket; `None` once the connection is closed, or if its stream is none.
    #[doc(alias = "getFd")]
    #[must_use]
    pub fn os_socket(&self) -> Option<OsSocket<'_>> {
        self.get_ref().and_then(Transport::os_socket)
    }

    /// Switches an option on or off.
    ///
    /// # Errors
    ///
    /// As [`AsyncSocket::set`](crate::AsyncSocket::set); `NotConnected` if the connection is
    /// closed, `Unsupported` if its stream is no socket.
    #[doc(alias = "setSockOpt")]
    pub fn set_sock_opt(&mut self, option: SockOpt, on: bool) -> io::Result<()> {
        options::set_on(self.get_ref(), option, on)
    }

    /// Whether an option is on.
    ///
    /// # Errors
    ///
    /// As [`set_sock_opt`](Self::set_sock_opt).
    #[doc(alias = "getSockOpt")]
    pub fn sock_opt(&self, option: SockOpt) -> io::Result<bool> {
        options::get_of(self.get_ref(), option)
    }

    /// Who is at the other end of a Unix socket.
    ///
    /// # Errors
    ///
    /// `Unsupported` for other sockets and on systems where we do not know how to ask (all but Linux
    /// and Android); otherwise as [`local_addr`](Self::local_addr).
    pub fn peer_cred(&self) -> io::Result<PeerCred> {
        address::peer_cred(self.get_ref())
    }

    /// Our address.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the connection is closed, `Unsupported` if its stream is no socket.
    #[doc(alias = "getLocalAddr")]
    pub fn local_addr(&self) -> io::Result<Address> {
        address::local(self.get_ref())
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// As [`local_addr`](Self::local_addr), and `NotConnected` if the peer is gone.
    #[doc(alias = "getPeerAddr")]
    pub fn peer_addr(&self) -> io::Result<Address> {
        address::peer(self.get_ref())
    }
}
