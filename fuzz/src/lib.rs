//! The bodies of the fuzz targets: ordinary functions over bytes, which panic where a rule of
//! `docs/contract.md` is broken. `fuzz_targets/` gives them to libFuzzer, `tests/stable.rs` to `cargo test`.
//!
//! They know the public interface of `asyncnet-core` only.

mod input;

// What the tests of core have for this already.
#[path = "../../core/tests/secure/fake.rs"]
#[allow(dead_code, reason = "the tests of core do more with it")]
mod fake;
#[path = "../../core/tests/secure/schedule.rs"]
mod schedule;
#[path = "../../core/tests/tls/settings.rs"]
#[allow(dead_code, reason = "the tests of core do more with it")]
mod settings;

pub mod chunking;
pub mod ops;
pub mod outbox;
pub mod secure_layer;
pub mod upgrade;

/// A target's name, which is also that of its folder in `seeds/`, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 5] = [
    ("chunking", chunking::run),
    ("ops", ops::run),
    ("outbox", outbox::run),
    ("secure_layer", secure_layer::run),
    ("upgrade", upgrade::run),
];
