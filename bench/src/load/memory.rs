//! What a connection that waits keeps in memory.

use std::io;

use super::{Outcome, connect, exchange, lines};
use crate::process::Running;

/// Opens `connections`, each for one line there and back; answers the bytes that one of them keeps.
pub(crate) fn idle(server: &Running, connections: usize) -> io::Result<Outcome> {
    let line = lines(64, 1);
    let mut open = Vec::with_capacity(connections);
    let mut join = |n: usize| -> io::Result<u64> {
        for _ in 0..n {
            let mut stream = connect(server.port)?;
            exchange(&mut stream, &line)?;
            open.push(stream);
        }
        server.resident()
    };
    // What the first ones bring along belongs to the server, not to them.
    let before = join(16)?;
    let after = join(connections)?;
    let value = after.saturating_sub(before) as f64 / connections as f64;
    Ok(Outcome { value, cost: 0.0, note: String::new() })
}
