//! Plays one scenario of a file with sockets of ours, and tells on the standard output what each of its
//! operations answered:
//!
//!     scenario SCENARIOS.json ID --peer-port=N --certs=DIR
//!
//! The environment variable `ASYNCNET_RUNTIME` names the runtime: `tokio` (the default), `async-std` or
//! `smol`. The output is one JSON object in a line:
//!
//! - `{"ev":"port","port":N,"name":S}`: the listener S is ready;
//! - `{"ev":"start","k":K}`: operation K begins;
//! - `{"ev":"done","k":K,"res":{..}}`: what it answered;
//! - `{"ev":"end"}`: the scenario is over.
#![cfg_attr(not(target_os = "linux"), allow(unused, reason = "only the excuse is left"))]

#[cfg(target_os = "linux")]
mod output;
#[cfg(target_os = "linux")]
mod scenario;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    match scenario::Scenario::from_args(std::env::args().skip(1)) {
        Ok(scenario) => {
            run(scenario);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(4)
        }
    }
}

/// The three runtimes; all else is the same.
#[cfg(target_os = "linux")]
fn run(scenario: scenario::Scenario) {
    let runtime = std::env::var("ASYNCNET_RUNTIME").unwrap_or_default();
    match &*runtime {
        "async-std" => {
            async_std::task::block_on(scenario.play::<asyncnet_async_std::AsyncStd>(&runtime));
        }
        "smol" => smol::block_on(scenario.play::<asyncnet_smol::Smol>(&runtime)),
        _ => {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let tokio = builder.enable_all().build().expect("the system has a reactor");
            tokio.block_on(scenario.play::<asyncnet_tokio::Tokio>("tokio"));
        }
    }
}

/// The scenarios ask the system for what only Linux tells.
#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("scenarios are played on Linux");
    ExitCode::from(4)
}
