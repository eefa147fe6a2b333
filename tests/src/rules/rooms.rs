//! [R1] to [R8]: what is said in a room, as the sockets of its members see it.
//!
//! [R1]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#r1
//! [R8]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#r8

use std::time::Duration;

use asyncnet::room::{Limits, MemberStats, Policy, RoomTask};
use asyncnet::{Config, Connection, Error, Room, Runtime};
use futures_lite::future::{or, yield_now, zip};

use crate::bed::{Bed, Peer, Platform};
use crate::sockets::{SocketPeer, Tcp};
use crate::system::makes_resets;
use crate::tools::assert_err;

type Stream<P> = <<P as Platform>::Runtime as Runtime>::Stream;

/// A room whose hard limit holds what two sockets do not, and its task.
fn room<P: Platform>(policy: Policy) -> (Room<Stream<P>>, RoomTask<Stream<P>>) {
    let hard = 2 * Tcp::<P>::HOLDS;
    Room::new(Limits::default().hard(hard).soft(hard, Duration::MAX).policy(policy))
}

async fn pair<P: Platform>() -> (Connection<Stream<P>>, SocketPeer) {
    Tcp::<P>::pair(Config::default()).await
}

/// Every member gets every line, whole and in order; a speaker can leave itself out.
pub async fn r1_every_member_gets_every_line_in_order<P: Platform>() {
    let (room, task) = room::<P>(Policy::Disconnect);
    let scene = async {
        let (mut a, a_peer) = pair::<P>().await;
        let (mut b, b_peer) = pair::<P>().await;
        let a = room.join(a.writer()).expect("it is open");
        let b = room.join(b.writer()).expect("it is open");
        let mut expected = [String::new(), String::new()];
        for i in 0..200 {
            room.send_line(format!("all {i}")).await.expect("it is open");
            a.send_line(format!("from a {i}")).await.expect("it is open");
            b.tell_line(format!("to b {i}")).await.expect("it is open");
            expected[0] += &format!("all {i}\r\n");
            expected[1] += &format!("all {i}\r\nfrom a {i}\r\nto b {i}\r\n");
        }
        for (peer, expected) in [a_peer, b_peer].iter().zip(&expected) {
            assert_eq!(peer.recv(expected.len()).await, expected.as_bytes());
        }
        zip(a.leave(), b.leave()).await;
        room.close();
    };
    let (stats, ()) = zip(task, scene).await;
    assert_eq!((stats.members, stats.evicted()), (0, 0));
    assert_err!(room.send_line("x").await, Error::Closed);
    let (mut late, _peer) = pair::<P>().await;
    assert!(matches!(room.join(late.writer()), Err(Error::Closed)));
}

/// The room pumps a member on whose connection no task receives, whose connection is even dropped, and one that
/// reads again after a long pause gets everything.
pub async fn r1_a_member_without_a_receiver_gets_everything<P: Platform>() {
    let (room, task) = room::<P>(Policy::Disconnect);
    let scene = async {
        let (mut conn, peer) = pair::<P>().await;
        let member = room.join(conn.writer()).expect("it is open");
        drop(conn);
        let text = vec![b'm'; 10_000];
        let count = Tcp::<P>::HOLDS / text.len();
        for _ in 0..count {
            room.send_line(&text).await.expect("it is open");
        }
        // The system holds less than half of it: the rest waits in the room.
        for _ in 0..1000 {
            yield_now().await;
        }
        let got = peer.recv(count * (text.len() + 2)).await;
        let line = [&text, &b"\r\n"[..]].concat();
        assert!(got.chunks(line.len()).all(|got| got == line));
        room.send_line("again").await.expect("it is open");
        assert_eq!(peer.recv(7).await, b"again\r\n");
        assert_eq!(member.stats().dropped_messages, 0);
    };
    or(scene, never_over(task)).await;
}

/// A member that misses the newest gets new messages again, whole, once it reads.
pub async fn r4_drop_newest_delivers_again<P: Platform>() {
    let (room, task) = room::<P>(Policy::DropNewest);
    let scene = async {
        let (mut conn, peer) = pair::<P>().await;
        let member = room.join(conn.writer()).expect("it is open");
        let line = |i: usize| format!("{i} {}\r\n", "x".repeat(50_000));
        let mut said = 0;
        while member.stats().dropped_messages == 0 {
            room.send_all(line(said)).await.expect("it is open");
            said += 1;
            yield_now().await;
        }
        room.send_all("last\r\n").await.expect("it is open");
        let reading = async {
            let (mut next, mut got) = (0, Vec::new());
            loop {
                got.extend(peer.recv(1).await);
                if !got.ends_with(b"\n") {
                    // A line at a time: its length follows from its number.
                    let head = format!("{next} ");
                    if got == head.as_bytes() {
                        let rest = peer.recv(line(next).len() - got.len()).await;
                        got.extend(rest);
                    }
                }
                if got.ends_with(b"\n") {
                    if got == b"last\r\n" || got == b"new\r\n" {
                        break;
                    }
                    assert!(got == line(next).into_bytes(), "line {next} is torn or out of turn");
                    next += 1;
                    got.clear();
                }
            }
            next
        };
        let saying = async {
            loop {
                room.send_all("new\r\n").await.expect("it is open");
                P::Runtime::sleep(Duration::from_millis(10)).await;
            }
        };
        let delivered = or(reading, saying).await;
        assert!(delivered < said, "it missed at least one");
        assert_eq!(room.stats().evicted(), 0);
    };
    or(scene, never_over(task)).await;
}

/// Of what waits for it the connection has little, and the room one copy.
pub async fn r2_a_member_that_does_not_read_costs_its_position_and_little_more<P: Platform>() {
    let (room, task) = room::<P>(Policy::DropNewest);
    let scene = async {
        let (mut conn, _peer) = pair::<P>().await;
        let member = room.join(conn.writer()).expect("it is open");
        while member.stats().dropped_messages == 0 {
            room.send_all([b'x'; 1000]).await.expect("it is open");
            let queued = conn.stats().queued;
            assert!(queued <= 64 << 10, "{queued} bytes in the connection's own queue");
        }
    };
    or(scene, never_over(task)).await;
}

/// Others get everything, as long as it is, while one of them reads nothing.
pub async fn r3_a_member_that_does_not_read_delays_no_other<P: Platform>() {
    let (room, task) = room::<P>(Policy::DropNewest);
    let scene = async {
        let (mut slow, _unread) = pair::<P>().await;
        let (mut quick, peer) = pair::<P>().await;
        let slow = room.join(slow.writer()).expect("it is open");
        let _quick = room.join(quick.writer()).expect("it is open");
        let text = vec![b'm'; 100_000];
        let mut said = 0;
        while slow.stats().dropped_messages == 0 {
            room.send_line(&text).await.expect("it is open");
            let got = peer.recv(text.len() + 2).await;
            assert!(got.starts_with(&text) && got.ends_with(b"\r\n"), "line {said}");
            said += 1;
        }
        assert!(said > 1);
    };
    or(scene, never_over(task)).await;
}

/// A gap is where messages were, never inside of one, and the newest is there.
pub async fn r5_drop_oldest_drops_whole_messages<P: Platform>() {
    let (room, task) = room::<P>(Policy::DropOldest);
    let scene = async {
        let (mut conn, peer) = pair::<P>().await;
        let member = room.join(conn.writer()).expect("it is open");
        let line = |i: u32| format!("{i:06} {}\r\n", "x".repeat(50_000));
        let mut said = 0;
        while member.stats().dropped_messages < 3 {
            room.send_all(line(said)).await.expect("it is open");
            said += 1;
            yield_now().await;
        }
        let (mut last, mut got) = (None, 0);
        while last != Some(said - 1) {
            let line_here = peer.recv(line(0).len()).await;
            let number = std::str::from_utf8(&line_here[..6]).expect("text");
            let number = number.parse().expect("a line begins here");
            assert!(line_here == line(number).into_bytes(), "line {number} is torn");
            assert!(last < Some(number), "{number} behind {last:?}");
            (last, got) = (Some(number), got + 1);
        }
        let stats = member.stats();
        assert_eq!(u64::from(said - got), stats.dropped_messages);
        assert_eq!(u64::from(got), stats.messages);
    };
    or(scene, never_over(task)).await;
}

/// By the clock of its stream, though it never comes to the hard limit; a member with another policy stays.
pub async fn r6_a_member_over_the_soft_limit_is_disconnected_in_time<P: Platform>() {
    let soft = Tcp::<P>::HOLDS;
    let limits = Limits::default().hard(4 * soft).soft(soft, Duration::from_millis(20));
    let (room, task) = Room::new(limits.policy(Policy::Disconnect));
    let scene = async {
        let (mut slow, its_peer) = pair::<P>().await;
        let (mut quick, peer) = pair::<P>().await;
        let _slow = room.join(slow.writer()).expect("it is open");
        // The limit does not hold for this policy, however long the machine takes.
        let _quick = room.join_with(quick.writer(), Policy::DropNewest).expect("it is open");
        let text = vec![b'm'; 2 * soft];
        let reading = peer.recv(text.len());
        let said = async { room.send_all(&text).await.expect("it is open") };
        let (got, ()) = zip(reading, said).await;
        assert!(got == text);
        assert_err!(slow.next_line().await, Error::Disconnected(_) | Error::Closed);
        let stats = room.stats();
        assert_eq!((stats.evicted_soft, stats.evicted_hard, stats.members), (1, 0, 1));
        assert!(its_peer.recv_all().await.reset || !makes_resets());
    };
    or(scene, never_over(task)).await;
}

/// For each member and for the room; a speaker's own words do not count for itself.
pub async fn r7_what_was_delivered_is_counted<P: Platform>() {
    let (room, task) = room::<P>(Policy::Disconnect);
    let scene = async {
        let (mut a, a_peer) = pair::<P>().await;
        let (mut b, b_peer) = pair::<P>().await;
        let a = room.join(a.writer()).expect("it is open");
        let b = room.join(b.writer()).expect("it is open");
        room.send_line("all").await.expect("it is open");
        a.send_line("from a").await.expect("it is open");
        assert_eq!(a_peer.recv(5).await, b"all\r\n");
        assert_eq!(b_peer.recv(13).await, b"all\r\nfrom a\r\n");
        let told = |stats: MemberStats| {
            (stats.messages, stats.bytes, stats.dropped_messages, stats.dropped_bytes)
        };
        assert_eq!((told(a.stats()), told(b.stats())), ((1, 5, 0, 0), (2, 13, 0, 0)));
        assert_eq!(told(room.stats().total), (3, 18, 0, 0));
    };
    or(scene, never_over(task)).await;
}

/// More than the system holds waits for a member that does not read yet; it gets it behind the end of the room.
pub async fn r8_a_room_that_is_closed_leaves_its_members_what_was_said<P: Platform>() {
    let (room, task) = room::<P>(Policy::Disconnect);
    let (mut conn, peer) = pair::<P>().await;
    let member = room.join(conn.writer()).expect("it is open");
    let text = vec![b'm'; Tcp::<P>::HOLDS];
    let pieces = text.chunks(10_000);
    let count = pieces.len() as u64;
    let scene = async {
        for piece in pieces {
            room.send_all(piece).await.expect("it is open");
        }
        room.close();
    };
    let (stats, ()) = zip(task, scene).await;
    assert_eq!((stats.evicted(), stats.total.messages), (0, count));
    drop(member);
    let closing = async { conn.close().await.expect("the peer reads") };
    let reading = async {
        let rest = peer.recv_all().await;
        drop(peer);
        rest
    };
    let (rest, ()) = zip(reading, closing).await;
    assert!(rest.bytes == text && !rest.reset);
}

/// A room that ends by itself has lost its handles, which the scene holds.
async fn never_over<S: asyncnet::Transport>(task: RoomTask<S>) {
    task.await;
    panic!("the room has ended");
}
