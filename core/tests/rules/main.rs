//! The contract of the core, rule by rule: lines (L), framing (F), blocks (B), messages and batches (N), ends
//! (table and E), sending (S), time (D) and what memory they may take. A test's name says its rule.
//!
//! Everything here knows the public interface only.

mod batches;
mod blocks;
mod cases;
mod close_limits;
mod deadlines;
mod ends;
mod errors;
mod framing;
mod lines;
#[cfg(not(all(windows, target_env = "gnu")))] // allocation-counter does not run there.
mod memory;
mod messages;
mod model;
mod panics;
mod play;
mod rates;
mod sender_model;
mod sending;
mod small_world;
mod world;
