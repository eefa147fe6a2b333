//! What lies between the layer and the driver.

use std::panic::catch_unwind;
use std::time::Duration;

use asyncnet_core::driver::Inbound;
use asyncnet_core::{Cause, Config, Connection, SecureLayer, Step, Time, TlsErrorKind};

use crate::bed::{Ending, failed, hello, in_any_chunking, notice, open, started, told, transmit};
use crate::fake::{Fake, PING, PONG, data, record};
use crate::schedule::{Harm, Rng, run};

#[test]
fn d4_a_handshake_that_takes_too_long_is_given_up() {
    let limit = Duration::from_millis(10);
    let mut conn = started(Config::default().handshake_timeout(limit), Fake::client(1));
    assert_eq!(conn.feed(b"queued"), Ok(()));
    let end = conn.poll_timeout(Time::START).expect("a bound");
    assert_eq!(end, Time::START + limit);
    conn.handle_timeout(end);
    for _ in 0..2 {
        assert_eq!(failed(conn.next_line()), Some(TlsErrorKind::TimedOut));
        assert_eq!(failed(conn.feed(b"x")), Some(TlsErrorKind::TimedOut));
        assert!(!conn.is_handshaking() && conn.unsent() == 0);
        // The answer comes after all.
        assert_eq!(conn.handle_input(&hello()), 0);
    }
    let (_, link) = conn.into_halves();
    assert!(link.has_dropped());
}

#[test]
fn d4_a_handshake_that_is_over_is_bounded_no_more() {
    let limit = Duration::from_secs(1);
    let config = Config::default().handshake_timeout(limit);
    for layer in [Fake::client(2), Fake::server(2)] {
        let mut conn = started(config, layer);
        assert_eq!(conn.poll_timeout(Time::START), Some(Time::START + limit));
        assert_eq!(conn.handle_input(&hello()), 2);
        let now = Time::START + (limit - Duration::from_micros(1));
        conn.handle_timeout(now);
        assert_eq!(conn.poll_timeout(now), Some(Time::START + limit), "progress is no end");
        assert_eq!(conn.handle_input(&hello()), 2);
        transmit(&mut conn);
        assert_eq!(conn.poll_timeout(now), None);
        conn.handle_timeout(Time::START + limit * 9);
        assert_eq!(conn.handle_input(&data(b"a\n")), 4);
        assert!(matches!(conn.next_line(), Ok(Step::Ready(Some(b"a")))));
        assert_eq!(conn.feed(b"x"), Ok(()));
    }
}

#[test]
fn d7_a_handshake_may_take_no_time_or_any_and_no_clock_ends_it_early() {
    let config = |limit| Config::default().handshake_timeout(limit);
    let at = |seconds| Time::START + Duration::from_secs(seconds);
    let mut conn = started(config(Duration::ZERO), Fake::client(1));
    assert_eq!(conn.poll_timeout(at(5)), Some(at(5)));
    conn.handle_timeout(at(5));
    assert_eq!(conn.poll_timeout(at(5)), None, "it is reported once");
    assert_eq!(failed(conn.next_line()), Some(TlsErrorKind::TimedOut));

    let mut conn = started(config(Duration::MAX), Fake::client(1));
    let never = Time::START + Duration::MAX;
    assert_eq!(conn.poll_timeout(at(5)), Some(never));
    conn.handle_timeout(at(1 << 40));
    assert_eq!(conn.poll_timeout(at(1 << 40)), Some(never));
    assert_eq!(conn.handle_input(&hello()), 2);
    transmit(&mut conn);
    assert_eq!(conn.poll_timeout(at(5)), None);

    let mut conn = started(config(Duration::from_secs(5)), Fake::client(1));
    for now in [at(5), at(5), Time::START, at(9)] {
        assert_eq!(conn.poll_timeout(now), Some(at(10)));
        conn.handle_timeout(now);
    }
    // A bound that changes counts from when the handshake began.
    conn.configure(|config| config.handshake_timeout(Duration::from_secs(60)));
    assert_eq!(conn.poll_timeout(at(10)), Some(at(65)));
    conn.configure(|config| config.handshake_timeout(Duration::from_secs(1)));
    assert_eq!(conn.poll_timeout(at(10)), Some(at(6)));
    conn.handle_timeout(at(10));
    assert_eq!(failed(conn.next_line()), Some(TlsErrorKind::TimedOut));
}

#[test]
fn d5_a_rate_counts_plaintext_and_the_close_notice_comes_behind_it() {
    let mut conn = open(Config::default().max_lines_per_second(1));
    let wire = [data(b"a\nb\n"), data(b"c\n"), notice()].concat();
    assert_eq!(conn.handle_input(&wire), wire.len());
    for (second, text) in [b"a", b"b", b"c"].into_iter().enumerate() {
        if second > 0 {
            let now = Time::START + Duration::from_secs(second as u64);
            assert_eq!(conn.next_line(), Ok(Step::NeedInput));
            let before = Time::START + Duration::from_secs(second as u64 - 1);
            assert_eq!(conn.poll_timeout(before), Some(now));
            assert!(!conn.wants_read());
            conn.handle_timeout(now);
        }
        assert_eq!(conn.next_line(), Ok(Step::Ready(Some(&text[..]))));
    }
    assert_eq!(conn.next_line(), Ok(Step::Ready(None)));
    assert_eq!(conn.end().map(|end| end.cause), Some(Cause::Eof));
}

#[test]
fn d4_the_last_flight_that_the_peer_does_not_take_is_still_the_handshake() {
    let limit = Duration::from_secs(1);
    let mut conn = started(Config::default().handshake_timeout(limit), Fake::server(1));
    assert_eq!(conn.handle_input(&hello()), 2);
    assert!(!conn.is_handshaking());
    assert_eq!(conn.poll_timeout(Time::START), Some(Time::START + limit));
    conn.handle_timeout(Time::START + limit);
    assert_eq!(failed(conn.next_line()), Some(TlsErrorKind::TimedOut));
}

#[test]
fn t8_what_comes_in_without_an_inbound_half_waits_in_front_of_the_rest_and_of_the_end() {
    let wire = [data(b"ab"), data(b"c\n")].concat();
    for (last, end) in [(notice(), Cause::Eof), (b"X".to_vec(), Cause::TlsFailed)] {
        let wire = [wire.clone(), last].concat();
        for cut in 0..=wire.len() {
            let (mut inbound, mut link) = open(Config::default()).into_halves();
            link.handle_input(None, &wire[..cut]);
            link.handle_input(Some(&mut inbound), &wire[cut..]);
            let line = link.receive(&mut inbound, Inbound::poll_line);
            let span = line.expect("a line").ready().flatten().expect("a line");
            assert_eq!(inbound.bytes(span), b"abc");
            assert!(!link.pass_on(&mut inbound));
            let over = link.receive(&mut inbound, Inbound::poll_line);
            assert_ne!(over, Ok(Step::NeedInput));
            assert_eq!(inbound.end().map(|end| (end.cause, end.partial)), Some((end, 0)));
        }
    }
}

#[test]
fn what_a_layer_answers_leaves_though_nothing_was_sent() {
    let wire = [record(PING, &[]), data(b"a\n"), record(PING, &[])].concat();
    in_any_chunking(
        || open(Config::default()),
        &wire,
        Ending::Eof,
        |play| {
            assert_eq!(play.line(), Ok(Some(b"a".to_vec())));
            assert_eq!(told(play.line()), Some((Cause::Truncated, 0)));
            assert_eq!(play.out, record(PONG, &[]).repeat(2));
        },
    );
}

#[test]
fn session_and_keying_material_are_there_when_the_handshake_is_over() {
    let mut key = [0; 4];
    let export = |conn: Connection, key: &mut [u8]| {
        conn.into_halves().1.export_keying_material(b"abc", None, key).map_err(|e| e.kind())
    };
    let early = started(Config::default(), Fake::client(1));
    assert_eq!(export(early, &mut key), Err(TlsErrorKind::Local));
    assert_eq!(export(Connection::new(Config::default()), &mut key), Err(TlsErrorKind::Local));
    let conn = open(Config::default());
    assert!(conn.tls_session().is_some());
    assert_eq!(export(conn, &mut key), Ok(()));
    assert_eq!(key, [3; 4]);
}

#[test]
fn c1_any_schedule_of_two_ends_brings_what_was_sent_once_and_in_order() {
    for seed in 0..1500 {
        let mut rng = Rng::new(seed);
        let rounds = 1 + rng.below(3);
        let harm = if rng.below(2) == 0 { Harm::None } else { Harm::Cut };
        let held = catch_unwind(move || {
            let layers: [Box<dyn SecureLayer>; 2] =
                [Box::new(Fake::client(rounds)), Box::new(Fake::server(rounds))];
            let steps = 10 + rng.below(90);
            run(&mut |n| rng.below(n), steps, layers, harm)
        });
        assert!(held.is_ok(), "schedule {seed} fails");
    }
}
