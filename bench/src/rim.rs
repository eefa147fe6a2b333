//! What a TLS server does at its rim: how many handshakes, on which threads, and what a flood of peers that never
//! end one costs an honest client. Nothing is asserted.

use std::fs;
use std::io;
use std::time::Duration;

use crate::Run;
use crate::load::rim::{Flood, Honest, handshakes};
use crate::machine::{Cores, raise_descriptors};
use crate::model::Kind;
use crate::process::{Running, Server, Thread};
use crate::secure::Identity;

/// Prints both tables. The clients are on the same cores as the server.
pub(crate) fn run(run: &Run) -> io::Result<()> {
    let descriptors = raise_descriptors()?;
    fs::create_dir_all(&run.out)?;
    Identity::make(&run.out)?;
    for workers in [1, 2] {
        shake_hands(run, workers)?;
    }
    flood(run, descriptors)
}

fn start(kind: Kind, workers: usize, run: &Run) -> io::Result<Running> {
    Server::with_workers(kind, workers, &run.out)?.start(Cores::ANY)
}

/// Handshakes in a second, of ours and of tokio-rustls by turns, and the ratio within each round.
fn shake_hands(run: &Run, workers: usize) -> io::Result<()> {
    let (rounds, time) = if run.quick { (3, 500) } else { (5, 2000) };
    let (time, config) = (Duration::from_millis(time), Identity::at(&run.out).client(false)?);
    println!("## Full TLS handshakes, a task for each, workers of tokio: {workers}\n");
    println!("| | in a second | processor time of each thread |\n|---|---|---|");
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let mut rates = Vec::new();
        for kind in [Kind::AsyncnetTokio, Kind::TokioRustls] {
            let server = start(kind, workers, run)?;
            let before = server.threads();
            let rate = handshakes(&server, &config, time)?;
            let threads = Thread::since(&before, &server.threads());
            println!("| {} | {rate:.0} | {threads} |", kind.name());
            rates.push(rate);
        }
        ratios.push(rates[0] / rates[1]);
    }
    ratios.sort_by(f64::total_cmp);
    println!("\nRatio: {:.2} (median of {rounds})\n", ratios[ratios.len() / 2]);
    Ok(())
}

fn flood(run: &Run, descriptors: usize) -> io::Result<()> {
    let config = Identity::at(&run.out).client(false)?;
    let (silent, halfway) = if run.quick { (600, 60) } else { (10_000, 1000) };
    let descriptors = descriptors.saturating_sub(128);
    let flood = Flood { silent, each_second: 200, halfway, descriptors };
    let time = Duration::from_secs(if run.quick { 2 } else { 10 });
    let server = start(Kind::AsyncnetTokio, 2, run)?;
    println!(
        "## An honest client beside {silent} silent peers, {} in a second, and {halfway} that stop in the \
         middle of their hello\n",
        flood.each_second
    );
    println!(
        "| | handshakes | median ms | 95 % ms | worst ms | most memory MiB |\n|---|---|---|---|---|---|"
    );
    tell("without", &Honest::alone(&server, &config, time)?);
    let before = server.threads();
    tell("with", &Honest::under(flood, &server, &config)?);
    let threads = Thread::since(&before, &server.threads());
    println!("\nProcessor time of each thread under the flood: {threads}\n");
    Ok(())
}

fn tell(what: &str, honest: &Honest) {
    let [median, most, worst] =
        [0.5, 0.95, 1.0].map(|share| honest.quantile(share).as_secs_f64() * 1e3);
    let (times, memory) = (honest.times.len(), honest.memory as f64 / f64::from(1 << 20));
    println!("| {what} | {times} | {median:.2} | {most:.2} | {worst:.2} | {memory:.1} |");
}
