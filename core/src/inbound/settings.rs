//! Settings that change on a live connection.

use alloc::sync::Arc;

use super::Inbound;
use crate::Config;
use crate::shortfall::Shortfall;

impl Inbound {
    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Changes the settings. They hold from the next line or block on, for bytes that are buffered too; a
    /// line of which a part has come is one of those. A bad line that was reported still ends as it would
    /// have ended before, and an end that the transport has told already stays what it is.
    pub fn configure(&mut self, config: Arc<Config>) {
        if config.framing != self.config.framing || config.max_line < self.config.max_line {
            // What holds no line end for the old settings may hold one, or be too long, for the new.
            self.inbox.front_mut().forget_searches();
        }
        // What a batch was short of was measured with the old settings.
        self.inbox.front_mut().batch = Shortfall::default();
        self.config = config;
    }
}
