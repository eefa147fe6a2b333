//! The load generators: sockets and epoll by hand on one core (over TLS: rustls, and sockets that block), the
//! same for every server.

pub(crate) mod crowd;
pub(crate) mod memory;
pub(crate) mod rim;
pub(crate) mod stream;
pub(crate) mod tls;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::process::Running;

/// How long to wait for a server that says nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// What one server did in one round.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// What is compared: a rate, or a size.
    pub(crate) value: f64,
    /// The server's processor time for each, in nanoseconds.
    pub(crate) cost: f64,
    /// What else there is to say.
    pub(crate) note: String,
}

/// From the moment at which everybody is connected: the time, and the server's processor time.
struct Meter<'a> {
    server: &'a Running,
    start: Instant,
    cpu: f64,
}

impl<'a> Meter<'a> {
    fn start(server: &'a Running) -> Self {
        Self { server, start: Instant::now(), cpu: server.cpu() }
    }

    fn runs(&self, time: Duration) -> bool {
        self.start.elapsed() < time
    }

    /// Something was done so many times by now.
    fn rate(&self, times: u64) -> Outcome {
        let times = times as f64;
        let value = times / self.start.elapsed().as_secs_f64();
        let cost = (self.server.cpu() - self.cpu) * 1e9 / times;
        Outcome { value, cost, note: String::new() }
    }
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// How many connections come at a time, where it is their number that counts.
const TOGETHER: usize = 64;

/// Opens `n` connections, each for `line` there and back. They are reset when they are dropped, so that no
/// port is kept waiting.
fn arrive(port: u16, n: usize, line: &[u8]) -> io::Result<Vec<TcpStream>> {
    let mut clients = Vec::with_capacity(n);
    for _ in 0..n {
        let mut stream = connect(port)?;
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
        stream.write_all(line)?;
        clients.push(stream);
    }
    for client in &mut clients {
        hear(client, line)?;
    }
    Ok(clients)
}

fn hear(stream: &mut impl Read, line: &[u8]) -> io::Result<()> {
    let mut answer = vec![0; line.len()];
    stream.read_exact(&mut answer)?;
    same(&answer, line)
}

fn same(got: &[u8], expected: &[u8]) -> io::Result<()> {
    if got == expected { Ok(()) } else { Err(io::Error::other("what came is not what was sent")) }
}

/// `n` lines of `len` bytes each, terminator included. Every line begins with its number, as far as there
/// is room, so that one for another is noticed.
fn lines(len: usize, n: usize) -> Vec<u8> {
    let mut lines = Vec::with_capacity(len * n);
    for number in 0..n {
        let text = format!("{number:<width$}", width = len - 2).replace(' ', "x");
        lines.extend_from_slice(text.as_bytes());
        lines.extend_from_slice(b"\r\n");
    }
    lines
}
