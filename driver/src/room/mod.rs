//! A room: every message goes to every member. The answer to "how do I write to many clients?".
//!
//! Whoever speaks, joins or leaves only queues; one task runs the room. It is woken by the first message
//! and runs behind the readers that are already runnable, so that whatever arrived in one turn of the
//! event loop leaves in one write to each member. It alone holds the members: no lock is held while it
//! writes, and a member that does not read costs the others nothing.

mod batch;
mod calls;
mod floor;
mod limits;
mod member;
mod membership;
mod stats;

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::fan_out::FanOut;
use crate::{BoxSleep, Error, SendHalf, Timer, Transport};
use batch::Batch;
use calls::Calls;
use floor::Floor;
use member::Member;

pub use limits::{Policy, RoomLimits};
pub use membership::Membership;
pub use stats::{MemberStats, RoomStats};

/// How many bytes may wait for the room's own task before those who speak wait for it.
const BACKLOG: usize = 1 << 20;

/// A room of connections over `S`: how to write to many clients. Clone it for every task that speaks.
///
/// Give it the [`SendHalf`] of each client ([`join`](Self::join)), say something
/// ([`send_line`](Self::send_line)), and let one task [`run`](Self::run) it. Then
///
/// - a message is stored once, however many get it; all that is said in one turn of the event loop leaves
///   in one write to each member;
/// - speaking waits for no member, and one that does not read delays nobody;
/// - each member has a queue of its own, bounded in bytes ([`RoomLimits`]), and where that is full its
///   [`Policy`] says what happens: it is disconnected, or it misses the newest or the oldest messages.
///   Always whole ones: a member never gets a torn line. [`stats`](Self::stats) counts all of it;
/// - members join and leave from any task at any time.
///
/// What a task sends to one member past the room, through a clone of its `SendHalf`, comes whole too, but
/// may overtake what the room has queued for it.
///
/// ```
/// use asyncnet::{Connection, Room, RoomLimits, Runtime, Transport};
///
/// /// Every line of this client goes to everyone in the room.
/// async fn client<S: Transport>(conn: Connection<S>, room: Room<S>) {
///     let (mut lines, sender) = conn.split();
///     let _member = room.join(sender);
///     while let Ok(Some(line)) = lines.next_line().await {
///         if room.send_line(line).await.is_err() {
///             break;
///         }
///     }
/// }
///
/// fn open<R: Runtime>() -> Room<R::Stream> {
///     let room = Room::new(RoomLimits::default(), R::timer());
///     // Spawn `room.clone().run()` on the runtime: it delivers.
///     room
/// }
/// ```
pub struct Room<S: Transport> {
    shared: Arc<Shared<S>>,
}

struct Shared<S: Transport> {
    state: Mutex<State<S>>,
    /// Those who wait for the room's task.
    waiting: Arc<FanOut>,
    limits: RoomLimits,
    timer: Timer,
    /// Which members have a connection that has moved.
    calls: Arc<Calls>,
}

struct State<S: Transport> {
    /// What happened in the room since its task last looked, in order.
    events: VecDeque<Event<S>>,
    /// How many bytes of messages that is.
    backlog: usize,
    runner: Option<Waker>,
    /// Nothing more may be said.
    closed: bool,
    /// Its task is gone.
    ended: bool,
    /// How often the task took the events, and how often it was done with them.
    taken: u64,
    applied: u64,
    /// The last id that was given away.
    last: u64,
    /// As it was when the events were last applied.
    stats: RoomStats,
}

enum Event<S: Transport> {
    Join(Member<S>),
    Leave(u64),
    Message(Draft),
}

/// A batch that may still grow.
struct Draft {
    bytes: Vec<u8>,
    messages: u64,
}

impl From<Draft> for Batch {
    fn from(Draft { bytes, messages }: Draft) -> Self {
        Self { bytes: bytes.into(), messages }
    }
}

impl<S: Transport> Shared<S> {
    fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_id(&self) -> u64 {
        let mut state = self.state();
        state.last += 1;
        state.last
    }

    /// Changes the state, then calls the room's task. Returns what `change` returns.
    fn change<T>(&self, change: impl FnOnce(&mut State<S>) -> T) -> T {
        let mut state = self.state();
        let changed = change(&mut state);
        let runner = state.runner.take();
        drop(state);
        if let Some(runner) = runner {
            runner.wake();
        }
        changed
    }
}

impl<S: Transport> Room<S> {
    /// An empty room. `timer` is the runtime's ([`Runtime::timer`](crate::Runtime::timer)).
    #[must_use]
    pub fn new(limits: RoomLimits, timer: Timer) -> Self {
        let state = State {
            events: VecDeque::new(),
            backlog: 0,
            runner: None,
            closed: false,
            ended: false,
            taken: 0,
            applied: 0,
            last: 0,
            stats: RoomStats::default(),
        };
        let (state, waiting, calls) = (Mutex::new(state), FanOut::new(), Arc::default());
        Self { shared: Arc::new(Shared { state, waiting, limits, timer, calls }) }
    }

    /// Adds a member, with the policy of the [`RoomLimits`]. It gets what is said from here on, until the
    /// membership is dropped or the member is disconnected; then its receiving half answers `Closed`. Its
    /// `max_outbox` becomes the hard limit. A message larger than that, sent past the room and under way
    /// when the room speaks, counts as a full queue.
    pub fn join(&self, sender: SendHalf<S>) -> Membership<S> {
        self.join_with(sender, self.shared.limits.policy)
    }

    /// As [`join`](Self::join), with a policy of its own.
    ///
    /// ```
    /// use asyncnet::{Membership, Policy, Room, SendHalf, Transport};
    ///
    /// /// Somebody who looks at the latest and at nothing else.
    /// fn watch<S: Transport>(room: &Room<S>, sender: SendHalf<S>) -> Membership<S> {
    ///     room.join_with(sender, Policy::DropOldest)
    /// }
    ///
    /// /// How much that one has missed.
    /// fn missed<S: Transport>(member: &Membership<S>) -> u64 {
    ///     member.stats().dropped_messages
    /// }
    /// ```
    pub fn join_with(&self, sender: SendHalf<S>, policy: Policy) -> Membership<S> {
        let shared = &self.shared;
        sender.set_max_outbox(shared.limits.hard);
        let id = shared.next_id();
        let member = Member::new(id, sender, policy, &shared.calls);
        let tally = Arc::clone(&member.tally);
        let refused = shared.change(|state| {
            if state.closed {
                return Some(member);
            }
            state.events.push_back(Event::Join(member));
            None
        });
        // With it perhaps a connection, so not under the lock.
        drop(refused);
        Membership { room: self.clone(), id, tally, left: false }
    }

    /// Sends `text` and CR LF to every member. Waits only while the room's own task is far behind, never
    /// for a member.
    ///
    /// # Errors
    ///
    /// [`Error::LineBreak`] if `text` holds a CR or an LF; [`Error::Closed`] if nobody runs the
    /// room any more.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the line is sent whole or not at all.
    pub async fn send_line(&self, text: &[u8]) -> Result<(), Error> {
        if asyncnet_core::holds_line_break(text) {
            return Err(Error::LineBreak);
        }
        self.send_parts(text, b"\r\n").await
    }

    /// Sends `message` to every member, as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if nobody runs the room any more.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the message is sent whole or not at all.
    pub async fn send(&self, message: &[u8]) -> Result<(), Error> {
        self.send_parts(message, b"").await
    }

    async fn send_parts(&self, text: &[u8], end: &[u8]) -> Result<(), Error> {
        if let Poll::Ready(result) = self.try_send_parts(text, end) {
            return result;
        }
        let waiter = self.shared.waiting.waiter();
        poll_fn(|cx| {
            waiter.wait(cx.waker());
            self.try_send_parts(text, end)
        })
        .await
    }

    fn try_send_parts(&self, text: &[u8], end: &[u8]) -> Poll<Result<(), Error>> {
        self.shared.change(|state| {
            if state.closed {
                return Poll::Ready(Err(Error::Closed));
            }
            if state.backlog >= BACKLOG {
                return Poll::Pending;
            }
            // A message may be larger than a merged one; a member takes it if it is below the limit.
            let draft = state.draft(text.len() + end.len(), self.shared.limits.portion());
            draft.bytes.extend_from_slice(text);
            draft.bytes.extend_from_slice(end);
            draft.messages += 1;
            Poll::Ready(Ok(()))
        })
    }

    /// How many members there are.
    #[must_use]
    pub fn members(&self) -> usize {
        self.stats().members
    }

    /// What was done so far, in numbers. What was said just now is in it once the room's task had its
    /// turn.
    #[must_use]
    pub fn stats(&self) -> RoomStats {
        self.shared.state().stats
    }

    /// Ends the room: its task delivers what was said and returns.
    pub fn close(&self) {
        self.shared.change(|state| state.closed = true);
    }

    /// Runs the room until it is closed. Spawn it once.
    ///
    /// # Cancel safety
    ///
    /// Dropping it, polled or not, closes the room; what was said and not delivered is lost, as is what
    /// still waits in the room for members with [`Policy::DropOldest`].
    pub fn run(self) -> impl Future<Output = ()> {
        let closer = Closer { room: self };
        async move { closer.room.deliver_all().await }
    }

    async fn deliver_all(&self) {
        let mut floor = Floor::new(self.shared.limits);
        loop {
            let alarm = floor
                .next_alarm()
                .map(|at| (self.shared.timer)(at.saturating_duration_since(Instant::now())));
            let events = self.next_events(alarm).await;
            floor.go_on(self.shared.calls.take());
            let Some(events) = events else {
                floor.clear();
                return self.publish(floor.stats());
            };
            floor.apply(events);
            floor.evict_slow(Instant::now());
            self.publish(floor.stats());
        }
    }

    /// What was taken is applied.
    fn publish(&self, stats: RoomStats) {
        let mut state = self.shared.state();
        state.applied = state.taken;
        state.stats = stats;
        drop(state);
        // Those who wait for room to speak, and those who wait to have left.
        self.shared.waiting.wake_if(|_| true);
    }

    /// What happened since the last call; empty if it was the alarm, or a member's connection. `None`: the room is closed, and
    /// everything that happened in it was handed out.
    async fn next_events(&self, alarm: Option<BoxSleep>) -> Option<VecDeque<Event<S>>> {
        let mut alarm = pin!(alarm);
        let mut yielded = false;
        poll_fn(|cx| {
            if !self.has_events(cx) {
                return match alarm.as_mut().as_pin_mut() {
                    Some(alarm) => alarm.poll(cx).map(|()| Some(VecDeque::new())),
                    None => Poll::Pending,
                };
            }
            // Readers that are runnable now get their turn first: what they say leaves in the same write.
            if !mem::replace(&mut yielded, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(self.take_events())
        })
        .await
    }

    fn has_events(&self, cx: &Context<'_>) -> bool {
        let called = self.shared.calls.wait(cx.waker());
        let waker = cx.waker().clone();
        let mut state = self.shared.state();
        let has = called || state.closed || !state.events.is_empty();
        let old = if has { Some(waker) } else { state.runner.replace(waker) };
        drop(state);
        drop(old);
        has
    }

    fn take_events(&self) -> Option<VecDeque<Event<S>>> {
        let mut state = self.shared.state();
        let events = mem::take(&mut state.events);
        state.backlog = 0;
        state.taken += 1;
        if state.closed && events.is_empty() { None } else { Some(events) }
    }
}

impl<S: Transport> State<S> {
    /// The batch to append a message of `more` bytes to, one of at most `merged` bytes or a new one.
    fn draft(&mut self, more: usize, merged: usize) -> &mut Draft {
        self.backlog += more;
        let merge = matches!(
            self.events.back(),
            Some(Event::Message(last)) if last.bytes.len() + more <= merged
        );
        if !merge {
            let draft = Draft { bytes: Vec::with_capacity(more), messages: 0 };
            self.events.push_back(Event::Message(draft));
        }
        match self.events.back_mut() {
            Some(Event::Message(draft)) => draft,
            _ => unreachable!("a message was just put there"),
        }
    }
}

/// Closes the room when its task ends, however it ends.
struct Closer<S: Transport> {
    room: Room<S>,
}

impl<S: Transport> Drop for Closer<S> {
    fn drop(&mut self) {
        let events = self.room.shared.change(|state| {
            state.closed = true;
            state.ended = true;
            state.stats.members = 0;
            mem::take(&mut state.events)
        });
        drop(events);
        self.room.shared.waiting.wake_if(|_| true);
    }
}

impl<S: Transport> Clone for Room<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S: Transport> fmt::Debug for Room<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("members", &self.members()).finish_non_exhaustive()
    }
}
