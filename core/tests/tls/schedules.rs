//! Random schedules over TLS. `ASYNCNET_SCHEDULES` says how many, if it is set.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rustls::{ClientConnection, ServerConnection};

use crate::raw::Raw;
use crate::schedule::{Harm, Rng, run};
use crate::settings::{NAME, Version, client_layer, name, pair, server_layer};

/// How many schedules each test runs.
#[expect(clippy::disallowed_methods, reason = "a test may be told to take longer")]
fn schedules() -> u64 {
    let told = std::env::var("ASYNCNET_SCHEDULES").ok();
    told.map_or(5000, |told| told.parse::<u64>().expect("a number") / 2)
}

fn check(version: Version, with_key_updates: bool) {
    let (client, server) = pair(version);
    let mut came = 0;
    for seed in 0..schedules() {
        let mut rng = Rng::new(seed);
        let harm = [Harm::None, Harm::None, Harm::Cut, Harm::Change][rng.below(4)];
        let mut layers = [client_layer(&client), server_layer(&server)];
        let every = 1 + rng.below(4);
        match rng.below(4) {
            0 if with_key_updates => {
                let conn = ClientConnection::new(Arc::clone(&client), name(NAME));
                layers[0] = Box::new(Raw::new(conn.expect("a client"), every));
            }
            1 if with_key_updates => {
                let conn = ServerConnection::new(Arc::clone(&server));
                layers[1] = Box::new(Raw::new(conn.expect("a server"), every));
            }
            _ => {}
        }
        let steps = 10 + rng.below(90);
        let schedule = || run(&mut |n| rng.below(n), steps, layers, harm);
        let held = catch_unwind(AssertUnwindSafe(schedule));
        came += held.unwrap_or_else(|_| panic!("schedule {seed} with harm {harm:?} fails"));
    }
    assert!(came > 0);
}

#[test]
fn any_schedule_over_tls_1_2_brings_a_front_part_of_what_was_sent() {
    check(&rustls::version::TLS12, false);
}

#[test]
fn any_schedule_over_tls_1_3_with_key_updates_brings_a_front_part_of_what_was_sent() {
    check(&rustls::version::TLS13, true);
}
