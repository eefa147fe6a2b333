//! JSON lines over standard streams and over a child's pipes: what language servers, MCP servers and many tools speak.
//!
//! `cargo run --example json_lines -- ask '{"id": 1, "method": "length", "of": "hello"}'` starts itself as the server;
//! `-- ask --server CMD REQUEST..` starts another one. `-- serve` is the server, on its standard input and output.
//!
//! It leans on `process::stdio` and `process::child` (polled pipes; to close our side ends the child), on
//! `Framing::Lf`, on `max_line` with `is_recoverable` (a message without an end is an error, the next one is answered, and
//! memory stays flat), and on `within` (a server that says nothing is a timeout).

use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use asyncnet::process::{self, PipeStream};
use asyncnet::runtime::Pipes;
use asyncnet::{Config, Connection, Error, Framing, Transport};
use asyncnet_examples::{Platform, Runtime, run_on};
use clap::{Parser, Subcommand};
use serde_json::{Value, json};

/// A client and a server of JSON lines
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// The async runtime to run on
    #[arg(long, value_enum, default_value_t, global = true)]
    runtime: Runtime,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Answer requests on the standard input
    Serve,
    /// Start a server, and print its answer to each request
    Ask {
        /// The server to start, as a command of the shell; without it, this program
        #[arg(long, value_name = "COMMAND")]
        server: Option<String>,
        /// The requests, in JSON
        requests: Vec<String>,
    },
}

/// Messages of at most 1 MiB, and half a minute for an answer.
pub(crate) fn config() -> Config {
    Config::default().framing(Framing::Lf).max_line(1 << 20)
}

const PATIENCE: Duration = Duration::from_secs(30);

/// Answers requests. A bad one is answered with an error, and the connection goes on.
pub(crate) async fn serve<S: Transport>(mut conn: Connection<S>) -> Result<(), Error> {
    loop {
        let answer = match conn.next_line().await {
            Ok(Some(line)) => match serde_json::from_slice::<Value>(line) {
                Ok(request) => answer(&request),
                Err(error) => refused(&Value::Null, &error.to_string()),
            },
            Ok(None) => return conn.close().await,
            // A line that is too long: it is discarded as it comes, and what is behind it is the next message.
            Err(error) if error.is_recoverable() => refused(&Value::Null, &error.to_string()),
            Err(error) => return Err(error),
        };
        // JSON has no line break outside of strings, and writes those in strings as `\n`.
        conn.send_line(answer.to_string()).await?;
    }
}

fn refused(id: &Value, why: &str) -> Value {
    json!({ "id": id, "error": why })
}

fn answer(request: &Value) -> Value {
    let id = &request["id"];
    match request["method"].as_str() {
        Some("length") => json!({ "id": id, "result": request["of"].as_str().map_or(0, str::len) }),
        Some("memory") => json!({ "id": id, "result": peak_memory() }),
        _ => refused(id, "there is no such method"),
    }
}

/// The most memory that this process has had at once, in KiB; 0 where the system does not say.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

/// A server in a process of its own.
pub(crate) struct Server<R: Pipes> {
    pub(crate) child: Child,
    pub(crate) conn: Connection<PipeStream<R::Clock>>,
}

impl<R: Pipes> Server<R> {
    pub(crate) fn start(command: &mut Command) -> Result<Self, Error> {
        let (child, stream) = process::child::<R>(command)?;
        Ok(Self { child, conn: stream.into_connection(config()) })
    }

    /// Sends a request, and receives its answer.
    pub(crate) async fn call(&mut self, request: &Value) -> Result<Value, Error> {
        self.conn.send_line(request.to_string()).await?;
        self.answer().await
    }

    pub(crate) async fn answer(&mut self) -> Result<Value, Error> {
        let line = self.conn.within(PATIENCE).expect_line().await?;
        serde_json::from_slice(line).map_err(Error::protocol)
    }

    /// Ends our side, so that the server leaves, and says whether it left in good order.
    pub(crate) async fn stop(mut self) -> Result<bool, Error> {
        self.conn.close().await?;
        // `Child::wait` blocks its thread, and a child may stay for a while after it has closed its output.
        Ok(blocking::unblock(move || self.child.wait()).await?.success())
    }
}

async fn run<P: Platform>(what: What) -> Result<(), Error> {
    let (server, requests) = match what {
        What::Serve => {
            return serve(process::stdio::<P::Runtime>()?.into_connection(config())).await;
        }
        What::Ask { server, requests } => (server, requests),
    };
    let mut command = match server {
        Some(server) => {
            let mut command = Command::new("sh");
            command.args(["-c", &server]);
            command
        }
        None => {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("serve");
            command
        }
    };
    let mut server = Server::<P::Runtime>::start(&mut command)?;
    for request in &requests {
        let request = serde_json::from_str(request).map_err(Error::protocol)?;
        println!("{}", server.call(&request).await?);
    }
    if server.stop().await? { Ok(()) } else { Err(Error::protocol("the server failed")) }
}

pub(crate) fn main() -> ExitCode {
    let options = Options::parse();
    run_on!(options.runtime, run(options.what))
}
