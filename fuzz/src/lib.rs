//! The bodies of the fuzz targets: ordinary functions over bytes, which panic where a rule of
//! `docs/contract.md` is broken. `fuzz_targets/` gives them to libFuzzer, `tests/stable.rs` to `cargo test`.
//!
//! They know the public interface of `asyncnet-core` only.

mod input;

pub mod chunking;
pub mod ops;
pub mod outbox;
// `secure_layer` and `upgrade` will follow here, and in `TARGETS`.

/// A target's name, which is also that of its folder in `seeds/`, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 3] =
    [("chunking", chunking::run), ("ops", ops::run), ("outbox", outbox::run)];
