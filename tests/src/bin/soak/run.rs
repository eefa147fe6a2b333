//! The runs, one server after the other, and the table.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{scope, sleep, spawn};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::certificate::Certificate;
use crate::chat::{self, Company, Member};
use crate::cli::{Cli, Runtime, Server};
use crate::echo;
use crate::mischief::{Place, misbehave};
use crate::process::{Id, Process, Told};
use crate::slow;
use crate::tally::{Random, Tally};
use crate::wire::{Door, PATIENCE, Wire, reason};

/// How long a server may take to come to rest when all are gone.
const REST: Duration = Duration::from_secs(20);
/// How much processor time it may use then, in hundredths of a second, in one second.
const IDLE: u64 = 10;
/// How many faults of a run are shown.
const SHOWN: usize = 10;

/// Runs all that is asked for. Whether all was as it should be.
pub(crate) fn all(cli: &Cli) -> io::Result<bool> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    if let Some(slow) = cli.slow {
        return slow::all(cli, slow);
    }
    let certificate = Certificate::new()?;
    println!(
        "{:9} {:9} {:>9} {:>9} {:>5} {:>8} {:>7} {:>9}  descriptors: start, most/limit, end",
        "runtime", "server", "sent", "delivered", "lost", "mischief", "evicted", "peak KiB"
    );
    let mut good = true;
    for runtime in cli.runtime.each() {
        for server in Server::ALL {
            good &= bounded(cli, || one(cli, runtime, server, &certificate))?;
        }
    }
    println!("{}", if good { "all good" } else { "FAILED" });
    Ok(good)
}

/// Calls `run`, and ends the process if it does not return. The server ends with us.
pub(crate) fn bounded<T>(cli: &Cli, run: impl FnOnce() -> T) -> T {
    let limit = Duration::from_secs(cli.seconds) + 2 * PATIENCE + REST;
    let (done, wait) = channel::<()>();
    spawn(move || {
        if wait.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            eprintln!("FAILED: a run has not ended after {limit:?}");
            std::process::exit(1);
        }
    });
    let result = run();
    drop(done);
    result
}

/// What a run found, beside what its clients counted.
struct Found {
    start: usize,
    most: usize,
    end: usize,
    limit: u64,
    peak: u64,
    evicted: u64,
}

/// How many descriptors a server may have: too few for all clients, enough for those that stay.
fn descriptors(cli: &Cli) -> u64 {
    cli.clients.max(28) + 4
}

/// One server, from its start to its end.
fn one(cli: &Cli, runtime: Runtime, server: Server, certificate: &Certificate) -> io::Result<bool> {
    let limit = descriptors(cli);
    let mut process = Process::start(runtime, server, limit, certificate)?;
    let tls = server.is_tls().then(|| Arc::clone(&certificate.clients));
    let door = Door::new(process.port, tls);
    let start = process.id().descriptors()?;
    let tally = Tally::default();

    let most = crowd(cli, server, &door, process.id(), &tally)?;
    let told = rest(&mut process, &start, &tally)?;
    let end = process.id().descriptors()?.len();
    let peak = process.id().peak_memory()?;
    let evicted = told.evicted;
    let found = Found { start: start.len(), most, end, limit, peak, evicted };
    Ok(show(runtime, server, &tally, &found))
}

/// Lets the clients loose. Returns the most descriptors that the server had.
fn crowd(cli: &Cli, server: Server, door: &Door, id: Id, tally: &Tally) -> io::Result<usize> {
    let limit = descriptors(cli) as usize;
    let staying = cli.clients as usize / 3;
    let wires = (0..staying).map(|_| enter(server, door)).collect::<io::Result<Vec<_>>>()?;
    let company = Company::new(staying);
    let time = Duration::from_secs(cli.seconds) / Server::ALL.len() as u32;
    let until = Instant::now() + time;
    let place = Place { door, tally, company: server.is_chat().then_some(&company), until };
    scope(|scope| {
        for (number, wire) in wires.into_iter().enumerate() {
            let random = Random::new(cli.seed, number as u64);
            scope.spawn(move || stay(place, wire, number, random));
        }
        for number in staying..cli.clients as usize {
            let mut random = Random::new(cli.seed, number as u64);
            scope.spawn(move || misbehave(place, &mut random));
        }
        let mut most = 0;
        while Instant::now() < until {
            let found = id.descriptors().map_or(0, |found| found.len());
            // One that closes and one that opens while they are listed are both in the list.
            most = most.max(found.min(limit));
            sleep(Duration::from_millis(10));
        }
        Ok(most)
    })
}

/// Those that stay are in before the others come.
fn enter(server: Server, door: &Door) -> io::Result<Wire> {
    let mut wire = door.enter()?;
    if server.is_chat() {
        chat::join(&mut wire)?;
    } else {
        echo::greet(&mut wire)?;
    }
    Ok(wire)
}

fn stay(place: Place<'_>, wire: Wire, number: usize, mut random: Random) {
    let Place { tally, until, .. } = place;
    let stayed = match place.company {
        Some(company) => Member { wire, number, company, tally, random }.stay(until),
        None => echo::stay(wire, &mut random, tally, until),
    };
    if let Err(error) = stayed {
        tally.fault(format!("client {number}, which stayed: {}", reason(&error)));
    }
}

/// All are gone: waits until the server has nothing left of them, and looks whether it is idle then.
pub(crate) fn rest(process: &mut Process, start: &[String], tally: &Tally) -> io::Result<Told> {
    let until = Instant::now() + REST;
    let told = loop {
        let told = process.ask()?;
        let now = process.id().descriptors()?;
        if now.len() == start.len() && told.open == 0 && told.members == 0 {
            break told;
        }
        if Instant::now() > until {
            tally.fault(format!("it does not come to rest: {told:?}"));
            tally.fault(format!("its descriptors were {start:?} and are {now:?}"));
            return Ok(told);
        }
        sleep(Duration::from_millis(50));
    };
    let ticks = process.id().ticks()?;
    sleep(Duration::from_secs(1));
    let used = process.id().ticks()? - ticks;
    if used > IDLE {
        tally.fault(format!("it used {used} hundredths of a second in one second of rest"));
    }
    Ok(told)
}

/// Prints a row, and the faults under it. Whether there are none.
fn show(runtime: Runtime, server: Server, tally: &Tally, found: &Found) -> bool {
    let Found { start, most, end, limit, peak, evicted } = found;
    let (sent, delivered, lost) = (tally.sent.get(), tally.delivered.get(), tally.lost());
    println!(
        "{:9} {:9} {sent:>9} {delivered:>9} {lost:>5} {:>8} {evicted:>7} {peak:>9}  {start}, {most}/{limit}, {end}",
        runtime.name(),
        server.name(),
        tally.mischief.get()
    );
    let faults = tally.faults();
    for fault in faults.iter().take(SHOWN) {
        println!("    {fault:.400}");
    }
    if faults.len() > SHOWN {
        println!("    and {} more", faults.len() - SHOWN);
    }
    faults.is_empty() && lost == 0 && start == end
}
