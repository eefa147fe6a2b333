//! What a relay has done, in numbers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use tracing::info;

use super::bell::Bell;
use super::outbox;
use crate::figures::Exposition;

/// What was heard of the other servers, counted as it happens.
pub(super) struct Counts {
    pub(super) received: Count,
    pub(super) doubles: Count,
    /// Lines of other servers that nobody here gets.
    pub(super) lost: Count,
    pub(super) unreadable: Count,
    pub(super) connects: Count,
    connected: AtomicBool,
    /// Rings when there may be something to tell.
    pub(super) news: Bell,
}

#[derive(Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// It ends at the largest number: what others publish tells how much is added.
    pub(super) fn add(&self, n: u64) {
        let _ = self.0.fetch_update(Relaxed, Relaxed, |count| Some(count.saturating_add(n)));
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Counts {
    pub(super) fn new() -> Self {
        Self {
            received: Count::default(),
            doubles: Count::default(),
            lost: Count::default(),
            unreadable: Count::default(),
            connects: Count::default(),
            connected: AtomicBool::new(false),
            news: Bell::new(),
        }
    }

    pub(super) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Relaxed);
        if connected {
            self.connects.add(1);
        }
    }

    /// Lines of other servers are lost.
    pub(super) fn lose(&self, lines: u64) {
        if lines > 0 {
            self.lost.add(lines);
            self.news.ring();
        }
    }

    pub(super) fn figures(&self, outbox: outbox::Figures) -> Figures {
        Figures {
            outbox,
            received: self.received.get(),
            doubles: self.doubles.get(),
            lost: self.lost.get(),
            unreadable: self.unreadable.get(),
            reconnects: self.connects.get().saturating_sub(1),
            connected: self.connected.load(Relaxed),
        }
    }
}

/// A relay in numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// The lines of this server's clients.
    pub(crate) outbox: outbox::Figures,
    /// Lines of other servers that were passed to the room.
    pub(crate) received: u64,
    /// Lines of other servers that came again, and were dropped.
    pub(crate) doubles: u64,
    /// Lines of other servers that did not come, or that this room cannot say.
    pub(crate) lost: u64,
    /// Messages that are none of a chat server's, or of another version.
    pub(crate) unreadable: u64,
    /// How often the broker was reached again.
    pub(crate) reconnects: u64,
    pub(crate) connected: bool,
}

impl Figures {
    /// Says them in the log.
    pub(crate) fn log(&self) {
        let Self { outbox, received, doubles, lost, unreadable, reconnects, connected } = *self;
        let outbox::Figures { published, kept, kept_bytes, lost: own } = outbox;
        info!(
            connected,
            reconnects,
            published,
            kept,
            kept_bytes,
            received,
            doubles,
            lost_own = own.all(),
            lost_others = lost,
            unreadable,
            "relay"
        );
    }

    /// The same numbers in Prometheus's text format.
    pub(crate) fn prometheus(&self, text: &mut Exposition) {
        let outbox = &self.outbox;
        let name = "asyncnet_chat_relay_connected";
        text.gauge(name, "1 while the relay is connected to its broker.", u8::from(self.connected));
        let name = "asyncnet_chat_relay_reconnects_total";
        text.counter(name, "How often the broker was reached again.", self.reconnects);
        let name = "asyncnet_chat_relay_published_lines_total";
        let help = "Lines of this server's clients that the broker has confirmed.";
        text.counter(name, help, outbox.published);
        let name = "asyncnet_chat_relay_kept_lines";
        let help = "Lines of this server's clients that the broker has not confirmed yet.";
        text.gauge(name, help, outbox.kept);
        let name = "asyncnet_chat_relay_kept_bytes";
        text.gauge(name, "What those count, in bytes.", outbox.kept_bytes);
        let name = "asyncnet_chat_relay_received_lines_total";
        let help = "Lines of other servers that were passed to the room.";
        text.counter(name, help, self.received);
        let name = "asyncnet_chat_relay_double_lines_total";
        let help = "Lines of other servers that came again, and were dropped.";
        text.counter(name, help, self.doubles);
        let lost = outbox.lost;
        let causes = [
            ("buffer_full", lost.full),
            ("too_long", lost.too_long),
            ("not_confirmed_at_stop", lost.at_stop),
            ("other_servers", self.lost),
        ];
        let name = "asyncnet_chat_relay_lost_lines_total";
        let help = "Lines that did not get from one server to another: of other_servers those that this one missed, else \
                    those that it did not publish.";
        text.counters(name, help, "cause", &causes);
        let name = "asyncnet_chat_relay_unreadable_messages_total";
        let help = "Messages that did not come from servers of this version.";
        text.counter(name, help, self.unreadable);
    }
}
