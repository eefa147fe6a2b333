//! Servers taking turns: A B C, A B C, .. and the ratios within each round.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::{Run, Runtime, load};

/// One server of a workload: what to call it, and the arguments that start it.
struct Server {
    name: String,
    arguments: Vec<String>,
}

impl Server {
    fn ours(runtime: Runtime, mode: &str) -> Self {
        let runtime = name_of(runtime);
        let arguments = ["serve", runtime, mode, "0"].map(String::from).to_vec();
        Self { name: format!("asyncnet {runtime} {mode}"), arguments }
    }

    fn peer(peer: &str) -> Self {
        let arguments = ["peer", peer, "0"].map(String::from).to_vec();
        Self { name: peer.into(), arguments }
    }

    fn start(&self) -> io::Result<Running> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(&self.arguments)
            .env("ASYNC_STD_THREAD_COUNT", "1")
            .stdout(Stdio::piped())
            .spawn()?;
        pin(Some(&child), 1)?;
        let mut line = String::new();
        if let Some(stdout) = &mut child.stdout {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.ok_or_else(|| io::Error::other(format!("{} did not start", self.name)))?;
        Ok(Running { child, port })
    }
}

/// A server process, killed when dropped.
struct Running {
    child: Child,
    port: u16,
}

impl Running {
    /// How much processor time it has used, in seconds; 0 where the system does not tell.
    fn cpu(&self) -> f64 {
        /// The unit of that file on every Linux.
        const TICKS_PER_SECOND: f64 = 100.0;
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).unwrap_or_default();
        // Behind the name, which may hold anything, user and system time are the 12th and 13th.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
        let ticks: f64 =
            fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        ticks / TICKS_PER_SECOND
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn name_of(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Tokio => "tokio",
        Runtime::AsyncStd => "async-std",
        Runtime::Smol => "smol",
    }
}

/// Pins a process, or this one, to a core, where there are two.
fn pin(child: Option<&Child>, core: usize) -> io::Result<()> {
    if std::thread::available_parallelism()?.get() < 2 && child.is_some() {
        return Ok(());
    }
    let mut cores = CpuSet::new();
    cores.set(core);
    let pid = child.and_then(|child| rustix::process::Pid::from_raw(child.id() as i32));
    Ok(sched_setaffinity(pid, &cores)?)
}

/// One connection sends lines of 64 bytes as fast as it can.
pub(crate) fn ingest(run: Run) -> io::Result<()> {
    let mut servers = Vec::new();
    for runtime in runtimes(run) {
        servers.push(Server::ours(runtime, "count"));
        servers.push(Server::ours(runtime, "drain"));
        servers.push(Server::peer(match runtime {
            Runtime::Tokio => "tokio-until",
            Runtime::AsyncStd => "async-std-until",
            Runtime::Smol => "smol-until",
        }));
    }
    servers.push(Server::peer("tokio-lines"));
    servers.push(Server::peer("tokio-codec"));
    rounds("ingest, lines of 64 bytes", run, &servers, |port, time| load::ingest(port, 64, time))
}

/// One connection keeps 256 lines of 32 bytes in flight.
pub(crate) fn echo(run: Run) -> io::Result<()> {
    let mut servers: Vec<_> =
        runtimes(run).into_iter().map(|runtime| Server::ours(runtime, "echo")).collect();
    servers.push(Server::peer("tokio-echo"));
    servers.push(Server::peer("tokio-echo-coalesced"));
    rounds("echo, 256 lines of 32 bytes in flight", run, &servers, |port, time| {
        load::echo(port, 32, 256, time)
    })
}

fn runtimes(run: Run) -> Vec<Runtime> {
    match run.runtime {
        Some(runtime) => vec![runtime],
        None => vec![Runtime::Tokio, Runtime::AsyncStd, Runtime::Smol],
    }
}

/// Runs every server in turn, and prints for each the median rate, the median of its processor time for
/// a line (which tells more where the load generator is the limit), and the median of its ratios to every
/// peer of the same round.
fn rounds(
    title: &str,
    run: Run,
    servers: &[Server],
    load: impl Fn(u16, Duration) -> io::Result<f64>,
) -> io::Result<()> {
    let (rounds, time) = if run.quick { (3, 300) } else { (7, 1000) };
    pin(None, 0)?;
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); servers.len()];
    let mut costs = rates.clone();
    for round in 1..=rounds {
        eprint!("\r{title}: round {round} of {rounds}");
        for ((server, rates), costs) in servers.iter().zip(&mut rates).zip(&mut costs) {
            let running = server.start()?;
            let time = Duration::from_millis(time);
            let rate = load(running.port, time)?;
            rates.push(rate);
            costs.push(running.cpu() * 1e9 / (rate * time.as_secs_f64()));
        }
    }
    eprintln!();
    println!("## {title}\n");
    print!("| server | lines/s | spread | server ns/line |");
    let peers: Vec<usize> =
        (0..servers.len()).filter(|&at| servers[at].arguments[0] == "peer").collect();
    peers.iter().for_each(|&at| print!(" x {} |", servers[at].name));
    println!("\n|---|---|---|---|{}", "---|".repeat(peers.len()));
    for ((server, own), cost) in servers.iter().zip(&rates).zip(costs) {
        let spread = (max(own) - min(own)) / median(own.clone());
        print!(
            "| {} | {:.2} M | {:.0} % | {:.1} |",
            server.name,
            median(own.clone()) / 1e6,
            spread * 100.0,
            median(cost)
        );
        for &at in &peers {
            let ratios = own.iter().zip(&rates[at]).map(|(own, peer)| own / peer).collect();
            print!(" {:.2} |", median(ratios));
        }
        println!();
    }
    println!();
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn max(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MIN, f64::max)
}

fn min(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MAX, f64::min)
}
