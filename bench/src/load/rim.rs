//! Load on a server over TLS that has several threads: handshakes from all sides, and peers that never end one.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::connect;
use super::tls::{HANDSHAKES, arrive_secure};
use crate::process::Running;

/// The front of a hello that announces more.
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03";

/// Full handshakes for `time`, from two threads: how many in a second.
pub(crate) fn handshakes(
    server: &Running,
    config: &Arc<ClientConfig>,
    time: Duration,
) -> io::Result<f64> {
    let (port, start) = (server.port, Instant::now());
    let client = || {
        let mut done = 0;
        while start.elapsed() < time {
            done += arrive_secure(port, config, HANDSHAKES)?.len();
        }
        io::Result::Ok(done)
    };
    let done = thread::scope(|scope| {
        let other = scope.spawn(client);
        let ours = client()?;
        let others = other.join().map_err(|_| io::Error::other("a client panicked"))?;
        io::Result::Ok(ours + others?)
    })?;
    Ok(done as f64 / start.elapsed().as_secs_f64())
}

/// Peers of a flood.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flood {
    /// So many connect and say nothing,
    pub(crate) silent: u32,
    /// so many in a second,
    pub(crate) each_second: u32,
    /// while so many stop in the middle of their hello.
    pub(crate) halfway: u32,
    /// How many sockets may be open on this side.
    pub(crate) descriptors: usize,
}

impl Flood {
    /// Its peers connect at their pace.
    fn pour(self, port: u16) -> io::Result<()> {
        let (start, mut open) = (Instant::now(), VecDeque::<TcpStream>::new());
        let mut halfway = 0_u32;
        for n in 0..self.silent {
            let due = Duration::from_secs(1) * n / self.each_second;
            thread::sleep(due.saturating_sub(start.elapsed()));
            open.push_back(connect(port)?);
            if u64::from(halfway) * u64::from(self.silent) < u64::from(n) * u64::from(self.halfway)
            {
                let mut stream = connect(port)?;
                stream.write_all(HALF_A_HELLO)?;
                open.push_back(stream);
                halfway += 1;
            }
            while open.len() > self.descriptors {
                open.pop_front();
            }
        }
        Ok(())
    }
}

/// What an honest client saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Honest {
    /// How long each of its handshakes took, with one line there and back; sorted.
    pub(crate) times: Vec<Duration>,
    /// The most memory that the server held meanwhile, in bytes.
    pub(crate) memory: u64,
}

impl Honest {
    /// The time that this share of the handshakes did not exceed.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let last = self.times.len().saturating_sub(1);
        self.times.get((last as f64 * share) as usize).copied().unwrap_or_default()
    }

    /// One handshake after the other, until it is over.
    fn come(
        server: &Running,
        config: &Arc<ClientConfig>,
        over: impl Fn() -> bool,
    ) -> io::Result<Self> {
        let mut this = Self::default();
        while !over() {
            let start = Instant::now();
            drop(arrive_secure(server.port, config, 1)?);
            this.times.push(start.elapsed());
            this.memory = this.memory.max(server.resident()?);
            // Not a load of its own.
            thread::sleep(Duration::from_millis(10));
        }
        this.times.sort_unstable();
        Ok(this)
    }

    pub(crate) fn alone(
        server: &Running,
        config: &Arc<ClientConfig>,
        time: Duration,
    ) -> io::Result<Self> {
        let start = Instant::now();
        Self::come(server, config, || start.elapsed() >= time)
    }

    pub(crate) fn under(
        flood: Flood,
        server: &Running,
        config: &Arc<ClientConfig>,
    ) -> io::Result<Self> {
        let (port, over) = (server.port, AtomicBool::new(false));
        thread::scope(|scope| {
            let pouring = scope.spawn(|| {
                let poured = flood.pour(port);
                over.store(true, Ordering::SeqCst);
                poured
            });
            let honest = Self::come(server, config, || over.load(Ordering::SeqCst));
            pouring.join().map_err(|_| io::Error::other("the flood panicked"))??;
            honest
        })
    }
}
