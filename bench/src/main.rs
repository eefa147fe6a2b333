//! `asyncnet-bench`: this library beside its peers, as ratios of one run.
//!
//! Server and load generator are two processes on two cores. The servers of a workload take turns, round
//! after round, and what is compared is the ratio within a round: absolute rates of a shared machine mean
//! little. Nothing here is asserted; a benchmark is for reading.

mod framing;
mod load;
mod ours;
mod peers;
mod rounds;

use std::io;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::ours::Mode;
use crate::peers::Peer;

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
    /// One connection sends lines as fast as it can
    Ingest(Run),
    /// One connection with 256 lines in flight, each echoed
    Echo(Run),
    /// Serve on 127.0.0.1:PORT for at most 60 seconds, for any load generator
    Serve { runtime: Runtime, mode: Mode, port: u16 },
    /// Serve as one of the peers
    #[command(hide = true)]
    Peer { peer: Peer, port: u16 },
}

/// How to run a workload.
#[derive(Args, Clone, Copy, Debug)]
struct Run {
    /// Only this runtime, instead of all three
    #[arg(long)]
    runtime: Option<Runtime>,
    /// Short rounds, for a look
    #[arg(long)]
    quick: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Runtime {
    Tokio,
    AsyncStd,
    Smol,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Framing(run) => {
            framing::run(run.quick);
            Ok(())
        }
        Command::Ingest(run) => rounds::ingest(run),
        Command::Echo(run) => rounds::echo(run),
        Command::Serve { runtime, mode, port } => limited(|| ours::serve(runtime, mode, port)),
        Command::Peer { peer, port } => limited(|| peers::serve(peer, port)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("asyncnet-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a server, and ends the process after a minute whatever it does.
fn limited(serve: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    std::thread::spawn(|| {
        std::thread::sleep(std::time::Duration::from_secs(60));
        std::process::exit(0);
    });
    serve()
}
