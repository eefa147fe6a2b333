//! Load of a room: who talks, and who hears it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Meter, Outcome, PATIENCE, connect, lines, same};
use crate::machine::Readiness;
use crate::process::Running;

/// How long a line takes.
const LINE: usize = 64;

/// The clients of a room. All of them hear what any of them says.
struct Crowd {
    ready: Readiness,
    clients: Vec<TcpStream>,
    buffer: Vec<u8>,
}

impl Crowd {
    /// Connects, and waits until everybody is in the room.
    fn gather(port: u16, n: usize) -> io::Result<Self> {
        let ready = Readiness::new()?;
        let mut clients = Vec::with_capacity(n);
        for number in 0..n {
            let stream = connect(port)?;
            stream.set_nonblocking(true)?;
            ready.add(&stream, number)?;
            clients.push(stream);
        }
        let mut crowd = Self { ready, clients, buffer: vec![0; 64 << 10] };
        crowd.call_the_roll()?;
        Ok(crowd)
    }

    /// Says something until everybody hears it: a server may take its time to let them in.
    fn call_the_roll(&mut self) -> io::Result<()> {
        // Most servers are done with the last of them by then, and the first call is the only one.
        std::thread::sleep(Duration::from_millis(20));
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let call = lines(LINE, 1);
            self.say(0, &call)?;
            if self.hear(&call, Duration::from_millis(500))? {
                return Ok(());
            }
        }
        Err(io::Error::other("not everybody came into the room"))
    }

    fn say(&mut self, who: usize, text: &[u8]) -> io::Result<()> {
        self.clients[who].write_all(text)
    }

    /// Waits until everybody has heard `text`, and nothing else. Answers `false` if nothing comes for as
    /// long as `patience`.
    fn hear(&mut self, text: &[u8], patience: Duration) -> io::Result<bool> {
        let Self { ready, clients, buffer } = self;
        let mut heard = vec![0; clients.len()];
        let mut missing = clients.len();
        while missing > 0 {
            let came = ready.wait(Some(patience), |number, _| {
                let n = match clients[number].read(buffer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    n => n?,
                };
                let from = heard[number];
                heard[number] += n;
                let expected = text.get(from..heard[number]);
                same(&buffer[..n], expected.unwrap_or_default())?;
                missing -= usize::from(heard[number] == text.len());
                Ok(())
            })?;
            if came == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The last one stays, and no longer reads.
    fn silence_last(&mut self) -> io::Result<TcpStream> {
        let last = self.clients.pop().ok_or(ErrorKind::NotConnected)?;
        self.ready.forget(&last)?;
        Ok(last)
    }
}

/// One of `n` clients says `window` lines, and again when everybody has heard them.
pub(crate) fn fanout(
    server: &Running,
    n: usize,
    window: usize,
    time: Duration,
) -> io::Result<Outcome> {
    let mut crowd = Crowd::gather(server.port, n)?;
    let text = lines(LINE, window);
    let (meter, mut heard) = (Meter::start(server), 0_u64);
    while meter.runs(time) {
        crowd.say(0, &text)?;
        if !crowd.hear(&text, PATIENCE)? {
            return Err(ErrorKind::TimedOut.into());
        }
        heard += (n * window) as u64;
    }
    Ok(meter.rate(heard))
}

/// Each of `n` clients says a line, and again when everybody has heard all of them.
pub(crate) fn room(server: &Running, n: usize, time: Duration) -> io::Result<Outcome> {
    let mut crowd = Crowd::gather(server.port, n)?;
    // They all say the same, so that it does not matter who is first.
    let line = lines(LINE, 1);
    let text = line.repeat(n);
    let (meter, mut heard) = (Meter::start(server), 0_u64);
    while meter.runs(time) {
        for who in 0..n {
            crowd.say(who, &line)?;
        }
        if !crowd.hear(&text, PATIENCE)? {
            return Err(ErrorKind::TimedOut.into());
        }
        heard += (n * n) as u64;
    }
    Ok(meter.rate(heard))
}

/// 16 MiB are said to a room of `n` readers and one client that never reads: more than the system takes for the one,
/// less than a room of ours disconnects it for.
pub(crate) fn stall(server: &Running, n: usize) -> io::Result<Outcome> {
    const TURNS: usize = 1024;
    const STOPPED: Duration = Duration::from_secs(1);
    let mut crowd = Crowd::gather(server.port, n + 1)?;
    let silent = crowd.silence_last()?;
    let text = lines(1024, 16);
    let resident = server.resident()?;
    let (meter, mut turns) = (Meter::start(server), 0);
    while turns < TURNS {
        crowd.say(0, &text)?;
        if !crowd.hear(&text, STOPPED)? {
            break;
        }
        turns += 1;
    }
    let mut outcome = meter.rate((turns * 16 * n) as u64);
    if turns < TURNS {
        outcome.value = 0.0;
        outcome.note = format!("stopped after {} KiB", (turns * text.len()) >> 10);
    } else {
        let more = server.resident()?.saturating_sub(resident) as f64 / f64::from(1 << 20);
        outcome.note = format!("nothing lost; {more:.1} MiB more resident");
    }
    drop(silent);
    Ok(outcome)
}
