//! Two connections over TLS and a wire between them that changes what it carries: each end receives a front
//! part of what the other has sent, or an error that stays.

use std::sync::{Arc, OnceLock};

use arbitrary::{Result, Unstructured};
use rustls::{ClientConfig, ServerConfig};

use crate::schedule::{self, Harm};
use crate::settings::{VERSIONS, client_layer, pair, server_layer};

/// How many steps a case has at most.
const MOST_STEPS: usize = 150;

type Settings = (Arc<ClientConfig>, Arc<ServerConfig>);

/// Made once: all but the first handshakes resume a session.
fn settings() -> &'static [Settings; 2] {
    static SETTINGS: OnceLock<[Settings; 2]> = OnceLock::new();
    SETTINGS.get_or_init(|| VERSIONS.map(pair))
}

fn case(mut u: Unstructured<'_>) -> Result<()> {
    let (client, server) = u.choose(settings())?;
    let harm = *u.choose(&[Harm::Change, Harm::Change, Harm::Cut, Harm::None])?;
    // Most steps take four bytes.
    let steps = (u.len() / 4).min(MOST_STEPS);
    let layers = [client_layer(client), server_layer(server)];
    // Nothing is chosen once the input is over.
    let mut below = |n: usize| u.int_in_range(0..=n.max(1) - 1).unwrap_or(0);
    schedule::run(&mut below, steps, layers, harm);
    Ok(())
}

/// The body of the target.
pub fn run(data: &[u8]) {
    // An input that is too short is no case.
    let _ = case(Unstructured::new(data));
}
