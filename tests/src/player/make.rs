//! Making, binding, connecting and accepting.

use std::cell::RefCell;
use std::rc::Rc;

use async_lock::Mutex;
use asyncnet::net::Domain;
use asyncnet::{Address, AsyncSocket, Config, Connection};
use serde_json::json;
use socket2::{Protocol, Type};

use super::answer::{Answer, Failure, ok};
use super::system::{dead_port, flags, open_descriptors};
use super::table::{Datagrams, Fresh, Listening, Socket, os_socket};
use super::{Event, Op, Stage};
use crate::bed::System;

/// The longest queue of a listener that Nim asks for when nothing is said.
const BACKLOG: i64 = 128;

impl<R: System> Stage<R> {
    pub(super) fn new_socket(&self, op: &Op) -> Answer {
        let socket = self.make(op)?;
        let buffered = op.flag("buffered").unwrap_or(self.settings.buffered);
        let socket = Mutex::new(socket.with_config(self.config(buffered)));
        self.wrapped.borrow_mut().remove(op.makes());
        let fresh = Fresh { socket, datagram: op.text("type") == Some("dgram") };
        self.put(op.makes(), Socket::Fresh(Rc::new(fresh)));
        ok(true)
    }

    pub(super) fn config(&self, buffered: bool) -> Config {
        let config = Config::default().buffered(buffered).close(self.settings.close);
        match self.settings.max_line {
            Some(max_line) => config.max_line(max_line),
            None => config,
        }
    }

    fn make(&self, op: &Op) -> Result<AsyncSocket<R>, Failure> {
        let domain = domain(op.text("domain").unwrap_or("v4"));
        let datagram = op.text("type") == Some("dgram");
        let (ty, protocol) = match (datagram, op.text("proto")) {
            (true, _) => (Type::DGRAM, Protocol::UDP),
            (_, Some("mismatch")) => (Type::DGRAM, Protocol::TCP),
            _ => (Type::STREAM, Protocol::TCP),
        };
        let family = family(domain);
        Ok(match op.text("overload") {
            Some("cint") => AsyncSocket::from_raw_parts(family.into(), ty.into(), protocol.into())?,
            // Registering is the library's business: there is one way to adopt a descriptor.
            Some("fd_registered" | "fd_unregistered") => {
                AsyncSocket::adopt(socket2::Socket::new(family, ty, Some(protocol))?)?
            }
            Some("bad_fd") => {
                return Err(Failure::by_type("a number alone is no descriptor: an OwnedFd is"));
            }
            _ if domain == Domain::Unix => AsyncSocket::new(domain)?,
            _ => AsyncSocket::from_raw_parts(family.into(), ty.into(), protocol.into())?,
        })
    }

    /// Sockets that are dropped: do they leave descriptors?
    pub(super) fn leak(&self, op: &Op) -> Answer {
        let before = open_descriptors()?;
        for _ in 0..op.number("n").unwrap_or_default() {
            drop(AsyncSocket::<R>::new(Domain::Ipv4)?);
        }
        ok(open_descriptors()?.saturating_sub(before))
    }

    pub(super) async fn bind(&self, op: &Op) -> Answer {
        let mut port = number_of_port(op.number("port").unwrap_or_default())?;
        if let Some(other) = op.text("same_port_as") {
            port = self.port_of(other).await?;
        }
        if op.is("peer_port") {
            port = self.settings.peer_port;
        }
        if op.is("remembered") {
            port = self.saved_port.get();
        }
        match self.socket(op)? {
            Socket::Fresh(fresh) => {
                let address = op.text("addr").unwrap_or_default();
                fresh.socket.lock().await.bind_addr(address, port).await?;
            }
            other => return Err(other.has_no("bind_addr")),
        }
        ok(true)
    }

    pub(super) fn listen(&self, op: &Op) -> Answer {
        let backlog = op.number("backlog").unwrap_or(BACKLOG);
        let backlog = backlog.try_into().map_err(|_| Failure::by_type("a backlog is an i32"))?;
        let socket = self.take_fresh(op.socket(), "listen")?;
        self.put(op.socket(), Socket::Dropped);
        self.put(op.socket(), Socket::Listener(Rc::new(Listening::of(socket.listen(backlog)?))));
        ok(true)
    }

    pub(super) async fn announce(&self, op: &Op) -> Answer {
        let port = self.port_of(op.socket()).await?;
        (self.settings.events)(Event::Port(op.socket().into(), port));
        ok(true)
    }

    pub(super) async fn connect(&self, op: &Op) -> Answer {
        let host = op.text("addr").unwrap_or(self.settings.host());
        let mut port = match op.number("port") {
            Some(port) => number_of_port(port)?,
            None => self.settings.peer_port,
        };
        if let Some(other) = op.text("to") {
            port = self.port_of(other).await?;
        }
        if op.is("dead_port") {
            port = dead_port(host)?;
        }
        match self.socket(op)? {
            Socket::Datagram(datagrams) => {
                return connect_datagrams(&datagrams, host, port);
            }
            Socket::Fresh(fresh) => {
                let connection = fresh.socket.lock().await.connect(host, port).await?;
                self.connected(op.socket(), connection);
            }
            other => return Err(other.has_no("connect")),
        }
        ok(true)
    }

    pub(super) async fn accept(&self, op: &Op) -> Answer {
        let (connection, _) = self.accepted(op).await?;
        let mut answer = flags(os_socket(&connection).expect("it is open"))?;
        answer["is_ssl"] = json!(connection.tls().is_some());
        self.connected(op.makes(), connection);
        Ok(answer)
    }

    pub(super) async fn accept_addr(&self, op: &Op) -> Answer {
        let (connection, from) = self.accepted(op).await?;
        self.connected(op.makes(), connection);
        ok(from.ip().map(|from| from.ip().to_string()))
    }

    /// The next connection; over TLS the next whose handshake succeeds.
    async fn accepted(&self, op: &Op) -> Result<(Connection<R::Stream>, Address), Failure> {
        let Socket::Listener(listening) = self.socket(op)? else {
            return Err(self.socket(op)?.has_no(op.name()));
        };
        if !self.wrapped.borrow().contains(op.socket()) {
            return Ok(listening.listener.accept_addr().await?);
        }
        // Given up in a handshake, the next accept goes on with it.
        let mut slot = listening.handshaking.lock().await;
        loop {
            let accepted = match slot.take() {
                Some(accepted) => accepted,
                None => listening.listener.accept_addr().await?,
            };
            let handshake = slot.insert(accepted).0.handshake().await;
            let Some((mut connection, from)) = slot.take() else { continue };
            if handshake.is_ok() {
                return Ok((connection, from));
            }
            // Tells the peer why.
            let _ = connection.close().await;
        }
    }

    /// Makes a datagram socket of one that was made as such, before it is used as one.
    pub(super) fn settle_datagrams(&self, op: &Op) -> Result<(), Failure> {
        match self.socket(op) {
            Ok(Socket::Fresh(fresh)) if fresh.datagram => {}
            _ => return Ok(()),
        }
        let socket = self.take_fresh(op.socket(), op.name())?.into_datagram()?;
        let datagrams = Datagrams { socket, to: RefCell::new(None) };
        self.put(op.socket(), Socket::Datagram(Rc::new(datagrams)));
        Ok(())
    }

    async fn port_of(&self, name: &str) -> Result<u16, Failure> {
        Ok(match self.named(name)? {
            Socket::Fresh(fresh) => fresh.socket.lock().await.local_addr()?.port(),
            Socket::Listener(listening) => listening.listener.local_addr()?.port(),
            Socket::Datagram(datagrams) => datagrams.socket.local_addr()?.port(),
            Socket::Whole(connection) => connection.lock().await.socket().local_addr()?.port(),
            Socket::Shared(shared) => shared.writer.local_addr()?.port(),
            Socket::Dropped => return Err(Socket::<R>::Dropped.has_no("port")),
        })
    }

    pub(super) async fn remember_port(&self, op: &Op) -> Answer {
        self.saved_port.set(self.port_of(op.socket()).await?);
        ok(true)
    }
}

/// Datagrams name their address with every call; here the script's connect says which.
fn connect_datagrams<R: System>(datagrams: &Datagrams<R>, host: &str, port: u16) -> Answer {
    let ip = host.parse().map_err(|_| Failure::script("datagrams go to an IP address"))?;
    datagrams.to.replace(Some((std::net::IpAddr::V4(ip), port).into()));
    ok(true)
}

fn domain(name: &str) -> Domain {
    match name {
        "v6" => Domain::Ipv6,
        "unix" => Domain::Unix,
        _ => Domain::Ipv4,
    }
}

const fn family(domain: Domain) -> socket2::Domain {
    match domain {
        Domain::Ipv6 => socket2::Domain::IPV6,
        Domain::Unix => socket2::Domain::UNIX,
        _ => socket2::Domain::IPV4,
    }
}

fn number_of_port(port: i64) -> Result<u16, Failure> {
    port.try_into().map_err(|_| Failure::by_type(format!("{port} is no u16")))
}
