//! The load generator: blocking sockets on one core, the same for every server.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// Sends lines of `len` bytes, terminator included, for `time`; returns lines per second, as the server
/// counted them.
pub(crate) fn ingest(port: u16, len: usize, time: Duration) -> io::Result<f64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let lines = lines(len, (64 << 10) / len);
    let start = Instant::now();
    let mut sent = 0_u64;
    while start.elapsed() < time {
        stream.write_all(&lines)?;
        sent += (lines.len() / len) as u64;
    }
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let rate = sent as f64 / start.elapsed().as_secs_f64();
    if answer.trim().parse() != Ok(sent) {
        return Err(io::Error::other(format!("the server counted {answer:?} of {sent} lines")));
    }
    Ok(rate)
}

/// Keeps `window` lines of `len` bytes in flight for `time`; returns lines echoed per second.
pub(crate) fn echo(port: u16, len: usize, window: usize, time: Duration) -> io::Result<f64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let (lines, mut answer) = (lines(len, window), vec![0; len * window]);
    let start = Instant::now();
    let mut echoed = 0_u64;
    while start.elapsed() < time {
        stream.write_all(&lines)?;
        stream.read_exact(&mut answer)?;
        echoed += window as u64;
    }
    if answer != lines {
        return Err(io::Error::other("the echo is not what was sent"));
    }
    Ok(echoed as f64 / start.elapsed().as_secs_f64())
}

fn lines(len: usize, n: usize) -> Vec<u8> {
    let mut line = vec![b'x'; len - 2];
    line.extend_from_slice(b"\r\n");
    line.repeat(n)
}
