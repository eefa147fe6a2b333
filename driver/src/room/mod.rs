//! A room: every message goes to every member. The answer to "how do I write to many clients?".
//!
//! The calls that send, join and leave only enqueue; a single task delivers. What is said goes once into a
//! log, and each member is a position in it. The task alone holds the log and the members: no lock is held
//! while it writes, and a member that does not read costs the others nothing.

mod backlog;
mod calls;
mod cursor;
mod floor;
mod limits;
mod log;
mod member;
mod port;
mod seat;
mod shared;
mod stats;
mod task;

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use crate::{Error, Framing, Transport, Writer};
use backlog::To;
use port::Port;
use seat::Seat;
use shared::{Saying, Shared};
use stats::Tally;

pub use limits::{Limits, Policy};
pub use member::Member;
pub use stats::{MemberStats, RoomStats};
pub use task::RoomTask;

/// A room of connections over `S`: how to write to many clients. Clone it for every task that speaks.
///
/// [`Room::new`] makes it together with its [`RoomTask`]. Spawn that, give the room the [`Writer`] of each
/// client ([`join`](Self::join)), and say something ([`send_line`](Self::send_line)). Then
///
/// - a message is stored once, whatever its size and however many members get it; all that is said in one
///   turn of the event loop leaves in one write to each member;
/// - the room writes to every member by itself, whether or not a task receives on the member's connection;
/// - speaking waits for no member, and a member that does not read delays no other;
/// - what waits for a member is bounded in bytes ([`Limits`], which says what `N` members can hold at
///   most), and at the limit its [`Policy`] says what happens: it is disconnected, or it misses the newest or
///   the oldest messages. A member never gets a torn message. [`stats`](Self::stats) counts all of it;
/// - members join and leave from any task at any time.
///
/// What a task sends to one member past the room, through a clone of its `Writer`, comes whole too, but
/// may overtake what waits in the room for it; [`Member::tell_line`] keeps the order. The limit of the
/// connection itself (`max_queue`) holds for that, and not for what the room sends.
///
/// ```
/// use asyncnet::room::{Limits, RoomTask};
/// use asyncnet::{Connection, Error, Room, Transport};
///
/// /// Every line of this client goes to everyone else in the room.
/// async fn client<S: Transport>(mut conn: Connection<S>, room: Room<S>) -> Result<(), Error> {
///     let member = room.join(conn.writer())?;
///     while let Some(line) = conn.next_line().await? {
///         member.send_line(line).await?;
///     }
///     Ok(())
/// }
///
/// fn open<S: Transport>() -> (Room<S>, RoomTask<S>) {
///     // Spawn the task on the runtime: it delivers.
///     Room::new(Limits::default())
/// }
/// ```
///
/// Rules [R1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#r1) to [R8](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#r8).
#[doc(alias("broadcast", "fan-out"))]
pub struct Room<S: Transport> {
    handle: Arc<Handle<S>>,
}

/// The room ends with its last handle.
struct Handle<S: Transport> {
    shared: Arc<Shared<S>>,
}

impl<S: Transport> Drop for Handle<S> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl<S: Transport> Room<S> {
    /// An empty room, and the task that delivers: spawn it.
    pub fn new(limits: Limits) -> (Self, RoomTask<S>) {
        let shared = Arc::new(Shared::new(limits));
        let task = RoomTask::new(Arc::clone(&shared));
        (Self { handle: Arc::new(Handle { shared }) }, task)
    }

    fn shared(&self) -> &Shared<S> {
        &self.handle.shared
    }

    /// Adds a member, with the policy of the [`Limits`]. The member gets every message sent
    /// from now on, until its [`Member`] is dropped or the room disconnects it. If the room disconnects it,
    /// receives on its connection return `Closed`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the room is closed.
    pub fn join(&self, sender: Writer<S>) -> Result<Member<S>, Error> {
        self.join_with(sender, self.shared().limits.policy)
    }

    /// As [`join`](Self::join), with a policy of its own.
    ///
    /// ```
    /// use asyncnet::room::{Member, Policy};
    /// use asyncnet::{Error, Room, Transport, Writer};
    ///
    /// /// A client that looks at the latest and at nothing else.
    /// fn watch<S: Transport>(
    ///     room: &Room<S>,
    ///     sender: Writer<S>,
    /// ) -> Result<Member<S>, Error> {
    ///     room.join_with(sender, Policy::DropOldest)
    /// }
    ///
    /// /// How much that one has missed.
    /// fn missed<S: Transport>(member: &Member<S>) -> u64 {
    ///     member.stats().dropped_messages
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the room is closed.
    pub fn join_with(&self, sender: Writer<S>, policy: Policy) -> Result<Member<S>, Error> {
        let shared = self.shared();
        let tally = Arc::<Tally>::default();
        let id = shared.change(backlog::Backlog::next_member);
        let port = Port::new(sender, shared.calls.caller(id));
        let seat = Box::new(Seat::new(id, port, policy, Arc::clone(&tally)));
        let refused = shared.change(|backlog| {
            if backlog.is_closed {
                return Some(seat);
            }
            backlog.join(seat);
            None
        });
        // With it perhaps a connection goes, so not under the lock.
        if refused.is_some() {
            return Err(Error::Closed);
        }
        Ok(Member { room: self.clone(), id, tally, has_left: false })
    }

    /// Sends `text` and CR LF to every member, whatever framing the member's connection uses. It never waits for a
    /// member. It waits only while the room's task is more than 1 MiB behind, as [`Limits::hard`] counts; waiting calls
    /// go in order.
    ///
    /// # Errors
    ///
    /// [`Error::LineBreak`] if `text` holds a CR or an LF; [`Error::Closed`] if the room is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the line is sent whole or not at all.
    pub async fn send_line(&self, text: impl AsRef<[u8]>) -> Result<(), Error> {
        self.say(To::Everyone, checked_line(text.as_ref())?).await
    }

    /// Sends `message` to every member, as it is. Waits as [`send_line`](Self::send_line) does.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the room is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the message is sent whole or not at all.
    pub async fn send_all(&self, message: impl AsRef<[u8]>) -> Result<(), Error> {
        self.say(To::Everyone, [message.as_ref(), b""]).await
    }

    async fn say(&self, to: To, message: [&[u8]; 2]) -> Result<(), Error> {
        let mut saying = Saying::new(self.shared());
        poll_fn(|cx| saying.poll(to, message, cx.waker())).await
    }

    /// What the room has done so far, in numbers. A member counts from its [`join`](Self::join) on; what was said
    /// just now is in it once the room's task had its turn, and so is a member that leaves.
    #[must_use]
    pub fn stats(&self) -> RoomStats {
        self.shared().stats()
    }

    /// Ends the room: nothing more can be said, and its task hands what was said to the members'
    /// connections and returns. A `send_line` or `send_all` that still waits returns `Closed`.
    pub fn close(&self) {
        self.shared().close();
    }
}

/// A line and its end.
fn checked_line(text: &[u8]) -> Result<[&[u8]; 2], Error> {
    if Framing::Lenient.holds_line_break(text) {
        return Err(Error::LineBreak);
    }
    Ok([text, b"\r\n"])
}

impl<S: Transport> Clone for Room<S> {
    fn clone(&self) -> Self {
        Self { handle: Arc::clone(&self.handle) }
    }
}

impl<S: Transport> fmt::Debug for Room<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
