//! A signal between tasks that remembers one ring.

use async_channel::{Receiver, Sender};

/// Wakes the task that waits for it. Rings that nobody has waited for yet count as one.
pub(super) struct Bell {
    sender: Sender<()>,
    receiver: Receiver<()>,
}

impl Bell {
    pub(super) fn new() -> Self {
        let (sender, receiver) = async_channel::bounded(1);
        Self { sender, receiver }
    }

    pub(super) fn ring(&self) {
        // Where it is full, it has rung already.
        let _ = self.sender.try_send(());
    }

    /// Waits for a ring. A call that is dropped takes none.
    pub(super) async fn rung(&self) {
        // Both ends live as long as this.
        let _ = self.receiver.recv().await;
    }
}
