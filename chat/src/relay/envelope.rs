//! What a message to the other servers holds: who said it, the number of its first line, and lines.
//!
//! ```text
//! asyncnet-chat 1 00112233445566778899aabbccddeeff 42
//! the line with number 42
//! the line with number 43
//! ```
//!
//! Every line ends in LF. A message without lines tells the number that the next line will have. The 1 is the version.

use std::fmt;

/// The longest first line, with its end.
pub(super) const HEAD: usize = NAME.len() + 1 + 1 + 1 + 32 + 1 + 20 + 1;

const NAME: &str = "asyncnet-chat";
const VERSION: &str = "1";

/// One run of one server: a random number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin(pub(super) u128);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A message from a broker.
#[derive(Debug, PartialEq)]
pub(super) struct Envelope<'a> {
    pub(super) origin: Origin,
    /// The number of the first line.
    pub(super) first: u64,
    /// How many lines there are.
    pub(super) count: u64,
    lines: &'a [u8],
}

/// Why a message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is no message of a chat server.
    Malformed,
    /// It is one of another version.
    Version,
}

/// The message of these lines, each ended by LF.
pub(super) fn write(origin: Origin, first: u64, lines: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEAD + lines.len());
    message.extend_from_slice(format!("{NAME} {VERSION} {origin} {first}\n").as_bytes());
    message.extend_from_slice(lines);
    message
}

/// Reads a message.
pub(super) fn read(message: &[u8]) -> Result<Envelope<'_>, Unreadable> {
    use Unreadable::{Malformed, Version};

    // A first line is short, and a search for its end costs no more than that.
    let end = message.iter().take(HEAD).position(|byte| *byte == b'\n').ok_or(Malformed)?;
    let (head, lines) = (&message[..end], &message[end + 1..]);
    let head = std::str::from_utf8(head).map_err(|_| Malformed)?;
    let mut words = head.split(' ');
    if words.next() != Some(NAME) {
        return Err(Malformed);
    }
    if words.next() != Some(VERSION) {
        return Err(Version);
    }
    let (Some(origin), Some(first), None) = (words.next(), words.next(), words.next()) else {
        return Err(Malformed);
    };
    let is_hex = origin.len() == 32 && origin.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_decimal = first.bytes().all(|byte| byte.is_ascii_digit());
    if !is_hex || !is_decimal || !(lines.is_empty() || lines.ends_with(b"\n")) {
        return Err(Malformed);
    }
    // A room cannot say such a line.
    if lines.contains(&b'\r') {
        return Err(Malformed);
    }
    let origin = Origin(u128::from_str_radix(origin, 16).map_err(|_| Malformed)?);
    let first: u64 = first.parse().map_err(|_| Malformed)?;
    let count = count(lines);
    first.checked_add(count).ok_or(Malformed)?;
    Ok(Envelope { origin, first, count, lines })
}

/// How many lines these bytes are, each ended by LF.
pub(super) fn count(lines: &[u8]) -> u64 {
    lines.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

impl<'a> Envelope<'a> {
    /// The lines without their ends, in order.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let whole = self.lines.strip_suffix(b"\n");
        whole.into_iter().flat_map(|lines| lines.split(|byte| *byte == b'\n'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Origin = Origin(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);

    #[test]
    fn what_is_written_is_read() {
        for (lines, expected) in [
            (&b""[..], &[][..]),
            (b"\n", &[&b""[..]]),
            (b"a\n\n b\xff\0\n", &[b"a", b"", b" b\xff\0"]),
            // What looks like a message, or like protocol, is text.
            (b"asyncnet-chat 1 x 1\nPING\n", &[b"asyncnet-chat 1 x 1", b"PING"]),
        ] {
            for first in [0, 42, u64::MAX - 3] {
                let message = write(ORIGIN, first, lines);
                assert!(message.len() <= HEAD + lines.len());
                let envelope = read(&message).expect("it was written here");
                let count = expected.len() as u64;
                assert_eq!(
                    (envelope.origin, envelope.first, envelope.count),
                    (ORIGIN, first, count)
                );
                assert_eq!(envelope.lines().collect::<Vec<_>>(), expected);
            }
        }
        let documented = b"asyncnet-chat 1 00112233445566778899aabbccddeeff 42\n";
        assert_eq!(write(ORIGIN, 42, b""), documented);
    }

    #[test]
    fn what_is_not_written_by_a_server_is_refused() {
        let good = String::from_utf8(write(ORIGIN, 42, b"a\n")).expect("text");
        for bad in [
            "",
            "\n",
            "hello\n",
            "asyncnet-chat\n",
            &good[..good.len() - 1],
            &good.replace(" 42", ""),
            &good.replace(" 42", " -1"),
            &good.replace(" 42", " +1"),
            &good.replace(" 42", " 18446744073709551616"),
            // The number behind its line does not exist.
            &good.replace(" 42", " 18446744073709551615"),
            &good.replace(" 42", " 42 "),
            &good.replace(" 0011", " +011"),
            &good.replace(" 0011", " 11"),
            &good.replace(" 0011", " xx11"),
            &good.replace("a\n", "a\r\n"),
            &"x".repeat(1 << 20),
        ] {
            match read(bad.as_bytes()) {
                Err(why) => assert!(why == Unreadable::Malformed || bad == "asyncnet-chat\n"),
                Ok(read) => panic!("{bad:?} was read as {read:?}"),
            }
        }
        let newer = good.replace("chat 1", "chat 2");
        assert_eq!(read(newer.as_bytes()), Err(Unreadable::Version));
    }

    #[test]
    fn every_prefix_of_a_message_is_refused_or_has_whole_lines() {
        let message = write(ORIGIN, 42, b"ab\nc\n");
        for end in 0..message.len() {
            if let Ok(envelope) = read(&message[..end]) {
                assert!(message[..end].ends_with(b"\n"), "{envelope:?}");
            }
        }
    }
}
