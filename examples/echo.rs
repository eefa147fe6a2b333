//! A server that answers every line with itself: the frame of every other program here.
//!
//! `cargo run --example echo -- --listen 127.0.0.1:7777 --runtime smol`, then `nc 127.0.0.1 7777`.
//!
//! It leans on `Listener::bind_with` and `accept` (a server on any runtime), and on `next_batch` (everything that has
//! arrived is answered in one write).

use std::process::ExitCode;

use asyncnet::{Connection, Error, Listener, Transport};
use asyncnet_examples::{Platform, Server, run_on};
use clap::Parser;

/// A server that answers every line with itself
#[derive(Debug, Parser)]
struct Options {
    /// Where to listen; port 0 lets the system choose
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7777")]
    listen: String,
    #[command(flatten)]
    server: Server,
}

/// The protocol.
async fn echo<S: Transport>(mut conn: Connection<S>) -> Result<(), Error> {
    while let Some(mut batch) = conn.next_batch().await? {
        while let Some(line) = batch.next_line()? {
            batch.reply_line(line)?;
        }
    }
    conn.close().await
}

async fn run<P: Platform>(options: Options) -> Result<(), Error> {
    let listener =
        Listener::<P::Runtime>::bind_with(&options.listen, options.server.listen_options()?)
            .await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let conn = listener.accept().await?;
        P::spawn(async move {
            if let Err(error) = echo(conn).await {
                eprintln!("a client: {error}");
            }
        });
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    run_on!(options.server.runtime, run(options))
}
