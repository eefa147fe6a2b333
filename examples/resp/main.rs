//! RESP, the protocol of Redis: thousands of commands in flight on one connection, nested replies, large values,
//! messages that come unasked.
//!
//! `cargo run --example resp -- call SET key value`, `-- call GET key`, `-- load 10000` (that many tasks set and get at
//! once), `-- big 33554432` (a value of 32 MiB there and back), `-- subscribe CHANNEL`. `--connect` names the server.
//!
//! It leans on `batch.next_with` (a reply is parsed from what has arrived, and taken whole or not at all), on
//! `checkpoint` (no part of a long array is parsed twice), on `writer` (any task sends), and on `src/pipeline.rs`
//! (each caller gets its own answer, though others give up).

pub(crate) mod protocol;

use std::process::ExitCode;

use asyncnet::net::connect;
use asyncnet::{Connection, Error, Transport};
use asyncnet_examples::pipeline::Pipeline;
use asyncnet_examples::{Client, Platform, run_on};
use clap::{Parser, Subcommand};
use futures_lite::future::zip;
use protocol::{Replies, Value, command, config};

/// A client of Redis
#[derive(Debug, Parser)]
struct Options {
    /// The server
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:6379")]
    connect: String,
    #[command(flatten)]
    client: Client,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Send one command, and print its reply
    Call { words: Vec<String> },
    /// Set and get this many keys at once, on one connection
    Load { n: usize },
    /// Set and get a value of this many bytes
    Big { bytes: usize },
    /// Print what is published in a channel: this many messages, or all
    Subscribe {
        channel: String,
        #[arg(long, default_value_t = usize::MAX)]
        count: usize,
    },
}

/// The next message of a channel. An end is an error.
pub(crate) async fn message<S: Transport>(
    conn: &mut Connection<S>,
    replies: &mut Replies,
) -> Result<Value, Error> {
    conn.expect_with(|unread| replies.reply(unread)).await
}

/// Commands from any number of tasks, and the task that receives the replies.
pub(crate) fn pipeline<S: Transport>(
    conn: Connection<S>,
) -> (Pipeline<S, Value>, impl Future<Output = Result<(), Error>>) {
    let mut replies = Replies::default();
    Pipeline::new(conn, move |unread| replies.reply(unread))
}

/// Sets `n` keys and gets them back, with all commands in flight at once.
pub(crate) async fn load<S: Transport>(redis: &Pipeline<S, Value>, n: usize) -> Result<(), Error> {
    let value = |n| format!("value\r\n{n}");
    let mut replies = Vec::with_capacity(n);
    for n in 0..n {
        let key = format!("asyncnet:{n}");
        let set = redis.send(&command(&["SET", &key, &value(n), "EX", "60"])).await?;
        replies.push((set, redis.send(&command(&["GET", &key])).await?));
    }
    for (n, (set, get)) in replies.into_iter().enumerate() {
        expect(set.await?, &Value::Simple("OK".into()))?;
        expect(get.await?, &Value::Bulk(Some(value(n).into())))?;
    }
    Ok(())
}

fn expect(value: Value, expected: &Value) -> Result<(), Error> {
    match value {
        Value::Error(text) => Err(Error::protocol(text)),
        value if value == *expected => Ok(()),
        _ => Err(Error::protocol("the server answered with something else")),
    }
}

async fn run<P: Platform>(options: Options) -> Result<(), Error> {
    let to = options.client.connect_options()?.config(config());
    let mut conn = connect::<P::Runtime>(&options.connect, to).await?;
    if let What::Subscribe { channel, count } = &options.what {
        // Messages come when they come.
        conn.configure(|config| config.receive_timeout(None));
        conn.send_all(command(&["SUBSCRIBE", channel])).await?;
        let mut replies = Replies::default();
        println!("{:?}", message(&mut conn, &mut replies).await?);
        for _ in 0..*count {
            println!("{:?}", message(&mut conn, &mut replies).await?);
        }
        return conn.close().await;
    }
    let (redis, task) = pipeline(conn);
    let done = async {
        match options.what {
            What::Call { words } => println!("{:?}", redis.call(&command(&words)).await?),
            What::Load { n } => load(&redis, n).await?,
            What::Big { bytes } => {
                let value = "0123456789abcd\r\n".repeat(bytes / 16);
                let set = redis.call(&command(&["SET", "asyncnet:big", &value])).await?;
                expect(set, &Value::Simple("OK".into()))?;
                let get = redis.call(&command(&["GET", "asyncnet:big"])).await?;
                expect(get, &Value::Bulk(Some(value.into())))?;
            }
            What::Subscribe { .. } => {}
        }
        redis.close().await
    };
    let (done, received) = zip(done, task).await;
    done.and(received)
}

fn main() -> ExitCode {
    let options = Options::parse();
    run_on!(options.client.runtime, run(options))
}
