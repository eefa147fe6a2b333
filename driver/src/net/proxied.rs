//! What a proxy says about the client that it speaks for (PROXY protocol).

use crate::Address;

/// What a proxy said about the client of a connection; made by [`SocketInfo::proxied`](super::SocketInfo::proxied).
///
/// ```
/// # fn serve<S: asyncnet::Transport>(conn: &asyncnet::Connection<S>) -> std::io::Result<()> {
/// if let Some(proxied) = conn.socket().proxied() {
///     println!("{} through {}", conn.socket().peer_addr()?, proxied.proxy_addr());
///     if let Some(name) = proxied.tlv(2) {
///         println!("the client asked for {}", name.escape_ascii());
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxied {
    pub(super) proxy: Address,
    pub(super) said: Said,
}

/// What is in a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) client: Option<Address>,
    pub(super) destination: Option<Address>,
    pub(super) tlvs: Vec<(u8, Vec<u8>)>,
}

impl Proxied {
    /// The proxy's own address: that of the socket.
    #[must_use]
    pub const fn proxy_addr(&self) -> &Address {
        &self.proxy
    }

    /// The address of the client. `None`: the proxy speaks for itself (`LOCAL`, a health check), or does not
    /// know (`UNKNOWN`, `UNSPEC`). The connection's `peer_addr` is the proxy's then.
    #[must_use]
    pub const fn client_addr(&self) -> Option<&Address> {
        self.said.client.as_ref()
    }

    /// The address that the client connected to. `None` as for [`client_addr`](Self::client_addr).
    #[must_use]
    pub const fn destination_addr(&self) -> Option<&Address> {
        self.said.destination.as_ref()
    }

    /// The bytes of the first field of this type; version 2 alone has such fields. Types of the
    /// specification: 1 is the application protocol (ALPN), 2 the name that the client asked for (SNI), 5 a unique
    /// identifier, 0x20 what is known of the client's TLS. A checksum (3) is not verified.
    #[must_use]
    pub fn tlv(&self, kind: u8) -> Option<&[u8]> {
        self.tlvs().find(|(other, _)| *other == kind).map(|(_, value)| value)
    }

    /// The types and the bytes of all fields, in the order in which they came.
    pub fn tlvs(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.said.tlvs.iter().map(|(kind, value)| (*kind, value.as_slice()))
    }
}

/// What the first bytes of a connection are.
#[cfg_attr(not(feature = "proxy"), expect(dead_code, reason = "only a parser makes one"))]
pub(super) enum Header {
    /// The front of a header.
    Part,
    /// A header of this many bytes.
    Whole(usize, Said),
    /// No header that is accepted here.
    Refused(&'static str),
}

/// Looks for a header at the start of a connection's bytes.
pub(super) type Parse = fn(&[u8]) -> Header;
