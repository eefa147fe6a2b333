//! D6, D7: a rate and the clocks of others, and clocks that misbehave.

use super::*;

#[test]
fn d6_the_time_that_a_rate_takes_is_not_the_peers() {
    let config = lines(1).rate_burst(4 * SECOND).receive_timeout(3 * SECOND);
    let mut world = World::new(config.idle_timeout(2 * SECOND));
    world.waits_until(Some(at(2 * SECOND)));
    world.pass(SECOND);
    assert_eq!(world.conn.handle_input(&b"a\n".repeat(5)), 10);
    for _ in 0..4 {
        world.answers(b"a");
    }
    // Behind the burst nothing is late, however long it lasts: only the rate has a time.
    world.conn.configure(|config| config.max_lines_per_second(1).receive_timeout(TICK));
    world.waits_until(Some(at(2 * SECOND)));
    world.pass(SECOND - TICK);
    world.waits_until(Some(at(2 * SECOND)));
    world.pass(TICK);
    world.answers(b"a");
    // The peer has its whole time for the next one.
    world.conn.configure(|config| config.receive_timeout(2 * SECOND).idle_timeout(None));
    world.waits_until(Some(at(4 * SECOND)));
}

#[test]
fn d6_what_a_receive_waited_before_and_behind_a_hold_up_counts() {
    let config = bytes(1).receive_timeout(3 * SECOND);
    let mut world = World::new(config);
    world.waits_until(Some(at(3 * SECOND)));
    world.pass(SECOND);
    assert_eq!(world.conn.handle_input(b"abc"), 3);
    // One second is over. "b" and "c" come a second later each.
    world.waits_until(Some(at(2 * SECOND)));
    world.pass(SECOND);
    world.waits_until(Some(at(3 * SECOND)));
    world.pass(SECOND);
    world.waits_until(Some(at(5 * SECOND)));
    world.pass(2 * SECOND - TICK);
    world.waits_until(Some(at(5 * SECOND)));
    world.pass(TICK);
    assert_eq!(world.line(), Err(Error::TimedOut(Timeout::Receive { partial: 3 })));
}

#[test]
fn d6_a_receive_that_is_held_up_no_more_has_its_own_clock_though_nobody_looks_at_it() {
    let Parts { mut inbound, mut link } = Parts::new(lines(1));
    assert_eq!(link.handle_input(Some(&mut inbound), b"a\nb"), 3);
    let mut take = |link: &mut Link| link.receive(&mut inbound, |inbound| inbound.poll_line());
    assert!(matches!(take(&mut link), Ok(Step::Ready(Some(_)))));
    link.bound_receive(Some(10 * SECOND));
    assert_eq!(take(&mut link), Ok(Step::NeedInput));
    assert_eq!(link.poll_timeout(at(Duration::ZERO)), Some(at(SECOND)));
    link.handle_timeout(at(SECOND));
    // "b" goes on, and from here on nothing is bounded.
    assert_eq!(take(&mut link), Ok(Step::NeedInput));
    link.bound_receive(None);
    assert!(!link.has_deadlines());
    link.bound_receive(Some(10 * SECOND));
    assert_eq!(take(&mut link), Ok(Step::NeedInput));
    assert_eq!(link.poll_timeout(at(5 * SECOND)), Some(at(11 * SECOND)));
}

#[test]
fn d7_no_rate_and_no_burst_makes_it_panic_or_wait_for_ever() {
    for rate in [0, 1, 15, 16, 1_000_000_007, u32::MAX] {
        for burst in [Duration::ZERO, Duration::from_nanos(1), SECOND, Duration::MAX] {
            for config in [lines(rate), bytes(rate), lines(rate).max_bytes_per_second(rate)] {
                let config = config.rate_burst(burst);
                let wire = b"\n\n\n\n";
                let answers = play(config, vec![wire], (Way::Read, Ending::Eof), next_line);
                assert_eq!(answers.len(), 5, "{config:?}");
                let last = answers[4].0.since(Time::START);
                let slowest = 3 * SECOND / rate.max(1) + Duration::from_nanos(3);
                assert!(last <= slowest, "{last:?} of {config:?}");
            }
        }
    }
}

#[test]
fn d7_a_clock_that_stands_still_lets_nothing_through_and_does_not_spin() {
    let mut world = World::new(lines(1));
    assert_eq!(world.conn.handle_input(b"a\nb\n"), 4);
    world.answers(b"a");
    for _ in 0..3 {
        world.waits_until(Some(at(SECOND)));
        world.pass(Duration::ZERO);
    }
}

#[test]
fn d7_a_clock_that_goes_back_gives_nothing_and_the_rate_goes_on_from_there() {
    let mut world = World::new(lines(1));
    world.set(at(100 * SECOND));
    assert_eq!(world.conn.handle_input(b"a\nb\nc\n"), 6);
    world.answers(b"a");
    world.waits_until(Some(at(101 * SECOND)));
    world.set(at(5 * SECOND));
    world.waits_until(Some(at(6 * SECOND)));
    world.set(at(6 * SECOND - TICK));
    world.waits_until(Some(at(6 * SECOND)));
    world.set(at(6 * SECOND));
    world.answers(b"b");
    world.waits_until(Some(at(7 * SECOND)));
    world.set(at(Duration::MAX));
    world.answers(b"c");
    world.waits_until(None);
}

#[test]
fn d7_the_longest_times_are_no_times() {
    let config = Config::default().idle_timeout(Duration::MAX).send_timeout(Duration::MAX);
    let mut world = World::new(config);
    world.pass(SECOND);
    assert_eq!(world.conn.feed(b"x"), Ok(()));
    world.waits_until(Some(at(Duration::MAX)));
    world.pass(Duration::MAX - 2 * SECOND);
    world.waits_until(Some(at(Duration::MAX)));
}

#[test]
fn d7_idle_and_send_timeouts_of_zero_are_over_when_they_begin() {
    let mut world = World::new(Config::default().idle_timeout(Duration::ZERO));
    for _ in 0..2 {
        let now = world.now;
        world.waits_until(Some(now));
        world.pass(Duration::ZERO);
        let idle: Line = Err(Error::TimedOut(Timeout::Idle));
        assert_eq!(world.line(), idle);
    }
    let mut world = World::new(Config::default().send_timeout(Duration::ZERO));
    assert_eq!(world.conn.feed(b"x"), Ok(()));
    assert_eq!(world.poll(), Some(at(Duration::ZERO)));
    world.pass(Duration::ZERO);
    assert_eq!(world.conn.feed(b"x"), Err(Error::Disconnected(Loss::TimedOut.into())));
    assert_eq!(world.poll(), None);
}

/// A call whose answer depends on the bytes alone.
#[derive(Clone, Copy, Debug)]
enum Taken {
    Line,
    RecvLine,
    Message,
    Block(usize),
    Peek(usize),
}

impl Taken {
    fn call(self, conn: &mut Connection) -> Result<Step<Option<Vec<u8>>>, Error> {
        match self {
            Self::Line => next_line(conn),
            Self::RecvLine => Ok(conn.recv_line()?.map(|line| Some(line.into()))),
            Self::Message => conn.next_with(|unread| {
                let head = unread.line()?;
                Ok([head, unread.block(head.len().min(9))?, unread.line()?].concat())
            }),
            Self::Block(n) => Ok(conn.next_block(n)?.map(|block| Some(block.to_vec()))),
            Self::Peek(n) => Ok(conn.peek_block(n)?.map(|block| Some(block[..n].to_vec()))),
        }
    }
}

proptest! {
    #[test]
    fn d5_rates_change_no_answer_and_lines_never_come_faster(
        wire in vec(prop::sample::select(b"ab\n\r".as_slice()), 0..200),
        cuts in vec(1..60_usize, 1..20),
        calls in vec(prop_oneof![
            6 => Just(Taken::Line),
            2 => Just(Taken::RecvLine),
            1 => Just(Taken::Message),
            1 => (0..30_usize).prop_map(Taken::Block),
            1 => (0..30_usize).prop_map(Taken::Peek),
        ], 1..100),
        (line_rate, byte_rate) in (0..20_u32, 0..40_u32),
        burst in 0..3000_u64,
        timeout in any::<bool>(),
    ) {
        let rate = |rate: u32| (rate > 0).then_some(rate);
        let plain = Config::default().max_line(20);
        let rated = plain
            .max_lines_per_second(rate(line_rate))
            .max_bytes_per_second(rate(byte_rate))
            .rate_burst(ms(burst))
            // The peer is never late: it has all that is asked for.
            .receive_timeout(timeout.then_some(TICK));
        let mut free = World::new(plain);
        free.conn.handle_input(&wire);
        free.conn.handle_eof();
        let mut held = World::new(rated);
        let (mut left, mut cuts) = (&wire[..], cuts.into_iter().cycle());
        for call in &calls {
            let expected = call.call(&mut free.conn);
            loop {
                match call.call(&mut held.conn) {
                    Ok(Step::NeedInput) if held.conn.wants_read() => {
                        held.poll();
                        let n = cuts.next().unwrap_or(1).min(left.len());
                        if n == 0 {
                            held.conn.handle_eof();
                        }
                        prop_assert_eq!(held.conn.handle_input(&left[..n]), n);
                        left = &left[n..];
                    }
                    Ok(Step::NeedInput) => {
                        let end = held.poll();
                        prop_assert!(end.is_some(), "it waits for nothing");
                        held.set(end.unwrap_or_default());
                    }
                    answer => {
                        prop_assert_eq!(&answer, &expected);
                        break;
                    }
                }
            }
            let alone = calls.iter().all(|call| matches!(call, Taken::Line | Taken::RecvLine));
            if let Some(rate) = rate(line_rate).filter(|_| alone) {
                let passed = held.now.since(Time::START) + ms(burst);
                let most = (passed.as_nanos() * u128::from(rate)).max(1_000_000_000) / 1_000_000_000;
                prop_assert!(u128::from(held.conn.stats().lines_received) <= most + 1);
            }
        }
        prop_assert_eq!(held.conn.partial(), free.conn.partial());
    }
}
