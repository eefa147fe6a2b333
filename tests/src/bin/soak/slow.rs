//! A server with a timeout for each line, many clients that send a byte a second, and some that talk. The slow are
//! disconnected, again and again; those that talk are not, and memory stays flat.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::certificate::Certificate;
use crate::cli::{Cli, Runtime, Server};
use crate::echo;
use crate::process::{Id, Process};
use crate::run::{bounded, rest};
use crate::serve::LINE_TIMEOUT;
use crate::tally::{Random, Tally};
use crate::wire::{Door, reason};

/// How many clients talk.
const HONEST: usize = 50;
/// How often a slow client sends a byte.
const BETWEEN: Duration = Duration::from_secs(1);
/// How often it is looked whether it is still connected.
const LOOK: Duration = Duration::from_millis(20);
/// How much more memory the server may have at its peak, behind the first time that all slow clients were there.
const GROWTH: u64 = 4 << 10;

/// Runs it on each runtime that is asked for. Whether all was as it should be.
pub(crate) fn all(cli: &Cli, slow: usize) -> io::Result<bool> {
    let certificate = Certificate::new()?;
    println!(
        "{:9} {:>5} {:>7} {:>22} {:>9} {:>9} {:>5} {:>17}",
        "runtime",
        "slow",
        "cut off",
        "after: min, mid, max",
        "sent",
        "delivered",
        "lost",
        "peak KiB: 1st, end"
    );
    let mut good = true;
    for runtime in cli.runtime.each() {
        good &= bounded(cli, || one(cli, runtime, slow, &certificate))?;
    }
    println!("{}", if good { "all good" } else { "FAILED" });
    Ok(good)
}

fn one(cli: &Cli, runtime: Runtime, slow: usize, certificate: &Certificate) -> io::Result<bool> {
    // Those that were disconnected take their place again while the server still drains them.
    let descriptors = 3 * (slow + HONEST) as u64 + 100;
    let mut process = Process::start(runtime, Server::Timed, descriptors, certificate)?;
    let door = Door::new(process.port, None);
    let start = process.id().descriptors()?;
    let tally = Tally::default();
    let (cut_off, first) = crowd(cli, slow, &door, process.id(), &tally)?;
    rest(&mut process, &start, &tally)?;
    let peak = process.id().peak_memory()?;
    if peak > first + first / 4 + GROWTH {
        tally.fault(format!("its memory grew from {first} to {peak} KiB"));
    }
    if cut_off.len() < slow {
        tally.fault(format!("only {} of {slow} slow clients were disconnected", cut_off.len()));
    }
    Ok(show(runtime, slow, &tally, cut_off, (first, peak)))
}

/// Lets the clients loose. After how long the slow were disconnected, and the server's peak of memory when all of them
/// had been there for the first time.
fn crowd(
    cli: &Cli,
    slow: usize,
    door: &Door,
    id: Id,
    tally: &Tally,
) -> io::Result<(Vec<Duration>, u64)> {
    let mut honest = (0..HONEST).map(|_| door.enter()).collect::<io::Result<Vec<_>>>()?;
    honest.iter_mut().try_for_each(echo::greet)?;
    let until = Instant::now() + Duration::from_secs(cli.seconds).max(3 * LINE_TIMEOUT);
    let over = AtomicBool::new(false);
    scope(|scope| {
        for (number, wire) in honest.into_iter().enumerate() {
            let mut random = Random::new(cli.seed, number as u64);
            scope.spawn(move || {
                if let Err(error) = echo::stay(wire, &mut random, tally, until) {
                    tally.fault(format!("client {number}, which talked: {}", reason(&error)));
                }
            });
        }
        let trickling = scope.spawn(|| trickle(slow, door, &over));
        sleep(LINE_TIMEOUT + BETWEEN);
        let first = id.peak_memory()?;
        sleep(until.saturating_duration_since(Instant::now()));
        over.store(true, Ordering::SeqCst);
        let cut_off = trickling.join().expect("it does not panic")?;
        Ok((cut_off, first))
    })
}

/// A client that sends a byte now and then.
struct Slow {
    stream: TcpStream,
    since: Instant,
    sent: Instant,
}

impl Slow {
    fn enter(door: &Door) -> io::Result<Self> {
        let mut stream = door.knock()?;
        stream.write_all(b"x")?;
        stream.set_nonblocking(true)?;
        let now = Instant::now();
        Ok(Self { stream, since: now, sent: now })
    }

    /// Whether the server has disconnected it.
    fn is_cut_off(&mut self) -> io::Result<bool> {
        if self.sent.elapsed() >= BETWEEN {
            self.sent = Instant::now();
            // If nobody takes it, the read says so.
            let _ = self.stream.write(b"x");
        }
        match self.stream.read(&mut [0]) {
            Ok(0) => Ok(true),
            Ok(_) => Err(io::Error::other("a slow client got an answer to half a line")),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(_) => Ok(true),
        }
    }
}

/// Keeps so many slow clients connected. After how long each was disconnected.
fn trickle(slow: usize, door: &Door, over: &AtomicBool) -> io::Result<Vec<Duration>> {
    let mut clients = (0..slow).map(|_| Slow::enter(door)).collect::<io::Result<Vec<_>>>()?;
    let mut cut_off = Vec::new();
    while !over.load(Ordering::SeqCst) {
        for client in &mut clients {
            if client.is_cut_off()? {
                cut_off.push(client.since.elapsed());
                *client = Slow::enter(door)?;
            }
        }
        sleep(LOOK);
    }
    Ok(cut_off)
}

/// Prints a row, and the faults under it. Whether there are none.
fn show(
    runtime: Runtime,
    slow: usize,
    tally: &Tally,
    mut cut_off: Vec<Duration>,
    (first, peak): (u64, u64),
) -> bool {
    cut_off.sort();
    let at = |at: usize| cut_off.get(at).map_or(0.0, Duration::as_secs_f64);
    let last = cut_off.len().saturating_sub(1);
    let after = format!("{:.2}, {:.2}, {:.2} s", at(0), at(last / 2), at(last));
    println!(
        "{:9} {slow:>5} {:>7} {after:>22} {:>9} {:>9} {:>5} {:>17}",
        runtime.name(),
        cut_off.len(),
        tally.sent.get(),
        tally.delivered.get(),
        tally.lost(),
        format!("{first}, {peak}")
    );
    let faults = tally.faults();
    for fault in faults.iter().take(10) {
        println!("    {fault:.400}");
    }
    faults.is_empty() && tally.lost() == 0
}
