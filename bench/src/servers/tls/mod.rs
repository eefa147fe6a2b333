//! The servers over TLS.

mod blocking;
mod ours;
mod smol;
mod tokio;
pub(crate) mod workers;

use std::io;

use super::listen;
use crate::model::{BLOCK, Kind, Task};
use crate::secure::Identity;

/// Serves on one thread. For [`Task::Idle`] there is a second port, in plain.
pub(crate) fn serve(kind: Kind, task: Task, identity: &Identity, port: u16) -> io::Result<()> {
    if let Some(runtime) = kind.runtime() {
        return ours::serve(runtime, task, identity, port);
    }
    let (config, listener) = (identity.server()?, listen(port)?);
    match kind {
        Kind::TokioRustls => tokio::serve(listener, task, config),
        Kind::FuturesRustls => smol::serve(listener, task, config),
        _ => blocking::serve(&listener, task, &config),
    }
}

/// What a server sends.
fn block() -> Vec<u8> {
    let mut block = Vec::with_capacity(BLOCK);
    for number in 0..BLOCK / 64 {
        block.extend_from_slice(format!("{number:x<62}\r\n").as_bytes());
    }
    block
}

fn unknown(kind: Kind, task: Task) -> io::Error {
    io::Error::other(format!("{} does not {}", kind.name(), task.name()))
}
