//! The vectors of `tests/vectors`, on every runtime over real sockets.
#![cfg(target_os = "linux")]

mod certificates;
mod peer;
mod play;
mod read;
mod step;
mod wire;

use std::collections::HashSet;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use asyncnet_async_std::AsyncStd;
use asyncnet_conformance::System;
use asyncnet_smol::Smol;
use asyncnet_tokio::Tokio;

use self::play::{WAYS, Way, play};
use self::read::{Vector, vectors};

/// How long a vector may take before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(60);

/// A way to run the vectors: a runtime, and an executor that drives it.
trait Bench: 'static {
    type Runtime: System;

    fn block_on<T>(future: impl Future<Output = T>) -> T;
}

struct OnTokio;

impl Bench for OnTokio {
    type Runtime = Tokio;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime").block_on(future)
    }
}

struct OnAsyncStd;

impl Bench for OnAsyncStd {
    type Runtime = AsyncStd;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        async_std::task::block_on(future)
    }
}

struct OnSmol;

impl Bench for OnSmol {
    type Runtime = Smol;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        smol::block_on(future)
    }
}

/// Plays every vector of a file in every way that it is for, and tells all that failed.
fn play_all<B: Bench>(file: &str) {
    let vectors = vectors(file).unwrap_or_else(|error| panic!("{error}"));
    let mut failed = Vec::new();
    for vector in vectors.iter().filter(|vector| vector.by_type.is_empty()) {
        for way in WAYS.into_iter().filter(|way| way.is_for(vector)) {
            if let Err(error) = bounded::<B>(vector.clone(), way) {
                failed.push(format!("{} ({}), {way}:\n{error}", vector.name, vector.rules));
            }
        }
    }
    assert!(failed.is_empty(), "{} failed:\n\n{}\n", failed.len(), failed.join("\n\n"));
}

/// Plays a vector on a thread of its own, so that one that hangs or panics fails alone.
fn bounded<B: Bench>(vector: Vector, way: Way) -> Result<(), String> {
    let (done, outcome) = channel();
    thread::spawn(move || {
        let _ = done.send(B::block_on(play::<B::Runtime>(&vector, way)));
    });
    outcome.recv_timeout(LIMIT).unwrap_or_else(|error| Err(format!("  it hangs or died: {error}")))
}

macro_rules! tests {
    ($($file:ident)*) => {
        const FILES: &[&str] = &[$($file::FILE),*];

        $(mod $file {
            use super::{OnAsyncStd, OnSmol, OnTokio, play_all};

            pub(super) const FILE: &str =
                include_str!(concat!("../../vectors/", stringify!($file), ".txt"));

            #[test]
            fn on_tokio() {
                play_all::<OnTokio>(FILE);
            }

            #[test]
            fn on_async_std() {
                play_all::<OnAsyncStd>(FILE);
            }

            #[test]
            fn on_smol() {
                play_all::<OnSmol>(FILE);
            }
        })*
    };
}

tests!(lines blocks ends sending closing sockets tls cases);

/// A rule that nobody knows decides nothing, and a name that two have names neither.
#[test]
fn every_vector_has_a_name_of_its_own_and_known_rules() {
    const CONTRACT: &str = include_str!("../../../docs/contract.md");
    let mut names = HashSet::new();
    for file in FILES {
        for Vector { name, rules, .. } in vectors(file).unwrap_or_else(|error| panic!("{error}")) {
            for rule in rules.split_whitespace() {
                assert!(CONTRACT.contains(&format!("\n### {rule}. ")), "{name}: what is {rule}?");
            }
            assert!(names.insert(name.clone()), "{name} is there twice");
        }
    }
}
