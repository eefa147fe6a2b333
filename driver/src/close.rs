//! The orderly close: what is queued, then the end of our side, then a bounded rest of the peer's.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use asyncnet_core::CloseBounds;

use crate::error::write_loss;
use crate::link::Link;
use crate::transport::poll_discard;
use crate::{BoxSleep, SendError, Transport, pool};

/// How far a close has come. It lives in the connection: a close that was dropped is continued by the
/// next.
pub(crate) enum Closing {
    Not,
    /// Transmitting what is queued, then ending our side.
    Flushing {
        deadline: Option<BoxSleep>,
    },
    /// Reading what the peer still sends.
    Draining {
        deadline: Option<BoxSleep>,
        left: usize,
        outcome: Result<(), SendError>,
    },
    /// The stream is gone. The outcome is every later close's answer.
    Done(Result<(), SendError>),
}

impl Closing {
    pub(crate) const fn has_begun(&self) -> bool {
        !matches!(self, Self::Not)
    }

    pub(crate) const fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Not => "Not",
            Self::Flushing { .. } => "Flushing",
            Self::Draining { .. } => "Draining",
            Self::Done(_) => "Done",
        })
    }
}

impl<S: Transport> Link<S> {
    /// Closes the connection in good order. Once ready the stream is gone.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        loop {
            match self.closing {
                Closing::Not => self.begin_close(),
                Closing::Flushing { .. } => match ready!(self.poll_end_sending(cx)) {
                    Ok(()) => self.begin_drain(Ok(())),
                    // The alert that says why has to arrive.
                    Err(error @ SendError::Tls(_)) => self.begin_drain(self.lost(error)),
                    Err(error) => self.abort_for(error),
                },
                Closing::Draining { outcome, .. } => {
                    ready!(self.poll_drain(cx));
                    self.finish_close(outcome);
                }
                Closing::Done(outcome) => return Poll::Ready(outcome),
            }
        }
    }

    fn begin_close(&mut self) {
        self.sender.close();
        if self.sender.is_interrupted() {
            // A torn message never looks complete.
            return self.abort_for(SendError::Interrupted);
        }
        self.closing =
            Closing::Flushing { deadline: self.timer.map(|timer| timer(self.bounds.flush)) };
    }

    fn begin_drain(&mut self, outcome: Result<(), SendError>) {
        let CloseBounds { drain, drain_bytes: left, .. } = self.bounds;
        let deadline = self.timer.map(|timer| timer(drain));
        self.closing = Closing::Draining { deadline, left, outcome };
    }

    fn poll_end_sending(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let shut = self.poll_shutdown_write(cx);
        match &mut self.closing {
            Closing::Flushing { deadline } if shut.is_pending() => {
                poll_deadline(deadline, cx).map(|()| Err(SendError::TimedOut))
            }
            _ => shut,
        }
    }

    /// Transmits what is queued, then ends the sending side.
    pub(crate) fn poll_shutdown_write(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        if let Closing::Done(outcome) = self.closing {
            return Poll::Ready(outcome);
        }
        self.sender.close();
        if self.sender.is_interrupted() {
            return Poll::Ready(Err(SendError::Interrupted));
        }
        ready!(self.poll_transmit(cx));
        if let Some(loss) = self.sender.loss() {
            return Poll::Ready(Err(SendError::Disconnected(loss)));
        }
        if let Some(stream) = &mut self.stream {
            if let Err(error) = ready!(Pin::new(stream).poll_shutdown_write(cx)) {
                let loss = write_loss(&error);
                self.sender.handle_lost(loss);
                return Poll::Ready(Err(SendError::Disconnected(loss)));
            }
        }
        Poll::Ready(self.sender.failure().map_or(Ok(()), |failure| Err(failure.into())))
    }

    /// Reads and forgets until the peer's end, a limit, or the deadline.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (Closing::Draining { deadline, left, .. }, Some(stream)) =
            (&mut self.closing, &mut self.stream)
        else {
            return Poll::Ready(());
        };
        let mut scratch = pool::take();
        let drained = loop {
            let room = scratch.len().min(*left);
            if room == 0 {
                break Poll::Ready(());
            }
            match poll_discard(stream, cx, &mut scratch[..room]) {
                Poll::Ready(Ok(n)) if n > 0 => *left -= n.min(*left),
                Poll::Ready(_) => break Poll::Ready(()),
                // Without a clock nothing bounds a wait, so there is none.
                Poll::Pending if deadline.is_none() => break Poll::Ready(()),
                Poll::Pending => break poll_deadline(deadline, cx),
            }
        };
        pool::give(scratch);
        drained
    }

    fn finish_close(&mut self, outcome: Result<(), SendError>) {
        self.closing = Closing::Done(outcome);
        self.stream = None;
        self.permit = None;
    }

    /// Closes at once; the peer sees a reset. What is queued is lost.
    pub(crate) fn abort(&mut self) {
        if !self.closing.is_done() {
            self.abort_for(SendError::Closed);
        }
    }

    /// Closes at once, and says why to whoever waits for the close, if bytes are lost by it.
    fn abort_for(&mut self, reason: SendError) {
        self.sender.close();
        self.sender.drop_queued();
        if let Some(stream) = &mut self.stream {
            stream.reset_on_drop();
        }
        self.finish_close(self.lost(reason));
    }

    /// An error for this reason, if accepted bytes never leave.
    fn lost(&self, reason: SendError) -> Result<(), SendError> {
        let lost = self.sender.has_dropped() || self.sender.is_interrupted();
        if lost { Err(reason) } else { Ok(()) }
    }
}

fn poll_deadline(deadline: &mut Option<BoxSleep>, cx: &mut Context<'_>) -> Poll<()> {
    match deadline {
        Some(sleep) => sleep.as_mut().poll(cx),
        None => Poll::Pending,
    }
}
