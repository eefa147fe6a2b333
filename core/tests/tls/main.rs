//! TLS by rustls under connections of ours, in memory. What a secure layer has to do with lines, ends and
//! queues is in `../secure`; here is what only TLS itself can show.

mod farewells;
mod floods;
mod handshakes;
mod link;
#[cfg(not(all(windows, target_env = "gnu")))] // allocation-counter does not run there.
mod memory;
mod raw;
#[path = "../secure/schedule.rs"]
mod schedule;
mod schedules;
mod settings;
