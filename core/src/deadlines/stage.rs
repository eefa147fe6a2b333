//! A handshake or a close, and its bounds.

use super::wait::Wait;
use crate::{Config, Time};

/// What a connection does, apart from being open: none of it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Handshake,
    /// A close that sends what is queued.
    Flush,
    /// A close that reads what the peer still sends, at most so many bytes.
    Drain {
        left: usize,
    },
    Over,
}

/// A part, and how long it lasts.
pub(super) struct Stage {
    pub(super) part: Part,
    /// This part makes no progress, or lasts.
    wait: Wait,
    /// A flush lasts, progress or not.
    flush: Wait,
    /// This part of a close has taken too long.
    pub(super) is_late: bool,
}

impl Stage {
    pub(super) const fn new(part: Part) -> Self {
        let flush = if matches!(part, Part::Flush) { Wait::Begins } else { Wait::No };
        Self { part, wait: Wait::Begins, flush, is_late: false }
    }

    /// A byte went out.
    pub(super) fn transmitted(&mut self) {
        if self.part == Part::Flush {
            self.wait = Wait::Begins;
        }
    }

    /// `n` bytes were read and dropped. Returns how many more may be.
    pub(super) const fn drained(&mut self, n: usize) -> usize {
        match &mut self.part {
            Part::Drain { left } => {
                *left = left.saturating_sub(n);
                *left
            }
            _ => 0,
        }
    }

    pub(super) fn stamp(&mut self, now: Time) {
        self.wait.stamp(now);
        self.flush.stamp(now);
    }

    /// It has taken too long.
    pub(super) fn expire(&mut self) {
        self.is_late = self.part != Part::Handshake;
        (self.wait, self.flush) = (Wait::No, Wait::No);
    }

    pub(super) fn end(&self, config: &Config) -> Option<Time> {
        let close = &config.close;
        match self.part {
            Part::Handshake => self.wait.end(Some(config.handshake_timeout)),
            Part::Flush => {
                let stall = self.wait.end(Some(close.stall));
                stall.into_iter().chain(self.flush.end(Some(close.total))).min()
            }
            Part::Drain { .. } => self.wait.end(Some(close.drain)),
            Part::Over => None,
        }
    }
}
