//! What kind of socket: family, type and protocol.

use std::io;

/// The address family of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Domain {
    /// IPv4.
    #[default]
    #[doc(alias = "AF_INET")]
    Inet,
    /// IPv6.
    #[doc(alias = "AF_INET6")]
    Inet6,
    /// Sockets of one machine, named by a path.
    #[doc(alias = "AF_UNIX")]
    Unix,
}

/// What a socket carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SockType {
    /// A stream of bytes.
    #[default]
    #[doc(alias = "SOCK_STREAM")]
    Stream,
    /// Single messages; see [`Datagram`](crate::Datagram).
    #[doc(alias = "SOCK_DGRAM")]
    Datagram,
}

/// The protocol under a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// The usual one of the family and type: TCP for an IP stream, UDP for IP datagrams.
    #[default]
    Usual,
    /// TCP.
    #[doc(alias = "IPPROTO_TCP")]
    Tcp,
    /// UDP.
    #[doc(alias = "IPPROTO_UDP")]
    Udp,
}

/// The same three as the system numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) domain: socket2::Domain,
    pub(super) ty: socket2::Type,
    pub(super) protocol: Option<socket2::Protocol>,
}

impl Kind {
    pub(super) fn is_unix(self) -> bool {
        self.domain == socket2::Domain::UNIX
    }

    /// Refuses what has no stream of bytes.
    pub(super) fn check_stream(self) -> io::Result<()> {
        if self.ty != socket2::Type::DGRAM {
            return Ok(());
        }
        let what = "a datagram socket has no stream: see into_datagram";
        Err(io::Error::new(io::ErrorKind::InvalidInput, what))
    }
}

impl From<(Domain, SockType, Protocol)> for Kind {
    fn from((domain, ty, protocol): (Domain, SockType, Protocol)) -> Self {
        let domain = match domain {
            Domain::Inet => socket2::Domain::IPV4,
            Domain::Inet6 => socket2::Domain::IPV6,
            Domain::Unix => socket2::Domain::UNIX,
        };
        let ty = match ty {
            SockType::Stream => socket2::Type::STREAM,
            SockType::Datagram => socket2::Type::DGRAM,
        };
        let protocol = match protocol {
            Protocol::Usual => None,
            Protocol::Tcp => Some(socket2::Protocol::TCP),
            Protocol::Udp => Some(socket2::Protocol::UDP),
        };
        Self { domain, ty, protocol }
    }
}

impl From<(i32, i32, i32)> for Kind {
    fn from((domain, ty, protocol): (i32, i32, i32)) -> Self {
        let protocol = if protocol == 0 { None } else { Some(protocol.into()) };
        Self { domain: domain.into(), ty: ty.into(), protocol }
    }
}
