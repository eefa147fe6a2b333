//! How bytes become a case. Every choice takes one byte, so that a small change of the input is a small
//! change of the case; what the peer sends stands raw at the end, so that a dictionary helps.

use arbitrary::{Result, Unstructured};
use asyncnet_core::{Config, Ends, Framing, Loss};

/// The longest stream.
const LONGEST: usize = 100 << 10;

/// A size: mostly a small one, at times one where something changes.
pub(crate) fn size(u: &mut Unstructured<'_>) -> Result<usize> {
    const EDGES: [usize; 8] = [63, 64, 1023, 1024, 8 << 10, 16 << 10, (64 << 10) - 1, 64 << 10];
    let byte = usize::from(u.arbitrary::<u8>()?);
    Ok(if byte < 240 { byte % 24 } else { EDGES[byte % EDGES.len()] })
}

/// A limit: small, large or none.
fn limit(u: &mut Unstructured<'_>) -> Result<usize> {
    const LARGE: [usize; 4] = [1000, 20_000, 70_000, usize::MAX];
    let byte = usize::from(u.arbitrary::<u8>()?);
    Ok(if byte < 192 { byte % 32 } else { LARGE[byte % LARGE.len()] })
}

/// The limit of an outbox, in which a piece alone is charged 64.
pub(crate) fn max_outbox(u: &mut Unstructured<'_>) -> Result<usize> {
    let byte = usize::from(u.arbitrary::<u8>()?);
    Ok(if byte < 128 { 2 * byte } else { 40 * byte.pow(2) })
}

pub(crate) fn config(u: &mut Unstructured<'_>) -> Result<Config> {
    let flags = u.arbitrary::<u8>()?;
    let framing = if flags & 1 == 0 { Framing::Lenient } else { Framing::Crlf };
    let ends = if flags & 2 == 0 { Ends::Hide } else { Ends::Tell };
    let config = Config::default().framing(framing).ends(ends).buffered(flags & 4 == 0);
    Ok(config.max_line(limit(u)?).max_block(limit(u)?).max_outbox(max_outbox(u)?))
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
