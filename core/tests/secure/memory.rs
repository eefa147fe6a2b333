//! What a secure connection may allocate, beside its layer. Each test counts the allocations of its own
//! thread.

use allocation_counter::measure;
use asyncnet_core::driver::{Inbound, Link};
use asyncnet_core::{Config, Connection, Step};

use crate::bed::{open, transmit};
use crate::fake::{PING, data, record};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const BLOCK: usize = 64 * KIB;

fn assert_at_most(bytes: u64, limit: usize) {
    assert!(bytes <= limit as u64, "{bytes} bytes, {limit} allowed");
}

/// The blocks that are taken back.
fn reclaim(inbound: &mut Inbound, link: &mut Link) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    link.reclaim(Some(inbound), |block| blocks.push(block));
    blocks
}

#[test]
fn an_idle_connection_holds_no_block() {
    let (mut inbound, mut link) = open(Config::default()).into_halves();
    let info = measure(|| {
        for _ in 0..3 {
            let wire = data(b"a\nb\n");
            link.space(Some(&mut inbound))[..wire.len()].copy_from_slice(&wire);
            link.handle_read(Some(&mut inbound), wire.len());
            assert!(inbound.take_line().is_some() && inbound.take_line().is_some());
            let blocks = reclaim(&mut inbound, &mut link);
            assert_eq!(blocks.iter().filter(|block| block.len() == Inbound::BLOCK).count(), 1);
            assert!(reclaim(&mut inbound, &mut link).is_empty());
            assert_eq!(link.feed(b"x"), Ok(()));
            let n = link.outgoing().flatten().count();
            link.transmitted(n);
        }
    });
    assert_at_most(info.bytes_current as u64, KIB);
}

#[test]
fn a_lent_block_is_the_storage_for_what_is_read() {
    let (mut inbound, mut link) = open(Config::default()).into_halves();
    let block = Inbound::new_block();
    let (at, mut block) = (block.as_ptr(), Some(block));
    link.lend(None, || block.take().expect("one is enough"));
    link.lend(None, || panic!("there is one"));
    let info = measure(|| {
        assert!(link.space(Some(&mut inbound)).len() > BLOCK - 64);
        assert_eq!(link.space(Some(&mut inbound)).as_ptr().align_offset(64), 0);
        link.handle_read(Some(&mut inbound), 0);
    });
    assert_eq!(info.count_total, 0);
    let blocks = reclaim(&mut inbound, &mut link);
    assert_eq!(blocks.iter().map(|block| block.as_ptr()).collect::<Vec<_>>(), [at]);
}

#[test]
fn a_block_of_a_few_bytes_is_enough() {
    for size in 1..200 {
        let (mut inbound, mut link) = open(Config::default()).into_halves();
        link.lend(Some(&mut inbound), || vec![0; size]);
        for byte in data(b"a\n") {
            let space = link.space(Some(&mut inbound));
            assert!(!space.is_empty());
            space[0] = byte;
            link.handle_read(Some(&mut inbound), 1);
        }
        assert!(inbound.take_line().is_some());
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
    assert_eq!(conn.stats().too_long, 1);
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
