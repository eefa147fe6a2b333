//! What a connection that waits keeps in memory.

use std::io;

use super::{Outcome, TOGETHER, arrive, lines};
use crate::process::Running;

/// Opens `connections`, each for one line there and back; answers the bytes that one of them keeps.
pub(crate) fn idle(server: &Running, connections: usize) -> io::Result<Outcome> {
    let line = lines(64, 1);
    // What the first ones bring along belongs to the server, not to them.
    let _first = arrive(server.port, TOGETHER, &line)?;
    let before = server.resident()?;
    let mut open = Vec::with_capacity(connections);
    while open.len() < connections {
        let more = TOGETHER.min(connections - open.len());
        open.append(&mut arrive(server.port, more, &line)?);
    }
    let after = server.resident()?;
    let value = after.saturating_sub(before) as f64 / connections as f64;
    Ok(Outcome { value, cost: 0.0, note: String::new() })
}
