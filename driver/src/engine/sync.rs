//! Locks and atomics of the parts that are also tested under a scheduler of all interleavings
//! (`tests/interleavings`), which puts its own here.

pub(crate) use std::sync::atomic::{AtomicU8, Ordering};
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
