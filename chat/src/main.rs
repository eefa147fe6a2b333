//! `asyncnet-chat`: every line that a client sends goes to every client, the sender too.
//!
//! Nim's `asyncnet` has this program as its example. There a client that leaves makes the server spin, one
//! that does not read stops the others, and one that joins at the wrong moment ends the process. Here
//! they do not. The server is written once ([`server`]) and runs on any of three runtimes ([`runtime`]).

mod address;
mod cli;
mod figures;
mod guest;
mod hints;
mod join;
#[cfg(unix)]
mod keys;
mod log;
mod metrics;
#[cfg(unix)]
mod prompt;
mod relay;
mod rules;
mod runtime;
mod screen;
mod server;
mod shown;
mod signals;
mod stop;
#[cfg(unix)]
mod terminal;
mod tls;
mod trust;
mod typed;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::join::Outcome;
use crate::log::{Form, Log};
use crate::shown::shown;
use crate::stop::Stop;

/// The status of `join` when the room closes in good order, and the person had not left.
const ROOM_CLOSED: u8 = 3;

fn main() -> ExitCode {
    let command = Cli::parse().command();
    let form = match &command {
        Command::Serve(options) => options.log,
        Command::Join(_) => Form::Text,
    };
    let mut log = match Log::start(form) {
        Ok(log) => log,
        Err(error) => return fail(&mut io::stderr(), &error),
    };
    let result = match command {
        Command::Serve(options) => serve(*options, log.clone()).map(|()| Outcome::Left),
        Command::Join(options) => runtime::join(&options, &log),
    };
    let code = match result {
        Ok(Outcome::Left) => ExitCode::SUCCESS,
        Ok(Outcome::Closed) => {
            fail(&mut log, &"the room closed the connection");
            ExitCode::from(ROOM_CLOSED)
        }
        Err(error) => fail(&mut log, &error),
    };
    log.finish();
    code
}

/// Says why the program fails.
fn fail(to: &mut impl Write, error: &impl Display) -> ExitCode {
    // A terminal would obey what a peer's certificate says.
    let text = format!("asyncnet-chat: {}\n", shown(error.to_string().as_bytes()));
    // Standard error may be closed.
    let _ = to.write_all(text.as_bytes());
    ExitCode::FAILURE
}

fn serve(options: cli::Serve, log: Log) -> io::Result<()> {
    options.check()?;
    let stop = Stop::new(options.stop_limit());
    let shown = tls::server(&options)?;
    let relay = options.relay().as_ref().map(relay::prepare).transpose()?;
    signals::watch(stop.clone(), shown.clone())?;
    runtime::serve(options, server::Parts { shown, relay, log, stop })
}
