//! What a socket is, how it is set, how it ends.

use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use asyncnet::net::{Setting, SockOpt};
use asyncnet::{Address, AsyncSocket};
use serde_json::json;

use super::answer::{Answer, Failure, ok};
use super::system::{is_gone, is_half_closed, readable};
use super::table::{Socket, os_socket};
use super::{Op, Stage};
use crate::bed::System;
use crate::tools::WriterFacts as _;

/// How long a script waits for something of the system, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(4);
const GLANCE: Duration = Duration::from_millis(2);

impl<R: System> Stage<R> {
    pub(super) async fn close(&self, op: &Op) -> Answer {
        match self.socket(op)? {
            Socket::Whole(connection) => connection.lock().await.close().await?,
            Socket::Shared(shared) => {
                shared.descriptor.replace(None);
                shared.writer.close().await?;
            }
            Socket::Fresh(_) | Socket::Listener(_) | Socket::Datagram(_) => {
                self.put(op.socket(), Socket::Dropped);
            }
            Socket::Dropped => {}
        }
        ok(true)
    }

    pub(super) async fn is_closed(&self, op: &Op) -> Answer {
        ok(match self.socket(op)? {
            Socket::Whole(connection) => connection.lock().await.is_closed(),
            Socket::Shared(shared) => shared.writer.is_closed(),
            // These are open as long as they are there.
            Socket::Fresh(_) | Socket::Listener(_) | Socket::Datagram(_) => false,
            Socket::Dropped => true,
        })
    }

    pub(super) async fn get_fd(&self, op: &Op) -> Answer {
        let _lent = self.aside.lend();
        ok(self.socket(op)?.descriptor().await?.is_some())
    }

    /// Whether two sockets have one descriptor. A closed one has none.
    pub(super) async fn same_fd(&self, op: &Op) -> Answer {
        let other = self.named(op.text("other").unwrap_or_default())?;
        let (one, other) = (self.number(self.socket(op)?).await?, self.number(other).await?);
        ok(one.is_some() && one == other)
    }

    async fn number(&self, socket: Socket<R>) -> Result<Option<i32>, Failure> {
        Ok(match socket {
            Socket::Whole(connection) => {
                os_socket(&*connection.lock().await).map(|socket| socket.as_raw_fd())
            }
            Socket::Listener(listening) => {
                Some(listening.listener.os_socket().expect("a socket").as_raw_fd())
            }
            Socket::Datagram(datagrams) => {
                Some(datagrams.socket.os_socket().expect("a socket").as_raw_fd())
            }
            other => return Err(other.has_no("descriptor to show")),
        })
    }

    pub(super) async fn get_opt(&self, op: &Op) -> Answer {
        let _lent = self.aside.lend();
        let option = option(op)?;
        ok(match self.socket(op)? {
            Socket::Fresh(fresh) => fresh.socket.lock().await.get(option)?,
            // A second descriptor of the same socket has the same options.
            other => AsyncSocket::<R>::adopt(other.open_descriptor().await?)?.get(option)?,
        })
    }

    pub(super) async fn set_opt(&self, op: &Op) -> Answer {
        let _lent = self.aside.lend();
        let (option, on) = (option(op)?, op.flag("value").unwrap_or(true));
        match self.socket(op)? {
            Socket::Fresh(fresh) => fresh.socket.lock().await.set(Setting::Flag(option, on))?,
            other => {
                let descriptor = other.open_descriptor().await?;
                AsyncSocket::<R>::adopt(descriptor)?.set(Setting::Flag(option, on))?;
            }
        }
        ok(true)
    }

    pub(super) async fn sndbuf(&self, op: &Op) -> Answer {
        let bytes = op.number("n").unwrap_or_default().try_into().unwrap_or_default();
        match self.socket(op)? {
            Socket::Fresh(fresh) => fresh.socket.lock().await.set(Setting::SendBuffer(bytes))?,
            other => {
                let descriptor = other.open_descriptor().await?;
                AsyncSocket::<R>::adopt(descriptor)?.set(Setting::SendBuffer(bytes))?;
            }
        }
        ok(true)
    }

    pub(super) async fn rcvbuf(&self, op: &Op) -> Answer {
        let bytes = op.number("n").unwrap_or_default().try_into().unwrap_or_default();
        match self.socket(op)? {
            Socket::Fresh(fresh) => fresh.socket.lock().await.set(Setting::RecvBuffer(bytes))?,
            other => {
                let descriptor = other.open_descriptor().await?;
                AsyncSocket::<R>::adopt(descriptor)?.set(Setting::RecvBuffer(bytes))?;
            }
        }
        ok(true)
    }

    /// A limit of the system's for unacknowledged bytes. The library has no name for it.
    pub(super) async fn user_timeout(&self, op: &Op) -> Answer {
        let socket = self.socket(op)?.open_descriptor().await?;
        let time = op.number("ms").and_then(|ms| ms.try_into().ok()).map(Duration::from_millis);
        ok(socket2::SockRef::from(&socket).set_tcp_user_timeout(time).is_ok())
    }

    pub(super) async fn local_addr(&self, op: &Op) -> Answer {
        address(match self.socket(op)? {
            Socket::Fresh(fresh) => fresh.socket.lock().await.local_addr()?,
            Socket::Whole(connection) => connection.lock().await.socket().local_addr()?,
            Socket::Shared(shared) => shared.writer.local_addr()?,
            Socket::Listener(listening) => listening.listener.local_addr()?,
            Socket::Datagram(datagrams) => datagrams.socket.local_addr()?,
            other @ Socket::Dropped => return Err(other.has_no("local_addr")),
        })
    }

    pub(super) async fn peer_addr(&self, op: &Op) -> Answer {
        address(match self.socket(op)? {
            Socket::Whole(connection) => connection.lock().await.socket().peer_addr()?,
            Socket::Shared(shared) => shared.writer.peer_addr()?,
            other => return Err(other.has_no("peer_addr")),
        })
    }

    // ---- what the system knows of a socket ------------------------------------------------------

    pub(super) async fn fionread(&self, op: &Op) -> Answer {
        ok(readable(&self.socket(op)?.open_descriptor().await?)?)
    }

    pub(super) async fn wait_bytes(&self, op: &Op) -> Answer {
        let wanted = op.number("n").and_then(|n| n.try_into().ok()).unwrap_or_default();
        let socket = self.socket(op)?.open_descriptor().await?;
        ok(wait::<R>(|| Ok(readable(&socket)? >= wanted)).await?)
    }

    pub(super) async fn wait_state(&self, op: &Op) -> Answer {
        let half = op.text("state") == Some("close_wait");
        let socket = self.socket(op)?.open_descriptor().await?;
        ok(wait::<R>(|| if half { is_half_closed(&socket) } else { Ok(is_gone(&socket)) }).await?)
    }
}

/// Waits until it is so; whether it came to be.
async fn wait<R: System>(mut is_so: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    let begun = Instant::now();
    while !is_so()? {
        if begun.elapsed() > PATIENCE {
            return Ok(false);
        }
        R::sleep(GLANCE).await;
    }
    Ok(true)
}

fn address(address: Address) -> Answer {
    let ip = address.ip().map(|address| address.ip().to_string());
    Ok(json!({ "ok": ip, "port_nonzero": address.port() != 0 }))
}

fn option(op: &Op) -> Result<SockOpt, Failure> {
    Ok(match op.text("opt").unwrap_or_default() {
        "OptAcceptConn" => SockOpt::AcceptConn,
        "OptBroadcast" => SockOpt::Broadcast,
        "OptDebug" => SockOpt::Debug,
        "OptDontRoute" => SockOpt::DontRoute,
        "OptKeepAlive" => SockOpt::KeepAlive,
        "OptOOBInline" => SockOpt::OobInline,
        "OptReuseAddr" => SockOpt::ReuseAddr,
        "OptReusePort" => SockOpt::ReusePort,
        "OptNoDelay" => SockOpt::NoDelay,
        other => return Err(Failure::script(format!("there is no option {other}"))),
    })
}
