//! The contract of the core over a secure layer (T, and the table of ends again), with a layer that encrypts
//! nothing: every record can be written by hand and every byte of it cut. A test's name says its rule.
//!
//! Everything here knows the public interface only. `../tls` does the same with TLS itself.

mod bed;
mod ends;
mod fake;
mod layer;
#[cfg(not(all(windows, target_env = "gnu")))] // allocation-counter does not run there.
mod memory;
mod schedule;
mod sending;
mod upgrade;
