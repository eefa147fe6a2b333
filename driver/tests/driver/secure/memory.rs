//! What a secure connection holds. Each test counts the allocations of its own thread.

use asyncnet::{Config, Connection};

use super::{begin, say_hello};
use crate::layer::{Kind, frame};
use crate::pipe::End;
use crate::{WIDE, poll_once};

/// What each of many connections holds that `say` has something said to, and receives once.
fn held_by_each(say: impl Fn(&End)) -> usize {
    const MANY: usize = 20;
    let mut all: Vec<_> = (0..=MANY).map(|_| begin(WIDE, Config::default())).collect();
    let receive = |(conn, peer): &mut (Connection<End>, End)| {
        say(peer);
        let _ = poll_once(conn.handshake());
        let _ = poll_once(conn.flush());
        if peer.hears_end() || peer.output.state().ended {
            assert!(poll_once(conn.next_line()).is_ready());
        }
    };
    // The first fills what the thread keeps.
    receive(&mut all[0]);
    let info = allocation_counter::measure(|| all[1..].iter_mut().for_each(receive));
    usize::try_from(info.bytes_current).unwrap_or(0) / MANY
}

#[test]
fn t12_a_secure_connection_that_does_not_read_holds_no_block() {
    let held = held_by_each(say_hello);
    assert!(held < 4 << 10, "{held} bytes behind a handshake");
    let held = held_by_each(|peer| {
        say_hello(peer);
        peer.say(&frame(Kind::Close, &[]));
        peer.end();
    });
    assert!(held < 4 << 10, "{held} bytes behind an end");
}
