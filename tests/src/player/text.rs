//! Bytes as text: escapes, and a summary of what is too long to read.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// Bytes beyond this are told as a summary.
const READABLE: usize = 160;
/// So much of both ends is in a summary.
const GLIMPSE: usize = 24;

/// Printable ASCII as it is, all else escaped: `\r`, `\n`, `\t`, `\\`, `\x00`.
pub(super) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => write!(text, "\\x{byte:02x}").expect("a string takes everything"),
        }
    }
    text
}

/// The bytes of an escaped text. A backslash that begins no escape stands for itself.
#[must_use]
pub fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let (byte, taken) = match (byte, behind) {
            (b'\\', [b'r', ..]) => (b'\r', 1),
            (b'\\', [b'n', ..]) => (b'\n', 1),
            (b'\\', [b't', ..]) => (b'\t', 1),
            (b'\\', [b'\\', ..]) => (b'\\', 1),
            (b'\\', [b'x', high, low, ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, 3),
                _ => (byte, 0),
            },
            _ => (byte, 0),
        };
        bytes.push(byte);
        rest = &behind[taken..];
    }
    bytes
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| digit.try_into().ok())
}

/// Bytes in an answer: escaped, or their length, both ends and a hash.
#[must_use]
pub fn shown(bytes: &[u8]) -> Value {
    if bytes.len() <= READABLE {
        return escape(bytes).into();
    }
    let (head, tail) = (&bytes[..GLIMPSE], &bytes[bytes.len() - GLIMPSE..]);
    json!({
        "len": bytes.len(),
        "head": escape(head),
        "tail": escape(tail),
        "fnv": format!("{:016x}", fnv1a(bytes)),
    })
}

/// The 64-bit hash of Fowler, Noll and Vo, variant 1a.
fn fnv1a(bytes: &[u8]) -> u64 {
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.iter().fold(START, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}
