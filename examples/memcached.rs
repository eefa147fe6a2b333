//! The text protocol of memcached: values that may hold anything, line ends and `END` among it.
//!
//! `cargo run --example memcached -- set key value`, `-- get key`, `-- load 10000`. `--connect` names the server.
//!
//! It leans on `batch.next_with` (the head of a value says how many bytes follow, so that no byte of the value is searched
//! for a line end) and on `src/pipeline.rs` (any number of callers on one connection).

use std::process::ExitCode;
use std::time::Duration;

use asyncnet::net::connect;
use asyncnet::{Bytes, Config, Connection, Error, Framing, Transport, Unread};
use asyncnet_examples::pipeline::Pipeline;
use asyncnet_examples::{Client, Platform, run_on};
use clap::{Parser, Subcommand};
use futures_lite::future::zip;

/// A client of memcached
#[derive(Debug, Parser)]
struct Options {
    /// The server
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:11211")]
    connect: String,
    #[command(flatten)]
    client: Client,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Store a value
    Set { key: String, value: String },
    /// Print a value
    Get { key: String },
    /// Store and get back this many values at once, on one connection
    Load { n: usize },
}

/// Values of up to 1 MiB, as the server has it unless it is told otherwise, and 5 s for a reply.
pub(crate) fn config() -> Config {
    let config = Config::default().framing(Framing::CrLf).max_line(2048).max_block((1 << 20) + 2);
    config.max_queue(2 << 20).receive_timeout(Duration::from_secs(5))
}

/// What the server answers.
#[derive(Debug, PartialEq)]
pub(crate) enum Reply {
    /// A value, or that there is none.
    Value(Option<Bytes>),
    /// A word such as `STORED`.
    Done(String),
    /// It did not understand, or could not.
    Refused(String),
}

/// Parses a reply to `set` or to `get` with one key: for `next_with`.
pub(crate) fn reply(unread: &mut Unread<'_>) -> Result<Reply, Error> {
    let line = std::str::from_utf8(unread.line()?).map_err(Error::protocol)?;
    let mut words = line.split(' ');
    match words.next() {
        Some("VALUE") => {
            let len = words.nth(2).ok_or_else(|| Error::protocol("a value without a length"))?;
            let len: usize = len.parse().map_err(Error::protocol)?;
            let block = unread.block(len.saturating_add(2))?;
            match (block.strip_suffix(b"\r\n"), unread.line()?) {
                (Some(value), b"END") => Ok(Reply::Value(Some(Bytes::copy_from_slice(value)))),
                _ => Err(Error::protocol("a value is longer than its length")),
            }
        }
        Some("END") => Ok(Reply::Value(None)),
        Some("STORED" | "NOT_STORED" | "EXISTS" | "NOT_FOUND" | "DELETED") => {
            Ok(Reply::Done(line.to_owned()))
        }
        Some("ERROR" | "CLIENT_ERROR" | "SERVER_ERROR") => Ok(Reply::Refused(line.to_owned())),
        _ => Err(Error::protocol("the server sent a line that is no reply")),
    }
}

/// A key has no bytes that end it, or the command: they would be read as commands of their own.
fn checked(key: &str) -> Result<&str, Error> {
    let is_good = (1..=250).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good { Ok(key) } else { Err(Error::protocol("a key is 1 to 250 letters and signs")) }
}

pub(crate) fn set(key: &str, value: &[u8], seconds: u32) -> Result<Vec<u8>, Error> {
    let head = format!("set {} 0 {seconds} {}\r\n", checked(key)?, value.len());
    Ok([head.as_bytes(), value, b"\r\n"].concat())
}

pub(crate) fn get(key: &str) -> Result<Vec<u8>, Error> {
    Ok(format!("get {}\r\n", checked(key)?).into_bytes())
}

/// Stores `n` values and gets them back, with all commands in flight at once.
pub(crate) async fn load<S: Transport>(cache: &Pipeline<S, Reply>, n: usize) -> Result<(), Error> {
    let value = |n| format!("{n}\r\nEND\r\nVALUE asyncnet:{n} 0 1\r\n");
    let mut replies = Vec::with_capacity(n);
    for n in 0..n {
        let key = format!("asyncnet:{n}");
        let stored = cache.send(&set(&key, value(n).as_bytes(), 60)?).await?;
        replies.push((stored, cache.send(&get(&key)?).await?));
    }
    for (n, (stored, got)) in replies.into_iter().enumerate() {
        expect(stored.await?, &Reply::Done("STORED".into()))?;
        expect(got.await?, &Reply::Value(Some(value(n).into())))?;
    }
    Ok(())
}

fn expect(reply: Reply, expected: &Reply) -> Result<(), Error> {
    match reply {
        Reply::Refused(text) => Err(Error::protocol(text)),
        reply if reply == *expected => Ok(()),
        _ => Err(Error::protocol("the server answered with something else")),
    }
}

/// Commands from any number of tasks, and the task that receives the replies.
pub(crate) fn pipeline<S: Transport>(
    conn: Connection<S>,
) -> (Pipeline<S, Reply>, impl Future<Output = Result<(), Error>>) {
    Pipeline::new(conn, reply)
}

async fn run<P: Platform>(options: Options) -> Result<(), Error> {
    let to = options.client.connect_options()?.config(config());
    let (cache, task) = pipeline(connect::<P::Runtime>(&options.connect, to).await?);
    let done = async {
        match options.what {
            What::Set { key, value } => {
                let stored = cache.call(&set(&key, value.as_bytes(), 0)?).await?;
                expect(stored, &Reply::Done("STORED".into()))?;
            }
            What::Get { key } => match cache.call(&get(&key)?).await? {
                Reply::Value(Some(value)) => println!("{}", String::from_utf8_lossy(&value)),
                Reply::Value(None) => println!("there is no such key"),
                reply => expect(reply, &Reply::Value(None))?,
            },
            What::Load { n } => load(&cache, n).await?,
        }
        Ok(())
    };
    let done = async {
        let done = done.await;
        done.and(cache.close().await)
    };
    let (done, received) = zip(done, task).await;
    done.and(received)
}

fn main() -> ExitCode {
    let options = Options::parse();
    run_on!(options.client.runtime, run(options))
}
