//! The room moves every member by itself, a share of them at a time.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use asyncnet::Room;
use asyncnet::room::{Limits, Policy};

use super::{HOUR, client, room, say};
use crate::WIDE;
use crate::pipe::End;

const POLICIES: [Policy; 3] = [Policy::Disconnect, Policy::DropNewest, Policy::DropOldest];

#[test]
fn r3_a_member_without_a_reader_goes_on_when_its_peer_reads() {
    for policy in POLICIES {
        let limits = Limits::default().hard(2000).soft(2000, HOUR).policy(policy);
        let (room, mut tasks) = room(limits);
        let (receiver, sender, peer) = client(150);
        let member = room.join(sender).unwrap();
        drop(receiver);
        for round in 0..10 {
            let mut heard = 0;
            for _ in 0..5 {
                say(&room, &[b'x'; 98]);
                tasks.run();
            }
            // The peer reads a little, and nothing else happens.
            for _ in 0..10 {
                heard += peer.hear().len();
                tasks.run();
            }
            assert_eq!(heard, 500, "{policy:?} in round {round}");
        }
        assert_eq!((member.stats().messages, member.stats().dropped_messages), (50, 0));
    }
}

#[test]
fn r4_a_full_member_without_a_reader_gets_new_messages_once_it_drained() {
    let limits = Limits::default().hard(1000).policy(Policy::DropNewest);
    let (room, mut tasks) = room(limits);
    let (receiver, sender, peer) = client(0);
    let member = room.join(sender).unwrap();
    drop(receiver);
    for _ in 0..50 {
        say(&room, &[b'x'; 98]);
        tasks.run();
    }
    let dropped = member.stats().dropped_messages;
    assert!(dropped > 40, "{dropped}");
    peer.input.state().capacity = WIDE;
    peer.input.wake_writer();
    tasks.run();
    peer.hear();
    say(&room, b"news");
    tasks.run();
    assert_eq!(peer.hear(), b"news\r\n");
    assert_eq!(member.stats().dropped_messages, dropped);
}

#[test]
fn r2_a_backlog_leaves_in_portions_and_without_another_word() {
    for policy in POLICIES {
        let (room, mut tasks) = room(Limits::default().policy(policy));
        let (_receiver, sender, peer) = client(0);
        let _member = room.join(sender).unwrap();
        for _ in 0..100 {
            say(&room, &[b'x'; 9998]);
            tasks.run();
        }
        peer.input.state().capacity = WIDE;
        peer.input.wake_writer();
        tasks.run();
        assert_eq!(peer.hear().len(), 1_000_000, "{policy:?}");
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn r3_a_room_of_many_gives_its_thread_back_within_a_delivery() {
    const MEMBERS: usize = 1000;
    let (room, task) = Room::<End>::new(Limits::default());
    let clients: Vec<_> = (0..MEMBERS).map(|_| client(WIDE)).collect();
    let _members: Vec<_> =
        clients.iter().map(|(_, sender, _)| room.join(sender.clone()).unwrap()).collect();
    say(&room, b"all of you");
    let wakes = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut task = pin!(task);
    let mut at_once = Vec::new();
    // It is polled as often as it asks for it.
    for polls in 0.. {
        assert!(polls < 100, "the room does not come to rest");
        assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let heard = |(_, _, peer): &&(_, _, End)| !peer.hear().is_empty();
        at_once.push(clients.iter().filter(heard).count());
        if wakes.0.swap(0, Ordering::Relaxed) == 0 {
            break;
        }
    }
    assert_eq!(at_once.iter().sum::<usize>(), MEMBERS);
    assert!(at_once.iter().all(|members| *members <= 256), "{at_once:?}");
    assert_eq!(room.stats().total.messages, MEMBERS as u64);
}
