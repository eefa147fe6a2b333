//! The sockets of a script, by name.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use async_lock::Mutex;
use asyncnet::net::{Datagram, OsSocket};
use asyncnet::{Address, AsyncSocket, Connection, Listener, Transport, Writer};

use super::answer::Failure;
use super::{Op, Stage};
use crate::bed::System;

/// A socket, in whatever state it is. A clone is the same socket.
pub(super) enum Socket<R: System> {
    /// Neither connected nor listening.
    Fresh(Rc<Fresh<R>>),
    Whole(Rc<Mutex<Connection<R::Stream>>>),
    Shared(Rc<Shared<R>>),
    Listener(Rc<Listening<R>>),
    Datagram(Rc<Datagrams<R>>),
    /// What was closed by being dropped.
    Dropped,
}

/// A socket before it is used.
pub(super) struct Fresh<R: System> {
    pub(super) socket: Mutex<AsyncSocket<R>>,
    /// Whether it was made for datagrams.
    pub(super) datagram: bool,
}

/// A connection that several operations use at once: receives take turns, all else goes through a writer.
pub(super) struct Shared<R: System> {
    pub(super) connection: Mutex<Connection<R::Stream>>,
    pub(super) writer: Writer<R::Stream>,
    pub(super) is_tls: bool,
    /// A connection with writers does not give its stream away. Gone once a close begins.
    pub(super) descriptor: RefCell<Option<OwnedFd>>,
}

/// A listener.
pub(super) struct Listening<R: System> {
    pub(super) listener: Listener<R>,
    /// What was accepted and has not done its handshake yet: a script gets secure connections only.
    pub(super) handshaking: Mutex<Option<(Connection<R::Stream>, Address)>>,
}

impl<R: System> Listening<R> {
    pub(super) fn of(listener: Listener<R>) -> Self {
        Self { listener, handshaking: Mutex::default() }
    }
}

/// A datagram socket, and where its `send` goes.
pub(super) struct Datagrams<R: System> {
    pub(super) socket: Datagram<R>,
    pub(super) to: RefCell<Option<SocketAddr>>,
}

impl<R: System> Shared<R> {
    fn of(mut connection: Connection<R::Stream>) -> Self {
        // Without one, only what asks the system about this connection fails.
        let descriptor = os_socket(&connection).and_then(|socket| socket.try_clone_to_owned().ok());
        let (writer, is_tls) = (connection.writer(), connection.tls().is_some());
        let connection = Mutex::new(connection);
        Self { connection, writer, is_tls, descriptor: RefCell::new(descriptor) }
    }
}

/// The system's socket of a connection, as long as it is open.
pub(super) fn os_socket<S: Transport>(connection: &Connection<S>) -> Option<OsSocket<'_>> {
    connection.get_ref()?.os_socket()
}

impl<R: System> Clone for Socket<R> {
    fn clone(&self) -> Self {
        match self {
            Self::Fresh(it) => Self::Fresh(Rc::clone(it)),
            Self::Whole(it) => Self::Whole(Rc::clone(it)),
            Self::Shared(it) => Self::Shared(Rc::clone(it)),
            Self::Listener(it) => Self::Listener(Rc::clone(it)),
            Self::Datagram(it) => Self::Datagram(Rc::clone(it)),
            Self::Dropped => Self::Dropped,
        }
    }
}

impl<R: System> Socket<R> {
    /// Why `call` cannot be asked of it.
    pub(super) fn has_no(&self, call: &str) -> Failure {
        Failure::by_type(match self {
            Self::Fresh(_) => format!("a socket in no use yet has no {call}"),
            Self::Whole(_) | Self::Shared(_) => format!("a connection has no {call}"),
            Self::Listener(_) => format!("a listener has no {call}"),
            Self::Datagram(_) => format!("a datagram socket has no {call}"),
            Self::Dropped => format!("a socket that was dropped has no {call}"),
        })
    }

    /// Another descriptor of the same socket, for what the system is to be asked. `None`: it was closed.
    pub(super) async fn descriptor(&self) -> Result<Option<OwnedFd>, Failure> {
        Ok(Some(match self {
            Self::Whole(connection) => match os_socket(&*connection.lock().await) {
                Some(socket) => socket.try_clone_to_owned()?,
                None => return Ok(None),
            },
            Self::Shared(shared) => match &*shared.descriptor.borrow() {
                Some(descriptor) => descriptor.try_clone()?,
                None => return Ok(None),
            },
            Self::Listener(listening) => {
                listening.listener.os_socket().expect("a socket").try_clone_to_owned()?
            }
            Self::Datagram(datagrams) => {
                datagrams.socket.os_socket().expect("a socket").try_clone_to_owned()?
            }
            Self::Fresh(_) | Self::Dropped => return Err(self.has_no("descriptor to show")),
        }))
    }

    /// The same, where a closed socket is an error.
    pub(super) async fn open_descriptor(&self) -> Result<OwnedFd, Failure> {
        let closed = || io::Error::new(io::ErrorKind::NotConnected, "closed: no descriptor");
        Ok(self.descriptor().await?.ok_or_else(closed)?)
    }
}

impl<R: System> Stage<R> {
    /// The socket that an operation is about.
    pub(super) fn socket(&self, op: &Op) -> Result<Socket<R>, Failure> {
        self.named(op.socket())
    }

    pub(super) fn named(&self, name: &str) -> Result<Socket<R>, Failure> {
        let unknown = || Failure::script(format!("there is no socket {name}"));
        self.sockets.borrow().get(name).cloned().ok_or_else(unknown)
    }

    pub(super) fn put(&self, name: &str, socket: Socket<R>) {
        // An old one of that name is dropped when the table is free.
        let old = self.sockets.borrow_mut().insert(name.into(), socket);
        drop(old);
    }

    pub(super) fn remove(&self, name: &str) -> Result<Socket<R>, Failure> {
        let unknown = || Failure::script(format!("there is no socket {name}"));
        self.sockets.borrow_mut().remove(name).ok_or_else(unknown)
    }

    /// A new connection.
    pub(super) fn connected(&self, name: &str, connection: Connection<R::Stream>) {
        self.put(name, Socket::Whole(Rc::new(Mutex::new(connection))));
        if self.settings.shared {
            self.share(name);
        }
    }

    /// Lends a writer of the connection `name`, if it is one, still whole, and no operation is using it.
    pub(super) fn share(&self, name: &str) {
        let Ok(Socket::Whole(_)) = self.named(name) else {
            return;
        };
        let Ok(Socket::Whole(whole)) = self.remove(name) else {
            return;
        };
        let shared = match Rc::try_unwrap(whole) {
            Ok(whole) => Socket::Shared(Rc::new(Shared::of(whole.into_inner()))),
            Err(whole) => Socket::Whole(whole),
        };
        self.put(name, shared);
    }

    /// The socket `name` as its only owner, to be made into something else.
    pub(super) fn take_fresh(&self, name: &str, call: &str) -> Result<AsyncSocket<R>, Failure> {
        match self.named(name)? {
            Socket::Fresh(_) => {}
            other => return Err(other.has_no(call)),
        }
        match self.remove(name)? {
            Socket::Fresh(fresh) => match Rc::try_unwrap(fresh) {
                Ok(fresh) => Ok(fresh.socket.into_inner()),
                Err(_) => Err(Failure::by_type("another call is using the socket")),
            },
            other => Err(other.has_no(call)),
        }
    }
}
