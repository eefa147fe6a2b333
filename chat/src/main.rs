//! `asyncnet-chat`: every line that a client sends goes to every client, the sender too.
//!
//! Nim's `asyncnet` has this program as its example. There a client that leaves makes the server spin, one
//! that does not read stops the others, and one that joins at the wrong moment ends the process. Here
//! they do not. The server is written once ([`server`]) and runs on any of three runtimes ([`runtime`]).

mod cli;
mod client;
mod guest;
mod runtime;
mod server;
mod shown;
mod signals;
mod stop;
mod tls;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::shown::shown;
use crate::stop::Stop;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(colours)
        .with_target(false)
        // Where standard error is closed, a word about that on standard error would be a panic.
        .log_internal_errors(false)
        .init();
    let result = match cli.command() {
        Command::Serve(options) => serve(options),
        Command::Join(options) => runtime::join(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed, or a terminal that shows what a peer's certificate says.
            let _ =
                writeln!(io::stderr(), "asyncnet-chat: {}", shown(error.to_string().as_bytes()));
            ExitCode::FAILURE
        }
    }
}

fn serve(options: cli::Serve) -> io::Result<()> {
    options.check()?;
    let stop = Stop::new(options.stop_limit());
    signals::watch(stop.clone())?;
    runtime::serve(options, stop)
}
