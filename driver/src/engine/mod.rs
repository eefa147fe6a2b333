//! The engine of a connection: moves bytes between a stream and core, on every runtime, for a connection
//! that one task uses and for one whose writers belong to others.

mod alarm;
mod close;
pub(crate) mod fan_out;
mod fill;
mod handshake;
pub(crate) mod message;
mod orders;
pub(crate) mod pool;
pub(crate) mod shared;
mod sync;
mod write;

use std::io::{self, Cursor};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use asyncnet_core::driver::{Inbound, Link};
use asyncnet_core::{Config, Step};

use self::alarm::Alarm;
use self::close::Outcome;
use crate::net::handshakes::Slot;
use crate::net::open::Permit;
use crate::{Error, Transport, log};

/// How many reads, or writes, may follow each other before other tasks get their turn.
const STREAK: u8 = 32;

/// Where a connection stands. Whether a handshake is under way is for core to say.
#[derive(Debug)]
pub(crate) enum Phase {
    Open,
    /// A close sends what is queued, then ends our side.
    Flushing,
    /// A close reads and drops what the peer still sends. The outcome is that of the flush.
    Draining(Outcome),
    /// The stream is about to go, or gone. The outcome is the answer of every later close.
    Closed(Outcome),
}

/// See [`Engine::take_remains`].
type Remains<S> = (Option<S>, Option<Permit>, Option<Box<Slot>>);

/// A stream, and all of core's connection but the inbound half.
pub(crate) struct Engine<S: Transport> {
    /// Gone once it is closed.
    stream: Option<S>,
    pub(crate) link: Link,
    phase: Phase,
    /// Counts as open at the listener that it came from.
    pub(crate) permit: Option<Permit>,
    /// What its handshake waits for, at a listener that bounds them. Gone when that is over.
    pub(crate) slot: Option<Box<Slot>>,
    /// It is behind a lock.
    is_shared: bool,
    /// What was read from the stream before it came here.
    early: Option<Box<Cursor<Vec<u8>>>>,
    /// The stream holds bytes that it was not asked to flush yet.
    dirty: bool,
    /// How many bytes were ever transmitted and flushed.
    flushed: u64,
    turns: Turns,
    /// The alarm that the stream's clock was set to, once it was.
    alarm: Option<Box<Alarm>>,
}

impl<S: Transport> Engine<S> {
    pub(crate) fn new(stream: S, config: Arc<Config>) -> Self {
        Self {
            stream: Some(stream),
            link: Link::new(config),
            phase: Phase::Open,
            permit: None,
            slot: None,
            is_shared: false,
            early: None,
            dirty: false,
            flushed: 0,
            turns: Turns::default(),
            alarm: None,
        }
    }

    /// The stream, unless it is closed.
    pub(crate) const fn stream(&self) -> Option<&S> {
        match self.phase {
            Phase::Closed(_) => None,
            _ => self.stream.as_ref(),
        }
    }

    /// Takes the stream for another owner.
    pub(crate) fn take_stream(&mut self) -> Option<S> {
        match self.phase {
            Phase::Closed(_) => None,
            _ => self.stream.take(),
        }
    }

    /// `bytes` were read from the stream before.
    pub(crate) fn set_early(&mut self, bytes: Vec<u8>) {
        self.early = (!bytes.is_empty()).then(|| Box::new(Cursor::new(bytes)));
    }

    /// Takes what was read from the stream before and not received.
    pub(crate) fn take_early(&mut self) -> Vec<u8> {
        let Some(early) = self.early.take() else { return Vec::new() };
        let at = usize::try_from(early.position()).unwrap_or(usize::MAX);
        let mut bytes = early.into_inner();
        bytes.drain(..at.min(bytes.len()));
        bytes
    }

    /// Whether a close has begun.
    pub(crate) const fn is_closing(&self) -> bool {
        !matches!(self.phase, Phase::Open)
    }

    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed(_))
    }

    /// Answers a receive: waits until `take` does. What is queued is written meanwhile, and not waited for;
    /// but while too many answers of the receiving task are unsent, nothing is taken.
    pub(crate) fn poll_receive<T>(
        &mut self,
        inbound: &mut Inbound,
        cx: &mut Context<'_>,
        mut take: impl FnMut(&mut Inbound) -> Result<Step<T>, Error>,
    ) -> Poll<Result<T, Error>> {
        loop {
            ready!(self.poll_let_go(inbound, cx))?;
            match take(inbound) {
                Ok(Step::NeedInput) => ready!(self.poll_more(inbound, cx))?,
                Ok(Step::Ready(answer)) => {
                    self.after_answer(inbound, None, cx);
                    return Poll::Ready(Ok(answer));
                }
                Err(error) => {
                    self.after_answer(inbound, Some(&error), cx);
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// Ready when the task that receives may look at what has arrived.
    #[inline]
    pub(super) fn poll_let_go(
        &mut self,
        inbound: &mut Inbound,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        while self.is_congested() && self.is_held_up(cx) {
            // A peer that does not read is not read from.
            self.link.wait_for_answer(inbound.arrived())?;
            ready!(self.poll_alarm(cx));
        }
        self.link.pass_on(inbound);
        Poll::Ready(Ok(()))
    }

    /// Waits for more than has arrived. Ready when it is worth another look.
    pub(super) fn poll_more(
        &mut self,
        inbound: &mut Inbound,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if let Err(late) = self.link.wait_for_answer(inbound.arrived()) {
            log::receive_failed(&late);
            return Poll::Ready(Err(late));
        }
        if self.link.release(inbound) {
            return Poll::Ready(Ok(()));
        }
        let _ = self.poll_transmit(cx);
        if self.link.pass_on(inbound) {
            // The end of a handshake was not all that came.
            return Poll::Ready(Ok(()));
        }
        let filled =
            if inbound.is_held() { self.rest(inbound) } else { self.poll_fill(inbound, cx) };
        match filled {
            Poll::Ready(filled) => filled?,
            Poll::Pending if self.link.is_late() => {}
            Poll::Pending if self.is_tracked() && self.obeys_close(inbound, cx) => {}
            Poll::Pending => ready!(self.poll_alarm(cx)),
        }
        Poll::Ready(Ok(()))
    }

    /// A rate of our own holds up what has arrived: the stream is not read.
    #[cold]
    fn rest(&mut self, inbound: &mut Inbound) -> Poll<io::Result<()>> {
        self.turns.rest();
        self.link.reclaim(Some(inbound), pool::give);
        Poll::Pending
    }

    /// A receive has its answer. One that reports an end or an error tries once to write what is queued.
    #[inline]
    pub(crate) fn after_answer(
        &mut self,
        inbound: &Inbound,
        error: Option<&Error>,
        cx: &mut Context<'_>,
    ) {
        self.link.answered();
        if let Some(error) = error {
            log::receive_failed(error);
        }
        // A handshake that is over has perhaps its last words to say.
        if error.is_some() || inbound.input_end().is_some() || self.link.is_unsettled() {
            let _ = self.poll_transmit(cx);
        }
    }

    /// Whether too many answers of the receiving task are unsent for it to get more. A close lets it have all that
    /// has arrived.
    #[inline]
    pub(crate) fn is_congested(&self) -> bool {
        self.link.is_congested() && !self.is_closing()
    }

    /// The same, after an attempt to send them.
    #[cold]
    fn is_held_up(&mut self, cx: &mut Context<'_>) -> bool {
        self.poll_transmit(cx).is_pending() && self.is_congested()
    }

    /// Writes what the stream takes now, for a caller that cannot wait, and so cannot give its thread back either.
    pub(crate) fn try_transmit(&mut self, cx: &mut Context<'_>) {
        self.turns.rest();
        let _ = self.poll_transmit(cx);
    }

    /// The same for a call that has done its work and so cannot wait: the next one waits first, by
    /// [`poll_turn`](Self::poll_turn).
    pub(crate) fn transmit_on_the_way(&mut self, cx: &mut Context<'_>) {
        if self.poll_transmit(cx).is_pending() {
            self.turns.writes = STREAK;
        }
    }

    /// Waits if it is the other tasks' turn.
    pub(crate) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.turns.writes == STREAK { self.turns.take_write(cx) } else { Poll::Ready(()) }
    }

    /// What is not needed any more, to be dropped where no lock is held since it may wake other tasks: the slot of
    /// a handshake that is over, and all of a connection that is closed.
    pub(crate) fn take_remains(&mut self) -> Option<Remains<S>> {
        if !self.is_closed() {
            return self.take_slot().map(|slot| (None, None, Some(slot)));
        }
        let is_empty = self.stream.is_none() && self.permit.is_none() && self.slot.is_none();
        if is_empty {
            None
        } else {
            Some((self.stream.take(), self.permit.take(), self.slot.take()))
        }
    }
}

impl<S: Transport> Drop for Engine<S> {
    /// Tries once to send what is queued, and a secure layer's close notice. What could not be sent must not
    /// look complete: the peer sees a reset.
    fn drop(&mut self) {
        if self.is_closed() || self.stream.is_none() {
            return;
        }
        self.link.give_up_large();
        if self.link.is_secure() {
            self.link.close_write();
        }
        if !self.link.is_interrupted() {
            self.turns.rest();
            // No clock is asked here: its runtime may be gone.
            let _ = self.poll_write_out(&mut Context::from_waker(Waker::noop()));
        }
        // A loss may be our own verdict, and the peer may still read what has left.
        let lost = self.link.loss().is_some();
        let torn = self.link.is_interrupted() || self.unsent() > 0 || lost;
        if let Some(stream) = self.stream.as_mut().filter(|_| torn) {
            stream.reset_on_drop();
        } else if self.link.is_secure() || self.is_closing() {
            self.try_drain();
        }
    }
}

/// How many reads and writes followed each other without a wait, in this poll and those before it.
#[derive(Clone, Copy, Default)]
struct Turns {
    reads: u8,
    writes: u8,
    /// The last read was put off for the other tasks' turn: nobody knows whether anything is there.
    put_off: bool,
}

impl Turns {
    /// Counts a read. After many it is the other tasks' turn.
    fn take_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let turn = take_turn(&mut self.reads, cx);
        self.put_off = turn.is_pending();
        turn
    }

    /// The same with a write.
    fn take_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        take_turn(&mut self.writes, cx)
    }

    /// The task waits, so others have their turn.
    const fn rest(&mut self) {
        self.reads = 0;
        self.writes = 0;
    }
}

fn take_turn(count: &mut u8, cx: &mut Context<'_>) -> Poll<()> {
    if *count == STREAK {
        *count = 0;
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    *count += 1;
    Poll::Ready(())
}

/// Whether an error of a stream asks for the same call again.
fn is_interrupted(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}
