//! C3 and D4: the bounds of a close, with made-up time. Each part of a close is begun by the driver, so these
//! drive the parts of a connection.

use std::time::Duration;

use asyncnet_core::driver::Link;
use asyncnet_core::{CloseLimits, Config, Connection, Error, Time};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_micros(1);

/// Limits of 5 s without progress and 60 s in all; a drain of 2 s and 10 bytes.
fn limits() -> CloseLimits {
    CloseLimits::default().flush(5 * SECOND, 60 * SECOND).drain(2 * SECOND, 10)
}

fn closing(limits: CloseLimits, queued: usize) -> Link {
    let mut link = Connection::new(Config::default().close(limits)).into_halves().1;
    assert_eq!(link.feed(&vec![b'x'; queued]), Ok(()));
    assert!(!link.has_deadlines());
    link.close();
    assert!(link.has_deadlines());
    link
}

fn at(time: Duration) -> Time {
    Time::START + time
}

/// Whether the part of the close is over at this time.
fn is_over(link: &mut Link, now: Time) -> bool {
    link.handle_timeout(now);
    link.close_timed_out()
}

#[test]
fn c3_a_flush_without_progress_ends_at_the_stall_limit_and_not_before() {
    let mut link = closing(limits(), 100);
    assert_eq!(link.poll_timeout(at(SECOND)), Some(at(6 * SECOND)));
    assert!(!is_over(&mut link, at(6 * SECOND - TICK)));
    assert_eq!(link.poll_timeout(at(6 * SECOND - TICK)), Some(at(6 * SECOND)));
    assert!(is_over(&mut link, at(6 * SECOND)));
    assert_eq!((link.poll_timeout(at(6 * SECOND)), link.unsent()), (None, 100));
}

#[test]
fn c3_a_flush_with_progress_goes_on_to_the_total_limit() {
    let mut link = closing(limits(), 100);
    let mut now = Time::START;
    for n in 1..=14 {
        let total = at(60 * SECOND);
        let stall = now + 5 * SECOND;
        assert_eq!(link.poll_timeout(now), Some(stall.min(total)));
        now = at(4 * n * SECOND);
        assert!(!is_over(&mut link, now), "{now:?}");
        link.transmitted(1);
    }
    assert_eq!(link.poll_timeout(now), Some(at(60 * SECOND)));
    link.transmitted(0);
    assert!(!is_over(&mut link, at(60 * SECOND - TICK)));
    assert!(is_over(&mut link, at(60 * SECOND)));
    assert_eq!(link.unsent(), 86);
}

#[test]
fn c3_a_drain_ends_by_its_time_whatever_comes() {
    let mut link = closing(limits(), 0);
    let _ = link.poll_timeout(at(SECOND));
    link.begin_drain();
    assert_eq!(link.poll_timeout(at(3 * SECOND)), Some(at(5 * SECOND)));
    assert_eq!(link.handle_input(None, b"late"), 0);
    assert_eq!(link.drained(4), 6);
    // To begin again changes nothing.
    link.begin_drain();
    assert_eq!(link.poll_timeout(at(4 * SECOND)), Some(at(5 * SECOND)));
    assert!(!is_over(&mut link, at(5 * SECOND - TICK)));
    assert!(is_over(&mut link, at(5 * SECOND)));
}

#[test]
fn c3_a_drain_counts_every_byte_down_to_nothing() {
    let mut link = closing(limits(), 0);
    assert_eq!(link.drained(3), 0, "it has not begun");
    link.begin_drain();
    let left: Vec<_> = [0, 1, 4, 4, 1, 7, usize::MAX].map(|n| link.drained(n)).into();
    assert_eq!(left, [10, 9, 5, 1, 0, 0, 0]);
}

#[test]
fn c3_a_drain_has_its_own_time_behind_a_flush_that_took_too_long() {
    let mut link = closing(limits(), 9);
    let _ = link.poll_timeout(Time::START);
    assert!(is_over(&mut link, at(5 * SECOND)));
    link.begin_drain();
    assert!(!link.close_timed_out());
    assert_eq!(link.poll_timeout(at(5 * SECOND)), Some(at(7 * SECOND)));
}

#[test]
fn c3_when_it_is_over_nothing_is_bounded() {
    let mut link = closing(limits(), 0);
    link.begin_drain();
    link.end_close();
    assert_eq!(link.poll_timeout(Time::START), None);
    link.close();
    link.begin_drain();
    assert_eq!(link.poll_timeout(Time::START), None, "it does not begin anew");
}

#[test]
fn c3_a_second_close_restarts_no_clock() {
    let mut link = closing(limits(), 9);
    assert_eq!(link.poll_timeout(Time::START), Some(at(5 * SECOND)));
    link.close();
    assert_eq!(link.poll_timeout(at(4 * SECOND)), Some(at(5 * SECOND)));
    assert_eq!(link.check(), Err(Error::Closed));
}

#[test]
fn c3_limits_of_zero_end_at_once_and_the_longest_never() {
    let zero = CloseLimits::default().flush(Duration::ZERO, SECOND).drain(Duration::ZERO, 0);
    let mut link = closing(zero, 9);
    assert_eq!(link.poll_timeout(at(SECOND)), Some(at(SECOND)));
    assert!(is_over(&mut link, at(SECOND)));
    link.begin_drain();
    assert_eq!((link.drained(0), link.poll_timeout(at(SECOND))), (0, Some(at(SECOND))));
    let longest = CloseLimits::default().flush(Duration::MAX, Duration::MAX);
    let mut link = closing(longest, 9);
    assert_eq!(link.poll_timeout(at(SECOND)), Some(at(Duration::MAX)));
    assert!(!is_over(&mut link, at(Duration::MAX - TICK)));
}

#[test]
fn d7_a_close_ends_nothing_early_though_its_clock_stands_still_or_goes_back() {
    let mut link = closing(limits(), 9);
    assert_eq!(link.poll_timeout(at(5 * SECOND)), Some(at(10 * SECOND)));
    for now in [at(5 * SECOND), Time::START, at(10 * SECOND - TICK), at(SECOND)] {
        assert!(!is_over(&mut link, now), "{now:?}");
        assert_eq!(link.poll_timeout(now), Some(at(10 * SECOND)));
    }
    assert!(is_over(&mut link, at(10 * SECOND)));
    link.begin_drain();
    assert_eq!(link.poll_timeout(at(9 * SECOND)), Some(at(11 * SECOND)));
    assert!(!is_over(&mut link, Time::START));
    assert_eq!(link.poll_timeout(Time::START), Some(at(11 * SECOND)));
    assert!(is_over(&mut link, at(11 * SECOND)));
    assert_eq!(link.poll_timeout(at(11 * SECOND)), None, "it is reported once");
}

#[test]
fn c3_limits_that_change_hold_for_the_close_that_is_under_way() {
    let mut conn = Connection::new(Config::default().close(limits()));
    assert_eq!(conn.feed(b"abc"), Ok(()));
    conn.close();
    assert_eq!(conn.poll_timeout(Time::START), Some(at(5 * SECOND)));
    conn.configure(|config| config.close(limits().flush(SECOND, 60 * SECOND)));
    assert_eq!(conn.poll_timeout(Time::START), Some(at(SECOND)));
}

#[test]
fn d4_a_close_has_its_own_bounds_and_no_others() {
    let config = Config::default().close(limits()).send_timeout(SECOND);
    let mut conn = Connection::new(config.receive_timeout(SECOND).idle_timeout(SECOND));
    assert_eq!(conn.feed(b"abc"), Ok(()));
    assert!(conn.next_line().is_ok());
    assert_eq!(conn.poll_timeout(Time::START), Some(at(SECOND)));
    conn.close();
    assert_eq!(conn.poll_timeout(Time::START), Some(at(5 * SECOND)));
    conn.handle_timeout(at(4 * SECOND));
    assert_eq!((conn.unsent(), conn.next_line()), (3, Err(Error::Closed)));
}
