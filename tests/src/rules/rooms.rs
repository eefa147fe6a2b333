//! R1, R3 to R5 and R8: what is said in a room, as the sockets of its members see it.

use asyncnet::room::{Limits, Policy, RoomTask};
use asyncnet::{Config, Connection, Error, Room, Runtime};
use futures_lite::future::{or, yield_now, zip};

use crate::bed::{Bed, Peer, Platform};
use crate::sockets::{SocketPeer, Tcp};
use crate::tools::assert_err;

type Stream<P> = <<P as Platform>::Runtime as Runtime>::Stream;

/// A room whose hard limit holds what two sockets do not, and its task.
fn room<P: Platform>(policy: Policy) -> (Room<Stream<P>>, RoomTask<Stream<P>>) {
    let hard = 2 * Tcp::<P>::HOLDS;
    Room::new(Limits::default().hard(hard).soft(hard, std::time::Duration::MAX).policy(policy))
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
                P::Runtime::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let delivered = or(reading, saying).await;
        assert!(delivered < said, "it missed at least one");
        assert_eq!(room.stats().evicted(), 0);
    };
    or(scene, never_over(task)).await;
}

/// A room that ends by itself has lost its handles, which the scene holds.
async fn never_over<S: asyncnet::Transport>(task: RoomTask<S>) {
    task.await;
    panic!("the room has ended");
}
