//! T7, T10 to T12, and the rules of sending over a secure layer.

use asyncnet_core::driver::{Inbound, Link};
use asyncnet_core::{Bytes, Config, Connection, Error, Loss, Step, TlsErrorKind};

use crate::bed::{failed, hello, notice, open, started, transmit, transmit_by};
use crate::fake::{ALERT, DATA, Fake, HELLO, NOTICE, PING, PONG, UNEXPECTED, data, record};

/// The kinds and bodies of the records on `wire`, which holds whole ones.
fn records(mut wire: &[u8]) -> Vec<(u8, &[u8])> {
    let mut records = Vec::new();
    while let [kind, len, rest @ ..] = wire {
        let (body, behind) = rest.split_at(usize::from(*len));
        records.push((*kind, body));
        wire = behind;
    }
    assert_eq!(wire, b"", "a torn record");
    records
}

/// The plaintext in `wire`.
fn plaintext(wire: &[u8]) -> Vec<u8> {
    let data = records(wire).into_iter().filter(|record| record.0 == DATA);
    data.flat_map(|record| record.1.to_vec()).collect()
}

fn halves(max_queue: usize) -> (Inbound, Link) {
    open(Config::default().max_queue(max_queue)).into_halves()
}

/// Transmits everything at most `step` bytes at a time. Whether there is anything is known before.
fn send_all(link: &mut Link, step: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    loop {
        let announced = link.has_outgoing();
        let first = link.outgoing().next().map(<[u8]>::to_vec);
        assert_eq!(announced, first.is_some());
        let Some(mut first) = first else { return wire };
        first.truncate(step);
        link.transmitted(first.len());
        wire.extend(first);
    }
}

#[test]
fn t12_plaintext_waits_until_the_handshake_is_over_and_leaves_once_and_in_order() {
    for rounds in 1..=4 {
        for client in [true, false] {
            for step in 1..=9 {
                let layer = if client { Fake::client(rounds) } else { Fake::server(rounds) };
                let mut conn = started(Config::default(), layer);
                let mut wire = Vec::new();
                for i in 0..rounds {
                    assert!(conn.is_handshaking());
                    assert_eq!(conn.feed_line(&[b'a' + i as u8]), Ok(()));
                    assert_eq!(conn.unsent(), 3 * (i + 1));
                    wire.extend(transmit_by(&mut conn, step));
                    assert!(records(&wire).iter().all(|record| record.0 == HELLO));
                    for byte in hello() {
                        assert_eq!(conn.handle_input(&[byte]), 1);
                    }
                }
                assert!(!conn.is_handshaking());
                assert_eq!(conn.unsent(), 3 * rounds);
                wire.extend(transmit_by(&mut conn, step));
                assert_eq!(conn.unsent(), 0);
                let lines = &b"a\r\nb\r\nc\r\nd\r\n"[..3 * rounds];
                assert_eq!(wire, [hello().repeat(rounds), data(lines)].concat());
            }
        }
    }
}

#[test]
fn t12_what_waits_for_the_handshake_counts_against_max_queue() {
    let mut conn = started(Config::default().max_queue(100), Fake::client(1));
    assert_eq!(conn.feed(&[b'x'; 30]), Ok(()));
    assert!(matches!(conn.feed(&[b'y'; 30]), Err(Error::Full { queued: 94, max: 100 })));
    assert_eq!(conn.handle_input(&hello()), 2);
    assert!(matches!(conn.feed(&[b'y'; 30]), Err(Error::Full { .. })), "nothing left yet");
    transmit(&mut conn);
    assert_eq!(conn.feed(&[b'y'; 30]), Ok(()));
}

#[test]
fn unsent_counts_plaintext_until_its_records_are_transmitted() {
    let (_, mut link) = halves(1000);
    assert_eq!(link.feed(b"0123456789"), Ok(()));
    let ticket = link.accepted_total();
    for left in (1..=12).rev() {
        let outgoing = link.outgoing().next().map(<[u8]>::len);
        assert_eq!((outgoing, link.unsent(), link.queued()), (Some(left), 10, 74));
        assert!(link.transmitted_total() < ticket);
        assert_eq!(link.stats(None).bytes_sent, 0);
        link.transmitted(1);
    }
    assert_eq!((link.unsent(), link.transmitted_total()), (0, ticket));
    assert_eq!((link.stats(None).bytes_sent, link.outgoing().next()), (10, None));
}

#[test]
fn what_is_fed_while_records_leave_comes_behind_them() {
    for first in 0..=6 {
        for step in 1..=7 {
            let mut conn = open(Config::default().max_queue(1000));
            assert_eq!(conn.feed(b"abcd"), Ok(()));
            let mut wire: Vec<u8> = conn.outgoing().flatten().take(first).copied().collect();
            conn.transmitted(first);
            assert_eq!(conn.feed(b"efg"), Ok(()));
            assert_eq!(conn.unsent(), if first < 6 { 7 } else { 3 });
            wire.extend(transmit_by(&mut conn, step));
            assert_eq!(wire, [data(b"abcd"), data(b"efg")].concat());
            assert_eq!(conn.stats().bytes_sent, 7);
        }
    }
}

#[test]
fn an_answer_of_the_layer_tears_no_record_and_no_count() {
    for first in 0..=6 {
        let mut conn = open(Config::default().max_queue(1000));
        assert_eq!(conn.feed(b"abcd"), Ok(()));
        let mut wire: Vec<u8> = conn.outgoing().flatten().take(first).copied().collect();
        conn.transmitted(first);
        conn.handle_input(&record(PING, &[]));
        assert_eq!(conn.feed(b"e"), Ok(()));
        wire.extend(transmit_by(&mut conn, 1));
        let pong = record(PONG, &[]);
        assert_eq!(wire, [data(b"abcd"), pong, data(b"e")].concat());
        assert_eq!((conn.unsent(), conn.stats().bytes_sent), (0, 5));
    }
}

#[test]
fn a_long_queue_of_many_pieces_leaves_once_and_in_order() {
    let mut conn = open(Config::default());
    let mut sent = Vec::new();
    for i in 0..300 {
        let piece = vec![i as u8; [1, 100, 1024, 3000, 70_000][i % 5] / (1 + i / 100)];
        let fed = conn.feed_shared(Bytes::from(piece.clone()));
        if fed.is_ok() {
            sent.extend(piece);
        }
    }
    assert!(sent.len() > 600_000);
    let first = conn.outgoing().next().map(<[u8]>::len);
    assert!(first.is_some_and(|n| n < 66 << 10), "no more is sealed at once than leaves at once");
    assert_eq!(plaintext(&transmit_by(&mut conn, 10_007)), sent);
    assert_eq!(conn.unsent(), 0);
}

#[test]
fn t10_the_close_notice_leaves_once_and_behind_everything_queued() {
    for step in [1, 2, 3, 1000, usize::MAX] {
        for queued in [0, 1, 300, 300_000] {
            for close in [Connection::close, Connection::close_write] {
                let mut conn = open(Config::default());
                let message = vec![b'x'; queued];
                assert_eq!(conn.feed(&message), Ok(()));
                close(&mut conn);
                conn.close_write();
                let wire = transmit_by(&mut conn, step.max(queued / 1000));
                assert_eq!(plaintext(&wire), message);
                assert!(wire.ends_with(&notice()));
                assert_eq!(records(&wire).iter().filter(|record| record.0 == NOTICE).count(), 1);
                conn.close();
                assert_eq!(conn.outgoing().next(), None);
            }
        }
    }
}

#[test]
fn t10_a_close_in_the_handshake_waits_for_what_is_queued() {
    let mut conn = started(Config::default(), Fake::client(2));
    assert_eq!(conn.feed(b"bye"), Ok(()));
    conn.close();
    assert_eq!(transmit_by(&mut conn, 1), hello());
    assert!(conn.wants_read());
    assert_eq!(conn.handle_input(&hello().repeat(2)), 4);
    assert_eq!(transmit_by(&mut conn, 1), [hello(), data(b"bye"), notice()].concat());
}

#[test]
fn t10_both_ways_in_take_the_rest_of_a_handshake_that_our_close_waits_for() {
    for by_space in [true, false] {
        let mut conn = started(Config::default(), Fake::client(1));
        assert_eq!(conn.feed(b"bye"), Ok(()));
        conn.close();
        transmit(&mut conn);
        if by_space {
            conn.space()[..2].copy_from_slice(&hello());
            conn.handle_read(2);
        } else {
            assert_eq!(conn.handle_input(&hello()), 2);
        }
        assert_eq!(transmit(&mut conn), [data(b"bye"), notice()].concat());
    }
}

#[test]
fn t11_behind_our_close_notice_a_send_is_an_error_and_nothing_is_dropped_in_silence() {
    let mut conn = open(Config::default());
    assert_eq!(conn.feed(b"last"), Ok(()));
    conn.close_write();
    for _ in 0..2 {
        assert_eq!(conn.send(b"x"), Err(Error::Closed));
        assert_eq!(conn.feed(b"x"), Err(Error::Closed));
        assert_eq!(conn.feed_line(b"x"), Err(Error::Closed));
        assert_eq!(conn.feed_shared(Bytes::from_static(b"x")), Err(Error::Closed));
        assert_eq!(plaintext(&transmit(&mut conn)).len() % 4, 0);
        assert_eq!(conn.unsent(), 0);
    }
}

#[test]
fn c4_half_closed_by_us_it_still_receives() {
    let mut conn = open(Config::default());
    conn.close_write();
    assert_eq!(transmit(&mut conn), notice());
    assert_eq!(conn.handle_input(&[data(b"a\n"), record(PING, &[])].concat()), 6);
    assert!(matches!(conn.next_line(), Ok(Step::Ready(Some(b"a")))));
    assert_eq!(plaintext(&transmit(&mut conn)), b"");
    assert_eq!(conn.handle_input(&notice()), 2);
    assert_eq!(conn.next_line(), Ok(Step::Ready(None)));
    assert_eq!(transmit(&mut conn), b"", "one notice is enough");
}

#[test]
fn c4_half_closed_by_the_peer_it_still_sends() {
    let mut conn = open(Config::default());
    assert_eq!(conn.handle_input(&notice()), 2);
    assert_eq!(conn.next_line(), Ok(Step::Ready(None)));
    conn.handle_eof();
    assert_eq!(conn.feed(b"still there"), Ok(()));
    assert_eq!(plaintext(&transmit(&mut conn)), b"still there");
    conn.close();
    assert_eq!(transmit(&mut conn), notice());
}

#[test]
fn c4_half_closed_in_the_handshake_it_still_receives() {
    let mut conn = started(Config::default(), Fake::client(2));
    conn.close_write();
    assert_eq!(transmit(&mut conn), hello());
    assert_eq!(conn.handle_input(&[hello().repeat(2), data(b"a\n")].concat()), 8);
    assert_eq!(transmit(&mut conn), [hello(), notice()].concat());
    assert!(matches!(conn.next_line(), Ok(Step::Ready(Some(b"a")))));
}

#[test]
fn s2_a_large_message_leaves_in_order_between_others() {
    let (_, mut link) = halves(10);
    assert_eq!(link.feed(b"first"), Ok(()));
    assert_eq!(link.begin_large(), Ok(()));
    let message: Vec<u8> = (0..100).collect();
    let (mut rest, mut wire) = (&message[..], Vec::new());
    while !rest.is_empty() {
        let n = link.feed_part(rest).expect("open");
        assert!(n <= 10 && link.unsent() <= 10);
        rest = &rest[n..];
        wire.extend(send_all(&mut link, 3));
    }
    assert!(matches!(link.feed(b"x"), Err(Error::Full { .. })));
    link.end_large();
    assert_eq!(link.feed(b"last"), Ok(()));
    wire.extend(send_all(&mut link, 3));
    assert_eq!(plaintext(&wire), [b"first", &message[..], b"last"].concat());
}

#[test]
fn s2_nothing_follows_a_torn_message_not_even_a_close_notice() {
    for transmitted in 0..=6 {
        let (mut inbound, mut link) = halves(4);
        assert_eq!(link.begin_large(), Ok(()));
        assert_eq!(link.feed_part(b"torn message"), Ok(4));
        assert_eq!(link.outgoing().flatten().count(), 6);
        link.transmitted(transmitted);
        link.give_up_large();
        for _ in 0..2 {
            assert!(link.is_interrupted());
            assert_eq!((link.unsent(), link.has_outgoing()), (0, false));
            assert_eq!(link.outgoing().next(), None);
            assert_eq!(link.feed(b"x"), Err(Error::Interrupted));
            link.handle_input(Some(&mut inbound), &record(PING, &[]));
            if transmitted == 6 {
                // The record is whole. What the layer itself answers is no message.
                assert_eq!(plaintext(&send_all(&mut link, 1)), b"");
            }
        }
        link.handle_input(Some(&mut inbound), &data(b"a\n"));
        assert!(inbound.take_line().is_some(), "receiving still works");
        link.close();
        assert_eq!((link.has_outgoing(), link.outgoing().next()), (false, None));
        assert_eq!(link.check(), Err(Error::Closed));
    }
}

#[test]
fn s2_a_message_torn_before_its_first_record_does_not_stop_the_handshake() {
    let config = Config::default().max_queue(4);
    let (mut inbound, mut link) = started(config, Fake::client(1)).into_halves();
    assert_eq!(link.begin_large(), Ok(()));
    assert_eq!(link.feed_part(b"torn message"), Ok(4));
    link.give_up_large();
    assert_eq!(send_all(&mut link, 1), hello());
    link.handle_input(Some(&mut inbound), &[hello(), data(b"a\n")].concat());
    assert!(inbound.take_line().is_some(), "receiving still works");
}

#[test]
fn a_layer_that_cannot_seal_is_a_final_error_on_both_sides() {
    let mut layer = Fake::client(1);
    layer.fail_seal = true;
    let mut conn = started(Config::default(), layer);
    assert_eq!(conn.handle_input(&[hello(), data(b"a\n")].concat()), 6);
    assert_eq!(conn.feed(b"x"), Ok(()));
    assert_eq!(transmit(&mut conn), hello());
    for _ in 0..2 {
        assert_eq!(failed(conn.feed(b"x")), Some(TlsErrorKind::Local));
        assert_eq!(conn.unsent(), 0);
        assert!(conn.is_disconnected());
    }
    let (mut inbound, mut link) = conn.into_halves();
    assert!(inbound.take_line().is_some());
    assert!(link.has_dropped() && link.pass_on(&mut inbound));
    assert!(inbound.poll_line().is_err());
}

#[test]
fn e3_records_that_wait_are_dropped_when_the_transport_breaks() {
    for transmitted in 0..=6 {
        let mut conn = open(Config::default().max_queue(1000));
        assert_eq!(conn.feed(b"abcd"), Ok(()));
        assert!(conn.outgoing().next().is_some());
        conn.transmitted(transmitted);
        conn.handle_write_lost(Loss::BrokenPipe);
        conn.close();
        assert_eq!(conn.outgoing().next(), None);
        assert_eq!(conn.unsent(), 0);
    }
}

#[test]
fn t7_the_alert_leaves_whole_behind_a_record_that_is_on_its_way() {
    for transmitted in 0..=6 {
        let mut conn = open(Config::default().max_queue(1000));
        assert_eq!(conn.feed(b"abcd"), Ok(()));
        let mut wire: Vec<u8> = conn.outgoing().flatten().take(transmitted).copied().collect();
        conn.transmitted(transmitted);
        conn.handle_input(b"X");
        assert_eq!(conn.unsent(), 0);
        wire.extend(transmit_by(&mut conn, 1));
        assert_eq!(wire, [data(b"abcd"), record(ALERT, &[UNEXPECTED])].concat());
        conn.close();
        assert_eq!(conn.outgoing().next(), None, "no notice behind an alert");
    }
}

#[test]
#[should_panic = "more bytes were transmitted than were outgoing"]
fn more_cannot_be_transmitted_than_was_outgoing() {
    let mut conn: Connection = open(Config::default());
    assert_eq!(conn.feed(b"a"), Ok(()));
    let n = conn.outgoing().flatten().count();
    conn.transmitted(n + 1);
}
