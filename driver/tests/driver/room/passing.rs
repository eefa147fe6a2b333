//! Members that come and go while the room writes.

use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};
use std::thread;

use asyncnet::Room;
use asyncnet::room::{Limits, Policy};
use futures_io::AsyncRead;
use futures_lite::future::block_on;

use super::{client, room, say};
use crate::pipe::End;
use crate::{WIDE, poll_once};

type Action = Box<dyn FnOnce() + Send>;

/// A waker that does something, once.
struct Act(Mutex<Option<Action>>);

impl Wake for Act {
    fn wake(self: Arc<Self>) {
        let action = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(action) = action {
            action();
        }
    }
}

/// Does `action` in the middle of the next write that `peer` hears.
fn when_it_hears(peer: &mut End, action: impl FnOnce() + Send + 'static) {
    let waker = Waker::from(Arc::new(Act(Mutex::new(Some(Box::new(action))))));
    let mut buf = [0];
    let read = Pin::new(peer).poll_read(&mut Context::from_waker(&waker), &mut buf);
    assert!(read.is_pending());
}

#[test]
fn r2_what_is_said_in_one_turn_leaves_in_one_write() {
    let (room, mut tasks) = room(Limits::default());
    let (_first, sender, mut first) = client(WIDE);
    let speaker = room.join(sender).unwrap();
    let (_second, sender, mut second) = client(WIDE);
    let other = room.join(sender).unwrap();
    tasks.run();
    let lengths = Arc::new(Mutex::new(Vec::new()));
    for peer in [&mut first, &mut second] {
        let (wire, lengths) = (peer.input.clone(), Arc::clone(&lengths));
        when_it_hears(peer, move || lengths.lock().unwrap().push(wire.state().bytes.len()));
    }
    for _ in 0..10 {
        say(&room, b"to all");
        assert!(poll_once(speaker.send_line(b"to the others")).is_ready());
        assert!(poll_once(other.tell_line(b"to you")).is_ready());
    }
    tasks.run();
    assert_eq!(*lengths.lock().unwrap(), [80, 310]);
    assert_eq!((first.hear().len(), second.hear().len()), (80, 310));
}

#[test]
fn r2_what_ready_tasks_say_leaves_in_the_same_write() {
    let (room, mut tasks) = room(Limits::default());
    let (_receiver, sender, mut peer) = client(WIDE);
    let _member = room.join(sender).unwrap();
    tasks.run();
    let length = Arc::new(Mutex::new(0));
    let (wire, seen) = (peer.input.clone(), Arc::clone(&length));
    when_it_hears(&mut peer, move || *seen.lock().unwrap() = wire.state().bytes.len());
    // This wakes the room before the speaker is ready.
    say(&room, b"first");
    let speaker = room.clone();
    tasks.spawn("speaker", async move {
        speaker.send_line(b"second").await.unwrap();
    });
    assert_eq!(tasks.run(), ["room"]);
    assert_eq!(*length.lock().unwrap(), 7 + 8);
}

#[test]
fn r8_members_come_and_go_behind_the_delivery_that_is_under_way() {
    for policy in [Policy::Disconnect, Policy::DropNewest, Policy::DropOldest] {
        let (room, mut tasks) = room(Limits::default().policy(policy));
        let (_first, sender, mut first) = client(WIDE);
        let _member = room.join(sender).unwrap();
        let (_second, sender, second) = client(WIDE);
        let goes = room.join(sender).unwrap();
        let (_third, sender, third) = client(WIDE);
        let joined = Arc::new(Mutex::new(None));
        tasks.run();
        let (within, comes) = (room.clone(), Arc::clone(&joined));
        when_it_hears(&mut first, move || {
            drop(goes);
            *comes.lock().unwrap() = Some(within.join(sender).unwrap());
            say(&within, b"b");
        });
        say(&room, b"a");
        tasks.run();
        say(&room, b"c");
        tasks.run();
        assert_eq!(first.hear(), b"a\r\nb\r\nc\r\n");
        assert_eq!(second.hear(), b"a\r\n");
        assert_eq!(third.hear(), b"b\r\nc\r\n");
        assert_eq!(room.stats().members, 2);
        assert_eq!(joined.lock().unwrap().as_ref().unwrap().stats().messages, 2);
    }
}

#[test]
fn r3_a_connection_that_breaks_in_the_middle_of_a_delivery_harms_no_other() {
    for policy in [Policy::Disconnect, Policy::DropNewest, Policy::DropOldest] {
        let (room, mut tasks) = room(Limits::default().policy(policy));
        let mut all: [_; 3] = std::array::from_fn(|_| client(WIDE));
        let _members = all.each_ref().map(|(_, sender, _)| room.join(sender.clone()).unwrap());
        tasks.run();
        let (aborted, broken) = (all[1].1.clone(), all[2].2.input.clone());
        when_it_hears(&mut all[0].2, move || {
            aborted.abort();
            broken.state().write_error = Some(ErrorKind::BrokenPipe);
        });
        say(&room, b"a");
        tasks.run();
        say(&room, b"b");
        tasks.run();
        assert_eq!(all[0].2.hear(), b"a\r\nb\r\n");
        assert_eq!(all[1].2.hear(), b"");
        assert_eq!(all[2].2.hear(), b"");
        assert_eq!((room.stats().members, room.stats().evicted()), (1, 0));
    }
}

/// Joins and leaves again and again; whatever it heard between must be without a gap.
fn come_and_go(room: &Room<End>, policy: Policy) {
    for visit in 0..200 {
        let (receiver, sender, peer) = client(WIDE);
        let member = room.join_with(sender.clone(), policy).unwrap();
        if visit % 3 == 0 {
            thread::yield_now();
        }
        let mut delivered = None;
        if visit % 2 == 0 {
            delivered = Some(block_on(member.leave()));
        } else {
            drop(member);
        }
        let heard = String::from_utf8(peer.hear()).unwrap();
        let numbers: Vec<u64> = heard.lines().map(|line| line.parse().unwrap()).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{heard}");
        if let Some(delivered) = delivered {
            assert_eq!(
                (delivered.messages, delivered.bytes),
                (numbers.len() as u64, heard.len() as u64)
            );
        }
        drop((receiver, sender));
    }
}

#[test]
fn r8_members_of_many_threads_come_and_go_while_the_room_runs() {
    let (room, task) = Room::<End>::new(Limits::default());
    thread::scope(|scope| {
        let run = scope.spawn(|| block_on(task));
        let speaker = scope.spawn(|| {
            let mut number = 0;
            while block_on(room.send_line(format!("{number}").as_bytes())).is_ok() {
                number += 1;
            }
        });
        let policies = [Policy::Disconnect, Policy::DropNewest, Policy::DropOldest];
        let guests = policies.map(|policy| {
            let room = &room;
            scope.spawn(move || come_and_go(room, policy))
        });
        let left = guests.map(|guest| guest.join().is_ok());
        room.close();
        run.join().unwrap();
        speaker.join().unwrap();
        assert_eq!(left, [true; 3]);
    });
    assert_eq!((room.stats().members, room.stats().evicted()), (0, 0));
}
