//! The one composition: how bytes and times go through a connection.
//!
//! A [`Link`] is everything of a connection but its [`Inbound`] half: the queue, the secure layer, the
//! deadlines. Its functions move every byte, in both directions, for the `Connection` of this crate and for a
//! driver alike. They borrow the inbound half for as long as a call takes, so that a driver can leave it with
//! the task that receives, while other tasks send.

mod closing;
mod rate;
mod sending;
mod time;
mod tls;
mod transfer;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

use crate::deadlines::Deadlines;
use crate::queue::Queue;
use crate::rate::Rates;
use crate::wire::Wire;
use crate::{Cause, Config, End, Error, Inbound, Loss, Stats, Step};

/// A connection without its [`Inbound`] half. The methods are documented at
/// [`Connection`](crate::Connection), unless they are of use to a driver alone.
pub struct Link {
    queue: Queue,
    /// The secure layer; a plain connection has none.
    wire: Option<Box<Wire>>,
    /// How the connection broke, if it did.
    loss: Option<Loss>,
    /// We ended the sending side.
    closed: bool,
    /// A message was torn: nothing may follow it.
    interrupted: bool,
    /// Accepted bytes were dropped.
    dropped: bool,
    /// What was queued made no progress for too long: nothing more is expected of the peer.
    gave_up: bool,
    deadlines: Deadlines,
    /// What bounds how fast the peer is received.
    rates: Option<Box<Rates>>,
    config: Arc<Config>,
}

impl Link {
    /// A link that nothing has happened to.
    #[must_use]
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            queue: Queue::new(config.max_queue),
            wire: None,
            loss: None,
            closed: false,
            interrupted: false,
            dropped: false,
            gave_up: false,
            deadlines: Deadlines::new(&config),
            rates: Rates::new(&config, None),
            config,
        }
    }

    /// Changes the settings. What is queued already stays.
    pub fn configure(&mut self, config: Arc<Config>) {
        self.queue.set_max(config.max_queue);
        self.deadlines.configure(&config);
        self.deadlines.hold_up(false);
        self.rates = Rates::new(&config, self.rates.take());
        self.config = config;
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    // ---- receiving -------------------------------------------------------------------------------

    /// Lets `take` answer a receive, and keeps its deadline: the clock of a receive starts when it first has to
    /// wait, and stops when one was answered.
    ///
    /// # Errors
    ///
    /// Those of `take`, and [`Error::TimedOut`] if the answer took too long.
    pub fn receive<T>(
        &mut self,
        inbound: &mut Inbound,
        mut take: impl FnMut(&mut Inbound) -> Result<Step<T>, Error>,
    ) -> Result<Step<T>, Error> {
        self.pass_on(inbound);
        let mut step = take(inbound);
        while matches!(step, Ok(Step::NeedInput)) && self.release(inbound) {
            step = take(inbound);
        }
        if let Ok(Step::NeedInput) = step {
            let arrived = inbound.arrived();
            return self.deadlines.wait_for_answer(arrived).map(|()| Step::NeedInput);
        }
        self.deadlines.answered();
        step
    }

    /// A receive was answered, and not through [`receive`](Self::receive).
    #[inline]
    pub fn answered(&mut self) {
        self.deadlines.answered();
    }

    /// Says that a receive waits, where it could not be asked; `arrived` bytes of its answer are here.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] if it has waited too long.
    pub fn wait_for_answer(&mut self, arrived: usize) -> Result<(), Error> {
        self.deadlines.wait_for_answer(arrived)
    }

    /// Whether the receive that waits has waited too long, and is to be told.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.deadlines.is_late()
    }

    // ---- getters ---------------------------------------------------------------------------------

    /// Bytes accepted and not yet transmitted.
    #[must_use]
    #[inline]
    pub const fn unsent(&self) -> usize {
        self.queue.outbox.len()
    }

    /// What those bytes are charged against `max_queue`: 64 more for each queued piece.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.outbox.charge()
    }

    /// How many bytes were ever accepted. A message is transmitted when
    /// [`transmitted_total`](Self::transmitted_total) has come to what this was behind it.
    #[must_use]
    #[inline]
    pub const fn accepted_total(&self) -> u64 {
        self.queue.outbox.accepted()
    }

    /// How many bytes were ever transmitted.
    #[must_use]
    #[inline]
    pub const fn transmitted_total(&self) -> u64 {
        self.queue.transmitted_total()
    }

    /// What was sent so far, in numbers, and what was received, if `inbound` is at hand.
    #[must_use]
    pub fn stats(&self, inbound: Option<&Inbound>) -> Stats {
        Stats {
            bytes_sent: self.transmitted_total(),
            lines_sent: self.queue.lines,
            queued: self.queued(),
            ..inbound.map(Inbound::stats).unwrap_or_default()
        }
    }

    /// Whether more than `high_water` bytes of answers are unsent, or some are and the queue holds more than
    /// `max_queue`: the peer should be written to before it is read from. Bytes that other tasks queued alone
    /// do not count.
    #[must_use]
    #[inline]
    pub fn is_congested(&self) -> bool {
        self.unsent() > 0 && self.is_congested_with_some()
    }

    /// Apart, so that a connection that has sent everything is not asked more.
    fn is_congested_with_some(&self) -> bool {
        let few = self.config.high_water.min(self.queue.max());
        self.queued() > few && self.has_too_many_replies()
    }

    #[cold]
    fn has_too_many_replies(&self) -> bool {
        let replies = self.queue.unsent_replies();
        // The next one would be refused.
        let is_full = self.queued() > self.queue.max();
        replies > self.config.high_water as u64 || replies > 0 && is_full
    }

    /// How the connection broke, if it did.
    #[must_use]
    pub const fn loss(&self) -> Option<Loss> {
        self.loss
    }

    /// Whether bytes that were accepted never left.
    #[must_use]
    pub const fn has_dropped(&self) -> bool {
        self.dropped
    }

    /// Whether we ended the sending side.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether a message was torn: nothing can be sent any more, and the connection must not end as if all
    /// were well.
    #[must_use]
    pub const fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Whether nothing can be sent any more.
    #[must_use]
    #[inline]
    pub fn is_over(&self) -> bool {
        self.closed || self.interrupted || self.has_failed()
    }

    /// Whether the connection broke, or its secure layer failed.
    #[must_use]
    #[inline]
    pub fn has_failed(&self) -> bool {
        self.loss.is_some() || self.wire.as_ref().is_some_and(|wire| wire.failure().is_some())
    }

    /// Whether anything can be sent.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Interrupted`], [`Error::Disconnected`] or [`Error::Tls`]; all are final.
    #[inline]
    pub fn check(&self) -> Result<(), Error> {
        if self.is_over() { Err(self.why_over()) } else { Ok(()) }
    }

    #[cold]
    fn why_over(&self) -> Error {
        match self.failure() {
            _ if self.closed => Error::Closed,
            // It says more than that it tore a message.
            Some(failure @ Error::Tls(_)) => failure,
            _ if self.interrupted => Error::Interrupted,
            failure => failure.unwrap_or(Error::Closed),
        }
    }

    /// How the connection broke, or its secure layer failed, as an error of a task that wants to send.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        match (self.loss, self.tls_error()) {
            (Some(loss), _) => Some(Error::Disconnected(End::new(Cause::Lost(loss), 0))),
            (None, error) => error.map(|error| Error::Tls(error.clone())),
        }
    }

    /// The end that a failure on this side will be, for an inbound half that has not met it.
    #[must_use]
    pub fn coming_end(&self) -> Option<Cause> {
        self.loss.map(Cause::Lost).or_else(|| self.tls_error().map(|_| Cause::TlsFailed))
    }

    /// The cause of an end that the transport reported as `seen`. A reset that a write met first is handed out
    /// only once by the system, so the read that follows sees an end that looks orderly and is not. Where it
    /// sees another reset, the first one was reported already.
    fn end_cause(&self, seen: Cause) -> Cause {
        match (self.loss, seen) {
            (Some(loss), Cause::Eof | Cause::Truncated | Cause::Lost(_)) => Cause::Lost(loss),
            _ => seen,
        }
    }
}

impl fmt::Debug for Link {
    /// Says how much is queued, never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("unsent", &self.unsent())
            .field("closed", &self.closed)
            .field("interrupted", &self.interrupted)
            .field("loss", &self.loss)
            .field("secure", &self.wire.is_some())
            .finish_non_exhaustive()
    }
}
