//! What a secure connection may allocate, beside its layer. Each test counts the allocations of its own
//! thread.

use allocation_counter::measure;
use asyncnet_core::{Config, Connection, Receiver, Step};

use crate::bed::{open, transmit};
use crate::fake::{PING, data, record};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const BLOCK: usize = 64 * KIB;

fn assert_at_most(bytes: u64, limit: usize) {
    assert!(bytes <= limit as u64, "{bytes} bytes, {limit} allowed");
}

#[test]
fn an_idle_connection_holds_no_block() {
    let info = measure(|| {
        let (mut receiver, mut sender) = open(Config::default()).into_halves();
        for _ in 0..3 {
            assert!(sender.wants_wire_block());
            let wire = data(b"a\nb\n");
            sender.wire_space()[..wire.len()].copy_from_slice(&wire);
            sender.handle_wire(wire.len(), Some(&mut receiver));
            assert!(receiver.take_line().is_some() && receiver.take_line().is_some());
            assert!(!sender.wants_wire_block());
            assert_eq!(sender.reclaim_wire().map(|block| block.len()), Some(Receiver::BLOCK));
            assert_eq!(sender.reclaim_wire(), None);
            drop(receiver.reclaim());
            assert_eq!(sender.feed(b"x"), Ok(()));
            let n = sender.outgoing().flatten().count();
            sender.transmitted(n);
        }
        std::mem::forget((receiver, sender));
    });
    assert_at_most(info.bytes_current as u64, KIB);
}

#[test]
fn a_lent_block_is_the_storage_for_what_is_read() {
    let (mut receiver, mut sender) = open(Config::default()).into_halves();
    let block = Receiver::new_block();
    let at = block.as_ptr();
    sender.lend_wire(block);
    let info = measure(|| {
        assert!(sender.wire_space().len() > BLOCK - 64);
        assert_eq!(sender.wire_space().as_ptr().align_offset(64), 0);
        sender.handle_wire(0, Some(&mut receiver));
    });
    assert_eq!(info.count_total, 0);
    assert_eq!(sender.reclaim_wire().map(|block| block.as_ptr()), Some(at));
}

#[test]
fn a_block_of_a_few_bytes_is_enough() {
    for size in 1..200 {
        let (mut receiver, mut sender) = open(Config::default()).into_halves();
        sender.lend_wire(vec![0; size]);
        for byte in data(b"a\n") {
            let space = sender.wire_space();
            assert!(!space.is_empty());
            space[0] = byte;
            sender.handle_wire(1, Some(&mut receiver));
        }
        assert!(receiver.take_line().is_some());
    }
}

#[test]
fn what_is_received_and_consumed_is_not_kept() {
    let wire = data(&b"a line of text\n".repeat(300));
    let take = |conn: &mut Connection| {
        assert_eq!(conn.handle_input(&wire), wire.len());
        let mut lines = 0;
        while let Ok(Step::Ready(Some(_))) = conn.next_line() {
            lines += 1;
        }
        assert_eq!(lines, 300);
    };
    let mut conn = open(Config::default());
    let info = measure(|| (0..1000).for_each(|_| take(&mut conn)));
    assert_at_most(info.bytes_max, 3 * BLOCK);
}

#[test]
fn l4_an_endless_line_takes_no_more_than_the_longest() {
    let wire = data(&vec![b'x'; 60 * KIB]);
    let mut conn = open(Config::default().max_line(KIB));
    let info = measure(|| {
        for i in 0..50 {
            assert_eq!(conn.handle_input(&wire), wire.len());
            assert_eq!(conn.next_line().is_err(), i == 0);
        }
    });
    assert_at_most(info.bytes_max, 5 * BLOCK);
    assert_eq!(conn.stats().0.too_long, 1);
}

#[test]
fn a_queue_and_its_records_are_bounded_and_gone_when_they_have_left() {
    let mut conn = open(Config::default());
    let info = measure(|| {
        while conn.feed(&[b'x'; 1000]).is_ok() {}
        assert!(conn.unsent() > MIB - 2 * KIB - 64 * 20);
        for _ in 0..100 {
            assert!(conn.outgoing().next().is_some(), "asked again and again, sealed once");
        }
        transmit(&mut conn);
    });
    assert_at_most(info.bytes_max, 4 * MIB);
    assert_eq!(info.bytes_current, 0);
}

#[test]
fn answers_of_the_layer_are_gone_when_they_have_left() {
    let mut conn = open(Config::default());
    let info = measure(|| {
        for _ in 0..100 {
            assert_eq!(conn.handle_input(&record(PING, &[])), 2);
            assert_eq!(transmit(&mut conn).len(), 2);
        }
    });
    assert_at_most(info.bytes_max, KIB);
}
