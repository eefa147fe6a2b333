//! Where to listen or to connect to, as text: names, literal addresses, and their look-up.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

use super::address::AddressError;
use super::options::Domain;
use crate::{Address, Runtime};

/// The text of a place to listen at or to connect to.
pub(super) enum Place<'a> {
    /// `"host:port"`.
    Host(&'a str, u16),
    /// `"unix:/path"` or `"unix:@name"`.
    Unix(Address),
    /// `"fd:NAME"`: a socket that was passed in.
    Inherited(&'a str),
}

impl<'a> Place<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, AddressError> {
        let wrong = |why| Err(AddressError::new(text, why));
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.strip_prefix('@') {
                _ if path.is_empty() => wrong("no path: write it as in unix:/run/chat.sock"),
                Some("") => wrong("no name: write it as in unix:@chat"),
                Some(name) => Ok(Self::Unix(Address::Abstract(name.into()))),
                None => Ok(Self::Unix(Address::Unix(path.into()))),
            };
        }
        if let Some(name) = text.strip_prefix("fd:") {
            return match name {
                "" => wrong("no name: write it as in fd:chat, or fd:3 for a descriptor"),
                name => Ok(Self::Inherited(name)),
            };
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return wrong("no port: write it as in example.org:6667, [::1]:6667 or unix:/path");
        };
        let bracketed = host.starts_with('[') && host.ends_with(']');
        if text.starts_with('[') && text.ends_with(']') {
            return wrong("no port: write it as in [::1]:6667");
        }
        if !bracketed && host.contains([':', '[', ']']) {
            return wrong(match text.parse::<Ipv6Addr>() {
                Ok(_) => "write an IPv6 address in brackets, and a port, as in [::1]:6667",
                Err(_) => "write it as in example.org:6667, [::1]:6667 or unix:/path",
            });
        }
        match port.parse() {
            Ok(port) if !port_has_sign(text) => Ok(Self::Host(host, port)),
            _ => wrong("the port must be a number from 0 to 65535, as in example.org:6667"),
        }
    }
}

/// `"+80"` is a number for the standard library, and no port.
fn port_has_sign(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(_, port)| port.starts_with('+'))
}

/// Why `"fd:NAME"` is no address.
pub(super) const ONLY_LISTENED_AT: &str = "a socket from the supervisor can only listen";

impl FromStr for Address {
    type Err = AddressError;

    /// Reads an address that needs no look-up: `"127.0.0.1:80"`, `"[::1]:80"`, `"[fe80::1%eth0]:80"`,
    /// `"unix:/path"`, `"unix:@name"`.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        match Place::parse(text)? {
            Place::Unix(address) => Ok(address),
            Place::Inherited(_) => Err(AddressError::new(text, ONLY_LISTENED_AT)),
            Place::Host(host, port) => match literal(host, port)? {
                Some(address) => Ok(Self::Ip(address)),
                None => Err(AddressError::new(text, "the host must be an IP address here")),
            },
        }
    }
}

/// The address of `host` if it is an IP address, with or without brackets and a zone; `None` for a name.
pub(super) fn literal(host: &str, port: u16) -> Result<Option<SocketAddr>, AddressError> {
    let bare = unbracketed(host);
    if !bare.contains(':') {
        if bare.len() != host.len() {
            return Err(AddressError::new(host, "only an IPv6 address stands in brackets"));
        }
        return Ok(bare.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port)));
    }
    let (ip, zone) = bare.split_once('%').map_or((bare, None), |(ip, zone)| (ip, Some(zone)));
    let Ok(ip) = ip.parse::<Ipv6Addr>() else {
        return Err(AddressError::new(host, "it has a colon, and is not an IPv6 address"));
    };
    let Some(zone) = zone else {
        return Ok(Some(SocketAddr::new(ip.into(), port)));
    };
    match scope_id(zone) {
        Some(scope) => Ok(Some(SocketAddrV6::new(ip, port, 0, scope).into())),
        None => Err(AddressError::new(host, "this machine has no network interface of that name")),
    }
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// The host of `"host:port"` as TLS verifies it, without brackets and zone: what `TlsContext::as_client` takes for
/// [`Connection::upgrade_tls`](crate::Connection::upgrade_tls). [`connect`](super::connect) with TLS does this by itself.
///
/// ```
/// use asyncnet::net::host_name;
///
/// assert_eq!(host_name("imap.example.org:143")?, "imap.example.org");
/// assert_eq!(host_name("[fe80::1%eth0]:143")?, "fe80::1");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// `InvalidInput` for a text that is no address or a Unix one, with an [`AddressError`] inside that shows a right one.
pub fn host_name(at: &str) -> io::Result<&str> {
    match Place::parse(at)? {
        Place::Host(host, _) => Ok(tls_name(host)),
        Place::Unix(_) => Err(AddressError::new(at, "a Unix address has no host").into()),
        Place::Inherited(_) => Err(AddressError::new(at, ONLY_LISTENED_AT).into()),
    }
}

/// The host as TLS verifies it: without brackets and without a zone, which means nothing to the peer.
pub(super) fn tls_name(host: &str) -> &str {
    let bare = unbracketed(host);
    match bare.split_once('%') {
        Some((ip, _)) if bare.contains(':') => ip,
        _ => bare,
    }
}

/// The number of a network interface.
fn scope_id(zone: &str) -> Option<u32> {
    zone.parse().ok().or_else(|| interface_index(zone))
}

#[cfg(unix)]
fn interface_index(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}

#[cfg(not(unix))]
fn interface_index(_: &str) -> Option<u32> {
    None
}

/// Every address of `host`; at least one.
pub(super) async fn resolve<R: Runtime>(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Some(address) = literal(host, port)? {
        return Ok(vec![address]);
    }
    let found = R::resolve(host, port).await?;
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no address was found for the name"));
    }
    Ok(found)
}

/// The addresses of `host` in one family, or in both IP families; at least one.
pub(super) async fn resolve_in<R: Runtime>(
    domain: Option<Domain>,
    host: &str,
    port: u16,
) -> io::Result<Vec<SocketAddr>> {
    let mut found = resolve::<R>(host, port).await?;
    if let Some(domain) = domain {
        found.retain(|address| Domain::of(*address) == domain);
    }
    if found.is_empty() {
        let what = "the host has no address of this socket's family";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    Ok(found)
}

/// A host and a port, for error texts.
pub(super) struct HostPort<'a>(pub(super) &'a str, pub(super) u16);

impl fmt::Display for HostPort<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(host, port) = self;
        if host.contains(':') && !host.starts_with('[') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, host_name, literal, tls_name};
    use crate::Address;

    fn error(text: &str) -> String {
        text.parse::<Address>().expect_err(text).to_string()
    }

    #[test]
    fn a15_the_host_of_a_place_is_what_tls_verifies() {
        for (at, host) in [
            ("example.org:143", "example.org"),
            ("127.0.0.1:143", "127.0.0.1"),
            ("[::1]:143", "::1"),
            ("[fe80::1%lo]:143", "fe80::1"),
        ] {
            assert_eq!(host_name(at).expect(at), host);
        }
        for at in ["example.org", "::1:143", "example.org:x", "unix:/run/x"] {
            let error = host_name(at).expect_err(at);
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn a15_every_form_of_an_ip_address_is_read() {
        for (host, address) in [
            ("127.0.0.1", "127.0.0.1:7"),
            ("::1", "[::1]:7"),
            ("[::1]", "[::1]:7"),
            ("fe80::1%3", "[fe80::1%3]:7"),
            ("[fe80::1%3]", "[fe80::1%3]:7"),
        ] {
            let read = literal(host, 7).expect(host).expect(host);
            assert_eq!(read, address.parse().expect(address));
        }
        assert_eq!(literal("example.org", 7), Ok(None));
        literal("[example.org]", 7).expect_err("a name in brackets");
        literal("example::org", 7).expect_err("a name with colons");
        literal("fe80::1%no-such-interface", 7).expect_err("no such zone");
        #[cfg(target_os = "linux")]
        assert!(literal("fe80::1%lo", 7).is_ok_and(|address| address.is_some()));
    }

    #[test]
    fn a15_a_zone_is_no_part_of_the_tls_name() {
        for (host, name) in [
            ("example.org", "example.org"),
            ("[fe80::1%eth0]", "fe80::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[::1]", "::1"),
        ] {
            assert_eq!(tls_name(host), name);
        }
    }

    #[test]
    fn a15_a_wrong_address_is_an_error_that_shows_a_right_one() {
        assert!(error("example.org").contains("example.org:6667"));
        assert!(error("::1:80").contains("[::1]:6667"));
        assert!(error("[::1:80").contains("[::1]:6667"));
        assert!(error("[::1]").contains("no port"));
        assert!(!error("http://example.org:80/").contains("IPv6"));
        assert!(!error("1.2.3.4:80:90").contains("IPv6"));
        assert!(error("unix:@").contains("no name"));
        assert!(error("example.org:http").contains("0 to 65535"));
        assert!(error("example.org:+80").contains("0 to 65535"));
        assert!(error("127.0.0.1:65536").contains("0 to 65535"));
        assert!(error("fd:").contains("fd:chat"));
        assert!(error("fd:3").contains("can only listen"));
        assert!(error("unix:").contains("unix:/run/chat.sock"));
        assert!(error("example.org:80").contains("IP address"));
        assert!(matches!(Place::parse(":80"), Ok(Place::Host("", 80))));
    }
}
