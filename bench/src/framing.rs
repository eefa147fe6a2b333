//! Lines in memory: no socket, no runtime.

use std::hint::black_box;
use std::time::{Duration, Instant};

use asyncnet_core::{Config, Connection, Step};
use bytes::BytesMut;
use tokio_util::codec::{Decoder, LinesCodec};

use crate::model::Role;
use crate::rounds::{Comparison, Row, Unit};

/// How many bytes come at a time.
const CHUNK: usize = 16 << 10;

/// A way of finding lines: takes a chunk so many times, returns how many lines it found.
type Way = (&'static str, Role, fn(&[u8], usize) -> usize);

const WAYS: [Way; 5] = [
    ("memchr", Role::Floor, memchr),
    ("copy and memchr", Role::Peer, copy_and_memchr),
    ("next_line", Role::Ours, next_line),
    ("next_batch", Role::Ours, next_batch),
    ("LinesCodec", Role::Peer, codec),
];

/// Every way in turn, round after round; the floor is one memchr for each line. A receiver has to
/// store what comes, as all the others do: hence the memchr behind a copy.
pub(crate) fn run(quick: bool) -> Vec<Comparison> {
    let time = Duration::from_millis(if quick { 20 } else { 100 });
    let mut comparisons = Vec::from([16, 64, 1024].map(|len| compare(len, time)));
    comparisons.push(compare_pieces(time));
    comparisons
}

/// How large the large line is, and the pieces that it comes in.
const LARGE: usize = 1 << 20;
const PIECE: usize = 1 << 10;

/// A large line in small pieces, beside the same line in one.
fn compare_pieces(time: Duration) -> Comparison {
    let mut line = vec![b'x'; LARGE - 2];
    line.extend_from_slice(b"\r\n");
    let whole = |line: &[u8], times| in_pieces(line, LARGE, times);
    let small = |line: &[u8], times| in_pieces(line, PIECE, times);
    let mut rows = [Row::new("one piece", Role::Peer), Row::new("pieces", Role::Ours)];
    for _ in 0..9 {
        rows[0].values.push(Some(time_per_line(whole, &line, time)));
        rows[1].values.push(Some(time_per_line(small, &line, time)));
    }
    let title =
        format!("framing in memory: a line of {LARGE} bytes, whole and in pieces of {PIECE}");
    Comparison { title, unit: Unit::Nanoseconds, rows: rows.into() }
}

/// As a driver hands it in: as much as there is space for, and at most `piece`.
fn in_pieces(line: &[u8], piece: usize, times: usize) -> usize {
    let mut conn = Connection::new(Config::default().max_line(LARGE));
    let mut lines = 0;
    for _ in 0..times / 64 {
        for mut rest in black_box(line).chunks(piece) {
            while !rest.is_empty() {
                rest = &rest[feed(&mut conn, rest)..];
                while let Ok(Step::Ready(Some(line))) = conn.next_line() {
                    black_box(line);
                    lines += 1;
                }
            }
        }
    }
    lines
}

fn compare(len: usize, time: Duration) -> Comparison {
    let mut line = vec![b'x'; len - 2];
    line.extend_from_slice(b"\r\n");
    let chunk = line.repeat(CHUNK / len);
    let mut rows = WAYS.map(|(name, role, _)| Row::new(name, role));
    for _ in 0..9 {
        for ((_, _, way), row) in WAYS.iter().zip(&mut rows) {
            row.values.push(Some(time_per_line(*way, &chunk, time)));
        }
    }
    let title = format!("framing in memory, chunks of {CHUNK} bytes: lines of {len}");
    Comparison { title, unit: Unit::Nanoseconds, rows: rows.into() }
}

fn time_per_line(way: impl Fn(&[u8], usize) -> usize, chunk: &[u8], time: Duration) -> f64 {
    let start = Instant::now();
    let mut lines = 0;
    while start.elapsed() < time {
        lines += way(black_box(chunk), 64);
    }
    start.elapsed().as_nanos() as f64 / lines as f64
}

fn memchr(chunk: &[u8], times: usize) -> usize {
    (0..times).map(|_| count(black_box(chunk))).sum()
}

fn copy_and_memchr(chunk: &[u8], times: usize) -> usize {
    let mut store = vec![0; chunk.len()];
    let count_copied = |_| {
        store.copy_from_slice(black_box(chunk));
        count(black_box(&store))
    };
    (0..times).map(count_copied).sum()
}

fn count(mut rest: &[u8]) -> usize {
    let mut lines = 0;
    while let Some(at) = memchr::memchr(b'\n', rest) {
        black_box(&rest[..at]);
        rest = &rest[at + 1..];
        lines += 1;
    }
    lines
}

/// Hands in as much as there is space for, and says how much that was.
fn feed(conn: &mut Connection, chunk: &[u8]) -> usize {
    let space = conn.space();
    let n = space.len().min(chunk.len());
    space[..n].copy_from_slice(&chunk[..n]);
    conn.handle_read(n);
    n
}

pub(crate) fn next_line(chunk: &[u8], times: usize) -> usize {
    let mut conn = Connection::new(Config::default());
    let mut lines = 0;
    for _ in 0..times {
        feed(&mut conn, black_box(chunk));
        while let Ok(Step::Ready(Some(line))) = conn.next_line() {
            black_box(line);
            lines += 1;
        }
    }
    lines
}

pub(crate) fn next_batch(chunk: &[u8], times: usize) -> usize {
    let mut conn = Connection::new(Config::default());
    let mut lines = 0;
    for _ in 0..times {
        feed(&mut conn, black_box(chunk));
        while let Ok(Step::Ready(Some(mut batch))) = conn.next_batch() {
            while let Ok(Some(line)) = batch.next_line() {
                black_box(line);
                lines += 1;
            }
        }
    }
    lines
}

fn codec(chunk: &[u8], times: usize) -> usize {
    let (mut codec, mut buffer, mut lines) = (LinesCodec::new(), BytesMut::new(), 0);
    for _ in 0..times {
        buffer.extend_from_slice(black_box(chunk));
        while let Ok(Some(line)) = codec.decode(&mut buffer) {
            black_box(line);
            lines += 1;
        }
    }
    lines
}
