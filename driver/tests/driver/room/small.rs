//! Many small messages: what they hold, and what they cost.

use std::sync::mpsc::channel;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use asyncnet::room::{Limits, Member, Policy};

use super::{HOUR, client, room};
use crate::pipe::End;
use crate::poll_once;

/// How many lines of one byte go to `member` alone until it has to wait for the room's task.
fn tell_until_it_waits(member: &Member<End>) -> usize {
    let told = |_: &usize| poll_once(member.tell_line(b"x")) == Poll::Ready(Ok(()));
    (0..1 << 21).take_while(told).count()
}

/// Lines that are dropped cost no more than lines that are kept.
#[test]
fn r3_small_lines_that_are_dropped_do_not_hold_up_the_task() {
    let (done, is_done) = channel();
    thread::spawn(move || {
        let (room, mut tasks) = room(Limits::default().hard(8 << 20).soft(8 << 20, HOUR));
        let (_conn, sender, _peer) = client(0);
        let member = room.join_with(sender, Policy::DropNewest).unwrap();
        let mut told = 0;
        while member.stats().dropped_messages < 400_000 {
            told += tell_until_it_waits(&member);
            tasks.run();
        }
        assert!(told > 500_000);
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(60)).expect("it makes no progress");
}

#[cfg(not(all(windows, target_env = "gnu")))] // allocation-counter does not run there.
mod memory {
    use std::task::Poll;

    use allocation_counter::measure;
    use asyncnet::room::Limits;

    use super::tell_until_it_waits;
    use crate::poll_once;
    use crate::room::{client, room};

    #[test]
    fn r3_small_messages_that_wait_for_the_task_hold_little_more_than_they_count() {
        const LIMIT: i64 = 4 << 20;

        let (room, mut tasks) = room(Limits::default());
        let members = [(); 2].map(|()| room.join(client(0).1).unwrap());
        tasks.run();
        let told = measure(|| assert!(tell_until_it_waits(&members[0]) > 1000)).bytes_current;
        assert!(told < LIMIT, "{told} bytes");
        tasks.run();
        // One member after the other, so that each line is a part of its own.
        let said = |n: &usize| poll_once(members[n % 2].send_line(b"x")) == Poll::Ready(Ok(()));
        let said = measure(|| assert!((0..1 << 21).take_while(said).count() > 1000)).bytes_current;
        assert!(said < LIMIT, "{said} bytes");
    }
}
