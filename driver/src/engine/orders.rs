//! What a connection does when its listener shuts down.

use std::task::Context;

use asyncnet_core::driver::Inbound;

use super::Engine;
use crate::Transport;
use crate::net::open::Permit;
use crate::transport::has_input;

impl<S: Transport> Engine<S> {
    /// Aborts the connection if its listener says so. To be called before a wait.
    pub(super) fn obeys_abort(&mut self, cx: &Context<'_>) -> bool {
        let told = self.permit.as_ref().is_some_and(|permit| permit.aborts(cx.waker()));
        if !told || self.is_closed() {
            return false;
        }
        if let Some(permit) = &self.permit {
            permit.count_abort();
        }
        self.abort();
        true
    }

    /// Begins to close the connection if its listener says so and nothing is half done: the receive that is about to
    /// wait has nothing of its message yet. Keeps the listener informed besides.
    #[cold]
    pub(super) fn obeys_close(&mut self, inbound: &Inbound, cx: &mut Context<'_>) -> bool {
        let Some(permit) = &self.permit else { return false };
        let Some(tracked) = permit.tracked() else { return false };
        tracked.note(inbound.stats().bytes_received, self.link.transmitted_total());
        let is_idle = inbound.is_between_messages() && self.unsent() == 0;
        let is_open = !self.link.is_unsettled() && !self.is_closing();
        if !is_idle || !is_open || self.turns.put_off || !permit.closes_idle(cx.waker()) {
            return false;
        }
        if self.stream.as_ref().is_some_and(has_input) {
            // The stream calls for it.
            return false;
        }
        // The rest of the close is up to the task: its receive answers now.
        let _ = self.poll_close(cx);
        true
    }

    /// Whether the listener keeps a list of its connections.
    #[inline]
    pub(super) fn is_tracked(&self) -> bool {
        self.permit.as_ref().and_then(Permit::tracked).is_some()
    }
}
