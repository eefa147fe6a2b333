//! The tiny database of tokio's examples, on asyncnet: `GET key` and `SET key value`, a line each.
//!
//! `cargo run --example tinydb -- --listen 127.0.0.1:8080`, then `nc 127.0.0.1 8080`.
//!
//! tokio's `examples/tinydb.rs` of August 2026 has 224 lines, 139 without comments and empty lines; this one has
//! 108, 79 without. What clients see is the same, but for CR LF where the original sends LF.
//!
//! Gained: the answers to all that has arrived leave in one write (there, each is flushed); a line without an end is an
//! error that is answered, and the next line is served (there, memory grows for ever); a client that asks and does not
//! read is not read from; a client that is silent for a minute is disconnected; a failed accept does not end the server;
//! TLS and three runtimes. Lost: nothing.
//!
//! It leans on `next_batch` with `reply_fmt` (answer while the line is borrowed), and on `is_recoverable`.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use asyncnet::{Config, Connection, Error, Listener, Transport};
use asyncnet_examples::{Platform, Server, run_on};
use clap::Parser;

/// A database of keys and values
#[derive(Debug, Parser)]
struct Options {
    /// Where to listen; port 0 lets the system choose
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    listen: String,
    #[command(flatten)]
    server: Server,
}

pub(crate) fn config() -> Config {
    Config::default().max_line(64 << 10).idle_timeout(Duration::from_secs(60))
}

/// The keys and values, for all clients.
pub(crate) type Database = Mutex<HashMap<String, String>>;

/// One `foo`, which is `bar`.
pub(crate) fn database() -> Database {
    Mutex::new(HashMap::from([("foo".into(), "bar".into())]))
}

/// The answer to a request, or what is wrong with it.
fn answer(request: &[u8], db: &Database) -> Result<String, String> {
    let request = std::str::from_utf8(request).map_err(|error| error.to_string())?;
    let mut db = db.lock().unwrap_or_else(PoisonError::into_inner);
    match request.splitn(3, ' ').collect::<Vec<_>>()[..] {
        ["GET", key] => {
            let value = db.get(key).ok_or_else(|| format!("no key {key}"))?;
            Ok(format!("{key} = {value}"))
        }
        ["GET"] => Err("GET must be followed by a key".into()),
        ["GET", ..] => Err("GET's key must not be followed by anything".into()),
        ["SET", key, value] => {
            let previous = db.insert(key.to_owned(), value.to_owned());
            Ok(format!("set {key} = `{value}`, previous: {previous:?}"))
        }
        ["SET", _] => Err("SET needs a value".into()),
        ["SET"] => Err("SET must be followed by a key".into()),
        [other, ..] => Err(format!("unknown command: {other}")),
        [] => Err("empty input".into()),
    }
}

/// One client.
pub(crate) async fn serve<S: Transport>(
    mut conn: Connection<S>,
    db: &Database,
) -> Result<(), Error> {
    while let Some(mut batch) = conn.next_batch().await? {
        loop {
            let answer = match batch.next_line() {
                Ok(Some(line)) => answer(line, db),
                Ok(None) => break,
                Err(error) if error.is_recoverable() => Err(error.to_string()),
                Err(error) => return Err(error),
            };
            match answer {
                Ok(text) => batch.reply_line(text)?,
                Err(text) => batch.reply_fmt(format_args!("error: {text}"))?,
            }
        }
    }
    conn.close().await
}

async fn run<P: Platform>(options: Options) -> Result<(), Error> {
    let with = options.server.listen_options()?.config(config());
    let listener = Listener::<P::Runtime>::bind_with(&options.listen, with).await?;
    println!("listening on {}", listener.local_addr()?);
    let db = Arc::new(database());
    loop {
        let (conn, db) = (listener.accept().await?, Arc::clone(&db));
        P::spawn(async move {
            if let Err(error) = serve(conn, &db).await {
                eprintln!("a client: {error}");
            }
        });
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    run_on!(options.server.runtime, run(options))
}
