//! The handshakes of a listener whose connections are secure: they go on side by side, and none of them
//! stands in the way of an accept.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use asyncnet_core::SecureLayer;

use crate::fan_out::FanOut;
use crate::{Address, Connection, Transport};

/// How many may be under way. Further peers wait in the queue of the system.
const MOST: usize = 1024;

/// Connections whose handshake is under way.
pub(super) struct Handshakes<S: Transport> {
    under_way: Vec<UnderWay<S>>,
}

struct UnderWay<S: Transport> {
    connection: Connection<S>,
    address: Address,
    call: Arc<Call>,
    /// It has failed, and the peer is being told.
    failed: bool,
}

/// Whether a handshake has something to do.
struct Call {
    called: AtomicBool,
    fan_out: Arc<FanOut>,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.called.store(true, Ordering::SeqCst);
        self.fan_out.wake_by_ref();
    }
}

impl<S: Transport> Handshakes<S> {
    pub(super) const fn new() -> Self {
        Self { under_way: Vec::new() }
    }

    pub(super) fn have_room(&self) -> bool {
        self.under_way.len() < MOST
    }

    /// Begins a handshake. Whoever waits at `fan_out` is woken when it can go on.
    pub(super) fn begin(
        &mut self,
        mut connection: Connection<S>,
        address: Address,
        layer: Box<dyn SecureLayer>,
        fan_out: &Arc<FanOut>,
    ) -> io::Result<()> {
        connection.start_tls(layer)?;
        let call = Arc::new(Call { called: AtomicBool::new(true), fan_out: Arc::clone(fan_out) });
        self.under_way.push(UnderWay { connection, address, call, failed: false });
        Ok(())
    }

    /// A connection whose handshake is over. One that failed costs its peer alone.
    pub(super) fn poll(&mut self) -> Option<(Connection<S>, Address)> {
        let mut at = 0;
        while let Some(one) = self.under_way.get_mut(at) {
            match one.poll() {
                Poll::Pending => at += 1,
                Poll::Ready(secure) => {
                    let UnderWay { connection, address, .. } = self.under_way.swap_remove(at);
                    if secure {
                        return Some((connection, address));
                    }
                }
            }
        }
        None
    }
}

impl<S: Transport> UnderWay<S> {
    /// Ready when the handshake is over, with whether the connection is secure; after a failure when the
    /// peer was told.
    fn poll(&mut self) -> Poll<bool> {
        if !self.call.called.swap(false, Ordering::SeqCst) {
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(&self.call));
        let mut cx = Context::from_waker(&waker);
        if !self.failed {
            match self.connection.poll_upgrade(&mut cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => return Poll::Ready(true),
                Poll::Ready(Err(_)) => self.failed = true,
            }
        }
        self.connection.poll_end_failed_handshake(&mut cx).map(|()| false)
    }
}
