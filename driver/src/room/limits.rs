//! How far behind a member may be, and what happens then.

use std::time::Duration;

/// What happens when a message comes for a member that has no room for it: with it, more than
/// [`RoomLimits::hard`] would be queued.
///
/// Whatever the policy, a member gets whole messages, in order; the others do not notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// The member is disconnected: what is queued for it is lost, and its receiving half answers
    /// `Closed`. So it is too when more than [`RoomLimits::soft`] is queued for it for too long. For
    /// those that have to get everything, and can ask again once they are back.
    #[default]
    Disconnect,
    /// The member misses the new message. What is queued for it stays.
    DropNewest,
    /// The member misses the oldest messages, as many as it takes. For those that want the latest: a
    /// price, a position. What was handed to its connection is out of reach; that is at most 64 KiB, or
    /// a quarter of the hard limit if that is less, or one larger message. The rest waits in the room.
    DropOldest,
}

/// How far behind a member may be. The two limits, and the one for a time, are the rule that Redis has
/// for its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomLimits {
    /// No more than this is queued for a member, in bytes as `max_outbox` counts them: 64 more for each
    /// piece. It has to be larger than the longest message, which would reach nobody otherwise. Default
    /// 32 MiB.
    pub hard: usize,
    /// A member with [`Policy::Disconnect`] is disconnected when more than this is queued for it for
    /// [`soft_for`](Self::soft_for) without a break. Of no meaning for others. Default 8 MiB.
    pub soft: usize,
    /// Default 10 seconds.
    pub soft_for: Duration,
    /// What happens at the hard limit to those that join without a word about it. Default
    /// [`Policy::Disconnect`].
    pub policy: Policy,
}

impl Default for RoomLimits {
    fn default() -> Self {
        Self {
            hard: 32 << 20,
            soft: 8 << 20,
            soft_for: Duration::from_secs(10),
            policy: Policy::Disconnect,
        }
    }
}

impl RoomLimits {
    /// Sets [`RoomLimits::hard`].
    #[must_use]
    pub const fn hard(mut self, bytes: usize) -> Self {
        self.hard = bytes;
        self
    }

    /// Sets [`RoomLimits::soft`] and [`RoomLimits::soft_for`].
    #[must_use]
    pub const fn soft(mut self, bytes: usize, soft_for: Duration) -> Self {
        self.soft = bytes;
        self.soft_for = soft_for;
        self
    }

    /// Sets [`RoomLimits::policy`].
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// How large messages that are merged may become, and how much of what may be dropped is handed to
    /// a connection ahead of time: little enough that the rest of the limit is of use.
    pub(super) fn portion(&self) -> usize {
        (64 << 10).min(self.hard / 4)
    }
}
