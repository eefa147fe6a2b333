//! RESP, the protocol of Redis: thousands of commands in flight on one connection, nested replies, large values,
//! messages that come unasked.
//!
//! `cargo run --example resp -- call SET key value`, `-- call GET key`, `-- load 10000` (that many tasks set and get at
//! once), `-- big 33554432` (a value of 32 MiB there and back), `-- subscribe CHANNEL`. `--connect` names the server.
//!
//! It leans on `batch.next_with` (a reply is parsed from what has arrived, and taken whole or not at all), on
//! `checkpoint` (no part of a long array is parsed twice), on `writer` (any task sends), and on `src/pipeline.rs`
//! (whose answer is whose, though callers give up).

use std::process::ExitCode;
use std::time::Duration;

use asyncnet::net::connect;
use asyncnet::{Bytes, Config, Connection, Error, Framing, Transport, Unread};
use asyncnet_examples::pipeline::Pipeline;
use asyncnet_examples::{Client, Platform, run_on};
use clap::{Parser, Subcommand};
use futures_lite::future::zip;

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
    /// Set and get so many keys at once, on one connection
    Load { n: usize },
    /// Set and get a value of so many bytes
    Big { bytes: usize },
    /// Print what is published in a channel: so many messages, or all
    Subscribe {
        channel: String,
        #[arg(long, default_value_t = usize::MAX)]
        count: usize,
    },
}

/// The deepest array in an array, and the most bytes of a reply with all that it nests. The server chooses both.
pub(crate) const MAX_DEPTH: usize = 32;
pub(crate) const MAX_REPLY: usize = 64 << 20;

/// Values of up to 64 MiB in both directions, and half a minute for a reply.
pub(crate) fn config() -> Config {
    let config = Config::default().framing(Framing::CrLf).max_line(64 << 10);
    let config = config.max_block(MAX_REPLY).max_queue(MAX_REPLY + 1024);
    config.receive_timeout(Duration::from_secs(30))
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Option<Bytes>),
    Array(Option<Vec<Self>>),
}

/// Parses replies. It keeps the parts of a nested reply that have come, and goes on behind them when more has come: it
/// belongs to one connection, as long as that.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    /// The arrays that are not complete yet, the innermost last, and how many values each still lacks.
    open: Vec<(Vec<Value>, usize)>,
    /// The bytes of the reply so far.
    len: usize,
}

impl Replies {
    /// The next reply: for `next_with`.
    pub(crate) fn reply(&mut self, unread: &mut Unread<'_>) -> Result<Value, Error> {
        loop {
            let Some(mut value) = self.value(unread)? else { continue };
            loop {
                let Some((values, lacking)) = self.open.last_mut() else {
                    self.len = 0;
                    return Ok(value);
                };
                values.push(value);
                *lacking -= 1;
                if *lacking > 0 {
                    unread.checkpoint();
                    break;
                }
                let (values, _) = self.open.pop().expect("it is the last one");
                value = Value::Array(Some(values));
            }
        }
    }

    /// One value, or `None` for the head of an array.
    fn value(&mut self, unread: &mut Unread<'_>) -> Result<Option<Value>, Error> {
        let line = unread.line()?;
        let (mark, text) = line.split_first().ok_or_else(|| Error::protocol("an empty reply"))?;
        let text = std::str::from_utf8(text).map_err(Error::protocol)?;
        let value = match mark {
            b'+' => Value::Simple(text.to_owned()),
            b'-' => Value::Error(text.to_owned()),
            b':' => Value::Int(text.parse().map_err(Error::protocol)?),
            b'$' => Value::Bulk(match length(text)? {
                Some(len) => Some(bulk(unread, len)?),
                None => None,
            }),
            b'*' => match length(text)? {
                None => Value::Array(None),
                Some(0) => Value::Array(Some(Vec::new())),
                Some(_) if self.open.len() == MAX_DEPTH => {
                    return Err(Error::protocol("the server nests arrays too deeply"));
                }
                Some(n) => {
                    self.grow(line.len())?;
                    self.open.push((Vec::new(), n));
                    unread.checkpoint();
                    return Ok(None);
                }
            },
            _ => return Err(Error::protocol("the server sent a line that is no reply")),
        };
        let len = if let Value::Bulk(Some(bulk)) = &value { bulk.len() } else { line.len() };
        self.grow(len)?;
        Ok(Some(value))
    }

    /// Checkpoints take the bound of the connection off a reply as a whole: here it is again.
    fn grow(&mut self, len: usize) -> Result<(), Error> {
        self.len = self.len.saturating_add(len.saturating_add(size_of::<Value>()));
        let max = MAX_REPLY + (64 << 10);
        if self.len > max { Err(Error::TooLarge { len: self.len, max }) } else { Ok(()) }
    }
}

/// A length; `None` for -1.
fn length(text: &str) -> Result<Option<usize>, Error> {
    if text == "-1" { Ok(None) } else { text.parse().map(Some).map_err(Error::protocol) }
}

fn bulk(unread: &mut Unread<'_>, len: usize) -> Result<Bytes, Error> {
    let block = unread.block(len.saturating_add(2))?;
    let bulk = block.strip_suffix(b"\r\n").map(Bytes::copy_from_slice);
    bulk.ok_or_else(|| Error::protocol("a string is longer than its length"))
}

/// A command: an array of strings, which may hold any bytes.
pub(crate) fn command<T: AsRef<[u8]>>(words: &[T]) -> Vec<u8> {
    let mut command = Vec::with_capacity(words.iter().map(|it| it.as_ref().len() + 16).sum());
    let head = |command: &mut Vec<u8>, mark, n: usize| {
        command.push(mark);
        command.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
        command.extend_from_slice(b"\r\n");
    };
    head(&mut command, b'*', words.len());
    for word in words {
        let word = word.as_ref();
        head(&mut command, b'$', word.len());
        command.extend_from_slice(word);
        command.extend_from_slice(b"\r\n");
    }
    command
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
