//! D1 to D4 with made-up time, to the microsecond. Bounds of a close are in `close_limits.rs`, that of a
//! handshake in `../secure`.

use std::time::Duration;

use asyncnet_core::{Cause, Config, Error, Loss, Step, Time, Timeout};

use crate::play::{Parts, cut};
use crate::world::{Line, SECOND, TICK, World, at};

fn late(partial: usize) -> Line {
    Err(Error::TimedOut(Timeout::Receive { partial }))
}

const IDLE: Line = Err(Error::TimedOut(Timeout::Idle));

fn receive() -> Config {
    Config::default().receive_timeout(SECOND)
}

#[test]
fn d4_without_a_setting_nothing_is_bounded() {
    let mut world = World::new(Config::default());
    assert_eq!(world.conn.feed(b"queued"), Ok(()));
    world.waits_until(None);
    world.pass(Duration::MAX);
    world.waits_until(None);
    assert_eq!(world.conn.unsent(), 6);
}

#[test]
fn d1_a_receive_answers_timed_out_at_its_time_and_not_a_microsecond_before() {
    let mut world = World::new(receive());
    assert_eq!(world.poll(), None, "nothing waits yet");
    world.pass(9 * SECOND);
    world.waits_until(Some(at(10 * SECOND)));
    world.pass(SECOND - TICK);
    world.waits_until(Some(at(10 * SECOND)));
    world.pass(TICK);
    assert_eq!(world.line(), late(0));
    assert_eq!(world.conn.end(), None);
    // The next one has a fresh clock, from its own first wait on.
    assert_eq!(world.poll(), None);
    world.pass(5 * SECOND);
    world.waits_until(Some(at(16 * SECOND)));
}

#[test]
fn d1_trickling_bytes_in_any_chunking_do_not_move_the_deadline_and_nothing_is_lost() {
    let line = b"abcdefgh";
    for mask in 0..1_u32 << (line.len() - 1) {
        let mut world = World::new(receive());
        world.waits_until(Some(at(SECOND)));
        let chunks = cut(line, |at| mask >> (at - 1) & 1 == 1);
        let step = SECOND / (chunks.len() as u32 + 1);
        for chunk in &chunks {
            world.pass(step);
            assert_eq!(world.conn.handle_input(chunk), chunk.len());
            world.waits_until(Some(at(SECOND)));
        }
        world.set(at(SECOND));
        assert_eq!(world.line(), late(line.len()));
        assert_eq!(world.conn.peek(), line);
        assert_eq!(world.conn.handle_input(b"\n"), 1);
        assert_eq!(world.line(), Ok(Step::Ready(Some(line.to_vec()))));
    }
}

#[test]
fn d1_dropped_repeated_and_other_calls_go_on_with_the_same_clock() {
    let mut world = World::new(receive());
    for _ in 0..10 {
        world.waits_until(Some(at(SECOND)));
        assert_eq!(world.conn.recv(5), Ok(Step::NeedInput));
        assert!(matches!(world.conn.next_batch(), Ok(Step::NeedInput)));
        assert_eq!(world.conn.try_next_line(), Ok(None), "it waits for nothing");
        world.pass(SECOND / 10);
    }
    assert_eq!(world.conn.next_block(3), Err(Error::TimedOut(Timeout::Receive { partial: 0 })));
}

#[test]
fn d1_an_answer_stops_the_clock_good_or_bad() {
    let mut world = World::new(receive().max_line(3));
    for wire in [b"a\n" as &[u8], b"1234\n", b"b\n"] {
        let end = world.now + SECOND;
        world.waits_until(Some(end));
        world.pass(SECOND - TICK);
        assert_eq!(world.conn.handle_input(wire), wire.len());
        assert_ne!(world.line(), Ok(Step::NeedInput));
        assert_eq!(world.poll(), None);
        world.pass(SECOND);
    }
}

#[test]
fn d1_what_arrives_at_the_last_moment_is_answered_and_the_timeout_is_forgotten() {
    let mut world = World::new(receive());
    world.waits_until(Some(at(SECOND)));
    world.pass(2 * SECOND);
    assert_eq!(world.poll(), None, "it is reported once, and has been noted");
    assert_eq!(world.conn.handle_input(b"a\n"), 2);
    assert_eq!(world.line(), Ok(Step::Ready(Some(b"a".to_vec()))));
    world.waits_until(Some(at(3 * SECOND)));
}

#[test]
fn d1_an_end_comes_before_the_timeout() {
    let mut world = World::new(receive());
    world.waits_until(Some(at(SECOND)));
    world.pass(SECOND);
    world.conn.handle_eof();
    assert_eq!(world.line(), Ok(Step::Ready(None)));
}

#[test]
fn d1_zero_is_over_at_once_and_the_longest_time_never() {
    let mut world = World::new(Config::default().receive_timeout(Duration::ZERO));
    world.waits_until(Some(at(Duration::ZERO)));
    world.pass(Duration::ZERO);
    assert_eq!(world.line(), late(0));
    let mut world = World::new(Config::default().receive_timeout(Duration::MAX));
    world.pass(SECOND);
    world.waits_until(Some(at(Duration::MAX)));
    world.pass(Duration::MAX - 2 * SECOND);
    world.waits_until(Some(at(Duration::MAX)));
}

#[test]
fn d4_a_clock_that_stands_still_or_goes_back_ends_nothing_early() {
    let mut world = World::new(receive());
    world.now = at(5 * SECOND);
    world.waits_until(Some(at(6 * SECOND)));
    for now in [at(5 * SECOND), Time::START, at(5 * SECOND), at(6 * SECOND - TICK), at(SECOND)] {
        world.set(now);
        world.waits_until(Some(at(6 * SECOND)));
    }
    world.set(at(6 * SECOND));
    assert_eq!(world.line(), late(0));
}

#[test]
fn d1_a_bound_that_changes_while_a_call_waits_counts_from_the_same_moment() {
    let mut world = World::new(receive());
    world.waits_until(Some(at(SECOND)));
    world.conn.configure(|config| config.receive_timeout(3 * SECOND));
    world.pass(2 * SECOND);
    world.waits_until(Some(at(3 * SECOND)));
    world.conn.configure(|config| config.receive_timeout(SECOND));
    world.waits_until(Some(at(SECOND)));
    world.pass(Duration::ZERO);
    assert_eq!(world.line(), late(0));
}

#[test]
fn d1_a_bound_that_is_new_counts_from_there_on_whatever_else_is_bounded() {
    for config in [Config::default(), Config::default().idle_timeout(60 * SECOND)] {
        let mut world = World::new(config);
        assert_eq!(world.line(), Ok(Step::NeedInput));
        let _ = world.poll();
        world.pass(30 * SECOND);
        world.conn.configure(|config| config.receive_timeout(SECOND));
        world.waits_until(Some(at(31 * SECOND)));
        world.conn.configure(|config| config.receive_timeout(None));
        world.pass(20 * SECOND);
        assert_eq!(world.line(), Ok(Step::NeedInput));
    }
}

#[test]
fn d1_a_bound_for_one_receive_replaces_the_setting_and_survives_its_repetition() {
    for config in [Config::default(), receive(), Config::default().idle_timeout(60 * SECOND)] {
        let Parts { mut inbound, mut link } = Parts::new(config);
        let mut now = Time::START;
        let setting = config.receive_timeout;
        if setting.is_none() {
            // What waited without a bound does not count.
            let line = link.receive(&mut inbound, |inbound| inbound.poll_line());
            assert_eq!(line, Ok(Step::NeedInput));
            let _ = link.poll_timeout(now);
            now = at(30 * SECOND);
        }
        let end = now + 5 * SECOND;
        for _ in 0..5 {
            link.bound_receive(Some(5 * SECOND));
            assert!(link.has_deadlines());
            let line = link.receive(&mut inbound, |inbound| inbound.poll_line());
            assert_eq!(line, Ok(Step::NeedInput));
            assert_eq!(link.poll_timeout(now), Some(end));
            link.bound_receive(None);
            now = now + SECOND;
        }
        link.bound_receive(Some(5 * SECOND));
        link.handle_timeout(now);
        assert!(link.is_late());
        let line = link.receive(&mut inbound, |inbound| inbound.poll_line());
        assert_eq!(line, Err(Error::TimedOut(Timeout::Receive { partial: 0 })));
        link.bound_receive(None);
        let line = link.receive(&mut inbound, |inbound| inbound.poll_line());
        assert_eq!(line, Ok(Step::NeedInput));
        let own = link.poll_timeout(now).map(|end| end.since(now));
        assert_eq!(own.filter(|_| setting.is_some()), setting);
    }
}

fn idle() -> World {
    World::new(Config::default().idle_timeout(SECOND))
}

#[test]
fn d2_a_byte_in_either_direction_restarts_the_idle_clock() {
    let mut world = idle();
    world.waits_until(Some(at(SECOND)));
    world.pass(SECOND - TICK);
    assert_eq!(world.conn.handle_input(b"a"), 1);
    world.waits_until(Some(at(2 * SECOND - TICK)));
    world.pass(SECOND / 2);
    assert_eq!(world.conn.feed(b"xy"), Ok(()));
    world.waits_until(Some(at(2 * SECOND - TICK)));
    world.conn.transmitted(1);
    let end = world.now + SECOND;
    world.waits_until(Some(end));
    world.conn.transmitted(0);
    world.conn.space();
    world.conn.handle_read(0);
    world.waits_until(Some(end));
    world.set(end);
    assert_eq!(world.line(), IDLE);
    assert_eq!(world.conn.peek(), b"a");
    // The clock starts again.
    let end = world.now + SECOND;
    world.waits_until(Some(end));
}

#[test]
fn d2_the_time_between_two_receives_is_not_the_peers() {
    let mut world = idle();
    world.waits_until(Some(at(SECOND)));
    assert_eq!(world.conn.handle_input(b"a\nb\n"), 4);
    assert_eq!(world.line(), Ok(Step::Ready(Some(b"a".to_vec()))));
    assert_eq!(world.poll(), None);
    world.pass(30 * SECOND);
    assert_eq!(world.line(), Ok(Step::Ready(Some(b"b".to_vec()))));
    world.pass(30 * SECOND);
    world.waits_until(Some(at(61 * SECOND)));
}

#[test]
fn d2_receives_that_time_out_do_not_hide_that_the_connection_is_idle() {
    let config = Config::default().idle_timeout(5 * SECOND / 2).receive_timeout(SECOND);
    let mut world = World::new(config);
    for _ in 0..2 {
        let end = world.now + SECOND;
        world.waits_until(Some(end));
        world.pass(SECOND);
        assert_eq!(world.line(), late(0));
    }
    world.waits_until(Some(at(5 * SECOND / 2)));
    world.pass(SECOND / 2);
    assert_eq!(world.line(), IDLE);
}

fn sending(bytes: &[u8]) -> World {
    let mut world = World::new(Config::default().send_timeout(SECOND));
    assert_eq!(world.poll(), None);
    world.pass(SECOND);
    assert_eq!(world.conn.feed(bytes), Ok(()));
    world
}

#[test]
fn d3_queued_bytes_without_progress_end_the_sending_side_as_timed_out() {
    let mut world = sending(b"abc");
    assert_eq!(world.poll(), Some(at(2 * SECOND)));
    world.pass(SECOND - TICK);
    // More of it is no progress.
    assert_eq!(world.conn.feed(b"def"), Ok(()));
    assert_eq!(world.poll(), Some(at(2 * SECOND)));
    world.conn.transmitted(1);
    assert_eq!(world.poll(), Some(at(3 * SECOND - TICK)));
    world.pass(SECOND - TICK);
    assert_eq!(world.conn.unsent(), 5);
    world.pass(TICK);
    let lost = || Error::Disconnected(Loss::TimedOut.into());
    assert_eq!((world.conn.unsent(), world.conn.feed(b"x")), (0, Err(lost())));
    assert_eq!(world.poll(), None);
    // What still comes is received, and the end behind it is that one.
    assert_eq!(world.conn.handle_input(b"a\n"), 2);
    assert_eq!(world.line(), Ok(Step::Ready(Some(b"a".to_vec()))));
    world.conn.handle_eof();
    assert_eq!(world.line(), Err(lost()));
    assert_eq!(world.conn.end().map(|end| end.cause), Some(Cause::Lost(Loss::TimedOut)));
}

#[test]
fn d3_an_empty_queue_has_no_clock_and_the_next_message_a_fresh_one() {
    let mut world = sending(b"abc");
    assert_eq!(world.poll(), Some(at(2 * SECOND)));
    world.conn.transmitted(3);
    // The driver may find the queue empty only when the old deadline wakes it.
    world.pass(5 * SECOND);
    assert_eq!(world.conn.feed(b"abc"), Ok(()));
    assert_eq!(world.poll(), Some(at(7 * SECOND)));
    world.conn.transmitted(3);
    assert_eq!(world.poll(), None);
}

#[test]
fn d4_several_bounds_that_run_out_together_are_all_told() {
    let config = Config::default().receive_timeout(SECOND).send_timeout(SECOND);
    let mut world = World::new(config.idle_timeout(SECOND));
    assert_eq!(world.conn.feed(b"abc"), Ok(()));
    world.waits_until(Some(at(SECOND)));
    world.pass(SECOND);
    assert_eq!(world.conn.feed(b"x"), Err(Error::Disconnected(Loss::TimedOut.into())));
    // A driver asks for the next deadline, and comes back at once if that is over.
    while let Some(end) = world.poll().filter(|end| *end <= world.now) {
        world.set(end);
    }
    // A connection that is lost is not late any more.
    assert_eq!(world.line(), Err(Error::Disconnected(Loss::TimedOut.into())));
}
