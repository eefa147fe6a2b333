//! A room: every message goes to every member. The answer to "how do I write to many clients?".
//!
//! Whoever speaks, joins or leaves only queues; one task runs the room. It is woken by the first message
//! and runs behind the readers that are already runnable, so that whatever arrived in one turn of the
//! event loop leaves in one write to each member. It alone holds the members: no lock is held while it
//! writes, and a member that does not read costs the others nothing.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use asyncnet_core::Bytes;

use crate::fan_out::FanOut;
use crate::{BoxSleep, SendError, SendHalf, Timer, Transport};

/// How many bytes may wait for the room's own task before those who speak wait for it.
const BACKLOG: usize = 1 << 20;
/// Messages are merged up to this many bytes.
const MERGED: usize = 64 << 10;

/// How far behind a member may be before it is disconnected. The rule that Redis has for its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomLimits {
    /// A member is disconnected when more than this is queued for it, in bytes as `max_outbox` counts
    /// them; it has to be larger than the longest message. Default 32 MiB.
    pub hard: usize,
    /// A member is disconnected when more than this is queued for it for [`soft_for`](Self::soft_for)
    /// without a break. Default 8 MiB.
    pub soft: usize,
    /// Default 10 seconds.
    pub soft_for: Duration,
}

impl Default for RoomLimits {
    fn default() -> Self {
        Self { hard: 32 << 20, soft: 8 << 20, soft_for: Duration::from_secs(10) }
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
}

/// A room of connections over `S`. Clone it for every task that speaks.
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
    last: u64,
    members: usize,
    evicted: u64,
}

enum Event<S: Transport> {
    Join(Member<S>),
    Leave(u64),
    Message(Vec<u8>),
}

struct Member<S: Transport> {
    id: u64,
    sender: SendHalf<S>,
    /// Since when it is over the soft limit.
    slow_since: Option<Instant>,
}

impl<S: Transport> Shared<S> {
    fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
            members: 0,
            evicted: 0,
        };
        let (state, waiting) = (Mutex::new(state), FanOut::new());
        Self { shared: Arc::new(Shared { state, waiting, limits, timer }) }
    }

    /// Adds a member. It gets what is said from here on, until the membership is dropped or it is too
    /// far behind; then it is disconnected, and its receiving half answers `Closed`. Its `max_outbox`
    /// becomes the hard limit; a message larger than that, sent past the room, must not be on its way
    /// when the room speaks.
    #[must_use = "dropping the membership leaves the room"]
    pub fn join(&self, sender: SendHalf<S>) -> Membership<S> {
        sender.set_max_outbox(self.shared.limits.hard);
        let id = self.shared.change(|state| {
            state.last += 1;
            let id = state.last;
            if !state.closed {
                state.events.push_back(Event::Join(Member { id, sender, slow_since: None }));
            }
            id
        });
        Membership { room: self.clone(), id, left: false }
    }

    /// Sends `text` and CR LF to every member. Waits only while the room's own task is far behind, never
    /// for a member.
    ///
    /// # Errors
    ///
    /// [`SendError::LineBreak`] if `text` holds a CR or an LF; [`SendError::Closed`] if nobody runs the
    /// room any more.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the line is sent whole or not at all.
    pub async fn send_line(&self, text: &[u8]) -> Result<(), SendError> {
        if asyncnet_core::holds_line_break(text) {
            return Err(SendError::LineBreak);
        }
        self.send_parts(text, b"\r\n").await
    }

    /// Sends `message` to every member, as it is.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] if nobody runs the room any more.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the message is sent whole or not at all.
    pub async fn send(&self, message: &[u8]) -> Result<(), SendError> {
        self.send_parts(message, b"").await
    }

    async fn send_parts(&self, text: &[u8], end: &[u8]) -> Result<(), SendError> {
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

    fn try_send_parts(&self, text: &[u8], end: &[u8]) -> Poll<Result<(), SendError>> {
        self.shared.change(|state| {
            if state.closed {
                return Poll::Ready(Err(SendError::Closed));
            }
            if state.backlog >= BACKLOG {
                return Poll::Pending;
            }
            // A message may be larger than a merged one; a member takes it if it is below the limit.
            let merged = MERGED.min(self.shared.limits.hard / 4);
            let message = state.message(text.len() + end.len(), merged);
            message.extend_from_slice(text);
            message.extend_from_slice(end);
            Poll::Ready(Ok(()))
        })
    }

    /// How many members there are.
    #[must_use]
    pub fn members(&self) -> usize {
        self.shared.state().members
    }

    /// How many members were disconnected because they were too far behind.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.shared.state().evicted
    }

    /// Ends the room: its task delivers what was said and returns.
    pub fn close(&self) {
        self.shared.change(|state| state.closed = true);
    }

    /// Runs the room until it is closed. Spawn it once.
    ///
    /// # Cancel safety
    ///
    /// Dropping it, polled or not, closes the room; what was said and not delivered is lost.
    pub fn run(self) -> impl Future<Output = ()> {
        let closer = Closer { room: self };
        async move { closer.room.deliver_all().await }
    }

    async fn deliver_all(&self) {
        let mut floor = Floor { members: Vec::new(), evicted: 0, limits: self.shared.limits };
        loop {
            let alarm = floor
                .next_alarm()
                .map(|at| (self.shared.timer)(at.saturating_duration_since(Instant::now())));
            let Some(events) = self.next_events(alarm).await else {
                return;
            };
            floor.apply(events);
            floor.evict_slow(Instant::now());
            let mut state = self.shared.state();
            state.applied = state.taken;
            state.members = floor.members.len();
            state.evicted = floor.evicted;
            drop(state);
            // Those who wait for room to speak, and those who wait to have left.
            self.shared.waiting.wake_if(|_| true);
        }
    }

    /// What happened since the last call; empty if it was the alarm. `None`: the room is closed, and
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
        let waker = cx.waker().clone();
        let mut state = self.shared.state();
        let has = state.closed || !state.events.is_empty();
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
    /// The message to append `more` bytes to, one of at most `merged` bytes or a new one.
    fn message(&mut self, more: usize, merged: usize) -> &mut Vec<u8> {
        self.backlog += more;
        let merge = matches!(
            self.events.back(),
            Some(Event::Message(last)) if last.len() + more <= merged
        );
        if !merge {
            self.events.push_back(Event::Message(Vec::with_capacity(more)));
        }
        match self.events.back_mut() {
            Some(Event::Message(message)) => message,
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
            state.members = 0;
            mem::take(&mut state.events)
        });
        drop(events);
        self.room.shared.waiting.wake_if(|_| true);
    }
}

/// The members, in the hands of the room's task.
struct Floor<S: Transport> {
    members: Vec<Member<S>>,
    evicted: u64,
    limits: RoomLimits,
}

impl<S: Transport> Floor<S> {
    fn apply(&mut self, events: VecDeque<Event<S>>) {
        for event in events {
            match event {
                Event::Join(member) => self.members.push(member),
                Event::Leave(id) => self.members.retain(|member| member.id != id),
                Event::Message(message) => self.deliver(&message.into()),
            }
        }
    }

    fn deliver(&mut self, message: &Bytes) {
        let (limits, evicted) = (self.limits, &mut self.evicted);
        self.members.retain_mut(|member| match member.sender.offer(message.clone()) {
            Ok(queued) => {
                member.note_queued(queued, limits.soft);
                true
            }
            Err(SendError::Full { .. }) => {
                member.sender.abort();
                *evicted += 1;
                false
            }
            // It is gone; its own task knows by now, or will.
            Err(_) => false,
        });
    }

    /// When the next member may have been slow for too long; never, if no clock counts that far.
    fn next_alarm(&self) -> Option<Instant> {
        let since = self.members.iter().filter_map(|member| member.slow_since).min()?;
        since.checked_add(self.limits.soft_for)
    }

    /// Disconnects the members that were over the soft limit for too long.
    fn evict_slow(&mut self, now: Instant) {
        let RoomLimits { soft, soft_for, .. } = self.limits;
        let evicted = &mut self.evicted;
        self.members.retain_mut(|member| {
            let Some(since) = member.slow_since else {
                return true;
            };
            member.note_queued(member.sender.queued(), soft);
            let slow = member.slow_since.is_some() && now.duration_since(since) >= soft_for;
            if slow {
                member.sender.abort();
                *evicted += 1;
            }
            !slow
        });
    }
}

impl<S: Transport> Member<S> {
    fn note_queued(&mut self, queued: usize, soft: usize) {
        if queued <= soft {
            self.slow_since = None;
        } else if self.slow_since.is_none() {
            self.slow_since = Some(Instant::now());
        }
    }
}

/// A place in a room. Dropping it leaves: what is queued for it already still goes out.
pub struct Membership<S: Transport> {
    room: Room<S>,
    id: u64,
    left: bool,
}

impl<S: Transport> Membership<S> {
    /// Leaves, and waits until all that was said before is queued for this member too: what a client
    /// said last comes back to it before the connection is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it has left once this was polled, or when it is dropped.
    pub async fn leave(mut self) {
        let batch = self.announce();
        let shared = &self.room.shared;
        let waiter = shared.waiting.waiter();
        poll_fn(|cx| {
            waiter.wait(cx.waker());
            let state = shared.state();
            if state.applied >= batch || state.ended { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Says that it leaves; returns which taking of the events will tell the room's task.
    fn announce(&mut self) -> u64 {
        self.left = true;
        self.room.shared.change(|state| {
            if !state.closed {
                state.events.push_back(Event::Leave(self.id));
            }
            state.taken + 1
        })
    }
}

impl<S: Transport> Drop for Membership<S> {
    fn drop(&mut self) {
        if !self.left {
            self.announce();
        }
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

impl<S: Transport> fmt::Debug for Membership<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").field("id", &self.id).finish_non_exhaustive()
    }
}
