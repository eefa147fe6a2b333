//! What happened in the room since its task last looked, and the speakers that wait for the task.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::task::{Poll, Waker};

use asyncnet_core::Bytes;

use super::limits::BACKLOG;
use super::log::{Draft, charge};
use super::seat::Seat;
use super::stats::RoomStats;
use crate::{Error, Transport};

pub(super) enum Event<S: Transport> {
    Join(Box<Seat<S>>),
    Leave(u64),
    Said(Draft),
    Told(u64, Bytes),
}

/// Which members a message is for.
#[derive(Clone, Copy)]
pub(super) enum To {
    Everyone,
    Others(u64),
    Alone(u64),
}

/// A message that waits until the task has caught up.
struct Waiting {
    to: To,
    message: Vec<u8>,
    speaker: Waker,
}

pub(super) struct Backlog<S: Transport> {
    pub(super) events: VecDeque<Event<S>>,
    /// What the messages among them are charged.
    charged: usize,
    /// How large a merged message may become.
    merged: usize,
    pub(super) runner: Option<Waker>,
    pub(super) is_closed: bool,
    /// First come, first served.
    waiting: BTreeMap<u64, Waiting>,
    /// Tickets below this were admitted, unless they were given up.
    admitted: u64,
    last_ticket: u64,
    last_member: u64,
    /// How many joins are among the events.
    joins: usize,
    /// As it was after the last round, and with the members that the task has taken in since.
    pub(super) stats: RoomStats,
}

impl<S: Transport> Backlog<S> {
    pub(super) fn new(merged: usize) -> Self {
        Self {
            events: VecDeque::new(),
            charged: 0,
            merged,
            runner: None,
            is_closed: false,
            waiting: BTreeMap::new(),
            admitted: 0,
            last_ticket: 0,
            last_member: 0,
            joins: 0,
            stats: RoomStats::default(),
        }
    }

    pub(super) const fn next_member(&mut self) -> u64 {
        self.last_member += 1;
        self.last_member
    }

    pub(super) fn join(&mut self, seat: Box<Seat<S>>) {
        self.joins += 1;
        self.events.push_back(Event::Join(seat));
    }

    /// What the room has done. A member counts from its join on, whenever the task takes it in.
    pub(super) fn stats(&self) -> RoomStats {
        RoomStats { members: self.stats.members + self.joins, ..self.stats }
    }

    pub(super) fn has_news(&self) -> bool {
        self.is_closed || !self.events.is_empty()
    }

    /// Takes a message in, unless it has to wait.
    pub(super) fn say(&mut self, to: To, message: [&[u8]; 2]) -> Poll<Result<(), Error>> {
        if self.is_closed {
            return Poll::Ready(Err(Error::Closed));
        }
        // As long as any message waits, this much is there too.
        if self.charged >= BACKLOG {
            return Poll::Pending;
        }
        self.admit(to, message);
        Poll::Ready(Ok(()))
    }

    fn admit(&mut self, to: To, message: [&[u8]; 2]) {
        let more = message[0].len() + message[1].len();
        let speaker = match to {
            To::Everyone => None,
            To::Others(member) => Some(member),
            To::Alone(member) => {
                self.charged += charge(more);
                self.events.push_back(Event::Told(member, message.concat().into()));
                return;
            }
        };
        let fits = |draft: &Draft| draft.len() + more <= self.merged;
        if !matches!(self.events.back(), Some(Event::Said(draft)) if fits(draft)) {
            self.charged += charge(0);
            self.events.push_back(Event::Said(Draft::default()));
        }
        if let Some(Event::Said(draft)) = self.events.back_mut() {
            self.charged += draft.push(message, speaker);
        }
    }

    /// Puts a message into the queue of those that wait; returns its ticket.
    pub(super) fn enqueue(&mut self, to: To, message: Vec<u8>, speaker: Waker) -> u64 {
        let ticket = self.last_ticket;
        self.last_ticket += 1;
        self.waiting.insert(ticket, Waiting { to, message, speaker });
        ticket
    }

    /// What became of a message that waited. A waker that is left over is put into `waker`.
    pub(super) fn poll_admitted(
        &mut self,
        ticket: u64,
        waker: &mut Waker,
    ) -> Poll<Result<(), Error>> {
        if ticket < self.admitted {
            return Poll::Ready(Ok(()));
        }
        match self.waiting.get_mut(&ticket) {
            Some(waiting) => {
                mem::swap(&mut waiting.speaker, waker);
                Poll::Pending
            }
            None => Poll::Ready(Err(Error::Closed)),
        }
    }

    /// The message is not to be said any more. What is returned goes when the lock is free.
    pub(super) fn give_up(&mut self, ticket: u64) -> impl Sized + use<S> {
        self.waiting.remove(&ticket)
    }

    /// What happened, and the speakers to wake: their messages are taken in.
    pub(super) fn take(&mut self) -> (VecDeque<Event<S>>, Vec<Waker>) {
        let events = mem::take(&mut self.events);
        self.stats.members += mem::take(&mut self.joins);
        self.charged = 0;
        let mut woken = Vec::new();
        while self.charged < BACKLOG {
            let Some((ticket, waiting)) = self.waiting.pop_first() else { break };
            self.admitted = ticket + 1;
            self.admit(waiting.to, [&waiting.message, &[]]);
            woken.push(waiting.speaker);
        }
        (events, woken)
    }

    /// The task is gone, and with it the members. What is returned goes when the lock is free.
    pub(super) fn end(&mut self) -> impl Sized + use<S> {
        self.stats.members = 0;
        self.joins = 0;
        (mem::take(&mut self.events), self.runner.take())
    }

    /// Nothing more may be said. Returns the speakers to wake.
    pub(super) fn close(&mut self) -> Vec<Waker> {
        self.is_closed = true;
        mem::take(&mut self.waiting).into_values().map(|waiting| waiting.speaker).collect()
    }
}
