//! What happens to a member that is too far behind, to the byte. What waits counts 64 bytes for each piece.

#[cfg(not(all(windows, target_env = "gnu")))] // allocation-counter does not run there.
mod memory;

use asyncnet::room::{Limits, Member, MemberStats, Policy};
use asyncnet::{Config, Connection, Error, Room, Writer};

use super::{HOUR, assert_disconnected, client, room, say};
use crate::pipe::End;
use crate::tasks::Tasks;
use crate::{WIDE, clock, open_shared, poll_once};

const HARD: usize = 1000;
const POLICIES: [Policy; 3] = [Policy::Disconnect, Policy::DropNewest, Policy::DropOldest];

/// A line of `len` bytes on the wire, with its number in front.
fn line(number: usize, len: usize) -> String {
    format!("{number:<0$}\r\n", len - 2)
}

/// Lines of 100 bytes, one for each of `numbers`.
fn lines(numbers: impl IntoIterator<Item = usize>) -> String {
    numbers.into_iter().map(|number| line(number, 100)).collect()
}

/// A room of that hard limit with one member, whose peer takes `capacity` bytes until it is read.
struct One {
    room: Room<End>,
    tasks: Tasks<'static>,
    receiver: Connection<End>,
    sender: Writer<End>,
    peer: End,
    member: Option<Member<End>>,
}

impl One {
    fn new(policy: Policy, capacity: usize) -> Self {
        let (room, mut tasks) = room(Limits::default().hard(HARD).soft(HARD, HOUR));
        let (receiver, sender, peer) = client(capacity);
        let member = Some(room.join_with(sender.clone(), policy).unwrap());
        tasks.run();
        Self { room, tasks, receiver, sender, peer, member }
    }

    /// Says a line in a turn of its own.
    fn say(&mut self, number: usize, len: usize) {
        say(&self.room, &line(number, len).as_bytes()[..len - 2]);
        self.tasks.run();
    }

    fn say_all(&mut self, numbers: std::ops::Range<usize>) {
        numbers.for_each(|number| self.say(number, 100));
    }

    /// What the peer hears once it reads, until nothing more comes. The room moves its queue by itself, while
    /// there is a member.
    fn hear(&mut self) -> String {
        self.peer.input.state().capacity = WIDE;
        let mut heard = self.peer.hear();
        loop {
            self.tasks.run();
            if self.room.stats().members == 0 {
                let _ = poll_once(self.sender.flush());
            }
            let more = self.peer.hear();
            if more.is_empty() {
                return String::from_utf8(heard).unwrap();
            }
            heard.extend(more);
        }
    }

    /// Messages and bytes, delivered and dropped.
    #[track_caller]
    fn assert_counted(&self, delivered: (u64, u64), dropped: (u64, u64)) {
        let MemberStats { messages, bytes, dropped_messages, dropped_bytes, .. } =
            self.member.as_ref().unwrap().stats();
        assert_eq!(((messages, bytes), (dropped_messages, dropped_bytes)), (delivered, dropped));
        assert_eq!(self.room.stats().total, self.member.as_ref().unwrap().stats());
    }
}

/// Fills the queue of a member that takes nothing, with a last line that leaves `free` bytes.
fn filled(policy: Policy, free: isize) -> One {
    let mut one = One::new(policy, 0);
    // One is in the connection, the others are in the log, each a piece of its own.
    one.say_all(0..5);
    let last = (HARD - 5 * 100 - 6 * 64).checked_add_signed(-free).unwrap();
    one.say(5, last);
    one
}

#[test]
fn r4_a_queue_may_be_exactly_full() {
    for policy in POLICIES {
        for free in [0, 1] {
            let one = filled(policy, free);
            let stats = one.room.stats();
            assert_eq!((stats.members, stats.evicted()), (1, 0), "{policy:?}");
            assert_eq!(stats.total.dropped_messages, 0, "{policy:?}");
        }
    }
}

#[test]
fn r4_one_byte_more_is_too_much() {
    let mut one = filled(Policy::Disconnect, -1);
    let stats = one.room.stats();
    assert_eq!((stats.members, stats.evicted_hard, stats.evicted_soft), (0, 1, 0));
    assert_disconnected(&mut one.receiver);
    // Only what was handed to its connection is in the numbers: that is gone with the rest.
    one.assert_counted((1, 100), (0, 0));

    let mut one = filled(Policy::DropNewest, -1);
    one.assert_counted((1, 100), (1, 117));
    assert_eq!(one.hear(), lines(0..5));
    one.assert_counted((5, 500), (1, 117));

    let mut one = filled(Policy::DropOldest, -1);
    one.assert_counted((1, 100), (1, 100));
    let last = HARD - 500 - 6 * 64 + 1;
    assert_eq!(one.hear(), lines([0, 2, 3, 4]) + &line(5, last));
    one.assert_counted((5, 400 + last as u64), (1, 100));
}

#[test]
fn r4_the_newest_are_dropped_until_there_is_room_again() {
    let mut one = One::new(Policy::DropNewest, 130);
    one.say_all(0..20);
    // One line is on the wire, and a part of the next; of the rest as many whole lines wait as fit.
    one.assert_counted((2, 200), (13, 1300));
    assert_eq!(one.hear(), lines(0..7));
    one.assert_counted((7, 700), (13, 1300));
    one.say_all(20..22);
    assert_eq!(one.hear(), lines(20..22));
    one.assert_counted((9, 900), (13, 1300));
    assert_eq!((one.room.stats().members, one.room.stats().evicted()), (1, 0));
}

#[test]
fn r5_the_oldest_are_dropped_but_for_those_on_the_wire() {
    let mut one = One::new(Policy::DropOldest, 130);
    one.say_all(0..20);
    // One line is on the wire, and a part of the next, which stays whole.
    one.assert_counted((2, 200), (13, 1300));
    assert_eq!(one.hear(), lines([0, 1].into_iter().chain(15..20)));
    one.assert_counted((7, 700), (13, 1300));
    one.say_all(20..22);
    assert_eq!(one.hear(), lines(20..22));
    one.assert_counted((9, 900), (13, 1300));
    assert_eq!((one.room.stats().members, one.room.stats().evicted()), (1, 0));
}

#[test]
fn r5_messages_of_one_turn_are_dropped_and_counted_together() {
    for policy in [Policy::DropNewest, Policy::DropOldest] {
        let mut one = One::new(policy, 0);
        for turn in 0..10 {
            // Two lines make a batch.
            say(&one.room, &line(2 * turn, 100).as_bytes()[..98]);
            say(&one.room, &line(2 * turn + 1, 100).as_bytes()[..98]);
            one.tasks.run();
        }
        let heard = one.hear();
        let stats = one.member.as_ref().unwrap().stats();
        assert_eq!(stats.messages + stats.dropped_messages, 20);
        assert_eq!(stats.messages % 2, 0, "half a turn");
        assert_eq!(heard.len(), usize::try_from(stats.bytes).unwrap());
        assert_eq!(heard[..200], lines(0..2));
        let last = lines(18..20);
        assert_eq!(heard.ends_with(&last), policy == Policy::DropOldest);
    }
}

#[test]
fn r4_a_message_above_the_limit_drives_out_no_other() {
    for policy in [Policy::DropNewest, Policy::DropOldest] {
        let mut one = One::new(policy, 0);
        one.say(9, HARD + 1);
        one.assert_counted((0, 0), (1, 1001));
        one.say_all(0..3);
        one.say(9, HARD + 1);
        assert_eq!(one.hear(), lines(0..3), "{policy:?}");
        one.assert_counted((3, 300), (2, 2002));
        one.say(9, HARD);
        assert_eq!(one.hear(), line(9, HARD), "{policy:?}");
    }
    let mut one = One::new(Policy::Disconnect, 0);
    one.say(9, HARD + 1);
    assert_eq!((one.room.stats().members, one.room.stats().evicted_hard), (0, 1));
}

#[test]
fn r7_each_member_has_its_own_policy_and_its_own_numbers() {
    let limits = Limits::default().hard(HARD).policy(Policy::DropNewest);
    let (room, mut tasks) = room(limits);
    let slow = [client(0), client(0), client(0)];
    let (_receiver, fast, peer) = client(WIDE);
    let members = [
        room.join_with(slow[0].1.clone(), Policy::Disconnect).unwrap(),
        room.join(slow[1].1.clone()).unwrap(),
        room.join_with(slow[2].1.clone(), Policy::DropOldest).unwrap(),
        room.join(fast).unwrap(),
    ];
    for number in 0..20 {
        say(&room, &line(number, 100).as_bytes()[..98]);
        tasks.run();
        // It does not wait for the slow ones.
        assert_eq!(peer.hear(), line(number, 100).as_bytes());
    }
    let dropped = members.each_ref().map(|member| member.stats().dropped_messages);
    assert_eq!(dropped, [0, 14, 14, 0]);
    let stats = room.stats();
    assert_eq!((stats.members, stats.evicted_hard, stats.evicted_soft), (3, 1, 0));
    let sum = |of: fn(MemberStats) -> u64| members.iter().map(|member| of(member.stats())).sum();
    assert_eq!(stats.total.messages, sum(|stats| stats.messages));
    assert_eq!(stats.total.bytes, sum(|stats| stats.bytes));
    assert_eq!(stats.total.dropped_messages, sum(|stats| stats.dropped_messages));
    assert_eq!(stats.total.dropped_bytes, sum(|stats| stats.dropped_bytes));
}

#[test]
fn r6_the_soft_limit_is_for_members_with_disconnect() {
    let (room, mut tasks) = room(Limits::default().soft(1000, HOUR));
    let slow: [_; 3] = std::array::from_fn(|_| client(0));
    let _members = [0, 1, 2].map(|i| room.join_with(slow[i].1.clone(), POLICIES[i]).unwrap());
    say(&room, &[b'x'; 2000]);
    tasks.run();
    clock::strike();
    tasks.run();
    let stats = room.stats();
    assert_eq!((stats.members, stats.evicted_hard, stats.evicted_soft), (2, 0, 1));
    assert_eq!(slow[0].1.check(), Err(Error::Closed));
}

#[test]
fn r8_a_member_that_leaves_takes_along_what_waits_for_it() {
    let mut one = One::new(Policy::DropOldest, 130);
    one.say_all(0..20);
    drop(one.member.take());
    one.say_all(20..22);
    assert_eq!(one.room.stats().members, 0);
    assert_eq!(one.hear(), lines([0, 1].into_iter().chain(15..20)));
    let stats = one.room.stats().total;
    assert_eq!((stats.messages, stats.dropped_messages), (7, 13));
}

#[test]
fn r8_a_room_that_is_closed_leaves_nothing_behind() {
    let mut one = One::new(Policy::DropOldest, 130);
    one.say_all(0..20);
    one.room.close();
    one.tasks.run_to_end();
    assert_eq!(one.hear(), lines([0, 1].into_iter().chain(15..20)));
    one.assert_counted((7, 700), (13, 1300));
}

#[test]
fn r8_a_member_with_a_backlog_that_is_gone_is_forgotten_at_once() {
    let mut one = One::new(Policy::DropOldest, 0);
    one.say_all(0..20);
    one.sender.abort();
    one.tasks.run();
    assert_eq!((one.room.stats().members, one.room.stats().evicted()), (0, 0));

    let mut one = One::new(Policy::DropOldest, 10);
    one.say_all(0..20);
    one.peer.refuse();
    one.peer.hear();
    one.tasks.run();
    assert_eq!((one.room.stats().members, one.room.stats().evicted()), (0, 0));
}

#[test]
fn r4_what_is_sent_past_the_room_comes_whole_though_a_backlog_waits() {
    let mut one = One::new(Policy::DropOldest, 130);
    one.say_all(0..20);
    assert_eq!(one.sender.feed_line(b"for you alone"), Ok(()));
    let heard = one.hear();
    assert_eq!(heard.split_inclusive("\r\n").nth(2), Some("for you alone\r\n"));
    assert_eq!(heard.len(), 700 + 15);
}

#[test]
fn r4_a_room_changes_nothing_about_the_connections_own_queue() {
    const OWN: usize = 500;
    let (room, mut tasks) = room(Limits::default());
    let (_receiver, sender, peer) = open_shared(0, Config::default().max_queue(OWN));
    let member = room.join(sender.clone()).unwrap();
    // Larger than the connection's queue, and it goes as a whole.
    say(&room, &[b'x'; 10 * OWN]);
    tasks.run();
    assert_eq!(member.stats().messages, 1);
    assert!(matches!(sender.feed(b"y"), Err(Error::Full { max: OWN, .. })));
    drop(member);
    tasks.run();
    peer.input.state().capacity = WIDE;
    assert!(poll_once(sender.flush()).is_ready());
    assert_eq!(peer.hear().len(), 10 * OWN + 2);
    assert_eq!(sender.feed([b'y'; OWN]), Ok(()));
    assert!(matches!(sender.feed(b"y"), Err(Error::Full { max: OWN, .. })));
}

#[test]
fn r4_a_member_remembers_a_bounded_number_of_gaps() {
    const TURNS: usize = 200;
    for policy in [Policy::DropNewest, Policy::DropOldest] {
        let (room, mut tasks) = room(Limits::default().hard(100_000).policy(policy));
        let (_receiver, sender, peer) = client(0);
        let member = room.join(sender).unwrap();
        for number in 0..TURNS {
            say(&room, &line(number, 100).as_bytes()[..98]);
            tasks.run();
            // Never fits.
            say(&room, &[b'x'; 100_000]);
            tasks.run();
        }
        peer.input.state().capacity = WIDE;
        peer.input.wake_writer();
        tasks.run();
        // The first is in the connection; the others lie between the gaps.
        let kept = if policy == Policy::DropNewest { 1..32 } else { 169..TURNS };
        let heard = String::from_utf8(peer.hear()).unwrap();
        assert_eq!(heard, lines([0].into_iter().chain(kept)), "{policy:?}");
        let stats = member.stats();
        assert_eq!(stats.messages + stats.dropped_messages, 2 * TURNS as u64);
        say(&room, b"on it goes");
        tasks.run();
        assert_eq!(peer.hear(), b"on it goes\r\n");
    }
}

#[test]
fn r2_messages_of_one_turn_are_one_piece() {
    let mut one = One::new(Policy::Disconnect, 0);
    one.say(0, 100);
    // 164 are in the connection. Two lines and the 64 bytes of one piece, three times: 792 more.
    for turn in 0..3 {
        say(&one.room, &line(2 * turn + 1, 100).as_bytes()[..98]);
        say(&one.room, &line(2 * turn + 2, 100).as_bytes()[..98]);
        one.tasks.run();
    }
    assert_eq!(one.room.stats().evicted(), 0);
    assert_eq!(one.hear(), lines(0..7));
}

#[test]
fn r4_own_words_cost_a_member_their_place_alone() {
    let mut one = One::new(Policy::Disconnect, 0);
    one.say(0, 100);
    // 164 are in the connection, and each turn brings 100, 64 for the piece, and 32 for the place.
    for turn in 1..=5 {
        assert_eq!(one.room.stats().evicted(), 0, "in front of turn {turn}");
        let own = one.member.as_ref().unwrap().send_line([b'x'; 98]);
        assert!(poll_once(own).is_ready());
        one.say(turn, 100);
    }
    assert_eq!(one.room.stats().evicted_hard, 1);
}
