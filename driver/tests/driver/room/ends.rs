//! How a room begins and ends.

use std::cell::Cell;
use std::task::Poll;

use asyncnet::room::Limits;
use asyncnet::{Error, Room};

use super::{client, room, say};
use crate::pipe::End;
use crate::tasks::Tasks;
use crate::{WIDE, poll_once};

#[test]
fn r8_a_closed_room_lets_no_member_in() {
    let (room, mut tasks) = room(Limits::default());
    room.close();
    let (_receiver, sender, peer) = client(WIDE);
    assert!(matches!(room.join(sender.clone()), Err(Error::Closed)));
    tasks.run_to_end();
    assert!(matches!(room.join(sender.clone()), Err(Error::Closed)));
    // The connection is as it was.
    assert_eq!(poll_once(sender.send_line(b"still here")), Poll::Ready(Ok(())));
    assert_eq!(peer.hear(), b"still here\r\n");
}

#[test]
fn r8_a_room_ends_with_its_last_handle_and_answers_its_numbers() {
    let (room, task) = Room::<End>::new(Limits::default());
    let (numbers, mut tasks) = (Cell::new(None), Tasks::in_order());
    tasks.spawn("room", async { numbers.set(Some(task.await)) });
    let (_receiver, sender, peer) = client(WIDE);
    let member = room.join(sender).unwrap();
    say(&room, b"hello");
    drop(room);
    assert_eq!(tasks.run(), ["room"]);
    assert!(poll_once(member.room().send_line("last")).is_ready());
    drop(member);
    tasks.run_to_end();
    assert_eq!(peer.hear(), b"hello\r\nlast\r\n");
    let numbers = numbers.get().unwrap();
    assert_eq!((numbers.members, numbers.total.messages), (0, 2));
}

#[test]
fn r8_leaving_waits_for_no_peer() {
    let (room, mut tasks) = room(Limits::default());
    let (_receiver, sender, peer) = client(0);
    let member = room.join(sender.clone()).unwrap();
    for _ in 0..3 {
        say(&room, &[b'x'; 100_000]);
        tasks.run();
    }
    tasks.spawn("leaver", async move {
        assert_eq!(member.leave().await.messages, 3);
    });
    assert_eq!(tasks.run(), ["room"]);
    peer.input.state().capacity = WIDE;
    assert_eq!(poll_once(sender.flush()), Poll::Ready(Ok(())));
    assert_eq!(peer.hear().len(), 300_006);
}

#[test]
fn r8_what_a_large_message_of_another_task_keeps_out_is_lost_whole_and_counted() {
    let (room, mut tasks) = room(Limits::default());
    let (_receiver, sender, peer) = client(0);
    let member = room.join(sender.clone()).unwrap();
    tasks.run();
    let large = vec![b'y'; sender.config().max_queue + 1];
    let mut sending = Box::pin(sender.send_all(&large));
    assert!(poll_once(sending.as_mut()).is_pending());
    say(&room, b"hello");
    let mut leaving = Box::pin(member.leave());
    assert!(poll_once(leaving.as_mut()).is_pending());
    tasks.run();
    let Poll::Ready(stats) = poll_once(leaving) else { panic!("it waits for the peer") };
    assert_eq!((stats.messages, stats.dropped_messages), (0, 1));
    peer.input.state().capacity = WIDE;
    assert_eq!(poll_once(sending), Poll::Ready(Ok(())));
    assert_eq!(peer.hear(), large);
}

#[test]
fn r8_a_member_that_was_disconnected_leaves_at_once() {
    let (room, mut tasks) = room(Limits::default().hard(100));
    let (_receiver, sender, _peer) = client(0);
    let member = room.join(sender).unwrap();
    say(&room, &[b'x'; 200]);
    tasks.run();
    assert_eq!(room.stats().evicted_hard, 1);
    assert!(poll_once(member.leave()).is_ready());
}
