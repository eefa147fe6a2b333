//! Ending a connection.

use super::Link;
use crate::Inbound;

impl Link {
    /// Ends the sending side. What is queued is still outgoing; a large message that is under way is torn by
    /// it.
    pub fn close_write(&mut self) {
        self.give_up_large();
        self.closed = true;
    }

    /// Begins an orderly close: the sending side ends, and from here on [`CloseLimits`](crate::CloseLimits)
    /// bound what is still outgoing.
    pub fn close(&mut self) {
        self.close_write();
        self.lift_rates();
        self.deadlines.begin_flush();
    }

    /// Ends the receiving side for good: every receive returns `Closed`.
    pub fn close_inbound(&self, inbound: &mut Inbound) {
        inbound.close(self.coming_end());
    }

    /// All that was queued has left and our side is ended: from here on what the peer still sends is read and
    /// dropped, so that the system does not reset the connection for it.
    pub fn begin_drain(&mut self) {
        self.deadlines.begin_drain(self.config.close.drain_bytes);
    }

    /// `n` bytes were read and dropped. Returns how many more may be.
    pub fn drained(&mut self, n: usize) -> usize {
        self.deadlines.drained(n)
    }

    /// Whether the time of this part of a close is over: of the flush or of the drain.
    #[must_use]
    pub fn close_timed_out(&self) -> bool {
        self.deadlines.close_timed_out()
    }

    /// The connection is closed: no deadline is left.
    pub fn end_close(&mut self) {
        self.deadlines.end();
    }

    /// Forgets that bytes were dropped: a call has reported it.
    pub const fn forgive_dropped(&mut self) {
        self.dropped = false;
    }
}
