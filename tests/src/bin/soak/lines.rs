//! Lines to send, and what the servers have to make of them.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use crate::serve::{LINE_BREAK, MAX_LINE, TOO_LONG};
use crate::tally::Random;
use crate::wire::Wire;

/// A line with its end, and what an echo answers to it.
pub(crate) struct Line {
    pub(crate) bytes: Vec<u8>,
    pub(crate) answer: Vec<u8>,
}

impl Line {
    /// A line that may be good or bad.
    pub(crate) fn any(random: &mut Random) -> Self {
        match random.below(10) {
            0 => Self::good(text(random, MAX_LINE), random),
            1 => {
                let length = MAX_LINE + 1 + random.below(2 * MAX_LINE);
                Self { bytes: ended(text(random, length), random), answer: TOO_LONG.into() }
            }
            2 => {
                let mut bytes = text(random, 20);
                bytes[random.below(20)] = b'\r';
                bytes.push(b'.');
                Self { bytes: ended(bytes, random), answer: LINE_BREAK.into() }
            }
            3 => {
                let length = random.below(100);
                Self::good(any_bytes(random, length), random)
            }
            _ => {
                let length = random.below(100);
                Self::good(text(random, length), random)
            }
        }
    }

    fn good(text: Vec<u8>, random: &mut Random) -> Self {
        Self { bytes: ended(text.clone(), random), answer: text }
    }
}

/// NUL and what is not UTF-8 too, but nothing that could end a line.
fn any_bytes(random: &mut Random, length: usize) -> Vec<u8> {
    let byte = |byte| if matches!(byte, b'\r' | b'\n') { 0xFF } else { byte };
    (0..length).map(|_| byte(random.byte())).collect()
}

pub(crate) fn text(random: &mut Random, length: usize) -> Vec<u8> {
    (0..length).map(|_| b'a' + random.byte() % 26).collect()
}

fn ended(mut line: Vec<u8>, random: &mut Random) -> Vec<u8> {
    line.extend_from_slice(if random.once_in(2) { b"\n" } else { b"\r\n" });
    line
}

/// How noise begins and ends, in a room: what does not begin or end so was torn.
pub(crate) const NOISE: (&[u8], &[u8]) = (b"noise ", b" end");

/// Some lines of noise, good and bad, each with its end.
pub(crate) fn noise(random: &mut Random) -> Vec<u8> {
    let mut noise = Vec::new();
    for _ in 0..1 + random.below(8) {
        noise.extend_from_slice(NOISE.0);
        let length = random.below(60);
        let inside = match random.below(6) {
            0 => text(random, MAX_LINE),
            1 => [&text(random, length), &b"\r"[..], &text(random, 3)].concat(),
            2 => any_bytes(random, length),
            _ => text(random, length),
        };
        noise.extend(inside);
        noise.extend_from_slice(NOISE.1);
        noise.extend_from_slice(b"\r\n");
    }
    noise
}

/// The beginning of a line of noise, whose end will not come.
pub(crate) fn torn(random: &mut Random) -> Vec<u8> {
    let length = 1 + random.below(2 * MAX_LINE);
    [NOISE.0, &text(random, length)].concat()
}

/// Sends in one piece, in several, or slowly, byte by byte.
pub(crate) fn send_somehow(wire: &mut Wire, bytes: &[u8], random: &mut Random) -> io::Result<()> {
    let (longest, slow) = match random.below(20) {
        0 if bytes.len() < 300 => (1, true),
        0..5 => (1 + random.below(200), false),
        _ => (bytes.len(), false),
    };
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at((1 + random.below(longest)).min(rest.len()));
        wire.send(piece)?;
        rest = behind;
        if slow && random.once_in(4) {
            sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}
