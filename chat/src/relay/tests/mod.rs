//! The relay against brokers in memory that cut, stall, answer late or with garbage, on a clock that stands still
//! until everything waits.

mod bed;
mod faults;
mod hub;
mod losses;
mod manners;
mod nats;
mod peer;
mod redis;
