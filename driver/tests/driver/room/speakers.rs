//! Speakers that wait for the room's task.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use asyncnet::room::Limits;
use asyncnet::{Error, Room};

use super::{client, run};
use crate::pipe::End;
use crate::tasks::Tasks;
use crate::{WIDE, poll_once};

/// A room whose task is so far behind that speakers wait.
fn full() -> (Room<End>, asyncnet::room::RoomTask<End>) {
    let (room, task) = Room::new(Limits::default());
    assert_eq!(poll_once(room.send_all(vec![b'x'; 1 << 20])), Poll::Ready(Ok(())));
    (room, task)
}

#[test]
fn r3_speakers_that_wait_are_served_in_order_and_woken_once() {
    const SPEAKERS: usize = 200;
    let (room, task) = full();
    let (polls, order) = (Cell::new(0), RefCell::default());
    let mut tasks = Tasks::in_order();
    for me in 0..SPEAKERS {
        let (room, polls, order) = (&room, &polls, &order);
        tasks.spawn("speaker", async move {
            let message = vec![b'x'; 50_000];
            let mut said = pin!(room.send_all(&message));
            let said = poll_fn(|cx| {
                polls.set(polls.get() + 1);
                said.as_mut().poll(cx)
            });
            assert_eq!(said.await, Ok(()));
            RefCell::<Vec<_>>::borrow_mut(order).push(me);
        });
    }
    assert_eq!(tasks.run().len(), SPEAKERS);
    tasks.spawn("room", run(task));
    assert_eq!(tasks.run(), ["room"]);
    assert_eq!(polls.get(), 2 * SPEAKERS, "one poll to wait and one to be done");
    assert!(order.borrow().iter().copied().eq(0..SPEAKERS));
}

#[test]
fn r3_a_speaker_that_gives_up_is_not_heard_and_holds_up_no_other() {
    let (room, task) = full();
    let (_receiver, sender, peer) = client(WIDE);
    let member = room.join(sender).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut first = Box::pin(room.send_line(b"first"));
    let mut second = Box::pin(member.tell_line(b"second"));
    let mut third = Box::pin(room.send_line(b"third"));
    assert!(first.as_mut().poll(&mut cx).is_pending());
    assert!(second.as_mut().poll(&mut cx).is_pending());
    assert!(third.as_mut().poll(&mut cx).is_pending());
    drop(first);
    // One that is kept and not polled holds up no other either: its message is in good hands.
    let mut tasks = Tasks::in_order();
    tasks.spawn("room", run(task));
    tasks.run();
    assert_eq!(peer.hear(), b"second\r\nthird\r\n");
    assert_eq!(second.as_mut().poll(&mut cx), Poll::Ready(Ok(())));
    assert_eq!(third.as_mut().poll(&mut cx), Poll::Ready(Ok(())));
}

#[test]
fn r3_a_message_of_later_does_not_overtake_those_that_wait() {
    let (room, task) = full();
    let (_receiver, sender, peer) = client(WIDE);
    let _member = room.join(sender).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    // The first fills the room's next turn by itself.
    let mut large = Box::pin(room.send_all(vec![b'x'; 1 << 20]));
    let mut small = Box::pin(room.send_line(b"small"));
    assert!(large.as_mut().poll(&mut cx).is_pending());
    assert!(small.as_mut().poll(&mut cx).is_pending());
    let mut task = pin!(task);
    for polls in 0.. {
        assert!(polls < 10, "the large one waits for ever");
        assert!(task.as_mut().poll(&mut cx).is_pending());
        if large.as_mut().poll(&mut cx).is_ready() {
            break;
        }
    }
    let mut late = Box::pin(room.send_line(b"late"));
    assert!(late.as_mut().poll(&mut cx).is_pending());
    for _ in 0..10 {
        assert!(task.as_mut().poll(&mut cx).is_pending());
    }
    assert!(peer.hear().ends_with(b"xsmall\r\nlate\r\n"));
}

#[test]
fn r8_speakers_that_wait_learn_that_the_room_is_closed() {
    let (room, task) = full();
    let mut tasks = Tasks::in_order();
    let speaker = room.clone();
    tasks.spawn("speaker", async move {
        assert_eq!(speaker.send_line(b"me too").await, Err(Error::Closed));
    });
    assert_eq!(tasks.run(), ["speaker"]);
    room.close();
    tasks.run_to_end();
    drop(task);
}
