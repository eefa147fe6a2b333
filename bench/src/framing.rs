//! Lines in memory: no socket, no runtime.

use std::hint::black_box;
use std::time::{Duration, Instant};

use asyncnet_core::{Config, Connection, Step};
use bytes::BytesMut;
use tokio_util::codec::{Decoder, LinesCodec};

use crate::process::Role;
use crate::rounds::{Comparison, Row, Unit};

/// How many bytes come at a time.
const CHUNK: usize = 16 << 10;

/// A way of finding lines: takes a chunk so many times, returns how many lines it found.
type Way = (&'static str, Role, fn(&[u8], usize) -> usize);

const WAYS: [Way; 4] = [
    ("memchr", Role::Floor, memchr),
    ("next_line", Role::Ours, next_line),
    ("next_lines", Role::Ours, next_lines),
    ("LinesCodec", Role::Peer, codec),
];

/// Every way in turn, round after round; the floor is one memchr for each line.
pub(crate) fn run(quick: bool) -> Vec<Comparison> {
    let time = Duration::from_millis(if quick { 20 } else { 100 });
    [16, 64, 1024].map(|len| compare(len, time)).into()
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

fn time_per_line(way: fn(&[u8], usize) -> usize, chunk: &[u8], time: Duration) -> f64 {
    let start = Instant::now();
    let mut lines = 0;
    while start.elapsed() < time {
        lines += way(black_box(chunk), 64);
    }
    start.elapsed().as_nanos() as f64 / lines as f64
}

fn memchr(chunk: &[u8], times: usize) -> usize {
    let mut lines = 0;
    for _ in 0..times {
        let mut rest = black_box(chunk);
        while let Some(at) = memchr::memchr(b'\n', rest) {
            black_box(&rest[..at]);
            rest = &rest[at + 1..];
            lines += 1;
        }
    }
    lines
}

fn feed(conn: &mut Connection, chunk: &[u8]) {
    let space = conn.space();
    let n = space.len().min(chunk.len());
    space[..n].copy_from_slice(&chunk[..n]);
    conn.handle_read(n);
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

pub(crate) fn next_lines(chunk: &[u8], times: usize) -> usize {
    let mut conn = Connection::new(Config::default());
    let mut lines = 0;
    for _ in 0..times {
        feed(&mut conn, black_box(chunk));
        while let Ok(Step::Ready(Some(batch))) = conn.next_lines() {
            lines += batch.map(black_box).count();
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
