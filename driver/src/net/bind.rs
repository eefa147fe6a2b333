//! From the text of a place to a socket that listens there.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::place::{Place, resolve};
use super::{Domain, ListenOptions, Setting, SockOpt};
use crate::runtime::Socket as _;
use crate::{Address, Runtime};

/// A socket that listens at `place`.
pub(super) async fn bind_to<R: Runtime>(
    place: Place<'_>,
    options: &ListenOptions,
) -> io::Result<R::Socket> {
    let at = match place {
        Place::Inherited(name) => return inherit::<R>(name, options),
        Place::Unix(address) => vec![address],
        Place::Host("", port) => vec![
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into(),
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into(),
        ],
        Place::Host(host, port) => {
            resolve::<R>(host, port).await?.into_iter().map(Address::Ip).collect()
        }
    };
    bind_first::<R>(&at, options)
}

/// A socket that listens on the first of `addresses` that can be bound.
fn bind_first<R: Runtime>(addresses: &[Address], options: &ListenOptions) -> io::Result<R::Socket> {
    let mut last = ErrorKind::NotFound.into();
    for address in addresses {
        match bind_one::<R>(address, options) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
        // Half of "all addresses" would be a surprise.
        if last.kind() == ErrorKind::AddrInUse {
            break;
        }
    }
    Err(last)
}

/// A socket that was passed in. It is bound and listens already.
fn inherit<R: Runtime>(name: &str, options: &ListenOptions) -> io::Result<R::Socket> {
    let socket = R::Socket::inherited(name)?;
    if socket.local_addr()?.ip().is_some() {
        socket.set(Setting::Flag(SockOpt::NoDelay, true))?;
    }
    for setting in &options.settings {
        socket.set(*setting)?;
    }
    Ok(socket)
}

fn bind_one<R: Runtime>(address: &Address, options: &ListenOptions) -> io::Result<R::Socket> {
    let domain = address.ip().map_or(Domain::Unix, Domain::of);
    let socket = R::Socket::stream(domain)?;
    if let Some(ip) = address.ip() {
        socket.set(Setting::Flag(SockOpt::NoDelay, true))?;
        if !cfg!(windows) {
            socket.set(Setting::Flag(SockOpt::ReuseAddr, true))?;
        }
        if ip.is_ipv6() && ip.ip().is_unspecified() {
            // Some systems have no sockets for both families; there it is IPv6 alone.
            let _ = socket.set(Setting::OnlyV6(false));
        }
    }
    for setting in &options.settings {
        socket.set(*setting)?;
    }
    socket.bind(address)?;
    socket.listen(options.backlog.try_into().unwrap_or(i32::MAX))?;
    Ok(socket)
}
