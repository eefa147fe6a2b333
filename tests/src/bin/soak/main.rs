//! A robustness run: clients do legal and illegal things, at random, to servers of ours with few
//! descriptors, on each runtime:
//!
//!     soak [--seconds 10] [--runtime tokio|async-std|smol|all] [--clients 60] [--seed 1] [--slow 1000]
//!
//! A third of the clients stay: they check every line, and none may be lost. The others come and go as
//! they should not. Each server is a process of its own; when all clients are gone it must hold the
//! descriptors that it began with, and use no processor time. The program prints a row for each runtime
//! and server; its status is 1 if anything was not as it should be.
//!
//! With `--slow` there are so many clients that send a byte a second instead, and 50 that talk. The server has a
//! timeout for each line: the slow are disconnected, and those that talk are not.
#![cfg_attr(not(target_os = "linux"), allow(unused, reason = "only the excuse is left"))]

#[cfg(target_os = "linux")]
mod certificate;
#[cfg(target_os = "linux")]
mod chat;
#[cfg(target_os = "linux")]
mod cli;
#[cfg(target_os = "linux")]
mod echo;
#[cfg(target_os = "linux")]
mod lines;
#[cfg(target_os = "linux")]
mod mischief;
#[cfg(target_os = "linux")]
mod mischief_tls;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod serve;
#[cfg(target_os = "linux")]
mod slow;
#[cfg(target_os = "linux")]
mod tally;
#[cfg(target_os = "linux")]
mod wire;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use clap::Parser as _;

    let cli = cli::Cli::parse();
    let result = match cli.serve {
        Some(server) => serve::serve(cli.runtime, server, cli.descriptors).map(|()| true),
        None => run::all(&cli),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Descriptors and memory are counted where only Linux has them.
#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("the soak runs on Linux");
    ExitCode::SUCCESS
}
