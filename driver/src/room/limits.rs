//! How far behind a member may be, and what happens then.

use std::time::Duration;

/// How much may wait for the room's task, as it is charged, before speakers wait for it.
pub(super) const BACKLOG: usize = 1 << 20;

/// What happens when a message comes for a member whose queue has no room for it: with it, more than
/// [`Limits::hard`] would wait for that member.
///
/// Whatever the policy, a member gets whole messages, in order, and the other members do not notice.
/// Messages of one turn of the room's task are merged, and are dropped together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// The room resets the member's connection: what waits for it is lost, and its receives answer
    /// `Closed`. The same happens when more than [`Limits::soft`] waits for it for too long. For
    /// members that have to get everything, and can ask again once they are back.
    #[default]
    Disconnect,
    /// The member misses the new message. What waits for it stays, and it gets new messages again as soon
    /// as they fit. A member that is full again and again may miss more messages than it has to: the room
    /// remembers 32 gaps for each member.
    DropNewest,
    /// The member misses the oldest messages, as many as it takes. For members that want the latest: a
    /// price, a position. The room cannot take back what it handed to the connection; that is at most
    /// 64 KiB, or a quarter of the hard limit if that is less, or one larger message.
    DropOldest,
}

/// How far behind a member may be. The hard limit, and the soft limit with its time, are the rule that Redis
/// has for its clients.
///
/// # Memory
///
/// A room stores each message once, for as long as any member needs it. `N` members hold at most
///
/// - `hard` bytes of messages, all together, as the limit counts them, where all are behind in the same
///   messages. Members that are behind in *different* messages, because they joined at different times or
///   dropped different ones, hold at most `hard` bytes each;
/// - for each member at most 64 KiB (or a quarter of `hard`, if that is less) or one larger message in the queue
///   of its connection. Pieces of 1 KiB and more are shared there too;
/// - for each member that left while it was behind, what was handed to its connection then;
/// - 1 MiB, counted in the same way, that was said and that the room's task has not seen yet, with one message more, and one message for
///   each task that waits in a `send_line` or `send_all`.
///
/// # One speaker can make slower members leave
///
/// Nothing slows a speaker down for the sake of a member. A speaker that says more than a member can read makes
/// that member miss messages, or be disconnected, as its policy says. This is by design: otherwise one member
/// that does not read would stop the room. Where the speakers are not trusted, limit how fast each may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// No more than this waits for a member, in bytes, with 64 more for each piece (and 32 for each message
    /// in it that is for everyone but its speaker). It has to be as large as the longest message, which
    /// would reach no member otherwise. Default 32 MiB.
    pub hard: usize,
    /// A member with [`Policy::Disconnect`] is disconnected when more than this waits for it for
    /// [`soft_for`](Self::soft_for) without a break. It has no effect on members with other policies.
    /// Default 8 MiB.
    pub soft: usize,
    /// Default 10 seconds.
    pub soft_for: Duration,
    /// The policy of members that join without one of their own. Default [`Policy::Disconnect`].
    pub policy: Policy,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hard: 32 << 20,
            soft: 8 << 20,
            soft_for: Duration::from_secs(10),
            policy: Policy::Disconnect,
        }
    }
}

impl Limits {
    /// Sets [`Limits::hard`].
    #[must_use]
    pub const fn hard(mut self, bytes: usize) -> Self {
        self.hard = bytes;
        self
    }

    /// Sets [`Limits::soft`] and [`Limits::soft_for`].
    #[must_use]
    pub const fn soft(mut self, bytes: usize, soft_for: Duration) -> Self {
        self.soft = bytes;
        self.soft_for = soft_for;
        self
    }

    /// Sets [`Limits::policy`].
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// How large merged messages may become, and how much is handed to a connection at once.
    pub(super) fn portion(&self) -> usize {
        (64 << 10).min(self.hard / 4)
    }
}
