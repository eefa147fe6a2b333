//! The stop of the server: who can ask for it, and how its tasks notice.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use futures_lite::future;

/// Something that has happened or not. Every task that has a clone of it can wait for it.
#[derive(Clone)]
pub(crate) struct Flag {
    sender: Sender<Infallible>,
    receiver: Receiver<Infallible>,
}

impl Flag {
    pub(crate) fn new() -> Self {
        // It carries no message: all that happens to it is that it is closed.
        let (sender, receiver) = async_channel::bounded(1);
        Self { sender, receiver }
    }

    /// It has happened. A second call changes nothing.
    pub(crate) fn raise(&self) {
        self.sender.close();
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.sender.is_closed()
    }

    pub(crate) async fn raised(&self) {
        let _ = self.receiver.recv().await;
    }

    /// What `future` comes to, or `None` if this happens first.
    pub(crate) async fn or<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        future::or(async { Some(future.await) }, async {
            self.raised().await;
            None
        })
        .await
    }
}

/// The stages of a stop, in their order.
#[derive(Clone)]
pub(crate) struct Stop {
    /// The first signal came: no client is accepted any more, and what has arrived is still passed on.
    pub(crate) asked: Flag,
    /// The room is closed: every client gets what was said, and the end.
    pub(crate) closing: Flag,
    /// A second signal came: every connection is reset.
    pub(crate) at_once: Flag,
    /// How long the stop may take.
    pub(crate) limit: Duration,
}

impl Stop {
    pub(crate) fn new(limit: Duration) -> Self {
        let (asked, closing, at_once) = (Flag::new(), Flag::new(), Flag::new());
        Self { asked, closing, at_once, limit }
    }

    /// A signal to stop came.
    pub(crate) fn signalled(&self) {
        if self.asked.is_raised() {
            self.at_once.raise();
        }
        self.asked.raise();
    }
}

/// Counts the clients that may still say something.
pub(crate) struct Speaking(Sender<Infallible>);

/// Waits until no client has its [`Speaking`] any more.
pub(crate) struct Silence(Receiver<Infallible>);

impl Speaking {
    pub(crate) fn new() -> (Self, Silence) {
        let (sender, receiver) = async_channel::bounded(1);
        (Self(sender), Silence(receiver))
    }

    /// One for another client.
    pub(crate) fn another(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Silence {
    pub(crate) async fn begun(&self) {
        let _ = self.0.recv().await;
    }
}
