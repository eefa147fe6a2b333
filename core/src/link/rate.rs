//! The rate limits of a connection: what has arrived is held back until they allow it.

use super::Link;
use crate::Inbound;

impl Link {
    /// The receive that was just asked has no answer: counts what it took, and lets it have more of what is held
    /// back. Returns whether it should be asked again.
    #[inline]
    pub fn release(&mut self, inbound: &mut Inbound) -> bool {
        (self.rates.is_some() || inbound.is_held()) && self.release_held(inbound)
    }

    #[cold]
    fn release_held(&mut self, inbound: &mut Inbound) -> bool {
        let n = match &mut self.rates {
            Some(rates) => {
                rates.count_lines(inbound.lines_received());
                rates.admit(inbound.held(), inbound.lacks(), self.config.framing)
            }
            None => usize::MAX,
        };
        let has_more = inbound.release(n);
        self.deadlines.hold_up(inbound.is_held() && !has_more);
        has_more
    }

    /// Lifts the rates: there is no clock that could tell when more may go on. Returns whether a receive waits for
    /// that.
    pub fn lift_rates(&mut self) -> bool {
        self.rates = None;
        self.deadlines.hold_up(false)
    }

    /// Whether a receive was held up by a rate, and need not be any more.
    #[must_use]
    pub fn is_let_go(&self) -> bool {
        self.rates.as_ref().is_some_and(|rates| rates.is_told())
    }
}
