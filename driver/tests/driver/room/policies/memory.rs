//! What a room holds. Each test counts the allocations of its own thread.

use allocation_counter::measure;
use asyncnet::Writer;
use asyncnet::room::{Limits, Policy};

use super::{POLICIES, filled};
use crate::pipe::End;
use crate::room::{client, room, say};
use crate::{WIDE, poll_once};

#[test]
fn r2_what_waits_for_many_is_stored_once() {
    const MEMBERS: usize = 50;
    const MESSAGE: usize = 100 << 10;
    let (room, mut tasks) = room(Limits::default());
    let slow: Vec<_> = (0..MEMBERS).map(|_| client(0)).collect();
    let policy = |i| if i % 2 == 0 { Policy::DropNewest } else { Policy::DropOldest };
    let join = |(i, (_, sender, _)): (usize, &(_, Writer<End>, _))| {
        room.join_with(sender.clone(), policy(i)).unwrap()
    };
    let _members: Vec<_> = slow.iter().enumerate().map(join).collect();
    tasks.run();
    let info = measure(|| {
        for _ in 0..4 {
            say(&room, &[b'x'; MESSAGE]);
            tasks.run();
        }
    });
    let held = usize::try_from(info.bytes_current).unwrap();
    assert!(held < 6 * MESSAGE, "{held} bytes");
}

#[test]
fn r2_small_messages_too_are_stored_once() {
    const MEMBERS: usize = 100;
    const MESSAGES: usize = 9437;
    let (room, mut tasks) = room(Limits::default());
    let slow: Vec<_> = (0..MEMBERS).map(|_| client(0)).collect();
    let join = |(_, sender, _): &(_, Writer<End>, _)| room.join(sender.clone()).unwrap();
    let _members: Vec<_> = slow.iter().map(join).collect();
    tasks.run();
    let info = measure(|| {
        for _ in 0..MESSAGES {
            say(&room, &[b'x'; 998]);
            tasks.run();
        }
    });
    assert_eq!(room.stats().members, MEMBERS);
    // 9 MiB were said. What a connection holds ahead of the log is one message.
    let held = usize::try_from(info.bytes_current).unwrap();
    assert!(held < 12 << 20, "{held} bytes");
}

#[test]
fn r2_members_that_have_left_hold_nothing() {
    let (room, mut tasks) = room(Limits::default());
    let join = |(_, sender, _): &(_, Writer<End>, _)| room.join(sender.clone()).unwrap();
    let info = measure(|| {
        for _ in 0..10 {
            let slow: Vec<_> = (0..10).map(|_| client(0)).collect();
            let members: Vec<_> = slow.iter().map(join).collect();
            for _ in 0..10 {
                say(&room, &[b'x'; 50_000]);
                tasks.run();
            }
            drop(members);
            // One that is gone, one that is disconnected, and one that leaves are the same to the log.
            slow[0].1.abort();
        }
        tasks.run();
    });
    assert_eq!(room.stats().members, 0);
    assert!(info.bytes_current < 50_000, "{} bytes", info.bytes_current);
}

#[test]
fn r4_a_member_that_speaks_and_does_not_read_holds_nothing_of_its_own_words() {
    for policy in POLICIES {
        let (room, mut tasks) = room(Limits::default().policy(policy));
        let (_receiver, sender, _peer) = client(0);
        let member = room.join(sender).unwrap();
        let (_other, sender, peer) = client(WIDE);
        let _other = room.join(sender).unwrap();
        // This much of others' words it does not take.
        say(&room, b"hello");
        say(&room, b"again");
        tasks.run();
        peer.hear();
        let info = measure(|| {
            for _ in 0..100 {
                assert!(poll_once(member.send_all([b'x'; 10_000])).is_ready());
                tasks.run();
                assert_eq!(peer.hear().len(), 10_000);
            }
        });
        assert!(info.bytes_current < 100_000, "{policy:?}: {} bytes", info.bytes_current);
    }
}

#[test]
fn r4_what_a_member_drops_is_held_for_no_one() {
    for policy in [Policy::DropNewest, Policy::DropOldest] {
        let mut one = filled(policy, 0);
        let (_other, sender, peer) = client(WIDE);
        let _other = one.room.join(sender).unwrap();
        one.tasks.run();
        let info = measure(|| {
            for number in 0..1000 {
                // Now and then one that fits while the large ones do not.
                one.say(number, if number % 3 == 0 { 10 } else { 800 });
                peer.hear();
            }
        });
        assert!(info.bytes_current < 10_000, "{policy:?}: {} bytes", info.bytes_current);
        let heard = one.hear();
        let stats = one.member.as_ref().unwrap().stats();
        assert_eq!(heard.len() as u64, stats.bytes, "{policy:?}");
        assert_eq!(stats.messages + stats.dropped_messages, 1006, "{policy:?}");
    }
}

#[test]
fn r2_a_member_that_reads_holds_nothing_of_its_own_words() {
    let (room, mut tasks) = room(Limits::default());
    let (_receiver, sender, peer) = client(WIDE);
    let member = room.join(sender).unwrap();
    let info = measure(|| {
        for _ in 0..100 {
            // Too much to be merged with what follows.
            assert!(poll_once(member.send_line([b'x'; 64 << 10])).is_ready());
            say(&room, b"and for all");
            tasks.run();
        }
    });
    assert!(info.bytes_current < 10_000, "{} bytes", info.bytes_current);
    assert_eq!(peer.hear().len(), 100 * 13);
}
