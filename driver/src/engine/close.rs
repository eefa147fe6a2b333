//! The orderly close: what is queued, then the end of our side, then a bounded rest of the peer's.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use asyncnet_core::{End, Timeout, TlsError};

use super::{Engine, Phase};
use crate::error::write_loss;
use crate::{Error, Transport};

/// How a close came out; every later close answers the same.
pub(crate) type Outcome = Result<(), Box<Reason>>;

/// Why accepted bytes never left.
#[derive(Clone, Debug)]
pub(crate) enum Reason {
    Closed,
    Interrupted,
    TimedOut,
    Lost(End),
    Tls(TlsError),
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Closed => Self::Closed,
            Reason::Interrupted => Self::Interrupted,
            Reason::TimedOut => Self::TimedOut(Timeout::Close),
            Reason::Lost(end) => Self::Disconnected(end),
            Reason::Tls(error) => Self::Tls(error),
        }
    }
}

impl From<Error> for Reason {
    /// Of the errors that a flush can meet.
    fn from(error: Error) -> Self {
        match error {
            Error::Interrupted => Self::Interrupted,
            Error::TimedOut(_) => Self::TimedOut,
            Error::Disconnected(end) => Self::Lost(end),
            Error::Tls(error) => Self::Tls(error),
            _ => Self::Closed,
        }
    }
}

impl Phase {
    pub(super) const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

impl<S: Transport> Engine<S> {
    /// Closes the connection in good order. Once ready, its remains are to be taken and dropped.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            match &self.phase {
                Phase::Open => self.begin_close(),
                Phase::Flushing => match ready!(self.poll_end_sending(cx)) {
                    // It was aborted meanwhile.
                    _ if self.phase.is_closed() => {}
                    Ok(()) => self.begin_drain(Ok(())),
                    // The alert that says why has to arrive.
                    Err(error @ Error::Tls(_)) => self.begin_drain(self.lost(error.into())),
                    Err(error) => self.abort_for(error.into()),
                },
                Phase::Draining(outcome) => {
                    let outcome = outcome.clone();
                    ready!(self.poll_drain(cx));
                    if !self.phase.is_closed() {
                        self.finish_close(outcome);
                    }
                }
                Phase::Closed(outcome) => {
                    return Poll::Ready(outcome.clone().map_err(|reason| (*reason).into()));
                }
            }
        }
    }

    fn begin_close(&mut self) {
        self.link.close();
        if self.link.is_interrupted() {
            // A torn message never looks complete.
            return self.abort_for(Reason::Interrupted);
        }
        self.phase = Phase::Flushing;
    }

    fn begin_drain(&mut self, outcome: Outcome) {
        self.link.begin_drain();
        self.phase = Phase::Draining(outcome);
    }

    fn poll_end_sending(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if self.link.close_timed_out() {
                return Poll::Ready(Err(Error::TimedOut(Timeout::Close)));
            }
            match self.poll_shutdown_write(cx) {
                Poll::Pending if self.link.close_timed_out() => {}
                Poll::Pending => ready!(self.poll_alarm(cx)),
                shut => return shut,
            }
        }
    }

    /// Transmits what is queued, then ends the sending side.
    pub(crate) fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Phase::Closed(outcome) = &self.phase {
            return Poll::Ready(outcome.clone().map_err(|reason| (*reason).into()));
        }
        self.link.close_write();
        if self.link.is_interrupted() {
            return Poll::Ready(Err(Error::Interrupted));
        }
        ready!(self.poll_drained(cx));
        if self.link.loss().is_none() {
            if let Some(stream) = &mut self.stream {
                if let Err(error) = ready!(Pin::new(stream).poll_shutdown_write(cx)) {
                    self.link.handle_write_lost(write_loss(&error));
                }
            }
        }
        Poll::Ready(self.link.failure().map_or(Ok(()), Err))
    }

    fn finish_close(&mut self, outcome: Outcome) {
        self.phase = Phase::Closed(outcome);
        self.link.end_close();
        self.alarm = None;
    }

    /// Closes at once; the peer sees a reset. What is queued is lost.
    pub(crate) fn abort(&mut self) {
        if !self.is_closed() {
            self.abort_for(Reason::Closed);
        }
    }

    /// Closes at once. A task that waits for the close gets `reason` as its answer, if bytes are lost by it.
    fn abort_for(&mut self, reason: Reason) {
        self.link.close_write();
        self.link.drop_queued();
        if let Some(stream) = &mut self.stream {
            stream.reset_on_drop();
        }
        self.finish_close(self.lost(reason));
    }

    /// An error for this reason, if accepted bytes never leave.
    fn lost(&self, reason: Reason) -> Outcome {
        let lost = self.link.has_dropped() || self.link.is_interrupted();
        if lost { Err(Box::new(reason)) } else { Ok(()) }
    }
}
