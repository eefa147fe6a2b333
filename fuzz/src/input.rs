//! How bytes become a case. Every choice takes one byte, so that a small change of the input is a small
//! change of the case; what the peer sends stands raw at the end, so that a dictionary helps.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use asyncnet_core::{Config, Flags, Framing, Loss};

/// The longest stream.
const LONGEST: usize = 100 << 10;

/// A size: mostly a small one, at times one where something changes.
pub(crate) fn size(u: &mut Unstructured<'_>) -> Result<usize> {
    const EDGES: [usize; 8] = [63, 64, 1023, 1024, 8 << 10, 16 << 10, (64 << 10) - 1, 64 << 10];
    let byte = usize::from(u.arbitrary::<u8>()?);
    Ok(if byte < 208 { byte % 24 } else { EDGES[byte % EDGES.len()] })
}

/// A limit: small, large or none.
fn limit(u: &mut Unstructured<'_>) -> Result<usize> {
    const LARGE: [usize; 4] = [1000, 20_000, 70_000, usize::MAX];
    let byte = usize::from(u.arbitrary::<u8>()?);
    Ok(if byte < 192 { byte % 32 } else { LARGE[byte % LARGE.len()] })
}

/// The limit of a queue: for small pieces, for a few that are kept uncopied, or for more than one merged.
pub(crate) fn max_queue(u: &mut Unstructured<'_>) -> Result<usize> {
    let byte = usize::from(u.arbitrary::<u8>()?);
    Ok(match byte {
        0..=99 => 2 * byte,
        100..=199 => 30 * byte,
        _ => 1000 * byte,
    })
}

/// How long a receive may take, where that is bounded.
pub(crate) const RECEIVE_TIMEOUT: Duration = Duration::from_millis(1);

pub(crate) fn config(u: &mut Unstructured<'_>) -> Result<Config> {
    let flags = u.arbitrary::<u8>()?;
    let framing = match flags >> 3 & 3 {
        0 if flags & 1 == 0 => Framing::Lenient,
        0 => Framing::CrLf,
        1 => Framing::Lf,
        2 => Framing::Byte(0),
        _ => Framing::Byte(b'a'),
    };
    let nim_flags = if flags & 2 == 0 { Flags::SAFE_DISCONN } else { Flags::empty() };
    let timeout = if flags & 32 == 0 { None } else { Some(RECEIVE_TIMEOUT) };
    let config = Config::default().framing(framing).nim_flags(nim_flags).receive_timeout(timeout);
    let config = config.buffered(flags & 4 == 0);
    Ok(config.max_line(limit(u)?).max_block(limit(u)?).max_queue(max_queue(u)?))
}

pub(crate) fn loss(u: &mut Unstructured<'_>) -> Result<Loss> {
    use Loss::*;
    const ALL: [Loss; 9] = [
        Reset,
        Aborted,
        BrokenPipe,
        TimedOut,
        HostUnreachable,
        NetworkUnreachable,
        NetworkDown,
        WriteZero,
        Other,
    ];
    u.choose(&ALL).copied()
}

/// Up to `most` of something.
pub(crate) fn list<T>(
    u: &mut Unstructured<'_>,
    most: u8,
    one: impl Fn(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let n = u.int_in_range(0..=most)?;
    (0..n).map(|_| one(u)).collect()
}

/// What the peer sends: all that is left of the input, at times over and over.
pub(crate) fn stream(mut u: Unstructured<'_>) -> Result<Vec<u8>> {
    let times = match u.arbitrary::<u8>()? {
        0..=223 => 1,
        224..=239 => 2,
        240..=249 => 100,
        _ => 2000,
    };
    let once = u.take_rest();
    Ok(once.repeat(times.min(LONGEST / once.len().max(1)).max(1)))
}

/// Whether `slices`, one behind the other, are `bytes`; none of them may be empty.
pub(crate) fn is_all_of<'a>(slices: impl Iterator<Item = &'a [u8]>, bytes: &[u8]) -> bool {
    let mut rest = bytes;
    for slice in slices {
        match rest.strip_prefix(slice) {
            Some(behind) if !slice.is_empty() => rest = behind,
            _ => return false,
        }
    }
    rest.is_empty()
}
