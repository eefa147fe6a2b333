//! What a member says to everyone else, and what it is told alone.

use asyncnet::room::{Limits, Member, Policy};

use super::{client, room, say};
use crate::pipe::End;
use crate::{WIDE, poll_once};

#[track_caller]
fn say_to_others(member: &Member<End>, text: &str) {
    assert!(matches!(poll_once(member.send_line(text)), std::task::Poll::Ready(Ok(()))));
}

#[track_caller]
fn tell(member: &Member<End>, text: &str) {
    assert!(matches!(poll_once(member.tell_line(text)), std::task::Poll::Ready(Ok(()))));
}

#[test]
fn r1_a_member_speaks_to_everyone_but_itself_in_order() {
    let (room, mut tasks) = room(Limits::default());
    let clients: [_; 3] = std::array::from_fn(|_| client(WIDE));
    let members = clients.each_ref().map(|(_, sender, _)| room.join(sender.clone()).unwrap());
    let mut expected = [const { String::new() }; 3];
    for number in 0..60 {
        let speaker = number % 4;
        let line = format!("{number} of {speaker}");
        match members.get(speaker) {
            Some(member) => say_to_others(member, &line),
            None => say(&room, line.as_bytes()),
        }
        for (_, heard) in expected.iter_mut().enumerate().filter(|(i, _)| *i != speaker) {
            *heard += &format!("{line}\r\n");
        }
        if number % 7 == 0 {
            tasks.run();
        }
    }
    tasks.run();
    for (i, (_, _, peer)) in clients.iter().enumerate() {
        assert_eq!(String::from_utf8(peer.hear()).unwrap(), expected[i]);
        let stats = members[i].stats();
        assert_eq!((stats.messages, stats.bytes), (45, expected[i].len() as u64));
    }
}

#[test]
fn r1_what_one_member_is_told_comes_in_order_and_to_it_alone() {
    for policy in [Policy::Disconnect, Policy::DropNewest, Policy::DropOldest] {
        let (room, mut tasks) = room(Limits::default().policy(policy));
        let (_a, sender, peer) = client(0);
        let told = room.join(sender).unwrap();
        let (_b, sender, other) = client(WIDE);
        let _other = room.join(sender).unwrap();
        tell(&told, "0");
        for number in 0..5 {
            say(&room, format!("{number}.").as_bytes());
            tell(&told, &format!("{number}.5"));
            if number == 2 {
                tasks.run();
            }
        }
        tasks.run();
        peer.input.state().capacity = WIDE;
        peer.input.wake_writer();
        tasks.run();
        let both = b"0\r\n0.\r\n0.5\r\n1.\r\n1.5\r\n2.\r\n2.5\r\n3.\r\n3.5\r\n4.\r\n4.5\r\n";
        assert_eq!(peer.hear(), both);
        assert_eq!(other.hear(), b"0.\r\n1.\r\n2.\r\n3.\r\n4.\r\n");
        assert_eq!((told.stats().messages, told.stats().dropped_messages), (11, 0));
        // It leaves with what it was told.
        tell(&told, "bye");
        drop(told);
        tasks.run();
        assert_eq!(peer.hear(), b"bye\r\n");
    }
}

#[test]
fn r4_what_a_member_is_told_counts_against_its_limit() {
    let limits = Limits::default().hard(1000);
    for (policy, kept) in [(Policy::DropNewest, 0..7), (Policy::DropOldest, 13..20)] {
        let (room, mut tasks) = room(limits.policy(policy));
        let (_receiver, sender, peer) = client(0);
        let member = room.join(sender).unwrap();
        for number in 0..20 {
            tell(&member, &format!("{number:<78}"));
            tasks.run();
        }
        assert_eq!(member.stats().dropped_messages, 14, "{policy:?}");
        peer.input.state().capacity = WIDE;
        peer.input.wake_writer();
        tasks.run();
        let heard = String::from_utf8(peer.hear()).unwrap();
        let numbers: Vec<usize> = heard.lines().map(|line| line.trim().parse().unwrap()).collect();
        // The first is in the connection, out of the room's reach.
        let rest = if kept.start == 0 { 1..6 } else { 15..20 };
        assert_eq!(numbers, std::iter::once(0).chain(rest).collect::<Vec<_>>(), "{policy:?}");
    }
    let (room, mut tasks) = room(limits);
    let (mut receiver, sender, _peer) = client(0);
    let member = room.join(sender).unwrap();
    for number in 0..20 {
        tell(&member, &format!("{number:<78}"));
        tasks.run();
    }
    assert_eq!(room.stats().evicted_hard, 1);
    super::assert_disconnected(&mut receiver);
}
