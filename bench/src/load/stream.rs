//! Load of a stream of lines: one way, there and back, and connections that carry one line each.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::{Meter, Outcome, PATIENCE, TOGETHER, arrive, connect, hear, lines, same};
use crate::machine::Readiness;
use crate::process::Running;

/// Sends lines of `len` bytes, terminator included, for `time`; the server counts them.
pub(crate) fn ingest(server: &Running, len: usize, time: Duration) -> io::Result<Outcome> {
    let mut stream = connect(server.port)?;
    let lines = lines(len, (256 << 10) / len);
    let meter = Meter::start(server);
    let mut sent = 0_u64;
    while meter.runs(time) {
        stream.write_all(&lines)?;
        sent += (lines.len() / len) as u64;
    }
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let outcome = meter.rate(sent);
    if answer.trim().parse() != Ok(sent) {
        return Err(io::Error::other(format!("the server counted {answer:?} of {sent} lines")));
    }
    Ok(outcome)
}

/// Each of `connections` keeps `window` lines of `len` bytes in flight for `time`.
pub(crate) fn echo(
    server: &Running,
    connections: usize,
    len: usize,
    window: usize,
    time: Duration,
) -> io::Result<Outcome> {
    let lines = lines(len, window);
    let mut ready = Readiness::new()?;
    let mut clients = Vec::with_capacity(connections);
    for number in 0..connections {
        let mut stream = connect(server.port)?;
        stream.write_all(&lines[..len])?;
        hear(&mut stream, &lines[..len])?;
        stream.set_nonblocking(true)?;
        ready.add(&stream, number)?;
        clients.push(Client { stream, heard: 0 });
    }
    let mut buffer = vec![0; lines.len()];
    let (meter, mut echoed) = (Meter::start(server), 0_u64);
    for client in &mut clients {
        client.stream.write_all(&lines)?;
    }
    while meter.runs(time) {
        let heard = ready.wait(Some(PATIENCE), |number, _| {
            if clients[number].turn(&lines, &mut buffer)? {
                echoed += window as u64;
            }
            Ok(())
        })?;
        if heard == 0 {
            return Err(ErrorKind::TimedOut.into());
        }
    }
    Ok(meter.rate(echoed))
}

struct Client {
    stream: TcpStream,
    /// How many bytes of the window came back.
    heard: usize,
}

impl Client {
    /// Reads what came; sends the window again, and says so, once it is back whole.
    fn turn(&mut self, lines: &[u8], buffer: &mut [u8]) -> io::Result<bool> {
        let missing = &lines[self.heard..];
        let n = match self.stream.read(&mut buffer[..missing.len()]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            n => n?,
        };
        same(&buffer[..n], &missing[..n])?;
        self.heard += n;
        if self.heard < lines.len() {
            return Ok(false);
        }
        self.heard = 0;
        self.stream.write_all(lines)?;
        Ok(true)
    }
}

/// Opens connections for `time`; each carries one line there and back.
pub(crate) fn accept(server: &Running, time: Duration) -> io::Result<Outcome> {
    let line = lines(32, 1);
    let (meter, mut accepted) = (Meter::start(server), 0);
    while meter.runs(time) {
        accepted += arrive(server.port, TOGETHER, &line)?.len() as u64;
    }
    Ok(meter.rate(accepted))
}
