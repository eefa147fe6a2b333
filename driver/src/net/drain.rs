//! Shutting down: a listener that stops tells its connections.

use std::fmt;
use std::sync::Arc;

use super::open::Open;

/// Notifies the connections of a listener that it shuts down; made by [`Listener::drain`](crate::Listener::drain) and
/// [`SocketInfo::drain`](super::SocketInfo::drain). Cheap to clone.
///
/// ```
/// # async fn serve<S: asyncnet::Transport>(mut conn: asyncnet::Connection<S>) -> Result<(), asyncnet::Error> {
/// use std::future::poll_fn;
/// use std::pin::pin;
/// use std::task::Poll;
///
/// let drain = conn.socket().drain();
/// let mut draining = pin!(drain.draining());
/// loop {
///     // A `select!`: a receive that is dropped loses nothing.
///     let line = {
///         let mut next = pin!(conn.expect_line());
///         poll_fn(|cx| match draining.as_mut().poll(cx) {
///             Poll::Ready(()) => Poll::Ready(None),
///             Poll::Pending => next.as_mut().poll(cx).map(|line| Some(line.map(<[u8]>::to_vec))),
///         })
///         .await
///     };
///     match line {
///         Some(line) => conn.send_line(line?).await?,
///         None => {
///             conn.send_line("the server shuts down").await?;
///             return conn.close().await;
///         }
///     }
/// }
/// # }
/// ```
#[doc(alias("CancellationToken", "graceful shutdown"))]
#[derive(Clone)]
pub struct Drain {
    /// `None` for a connection that came from no listener, which never drains.
    pub(super) open: Option<Arc<Open>>,
}

impl Drain {
    pub(crate) const fn of(open: Option<Arc<Open>>) -> Self {
        Self { open }
    }

    /// Whether the listener shuts down: [`Listener::finish`](crate::Listener::finish) was called.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.draining.is_set())
    }

    /// Ready when the listener shuts down, at once if it does already. Never for a connection that came from no listener.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it only waits.
    pub async fn draining(&self) {
        match &self.open {
            Some(open) => open.draining.wait().await,
            None => std::future::pending().await,
        }
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").field("is_draining", &self.is_draining()).finish()
    }
}

/// How the connections of a listener that shut down ended; returned by
/// [`Listener::finish`](crate::Listener::finish).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finished {
    /// Connections that were closed in time, in whatever way.
    pub closed: usize,
    /// Connections that were aborted at the limit: their peers saw a reset.
    pub aborted: usize,
    /// Connections that are still open: the listener does not [track](super::ListenOptions::track) them, or their
    /// tasks did not use them. A tracked one is aborted when its task uses it next.
    pub left: usize,
}
