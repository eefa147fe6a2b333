//! The only place that knows which runtimes there are: each starts the same server and spawns for it.

use std::io;

use asyncnet_async_std::AsyncStd;
use asyncnet_smol::Smol;
use asyncnet_tokio::Tokio;

use crate::join::Outcome;
use crate::log::Log;
use crate::server::{Job, Parts};
use crate::{cli, join, server};

/// Serves until the stop of these parts.
pub(crate) fn serve(options: cli::Serve, parts: Parts) -> io::Result<()> {
    match options.runtime {
        cli::Runtime::Tokio => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let spawn = |job: Job| drop(tokio::spawn(job));
            runtime.block_on(server::serve::<Tokio>(options, parts, spawn))
        }
        cli::Runtime::AsyncStd => {
            let spawn = |job: Job| drop(async_std::task::spawn(job));
            async_std::task::block_on(server::serve::<AsyncStd>(options, parts, spawn))
        }
        cli::Runtime::Smol => {
            let spawn = |job: Job| smol::spawn(job).detach();
            smol::block_on(server::serve::<Smol>(options, parts, spawn))
        }
    }
}

/// Joins a room. One person needs no choice of runtime.
pub(crate) fn join(options: &cli::Join, log: &Log) -> io::Result<Outcome> {
    smol::block_on(join::join(options, log))
}
