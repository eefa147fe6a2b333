//! Where a line ends: pure functions over the bytes received so far.
//!
//! All framings share one promise: the answer depends on the bytes alone, never on how they were cut
//! into chunks, and no byte is looked at twice (`searched` says how far an earlier look came). But for one
//! thing: behind a short line a batch looks at the next 64 bytes at once, whether or not it gets to them.

use memchr::{memchr, memchr2};

use crate::{Framing, LineError};

const CR: u8 = b'\r';
const LF: u8 = b'\n';

/// Every byte once, so that a terminator of one byte can be lent out.
static BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = at as u8;
        at += 1;
    }
    bytes
};

impl Framing {
    /// What ends a line that is sent: CR LF, LF, or the byte of [`Byte`](Self::Byte).
    #[must_use]
    pub fn terminator(self) -> &'static [u8] {
        match self {
            Self::Lenient | Self::CrLf => b"\r\n",
            Self::Lf => b"\n",
            Self::Byte(byte) => core::slice::from_ref(&BYTES[usize::from(byte)]),
        }
    }

    /// The last byte of what ends a line, in either direction.
    pub(crate) const fn last_byte(self) -> u8 {
        match self {
            Self::Lenient | Self::CrLf | Self::Lf => LF,
            Self::Byte(byte) => byte,
        }
    }

    /// Whether `text` holds a line break, and so would not arrive as one line: a CR or an LF for
    /// [`Lenient`](Self::Lenient) and [`CrLf`](Self::CrLf), otherwise the byte that ends a line.
    #[must_use]
    pub fn holds_line_break(self, text: &[u8]) -> bool {
        match self {
            Self::Lenient | Self::CrLf => memchr2(CR, LF, text).is_some(),
            Self::Lf => memchr(LF, text).is_some(),
            Self::Byte(byte) => memchr(byte, text).is_some(),
        }
    }
}

/// What the bytes received so far say about the first line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A whole line of `len` bytes; the next one starts at `next`.
    Line { len: usize, next: usize },
    /// A line that breaks the rules. Its terminator is not before `resume`; a look that starts at
    /// `searched` finds the same again.
    Bad { error: LineError, searched: usize, resume: usize },
    /// No line yet. Nothing before `searched` has to be looked at again.
    More { searched: usize },
}

/// Looks for the first line in `bytes`, of which the first `searched` were looked at before.
#[inline]
pub(crate) fn find(framing: Framing, max_line: usize, bytes: &[u8], searched: usize) -> Found {
    match framing {
        Framing::Lenient => find_lenient(max_line, bytes, searched),
        Framing::CrLf => find_strict(max_line, bytes, searched),
        Framing::Lf => find_byte(LF, max_line, bytes, searched),
        Framing::Byte(end) => find_byte(end, max_line, bytes, searched),
    }
}

/// The length of the first line and where the next one starts, if it is a good one; of that, nothing is searched.
/// Otherwise `searched` says from where [`find`] is to look, which says why. Apart from it because every line goes
/// through here.
#[inline]
pub(crate) fn good_line(
    framing: Framing,
    max: usize,
    bytes: &[u8],
    searched: &mut usize,
) -> Option<(usize, usize)> {
    if framing != Framing::Lenient {
        return good_other_line(framing, max, bytes, searched);
    }
    match lenient_line(bytes, *searched) {
        Some((len, lf)) if len <= max => {
            *searched = 0;
            Some((len, lf + 1))
        }
        other => {
            *searched = other.map_or(bytes.len(), |(_, lf)| lf);
            None
        }
    }
}

/// The length of the first line, however long, and where its LF is.
#[inline]
fn lenient_line(bytes: &[u8], searched: usize) -> Option<(usize, usize)> {
    let lf = match bytes.get(searched) {
        // An earlier look stopped here.
        Some(&LF) => searched,
        Some(_) => searched + memchr(LF, &bytes[searched..])?,
        None => return None,
    };
    Some((length_before(bytes, lf), lf))
}

/// The length of the lenient line that the LF at `lf` ends.
#[inline]
fn length_before(bytes: &[u8], lf: usize) -> usize {
    if lf > 0 && bytes[lf - 1] == CR { lf - 1 } else { lf }
}

/// The lenient line that an LF ends which stands behind `line`.
#[inline]
pub(crate) const fn without_cr(line: &[u8]) -> &[u8] {
    if let [line @ .., CR] = line { line } else { line }
}

/// How many bytes [`lfs`] looks at.
pub(crate) const WINDOW: usize = u64::BITS as usize;

/// Where each LF is: bit 0 for the first byte. The bytes that are 1 for an LF and 0 otherwise come out of
/// vector instructions, and one multiplication brings eight of them together.
pub(crate) fn lfs(window: &[u8; WINDOW]) -> u64 {
    /// Brings bit 0 of byte `i` to bit `i` of the highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut is_lf = [0; WINDOW];
    for (is, byte) in is_lf.iter_mut().zip(window) {
        *is = u8::from(*byte == LF);
    }
    let mut lfs = 0;
    for (i, eight) in is_lf.chunks_exact(8).enumerate() {
        let eight = u64::from_le_bytes(eight.try_into().unwrap_or_default());
        lfs |= (eight.wrapping_mul(GATHER) >> 56) << (8 * i);
    }
    lfs
}

fn good_other_line(
    framing: Framing,
    max: usize,
    bytes: &[u8],
    searched: &mut usize,
) -> Option<(usize, usize)> {
    match find(framing, max, bytes, *searched) {
        Found::Line { len, next } => {
            *searched = 0;
            Some((len, next))
        }
        Found::Bad { searched: at, .. } | Found::More { searched: at } => {
            *searched = at;
            None
        }
    }
}

#[inline]
fn find_lenient(max: usize, bytes: &[u8], searched: usize) -> Found {
    if let Some((len, lf)) = lenient_line(bytes, searched) {
        if len > max {
            return too_long(max, lf);
        }
        return Found::Line { len, next: lf + 1 };
    }
    // A CR right behind `max` bytes may be the first half of the terminator: wait for one more byte.
    let undecided = bytes.len() == max.saturating_add(1) && bytes[max] == CR;
    if bytes.len() > max && !undecided {
        return too_long(max, bytes.len());
    }
    Found::More { searched: bytes.len() }
}

const fn too_long(max: usize, at: usize) -> Found {
    Found::Bad { error: LineError::TooLong { max }, searched: at, resume: at }
}

fn find_strict(max: usize, bytes: &[u8], searched: usize) -> Found {
    let Some(at) = memchr2(CR, LF, &bytes[searched..]) else {
        if bytes.len() > max {
            return too_long(max, bytes.len());
        }
        return Found::More { searched: bytes.len() };
    };
    let at = searched + at;
    if at > max {
        return too_long(max, at);
    }
    match (bytes[at], bytes.get(at + 1)) {
        (CR, Some(&LF)) => Found::Line { len: at, next: at + 2 },
        (CR, Some(_)) => Found::Bad { error: LineError::BareCr, searched: at, resume: at + 1 },
        (CR, None) => Found::More { searched: at },
        _ => Found::Bad { error: LineError::BareLf, searched: at, resume: at + 1 },
    }
}

fn find_byte(end: u8, max: usize, bytes: &[u8], searched: usize) -> Found {
    match memchr(end, &bytes[searched..]) {
        Some(at) if searched + at > max => too_long(max, searched + at),
        Some(at) => Found::Line { len: searched + at, next: searched + at + 1 },
        None if bytes.len() > max => too_long(max, bytes.len()),
        None => Found::More { searched: bytes.len() },
    }
}

/// Looks for the terminator of a line that is being discarded. `Ok`: where the next line starts. `Err`:
/// how many bytes can be dropped; the rest (at most a CR) has to be looked at again with what follows.
pub(crate) fn skip(framing: Framing, bytes: &[u8]) -> Result<usize, usize> {
    let end = match framing {
        Framing::CrLf => return skip_strict(bytes),
        Framing::Lenient | Framing::Lf => LF,
        Framing::Byte(end) => end,
    };
    memchr(end, bytes).map(|at| at + 1).ok_or(bytes.len())
}

fn skip_strict(bytes: &[u8]) -> Result<usize, usize> {
    let mut from = 0;
    while let Some(at) = memchr(LF, &bytes[from..]) {
        let lf = from + at;
        if lf > 0 && bytes[lf - 1] == CR {
            return Ok(lf + 1);
        }
        from = lf + 1;
    }
    Err(bytes.len() - usize::from(bytes.last() == Some(&CR)))
}
