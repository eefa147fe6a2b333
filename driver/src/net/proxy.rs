//! The headers of the PROXY protocol, versions 1 and 2.
//!
//! The crate `ppp` reads a header that is whole. Where one ends is found here, since a header is bounded in length
//! and may come in pieces.

use std::net::{IpAddr, SocketAddr};

use ppp::{v1, v2};

use super::proxied::{Header, Said};
use crate::Address;

/// The longest header of version 1, with its CR LF: the specification has this number.
const LONGEST_V1: usize = 107;
/// The longest header of version 2 that is accepted. Proxies send a few hundred bytes at most.
const LONGEST_V2: usize = 4096;
/// What all headers of version 2 have in front: the signature, the command, the family and the length.
const FRONT_V2: usize = 16;

/// Looks for a header at the start of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Header {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(a, b)| a == b);
    if begins(v2::PROTOCOL_PREFIX) {
        parse_v2(bytes)
    } else if begins(b"PROXY ") {
        parse_v1(bytes)
    } else {
        Header::Refused("the connection begins without a PROXY header")
    }
}

fn parse_v1(bytes: &[u8]) -> Header {
    let front = &bytes[..bytes.len().min(LONGEST_V1)];
    let Some(end) = front.iter().position(|byte| *byte == b'\n') else {
        return match front.len() {
            LONGEST_V1 => Header::Refused("the PROXY header is longer than 107 bytes"),
            _ => Header::Part,
        };
    };
    let line = &front[..=end];
    let malformed = Header::Refused("the PROXY header of version 1 is malformed");
    let Ok(header) = v1::Header::try_from(line) else {
        return malformed;
    };
    let (client, destination) = match header.addresses {
        v1::Addresses::Unknown => (None, None),
        // A sign is a part of a number for the standard library.
        _ if line.contains(&b'+') => return malformed,
        v1::Addresses::Tcp4(v1::IPv4 {
            source_address,
            source_port,
            destination_address,
            destination_port,
        }) => ends(
            (source_address.into(), source_port),
            (destination_address.into(), destination_port),
        ),
        v1::Addresses::Tcp6(v1::IPv6 {
            source_address,
            source_port,
            destination_address,
            destination_port,
        }) => ends(
            (source_address.into(), source_port),
            (destination_address.into(), destination_port),
        ),
    };
    Header::Whole(line.len(), Said { client, destination, tlvs: Vec::new() })
}

fn parse_v2(bytes: &[u8]) -> Header {
    let Some(front) = bytes.get(..FRONT_V2) else { return Header::Part };
    let len = FRONT_V2 + usize::from(u16::from_be_bytes([front[14], front[15]]));
    if len > LONGEST_V2 {
        return Header::Refused("the PROXY header is longer than 4096 bytes");
    }
    let Some(bytes) = bytes.get(..len) else { return Header::Part };
    let malformed = Header::Refused("the PROXY header of version 2 is malformed");
    if front[12] == 0x20 {
        // LOCAL: whatever else it holds is to be ignored.
        return Header::Whole(len, Said::default());
    }
    let Ok(header) = v2::Header::try_from(bytes) else {
        return malformed;
    };
    let (client, destination) = match (header.addresses, header.protocol) {
        (v2::Addresses::Unspecified, v2::Protocol::Unspecified) => (None, None),
        (v2::Addresses::IPv4(it), v2::Protocol::Stream) => ends(
            (it.source_address.into(), it.source_port),
            (it.destination_address.into(), it.destination_port),
        ),
        (v2::Addresses::IPv6(it), v2::Protocol::Stream) => ends(
            (it.source_address.into(), it.source_port),
            (it.destination_address.into(), it.destination_port),
        ),
        (v2::Addresses::Unix(it), v2::Protocol::Stream) => {
            (Some(unix(&it.source)), Some(unix(&it.destination)))
        }
        // A datagram over a stream, or an address of no known use.
        _ => return malformed,
    };
    let tlvs: Result<Vec<_>, _> = header
        .tlvs()
        .map(|field| field.map(|field| (field.kind, field.value.into_owned())))
        .collect();
    match tlvs {
        Ok(tlvs) => Header::Whole(len, Said { client, destination, tlvs }),
        Err(_) => malformed,
    }
}

type End = (IpAddr, u16);

fn ends(client: End, destination: End) -> (Option<Address>, Option<Address>) {
    let address = |end| Some(Address::Ip(SocketAddr::from(end)));
    (address(client), address(destination))
}

/// The address in a field of fixed size: a path that a NUL ends, or an abstract name behind a NUL.
fn unix(field: &[u8]) -> Address {
    let until_nul =
        |bytes: &[u8]| bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
    match field {
        [0, name @ ..] if name.first().is_none_or(|byte| *byte == 0) => Address::Unnamed,
        [0, name @ ..] => Address::Abstract(until_nul(name)),
        path => Address::of_path_bytes(until_nul(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Header, LONGEST_V2, parse};

    fn whole(bytes: &[u8]) -> (usize, Option<String>, Option<String>, usize) {
        match parse(bytes) {
            Header::Whole(n, said) => {
                let text = |address: Option<crate::Address>| address.map(|it| it.to_string());
                (n, text(said.client), text(said.destination), said.tlvs.len())
            }
            Header::Part => panic!("only a part: {}", bytes.escape_ascii()),
            Header::Refused(why) => panic!("{why}: {}", bytes.escape_ascii()),
        }
    }

    fn is_refused(bytes: &[u8]) -> bool {
        matches!(parse(bytes), Header::Refused(_))
    }

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len()).expect("a short body").to_be_bytes();
        [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &len, body].concat()
    }

    const IPV4: &[u8] = &[192, 0, 2, 1, 192, 0, 2, 2, 0x12, 0x34, 0, 25];

    #[test]
    fn a16_every_good_header_is_read_and_each_front_of_it_is_a_part() {
        let unix = [&b"/run/c"[..], &[0; 102], b"\0abs", &[0; 104]].concat();
        let text = |it: &str| Some(it.to_owned());
        for (header, client, destination, tlvs) in [
            (
                b"PROXY TCP4 192.0.2.1 192.0.2.2 4660 25\r\n".to_vec(),
                text("192.0.2.1:4660"),
                text("192.0.2.2:25"),
                0,
            ),
            (
                b"PROXY TCP6 2001:db8::1 ::1 4660 25\r\n".to_vec(),
                text("[2001:db8::1]:4660"),
                text("[::1]:25"),
                0,
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None, None, 0),
            (b"PROXY UNKNOWN what ever +1\r\n".to_vec(), None, None, 0),
            (v2(0x21, 0x11, IPV4), text("192.0.2.1:4660"), text("192.0.2.2:25"), 0),
            (
                v2(0x21, 0x11, &[IPV4, &[2, 0, 1, b'x', 4, 0, 0]].concat()),
                text("192.0.2.1:4660"),
                text("192.0.2.2:25"),
                2,
            ),
            (v2(0x21, 0x31, &unix), text("unix:/run/c"), text("unix:@abs"), 0),
            (v2(0x21, 0, &[]), None, None, 0),
            (v2(0x20, 0, &[]), None, None, 0),
            (v2(0x20, 0xff, b"anything"), None, None, 0),
        ] {
            for rest in [&b""[..], b"\x16\x03\x01", b"PROXY UNKNOWN\r\n"] {
                let bytes = [&header, rest].concat();
                assert_eq!(
                    whole(&bytes),
                    (header.len(), client.clone(), destination.clone(), tlvs)
                );
            }
            for n in 0..header.len() {
                assert!(
                    matches!(parse(&header[..n]), Header::Part),
                    "{n} of {}",
                    header.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn a16_what_is_no_header_is_refused() {
        for bytes in [
            &b"\x16\x03\x01"[..],
            b"GET / HTTP/1.1\r\n\r\n",
            b"proxy",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 4660\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 4660 25 1\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 +660 25\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 0660 25\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 66000 25\r\n",
            b"PROXY TCP4 192.0.2.1  192.0.2.2 660 25\r\n",
            b"PROXY TCP4 ::1 ::1 660 25\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 4660 25\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 4660 25\r\r\n",
            b"PROXY UDP4 192.0.2.1 192.0.2.2 4660 25\r\n",
            b"PROXY \r\n",
            b"PROXY \xff\r\n",
        ] {
            assert!(is_refused(bytes), "{}", bytes.escape_ascii());
        }
        for bytes in [
            v2(0x11, 0x11, IPV4),
            v2(0x22, 0x11, IPV4),
            v2(0x21, 0x12, IPV4),
            v2(0x21, 0x10, IPV4),
            v2(0x21, 0x01, &[]),
            v2(0x21, 0x41, IPV4),
            v2(0x21, 0x11, &IPV4[..11]),
            v2(0x21, 0x21, IPV4),
            v2(0x21, 0x11, &[IPV4, &[2, 0]].concat()),
            v2(0x21, 0x11, &[IPV4, &[2, 0, 9, 1]].concat()),
        ] {
            assert!(is_refused(&bytes), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a16_a_header_that_is_too_long_is_refused_before_it_has_come() {
        let long = [b"PROXY UNKNOWN ", &[b'x'; 100][..]].concat();
        assert!(matches!(parse(&long[..106]), Header::Part));
        assert!(is_refused(&long[..107]));
        let announced = |body: usize| {
            let len = u16::try_from(body).expect("two bytes").to_be_bytes();
            [b"\r\n\r\n\0\r\nQUIT\n", &[0x21, 0x11][..], &len].concat()
        };
        assert!(matches!(parse(&announced(LONGEST_V2 - 16)), Header::Part));
        assert!(is_refused(&announced(LONGEST_V2 - 15)));
    }
}
