//! The contract of the core, rule by rule: lines (L), blocks (B), ends (table and E), sending (S) and
//! what memory they may take. A test's name says its rule.
//!
//! Everything here knows the public interface only.

mod blocks;
mod ends;
mod lines;
mod memory;
mod model;
mod panics;
mod play;
mod sender_model;
mod sending;
mod small_world;
