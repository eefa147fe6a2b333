//! Which messages have certainly arrived.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// What was published and what the server is known to have: a PONG stands for all in front of its PING.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) published: u64,
    pub(crate) confirmed: u64,
    /// Published, and neither confirmed nor known to be lost when a connection broke.
    pub(crate) uncertain: u64,
    /// What each PING that is under way stands for.
    pings: VecDeque<u64>,
}

impl Counts {
    /// A message is published from here on, with a PING behind it if `confirm` says so.
    pub(crate) fn publish(&mut self, confirm: bool) {
        self.published += 1;
        if confirm {
            self.pings.push_back(self.published);
        }
    }

    /// A PING is under way from here on. Answers whether none was.
    pub(crate) fn ping_if_none(&mut self) -> bool {
        let none = self.pings.is_empty();
        if none {
            self.pings.push_back(self.confirmed);
        }
        none
    }

    /// A PONG has come. Returns how many messages are confirmed.
    pub(crate) fn pong(&mut self) -> u64 {
        let upto = self.pings.pop_front().unwrap_or(0);
        self.confirmed = self.confirmed.max(upto);
        self.confirmed
    }
}

impl Tally {
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The connection is gone. Returns how many messages went with it, at most.
    pub(crate) fn broke(&self) -> u64 {
        self.with(|it| {
            let lost = it.published - it.confirmed;
            (it.confirmed, it.uncertain) = (it.published, it.uncertain + lost);
            it.pings.clear();
            lost
        })
    }
}
