//! A room: in order to every member, none forgotten in its list, and only the slow are disconnected.

mod audiences;
mod ends;
mod passing;
mod policies;
mod pump;
mod schedules;
mod small;
mod speakers;

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use asyncnet::room::{Limits, RoomTask};
use asyncnet::{Config, Connection, Error, Room, Writer};

use crate::pipe::End;
use crate::tasks::Tasks;
use crate::{WIDE, clock, open_shared, poll_once};

const HOUR: Duration = Duration::from_secs(3600);

/// A room and the executor that runs it.
fn room(limits: Limits) -> (Room<End>, Tasks<'static>) {
    let (room, task) = Room::new(limits);
    let mut tasks = Tasks::in_order();
    tasks.spawn("room", run(task));
    (room, tasks)
}

async fn run(task: RoomTask<End>) {
    let _stats = task.await;
}

fn client(capacity: usize) -> (Connection<End>, Writer<End>, End) {
    open_shared(capacity, Config::default())
}

/// Says `text`; it is delivered once `tasks` run.
fn say(room: &Room<End>, text: &[u8]) {
    assert_eq!(poll_once(room.send_line(text)), Poll::Ready(Ok(())));
}

#[track_caller]
fn assert_disconnected(receiver: &mut Connection<End>) {
    let line = poll_once(receiver.next_line());
    assert!(matches!(line, Poll::Ready(Err(Error::Closed))), "{line:?}");
}

#[test]
fn r1_lines_go_to_all_members_in_order() {
    let (room, mut tasks) = room(Limits::default());
    let clients: [_; 3] = std::array::from_fn(|_| client(WIDE));
    let members = clients.each_ref().map(|(_, sender, _)| room.join(sender.clone()).unwrap());
    for i in 0..100 {
        say(&room, i.to_string().as_bytes());
        if i % 7 == 0 {
            tasks.run();
        }
    }
    tasks.run();
    assert_eq!(room.stats().members, members.len());
    let expected: String = (0..100).map(|i| format!("{i}\r\n")).collect();
    for (_, _, peer) in &clients {
        assert_eq!(peer.hear(), expected.as_bytes());
    }
}

#[test]
fn r1_members_get_what_is_said_between_their_join_and_their_leaving() {
    let (room, mut tasks) = room(Limits::default());
    let (_receiver, sender, peer) = client(WIDE);
    say(&room, b"before");
    let member = room.join(sender).unwrap();
    say(&room, b"within");
    drop(member);
    say(&room, b"behind");
    tasks.run();
    assert_eq!(peer.hear(), b"within\r\n");
}

#[test]
fn r8_dropped_members_leave_nothing_in_the_list() {
    let (room, mut tasks) = room(Limits::default());
    let mut peers = Vec::new();
    let members: Vec<_> = (0..50)
        .map(|_| {
            let (_, sender, peer) = client(WIDE);
            peers.push(peer);
            room.join(sender).unwrap()
        })
        .collect();
    tasks.run();
    assert_eq!(room.stats().members, 50);
    drop(members);
    tasks.run();
    assert_eq!(room.stats().members, 0);
    assert!(peers.iter().all(End::hears_end), "the room keeps a connection");
}

#[test]
fn r8_a_member_that_has_left_leaves_nothing_in_the_list() {
    let (room, mut tasks) = room(Limits::default());
    let (_, sender, peer) = client(WIDE);
    let member = room.join(sender).unwrap();
    tasks.run();
    assert_eq!(room.stats().members, 1);
    tasks.spawn("leaver", async move {
        member.leave().await;
    });
    assert_eq!(tasks.run(), ["room"]);
    assert_eq!(room.stats().members, 0);
    assert!(peer.hears_end(), "the room keeps the connection");
}

#[test]
fn r1_leave_waits_until_what_was_said_before_is_queued() {
    let (room, mut tasks) = room(Limits::default());
    let (_receiver, sender, peer) = client(WIDE);
    let member = room.join(sender.clone()).unwrap();
    // In this order the leaver is polled before the room.
    let speaker = room.clone();
    tasks.spawn("leaver", async move {
        speaker.send_line(b"last words").await.unwrap();
        member.leave().await;
        assert_eq!(sender.stats().bytes_sent + sender.stats().queued as u64, 12);
        sender.abort();
    });
    assert_eq!(tasks.run(), ["room"]);
    assert_eq!(peer.hear(), b"last words\r\n");
}

#[test]
fn r4_the_hard_limit_disconnects_only_the_slow_member() {
    let (room, mut tasks) = room(Limits::default().hard(10_000));
    let (mut slow, sender, _slow_peer) = client(100);
    let _first = room.join(sender).unwrap();
    let (mut fast, sender, peer) = client(WIDE);
    let _second = room.join(sender).unwrap();
    for _ in 0..200 {
        say(&room, &[b'x'; 98]);
        tasks.run();
    }
    assert_eq!((room.stats().members, room.stats().evicted()), (1, 1));
    assert_disconnected(&mut slow);
    assert!(poll_once(fast.next_line()).is_pending());
    assert_eq!(peer.hear().len(), 200 * 100);
}

#[test]
fn r4_a_receive_that_waits_learns_that_its_member_was_disconnected() {
    let (room, mut tasks) = room(Limits::default().hard(1000));
    let (mut receiver, sender, _peer) = client(100);
    let _member = room.join(sender).unwrap();
    tasks.spawn("receiver", async move {
        assert!(matches!(receiver.next_line().await, Err(Error::Closed)));
    });
    assert_eq!(tasks.run(), ["room", "receiver"]);
    for _ in 0..20 {
        say(&room, &[b'x'; 98]);
        tasks.run();
    }
    assert_eq!(tasks.run(), ["room"]);
    assert_eq!(room.stats().evicted(), 1);
}

#[test]
fn r6_the_soft_limit_disconnects_a_member_that_is_slow_for_too_long() {
    let (room, mut tasks) = room(Limits::default().soft(1000, HOUR));
    let (mut slow, sender, _slow_peer) = client(100);
    let _first = room.join(sender).unwrap();
    let (_fast, sender, _peer) = client(WIDE);
    let _second = room.join(sender).unwrap();
    say(&room, &[b'x'; 2000]);
    tasks.run();
    // Nothing more is said: the room has to come back by itself.
    clock::strike();
    tasks.run();
    assert_eq!((room.stats().members, room.stats().evicted()), (1, 1));
    assert_disconnected(&mut slow);
}

#[test]
fn r6_the_soft_limits_time_begins_anew_when_a_member_has_caught_up() {
    let (room, mut tasks) = room(Limits::default().soft(1000, HOUR));
    let (_receiver, sender, peer) = client(100);
    let _member = room.join(sender).unwrap();
    say(&room, &[b'x'; 2000]);
    tasks.run();
    let mut heard = 0;
    // 100 bytes at a time.
    for _ in 0..22 {
        heard += peer.hear().len();
        tasks.run();
    }
    assert_eq!(heard, 2002);
    // It is over the limit again, and the time from before is up.
    clock::strike();
    say(&room, &[b'x'; 2000]);
    tasks.run();
    assert_eq!((room.stats().members, room.stats().evicted_soft), (1, 0));
    clock::strike();
    tasks.run();
    assert_eq!((room.stats().members, room.stats().evicted_soft), (0, 1));
}

#[test]
fn r6_a_soft_limit_without_an_end_never_strikes() {
    let (room, mut tasks) = room(Limits::default().soft(1000, Duration::MAX));
    let (_receiver, sender, _peer) = client(100);
    let _member = room.join(sender).unwrap();
    say(&room, &[b'x'; 2000]);
    tasks.run();
    say(&room, b"more");
    assert_eq!(tasks.run(), ["room"]);
    assert_eq!((room.stats().members, room.stats().evicted()), (1, 0));
}

#[test]
fn r4_merged_lines_disconnect_no_idle_member() {
    let (room, mut tasks) = room(Limits::default().hard(1000));
    let (_receiver, sender, peer) = client(WIDE);
    let _member = room.join(sender).unwrap();
    tasks.run();
    // All of this is there when the room looks, and twice the limit.
    for _ in 0..20 {
        say(&room, &[b'x'; 98]);
    }
    tasks.run();
    assert_eq!((room.stats().members, room.stats().evicted()), (1, 0));
    assert_eq!(peer.hear().len(), 20 * 100);
}

#[test]
fn r8_a_dropped_task_closes_the_room_and_wakes_the_tasks_that_wait() {
    let (room, task) = Room::<End>::new(Limits::default());
    let mut run = Box::pin(task);
    assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let (_receiver, sender, _peer) = client(WIDE);
    let member = room.join(sender).unwrap();
    assert_eq!(poll_once(room.send_all(&vec![b'x'; 2 << 20])), Poll::Ready(Ok(())));
    let mut tasks = Tasks::in_order();
    let speaker = room.clone();
    tasks.spawn("speaker", async move {
        assert_eq!(speaker.send_line(b"me too").await, Err(Error::Closed));
    });
    tasks.spawn("leaver", async move {
        member.leave().await;
    });
    assert_eq!(tasks.run(), ["speaker", "leaver"]);
    drop(run);
    tasks.run_to_end();
    assert_eq!(poll_once(room.send_all(b"x")), Poll::Ready(Err(Error::Closed)));
    assert_eq!(room.stats().members, 0);
}

#[test]
fn r3_a_speaker_that_waits_goes_on_when_the_room_has_delivered() {
    let (room, task) = Room::<End>::new(Limits::default());
    let mut tasks = Tasks::in_order();
    let speaker = room.clone();
    tasks.spawn("speaker", async move {
        for _ in 0..3 {
            assert_eq!(speaker.send_all(&vec![b'x'; 2 << 20]).await, Ok(()));
        }
    });
    assert_eq!(tasks.run(), ["speaker"]);
    tasks.spawn("room", run(task));
    assert_eq!(tasks.run(), ["room"]);
}

#[test]
fn r8_a_closed_room_delivers_what_was_said_and_ends() {
    let (room, mut tasks) = room(Limits::default());
    let (_receiver, sender, peer) = client(WIDE);
    let member = room.join(sender).unwrap();
    say(&room, b"good night");
    room.close();
    assert_eq!(poll_once(room.send_line(b"wait")), Poll::Ready(Err(Error::Closed)));
    tasks.run_to_end();
    assert_eq!(peer.hear(), b"good night\r\n");
    assert!(poll_once(member.leave()).is_ready());
}

#[test]
fn r8_a_member_that_closed_by_itself_is_forgotten_at_the_next_message() {
    let (room, mut tasks) = room(Limits::default());
    let (_receiver, sender, _peer) = client(WIDE);
    let _member = room.join(sender.clone()).unwrap();
    tasks.run();
    sender.abort();
    say(&room, b"hello?");
    tasks.run();
    assert_eq!((room.stats().members, room.stats().evicted()), (0, 0));
}

#[test]
fn r8_a_room_whose_task_was_dropped_before_its_first_poll_is_closed() {
    let (room, task) = Room::<End>::new(Limits::default());
    drop(task);
    assert_eq!(poll_once(room.send_line(b"x")), Poll::Ready(Err(Error::Closed)));
}

#[test]
fn r7_a_member_counts_from_its_join_until_the_room_lets_it_go() {
    const MEMBERS: usize = 300;

    let (room, task) = Room::new(Limits::default());
    let mut task = std::pin::pin!(task);
    let mut poll = || task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
    let clients: Vec<_> = (0..MEMBERS).map(|_| client(WIDE)).collect();
    let mut members = Vec::new();
    for (_, sender, _) in &clients {
        members.push(room.join(sender.clone()).unwrap());
        assert_eq!(room.stats().members, members.len());
    }
    // The task takes them in by portions.
    for _ in 0..10 {
        assert!(poll());
        assert_eq!(room.stats().members, MEMBERS);
    }
    members.truncate(1);
    for _ in 0..10 {
        assert!(poll());
    }
    assert_eq!(room.stats().members, 1);
}
