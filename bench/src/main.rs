//! `asyncnet-bench`: this library beside its peers, as ratios of one run.
//!
//! Server and load generator are two processes on two cores. The servers of a workload take turns, round
//! after round, and what is compared is the ratio within a round: absolute rates of a shared machine mean
//! little. Nothing here is asserted; a benchmark is for reading.

mod chart;
mod count;
mod framing;
mod load;
mod machine;
mod model;
mod process;
mod report;
mod rim;
mod rounds;
mod secure;
mod servers;
mod tls;
mod workloads;

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command as Program, ExitCode};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::count::Counted;
use crate::model::{Kind, Runtime, Task};
use crate::secure::Identity;
use crate::servers::{Mode, PeerKind, Way};
use crate::workloads::Workload;

/// How long a server runs at most.
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lines in memory: core beside one memchr for each line, and LinesCodec
    Framing(Run),
    /// One connection sends lines as fast as it can; one `next_line().await` for each
    Ingest(Run),
    /// The same with `next_batch`, every line that has arrived at once
    Drain(Run),
    /// Every line comes back: 1 and 64 connections, 1 to 256 lines in flight
    Echo(Run),
    /// One talks to a room of 100 and of 1000
    Fanout(Run),
    /// A room of 100 in which everybody talks at once
    Room(Run),
    /// A room in which one client never reads
    Stall(Run),
    /// Resident memory of a connection that waits
    Idle(Run),
    /// Connections accepted, each for one line
    Accept(Run),
    /// Over TLS: blocks, lines, handshakes and idle connections
    Tls(Run),
    /// Lines that come back, with a receive, an idle and a send timeout, compared with the same server without
    Timeouts(Run),
    /// Over TLS: handshakes on one and two workers, and an honest client in a flood; only printed
    Rim(Run),
    /// All of these but the last
    All(Run),
    /// Serve on 127.0.0.1:PORT for at most 60 seconds, for any load generator
    Serve {
        runtime: Runtime,
        mode: Mode,
        port: u16,
        /// With a receive, an idle and a send timeout of a minute
        #[arg(long)]
        timeouts: bool,
    },
    /// Serve as one of the other libraries
    #[command(hide = true)]
    Peer { kind: PeerKind, way: Way, mode: Mode, port: u16 },
    /// Serve over TLS
    #[command(hide = true)]
    TlsServer { kind: Kind, task: Task, identity: PathBuf, port: u16 },
    /// Echo over TLS on a tokio with this many workers
    #[command(hide = true)]
    TlsWorkers { kind: Kind, workers: usize, identity: PathBuf, port: u16 },
    /// Put LINES lines through, all in memory, for a tool that counts instructions
    #[command(hide = true)]
    Count { what: Counted, lines: usize },
}

/// How to run a workload.
#[derive(Args, Clone, Debug)]
struct Run {
    /// Only this runtime, instead of all three; what runs on tokio is always compared with
    #[arg(long)]
    runtime: Option<Runtime>,
    /// Two short rounds, for a look
    #[arg(long)]
    quick: bool,
    /// Where the tables and charts go
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Framing(run) => workloads::run(&[Workload::Framing], &run),
        Command::Ingest(run) => workloads::run(&[Workload::Ingest], &run),
        Command::Drain(run) => workloads::run(&[Workload::Drain], &run),
        Command::Echo(run) => workloads::run(&[Workload::Echo], &run),
        Command::Fanout(run) => workloads::run(&[Workload::Fanout], &run),
        Command::Room(run) => workloads::run(&[Workload::Room], &run),
        Command::Stall(run) => workloads::run(&[Workload::Stall], &run),
        Command::Idle(run) => workloads::run(&[Workload::Idle], &run),
        Command::Accept(run) => workloads::run(&[Workload::Accept], &run),
        Command::Tls(run) => workloads::run(&[Workload::Tls], &run),
        Command::Timeouts(run) => workloads::run(&[Workload::Timeouts], &run),
        Command::Rim(run) => rim::run(&run),
        Command::All(run) => workloads::run(&Workload::ALL, &run),
        Command::Serve { runtime, mode, port, timeouts } => {
            limited(MINUTE, || servers::ours::serve(runtime, mode, port, timeouts))
        }
        Command::Peer { kind, way, mode, port } => {
            limited(MINUTE, || servers::peer(kind, way, mode, port))
        }
        Command::TlsServer { kind, task, identity, port } => {
            limited(MINUTE, || servers::tls::serve(kind, task, &Identity::at(&identity), port))
        }
        Command::TlsWorkers { kind, workers, identity, port } => limited(2 * MINUTE, || {
            servers::tls::workers::serve(kind, workers, &Identity::at(&identity), port)
        }),
        Command::Count { what, lines } => count::run(what, lines),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("asyncnet-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a server, and ends the process after `time` whatever it does.
fn limited(time: Duration, serve: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    one_thread()?;
    std::thread::spawn(move || {
        std::thread::sleep(time);
        std::process::exit(0);
    });
    serve()
}

/// async-std asks the environment how many threads to start. A process does not change its environment
/// safely, so it starts anew in another one.
fn one_thread() -> io::Result<()> {
    const THREADS: &str = "ASYNC_STD_THREAD_COUNT";
    if std::env::var_os(THREADS).is_some() {
        return Ok(());
    }
    let mut again = Program::new(std::env::current_exe()?);
    Err(again.args(std::env::args_os().skip(1)).env(THREADS, "1").exec())
}
