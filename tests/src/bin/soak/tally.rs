//! What is counted, and the random numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The numbers of one server's run, counted by all its clients.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Lines that were sent by those who check them.
    pub(crate) sent: Count,
    /// Answers that were due to them: in a room a line is due to everybody who stays.
    pub(crate) due: Count,
    /// Answers that came, each in its place.
    pub(crate) delivered: Count,
    /// Things done that should not be.
    pub(crate) mischief: Count,
    faults: Mutex<Vec<String>>,
}

#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::SeqCst);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Tally {
    /// Something was not as it should be.
    pub(crate) fn fault(&self, fault: impl Into<String>) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault.into());
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn lost(&self) -> u64 {
        self.due.get().saturating_sub(self.delivered.get())
    }
}

/// Random numbers (SplitMix64): the same for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Those of one client of many.
    pub(crate) fn new(seed: u64, client: u64) -> Self {
        let mut random = Self(seed ^ client.wrapping_mul(0xD1B5_4A32_D192_ED03));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next() as u8
    }
}
