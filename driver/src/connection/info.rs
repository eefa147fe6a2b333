//! The socket under a connection: its addresses and its options.

use std::fmt;
use std::io;

use super::handle::Handle;
use crate::Transport;
use crate::engine::Engine;
use crate::net::open::Permit;
use crate::net::{Address, Drain, PeerCred, Proxied, Setting, SockOpt};
use crate::net::{address, options};

/// The socket under a connection; made by [`Connection::socket`](crate::Connection::socket).
///
/// Every call returns `NotConnected` once the connection is closed, and `Unsupported` if its stream has no socket.
pub struct SocketInfo<'a, S: Transport> {
    handle: &'a Handle<S>,
}

impl<'a, S: Transport> SocketInfo<'a, S> {
    pub(super) const fn new(handle: &'a Handle<S>) -> Self {
        Self { handle }
    }

    /// Our address.
    ///
    /// # Errors
    ///
    /// As the system says.
    #[doc(alias = "getLocalAddr")]
    pub fn local_addr(&self) -> io::Result<Address> {
        self.handle.look(local_addr)
    }

    /// The peer's address. Behind a proxy it is the client's, if the PROXY header has it.
    ///
    /// # Errors
    ///
    /// As the system says; `NotConnected` if the peer is gone.
    #[doc(alias = "getPeerAddr")]
    pub fn peer_addr(&self) -> io::Result<Address> {
        self.handle.look(peer_addr)
    }

    /// What a proxy said about the client (PROXY protocol); `None` for a connection whose listener expects no
    /// proxy, and for one that is closed.
    #[must_use]
    pub fn proxied(&self) -> Option<Proxied> {
        self.handle.look(|engine| engine.permit.as_ref()?.proxied().cloned())
    }

    /// Notifies when the listener of this connection shuts down. It never does for a connection that came from no
    /// listener, or that is closed.
    #[must_use]
    pub fn drain(&self) -> Drain {
        let of_listener = |engine: &Engine<S>| engine.permit.as_ref().map(Permit::drain);
        self.handle.look(of_listener).unwrap_or(Drain::of(None))
    }

    /// The process at the other end of a Unix socket.
    ///
    /// # Errors
    ///
    /// `Unsupported` for other sockets, and on systems other than Linux and Android.
    pub fn peer_cred(&self) -> io::Result<PeerCred> {
        self.ask(address::peer_cred)
    }

    /// Sets an option.
    ///
    /// # Errors
    ///
    /// As the system says.
    #[doc(alias = "setSockOpt")]
    pub fn set(&self, setting: Setting) -> io::Result<()> {
        self.ask(|stream| options::set(stream, setting))
    }

    /// Whether an option is on.
    ///
    /// # Errors
    ///
    /// As the system says.
    #[doc(alias = "getSockOpt")]
    pub fn get(&self, option: SockOpt) -> io::Result<bool> {
        self.ask(|stream| options::get(stream, option))
    }

    fn ask<T>(&self, question: impl FnOnce(&S) -> io::Result<T>) -> io::Result<T> {
        self.handle.look(|engine| question(stream(engine)?))
    }
}

pub(super) fn local_addr<S: Transport>(engine: &Engine<S>) -> io::Result<Address> {
    stream(engine)?.local_addr()
}

pub(super) fn peer_addr<S: Transport>(engine: &Engine<S>) -> io::Result<Address> {
    let stream = stream(engine)?;
    let client = engine.permit.as_ref().and_then(Permit::client_addr);
    client.map_or_else(|| stream.peer_addr(), |client| Ok(client.clone()))
}

fn stream<S: Transport>(engine: &Engine<S>) -> io::Result<&S> {
    engine.stream().ok_or_else(|| io::ErrorKind::NotConnected.into())
}

impl<S: Transport> fmt::Debug for SocketInfo<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketInfo")
            .field("local_addr", &self.local_addr().ok())
            .field("peer_addr", &self.peer_addr().ok())
            .finish_non_exhaustive()
    }
}
