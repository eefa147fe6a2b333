//! NATS: headers and counted payloads, TLS after a first line in plaintext, and a client that reconnects when its server
//! was killed.
//!
//! `cargo run --example nats -- sub 'news.>'`, `-- pub news.today 'It rains.'`, `-- load 100000` (publishes and receives
//! that many), `-- persist news.today` (publishes for ever, over every loss of the server). `--tls` upgrades.
//!
//! It leans on `batch.next_with` (a header and its payload are one message, borrowed), on `upgrade_tls` (which refuses
//! what was smuggled in after the first line), on `writer` with `feed_wait` (publishing waits for the server, and
//! receiving goes on), on `receive_timeout` (a silent server gets a PING, and is then given up), and on
//! `net::Backoff` for the waits between connects.

pub(crate) mod protocol;
mod tally;

use std::process::ExitCode;
use std::time::Duration;

use asyncnet::net::{Backoff, ConnectOptions, connect, host_name};
use asyncnet::{Connection, Error, Runtime as _, Timeout, Transport, Writer};
use asyncnet_examples::{Client, Conn, Platform, run_on};
use clap::{Parser, Subcommand};
use futures_lite::future::or;
use protocol::{Event, Message, config, event, greet, publication};
pub(crate) use tally::{Counts, Tally};

/// A client of NATS
#[derive(Clone, Debug, Parser)]
pub(crate) struct Options {
    /// The server
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:4222")]
    connect: String,
    #[command(flatten)]
    client: Client,
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Publish one message
    Pub {
        subject: String,
        text: String,
        /// A header, as `Name: value`
        #[arg(long)]
        header: Option<String>,
    },
    /// Print this many messages of a subject, or all
    Sub {
        subject: String,
        #[arg(long, default_value_t = u64::MAX)]
        count: u64,
    },
    /// Publish this many messages, and receive them
    Load { n: u64 },
    /// Publish messages with a number, and reconnect whenever the server is gone
    Persist {
        subject: String,
        #[arg(long, default_value_t = u64::MAX)]
        count: u64,
    },
}

/// Publishes, and asks for a PONG behind it if `confirm` says so. Waits while the server does not read.
pub(crate) async fn publish<S: Transport>(
    writer: &Writer<S>,
    tally: &Tally,
    mut message: Vec<u8>,
    confirm: bool,
) -> Result<(), Error> {
    if confirm {
        message.extend_from_slice(b"PING\r\n");
    }
    // Counted before it can leave: what is torn by a loss was published.
    tally.with(|it| it.publish(confirm));
    writer.feed_wait(message).await
}

/// Receives until `on` says that it has enough, with the number of messages that the server has confirmed.
pub(crate) async fn receive<S: Transport>(
    conn: &mut Connection<S>,
    tally: &Tally,
    mut on: impl FnMut(Option<&Message<'_>>, u64) -> bool,
) -> Result<(), Error> {
    let mut asked = false;
    loop {
        let mut batch = match conn.next_batch().await {
            Ok(Some(batch)) => batch,
            Ok(None) => return Err(conn.end().map_or(Error::Closed, Error::Disconnected)),
            Err(Error::TimedOut(Timeout::Receive { .. })) if !asked => {
                asked = true;
                // Unless a PONG is owed already.
                if tally.with(Counts::ping_if_none) {
                    conn.feed_line("PING")?;
                }
                continue;
            }
            Err(error) => return Err(error),
        };
        asked = false;
        while let Some(event) = batch.next_with(event)? {
            let enough = match event {
                Event::Message(message) => on(Some(&message), tally.with(|it| it.confirmed)),
                Event::Ping => batch.reply_line("PONG").map(|()| false)?,
                Event::Pong => on(None, tally.with(Counts::pong)),
                Event::Other => false,
                Event::Error(text) => return Err(Error::protocol(text.to_owned())),
            };
            if enough {
                return Ok(());
            }
        }
    }
}

/// A connection to a server that has greeted us.
async fn dial<P: Platform>(options: &Options) -> Result<Conn<P>, Error> {
    let to = ConnectOptions::new().config(config());
    let mut conn = connect::<P::Runtime>(&options.connect, to).await?;
    let context = options.client.context()?;
    let host = host_name(&options.connect)?;
    greet(&mut conn, options.client.tls.then_some((&context, host))).await?;
    Ok(conn)
}

/// Publishes numbers, `every` so often, from the last one on; and comes back when the server was lost.
pub(crate) async fn persist<P: Platform>(
    options: &Options,
    subject: &str,
    count: u64,
) -> Result<(), Error> {
    let tally = Tally::default();
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
    while tally.with(|it| it.confirmed) < count {
        // The first connect is a connect like any other: the server may not be there yet.
        let why = match dial::<P>(options).await {
            Err(error) => error,
            Ok(mut conn) => {
                println!("connected");
                backoff.reset();
                let writer = conn.writer();
                let publishing = async {
                    loop {
                        let n = tally.with(|it| it.published);
                        if n < count {
                            let message = publication(subject, "", n.to_string().as_bytes());
                            publish(&writer, &tally, message, true).await?;
                        }
                        P::Runtime::sleep(Duration::from_millis(1)).await;
                    }
                };
                let receiving = receive(&mut conn, &tally, |_, confirmed| confirmed == count);
                match or(publishing, receiving).await {
                    Ok(()) => break,
                    Err(error) => error,
                }
            }
        };
        let wait = backoff.wait();
        println!("{why}; at most {} messages are lost; the next try is in {wait:?}", tally.broke());
        P::Runtime::sleep(wait).await;
    }
    let Counts { published, uncertain, .. } = tally.with(|it| it.clone());
    println!("published {published} messages, of which at most {uncertain} are lost");
    Ok(())
}

async fn run<P: Platform>(options: Options) -> Result<(), Error> {
    if let What::Persist { subject, count } = &options.what {
        return persist::<P>(&options, subject, *count).await;
    }
    let mut conn = dial::<P>(&options).await?;
    let (writer, tally) = (conn.writer(), Tally::default());
    match &options.what {
        What::Pub { subject, text, header } => {
            let headers = header.as_ref().map_or(String::new(), |header| format!("{header}\r\n"));
            let message = publication(subject, &headers, text.as_bytes());
            publish(&writer, &tally, message, true).await?;
            receive(&mut conn, &tally, |_, confirmed| confirmed == 1).await?;
        }
        What::Sub { subject, count } => {
            conn.feed_fmt(format_args!("SUB {subject} 1"))?;
            let mut received = 0;
            let print = |message: Option<&Message<'_>>, _| {
                if let Some(message) = message {
                    println!("{message}");
                    received += 1;
                }
                received >= *count
            };
            receive(&mut conn, &tally, print).await?;
        }
        What::Load { n } => {
            let inbox = format!("_INBOX.{}", std::process::id());
            conn.feed_fmt(format_args!("SUB {inbox} 1"))?;
            let publishing = async {
                for i in 1..=*n {
                    let message = publication(&inbox, "", b"0123456789abcdef");
                    publish(&writer, &tally, message, i == *n).await?;
                }
                std::future::pending().await
            };
            let mut received = 0;
            let receiving = receive(&mut conn, &tally, |message, confirmed| {
                received += u64::from(message.is_some());
                received == *n && confirmed == *n
            });
            or(publishing, receiving).await?;
        }
        What::Persist { .. } => {}
    }
    conn.close().await
}

pub(crate) fn main() -> ExitCode {
    let options = Options::parse();
    run_on!(options.client.runtime, run(options))
}
