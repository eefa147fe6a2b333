//! What the machines may allocate. Each test counts the allocations of its own thread.

use std::sync::Arc;

use allocation_counter::{AllocationInfo, measure};
use asyncnet_core::driver::{Inbound, Link};
use asyncnet_core::{Bytes, Config, Connection, Error, Step};

use crate::play::{Machine as _, Parts, WAYS, Way, read};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
/// The largest read.
const BLOCK: usize = 64 * KIB;
/// What storage has to spare for the alignment of reads.
const SPARE: usize = 64;

/// Lets `conn` read all of `wire`, a KiB at a time at most, and calls `after` behind each read.
fn read_all(conn: &mut Connection, wire: &[u8], way: Way, mut after: impl FnMut(&mut Connection)) {
    for mut chunk in wire.chunks(KIB) {
        while !chunk.is_empty() {
            chunk = &chunk[read(conn, chunk, way)..];
            after(conn);
        }
    }
}

fn assert_at_most(bytes: u64, limit: usize) {
    assert!(bytes <= limit as u64, "{bytes} bytes, {limit} allowed");
}

/// The most that was allocated at once while `bytes` were stored: they, as much again to grow into, both
/// once more while the storage moves, and a read.
fn assert_stored(info: AllocationInfo, bytes: usize) {
    assert_at_most(info.bytes_max, 3 * bytes + 2 * BLOCK);
}

#[test]
fn a_new_connection_allocates_its_settings_alone_and_shares_those_that_are_shared() {
    let config = Arc::new(Config::default());
    let halves = measure(|| {
        let (mut inbound, mut link) = (Inbound::new(config.clone()), Link::new(config.clone()));
        let line = link.receive(&mut inbound, Inbound::poll_line);
        assert_eq!(line, Ok(Step::NeedInput));
        link.handle_eof(Some(&mut inbound));
        assert_eq!(link.receive(&mut inbound, Inbound::poll_line), Ok(Step::Ready(None)));
    });
    assert_eq!(halves.count_total, 0);
    let info = measure(|| {
        let mut conn = Connection::new(Config::default());
        assert_eq!(conn.next_line(), Ok(Step::NeedInput));
        assert_eq!(conn.next_block(100), Ok(Step::NeedInput));
        conn.handle_eof();
        assert_eq!(conn.next_line(), Ok(Step::Ready(None)));
    });
    assert_eq!(info.count_total, 1);
    assert_at_most(info.bytes_max, size_of::<Config>() + 2 * size_of::<usize>());
}

#[test]
fn b2_nothing_is_allocated_for_bytes_that_have_not_arrived() {
    let wire = vec![0; MIB];
    for way in WAYS {
        for arrived in [1, KIB, 100 * KIB, MIB] {
            let info = measure(|| {
                let mut conn = Connection::new(Config::default());
                let ask = |conn: &mut Connection| {
                    assert_eq!(conn.next_block(16 * MIB), Ok(Step::NeedInput));
                };
                ask(&mut conn);
                read_all(&mut conn, &wire[..arrived], way, ask);
            });
            assert_stored(info, arrived);
        }
    }
}

#[test]
fn l4_an_endless_line_takes_no_more_than_the_longest() {
    let wire = vec![b'x'; 4 * MIB];
    for way in WAYS {
        for max in [0, KIB, MIB] {
            let mut conn = Connection::new(Config::default().max_line(max));
            let mut errors = 0;
            let mut ask = |conn: &mut Connection| match conn.next_line() {
                Err(Error::Line(_)) => errors += 1,
                step => assert_eq!(step, Ok(Step::NeedInput)),
            };
            let info = measure(|| read_all(&mut conn, &wire, way, &mut ask));
            assert_stored(info, max);
            let info = measure(|| read_all(&mut conn, &wire, way, &mut ask));
            assert_eq!(info.bytes_total, 0, "the rest is dropped where it lies");
            assert_eq!(errors, 1);
        }
    }
}

#[test]
fn storage_ends_64_kib_above_what_the_waiting_call_needs() {
    let need = MIB + 100 * KIB;
    let wire = [vec![b'x'; 30 * KIB], vec![b'\n'], vec![b'x'; need]].concat();
    for way in WAYS {
        let mut conn = Connection::new(Config::default().max_line(need));
        let info = measure(|| {
            read_all(&mut conn, &wire, way, |conn| {
                assert!(conn.next_line().is_ok());
            });
        });
        assert_eq!(conn.peek().len(), need);
        assert_at_most(info.bytes_current as u64, need + 2 + BLOCK + SPARE);
    }
}

/// How often a byte is searched cannot be seen from here. How often it is moved can: storage doubles, and
/// that makes at most two moves for each byte.
#[test]
fn l5_a_long_line_in_small_chunks_moves_each_byte_a_bounded_number_of_times() {
    let mut wire = vec![b'x'; MIB];
    wire.extend(b"\r\n");
    for way in WAYS {
        let info = measure(|| {
            let mut conn = Connection::new(Config::default().max_line(MIB));
            let mut lines = 0;
            read_all(&mut conn, &wire, way, |conn| {
                if let Ok(Step::Ready(Some(line))) = conn.next_line() {
                    assert_eq!(line.len(), MIB);
                    lines += 1;
                }
            });
            assert_eq!(lines, 1);
        });
        assert_at_most(info.bytes_total, 4 * MIB + 2 * BLOCK);
    }
}

#[test]
fn lines_cost_no_allocation_once_there_is_storage() {
    let wire = b"a line of text\r\n".repeat(10_000);
    for way in WAYS {
        let mut conn = Connection::new(Config::default());
        let mut lines = 0;
        let mut take = |conn: &mut Connection| {
            while let Ok(Step::Ready(Some(line))) = conn.next_line() {
                assert_eq!(line, b"a line of text");
                lines += 1;
            }
        };
        read_all(&mut conn, &wire, way, &mut take);
        let info = measure(|| read_all(&mut conn, &wire, way, &mut take));
        assert_eq!(info.count_total, 0);
        assert_eq!(lines, 20_000);
    }
}

/// The parts of a connection, with a block lent.
fn lent(config: Config) -> Parts {
    let mut parts = Parts::new(config);
    parts.link.lend(Some(&mut parts.inbound), Inbound::new_block);
    parts
}

/// The storage that is taken back, if there is any to take.
fn reclaim(parts: &mut Parts) -> Option<Vec<u8>> {
    let mut taken = None;
    parts.link.reclaim(Some(&mut parts.inbound), |block| assert!(taken.replace(block).is_none()));
    taken
}

/// What the first reads offer if each comes back full and is consumed.
fn offers(mut parts: Parts) -> [usize; 4] {
    [(); 4].map(|()| {
        let space = parts.space();
        space.fill(b'\n');
        let offered = space.len();
        parts.handle_read(offered);
        for _ in 0..offered {
            assert!(parts.inbound.take_line().is_some());
        }
        offered
    })
}

#[test]
fn reads_into_lent_storage_grow_from_16_to_64_kib_while_they_come_back_full() {
    assert_eq!(offers(lent(Config::default())), [16 * KIB, 32 * KIB, BLOCK, BLOCK]);
}

#[test]
fn reads_into_own_storage_grow_from_16_to_64_kib_while_they_come_back_full() {
    assert_eq!(offers(Parts::new(Config::default())), [16 * KIB, 32 * KIB, BLOCK, BLOCK]);
}

#[test]
fn reads_stay_large_behind_a_wait() {
    let mut parts = Parts::new(Config::default());
    // Many runtimes make a read wait behind every one that was not full.
    for size in [16 * KIB, 32 * KIB, BLOCK, BLOCK] {
        parts.link.lend(Some(&mut parts.inbound), Inbound::new_block);
        let offered = parts.space().len();
        assert_eq!(offered, size);
        parts.handle_read(offered);
        assert!(parts.inbound.poll_block(offered).is_ok());
        assert!(reclaim(&mut parts).is_some());
    }
}

#[test]
fn reads_stay_small_while_they_do_not_come_back_full() {
    let mut parts = lent(Config::default());
    for _ in 0..9 {
        let offered = parts.space().len();
        assert_eq!(offered, 16 * KIB);
        parts.handle_read(offered - 1);
        assert!(parts.inbound.poll_bytes(offered).is_ok());
    }
}

#[test]
fn one_read_is_never_empty_and_at_most_64_kib() {
    let mut conn = Connection::new(Config::default());
    assert_eq!(conn.handle_input(&vec![0; 2 * BLOCK]), BLOCK);
    for _ in 0..20 {
        let offered = conn.space().len();
        assert!((1..=BLOCK).contains(&offered));
        conn.handle_read(offered);
    }
}

#[test]
fn an_idle_connection_gives_its_storage_back() {
    for is_lent in [false, true] {
        let mut parts = Parts::new(Config::default());
        let info = measure(|| {
            let mut lent = 0;
            let mut lend = |parts: &mut Parts| {
                parts.link.lend(Some(&mut parts.inbound), || {
                    lent += 1;
                    Inbound::new_block()
                });
                lent
            };
            if is_lent {
                assert_eq!((lend(&mut parts), lend(&mut parts)), (1, 1), "one is enough");
            }
            assert_eq!(read(&mut parts, b"a\nb", Way::Read), 3);
            assert!(parts.inbound.take_line().is_some());
            let block = reclaim(&mut parts).expect("its storage");
            assert_eq!(block.capacity(), if is_lent { BLOCK } else { 16 * KIB } + SPARE);
            assert_eq!(reclaim(&mut parts), None);
            assert_eq!(parts.inbound.peek(), b"b");
            assert_eq!(parts.space().len(), 16 * KIB);
            parts.handle_read(0);
            drop(reclaim(&mut parts));
            assert!(parts.inbound.wants_block());
        });
        assert_eq!(info.bytes_current, 1, "the rest alone is kept");
    }
}

#[test]
fn a_lent_block_is_the_storage_and_no_other_is_made() {
    let block = Inbound::new_block();
    assert_eq!((block.len(), Inbound::BLOCK), (BLOCK + SPARE, BLOCK + SPARE));
    let (at, mut block) = (block.as_ptr(), Some(block));
    let mut parts = Parts::new(Config::default());
    let info = measure(|| {
        parts.link.lend(Some(&mut parts.inbound), || block.take().expect("one is enough"));
        assert_eq!(read(&mut parts, b"a\nb\n", Way::Read), 4);
        assert!(parts.inbound.take_line().is_some() && parts.inbound.take_line().is_some());
    });
    assert_eq!(info.count_total, 0);
    assert_eq!(reclaim(&mut parts).map(|block| block.as_ptr()), Some(at));
}

#[test]
fn a_connection_with_much_unread_keeps_its_storage() {
    let mut parts = lent(Config::default());
    assert_eq!(read(&mut parts, &vec![b'x'; 9 * KIB], Way::Read), 9 * KIB);
    assert_eq!(reclaim(&mut parts), None);
    assert_eq!(parts.inbound.peek().len(), 9 * KIB);
    assert!(parts.inbound.poll_block(KIB).is_ok_and(|step| step.ready().is_some()));
    assert!(reclaim(&mut parts).is_some());
    assert_eq!(parts.inbound.peek().len(), 8 * KIB);
}

#[test]
fn our_close_frees_what_was_received() {
    let mut conn = Connection::new(Config::default());
    let info = measure(|| {
        assert_eq!(conn.handle_input(b"abc"), 3);
        conn.close();
    });
    // The bounds of the close are left.
    assert!(info.bytes_current < 100, "{}", info.bytes_current);
}

#[test]
fn s6_a_shared_message_is_stored_once_for_all() {
    let message = Bytes::from(vec![b'x'; 32 * KIB]);
    let mut room: Vec<_> = (0..100).map(|_| Connection::new(Config::default())).collect();
    let info = measure(|| {
        for conn in &mut room {
            assert_eq!(conn.feed_shared(message.clone()), Ok(()));
        }
    });
    assert_at_most(info.bytes_total, room.len() * 256);
}

#[test]
fn s6_a_small_piece_pins_no_large_one() {
    let mut conn = Connection::new(Config::default());
    let info = measure(|| {
        let large = Bytes::from(vec![b'x'; MIB]);
        assert_eq!(conn.feed_shared(large.slice(..100)), Ok(()));
    });
    assert!(info.bytes_current < KIB as i64);
    assert_eq!(conn.unsent(), 100);
}

#[test]
fn s6_a_full_outbox_takes_memory_in_proportion_to_its_limit() {
    for len in [1, 100, 1000] {
        let mut conn = Connection::new(Config::default());
        let info = measure(|| while conn.feed(&vec![0; len]).is_ok() {});
        assert!(conn.unsent() > MIB - 2 * len - 20 * 64);
        // A piece made of copies doubles while it grows.
        assert_at_most(info.bytes_max, 2 * MIB + 2 * BLOCK);
    }
}

#[test]
fn a_queue_that_has_left_keeps_nothing() {
    let mut conn = Connection::new(Config::default());
    let info = measure(|| {
        for _ in 0..10 {
            assert_eq!(conn.feed_shared(vec![0; 2 * KIB].into()), Ok(()));
            assert_eq!(conn.feed(b"abc"), Ok(()));
        }
        conn.transmitted(conn.unsent());
    });
    assert_eq!(info.bytes_current, 0);
}

/// A copy out of the kernel to any other address can take three times as long.
#[test]
fn reads_start_at_an_aligned_address_behind_any_unfinished_line() {
    for unfinished in 0..200 {
        let mut parts = lent(Config::default());
        parts.handle_input(b"a line\r\n");
        parts.handle_input(&vec![b'x'; unfinished]);
        let line = parts.inbound.take_line().expect("a line");
        assert_eq!(parts.inbound.bytes(line), b"a line");
        // As soon as there is as much in front of it as it is long, it is moved.
        let aligned = parts.space().as_ptr().addr() % SPARE == 0;
        assert!(aligned || unfinished > 8, "{unfinished}");
        let old = parts.inbound.bytes(line);
        assert!(old.is_empty() || old == b"a line", "an old span is empty, or what it was");
        assert_eq!(parts.inbound.peek(), vec![b'x'; unfinished]);

        parts.inbound.lend(Inbound::new_block());
        assert_eq!(parts.space().as_ptr().addr() % SPARE, 0, "{unfinished}");
        assert_eq!(parts.inbound.peek(), vec![b'x'; unfinished]);
    }
}
