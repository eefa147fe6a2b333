//! IRC: joins a channel; what you type is said there, what others say is printed.
//!
//! `cargo run --example irc_client -- irc.example.org:6697 --tls --nick ann --channel '#rust'`
//!
//! Two tasks share the connection: one receives and answers PING, the other talks. It leans on `next_batch` (a PING is
//! answered while its line is borrowed), `writer` (a sender for another task), `receive_timeout` (a server is silent for
//! four minutes at most, and a line that trickles in is cut off on time) and `Runtime::sleep` (a client that talks too fast is
//! thrown out: the pace is bounded).

use std::io::BufRead;
use std::process::ExitCode;
use std::time::Duration;

use async_channel::Receiver;
use asyncnet::net::connect;
use asyncnet::{Config, Connection, Error, Runtime, Transport, Writer};
use asyncnet_examples::{Platform, run_on};
use clap::Parser;

/// Joins a channel
#[derive(Debug, Parser)]
struct Options {
    /// The server
    #[arg(value_name = "HOST:PORT")]
    server: String,
    #[arg(long)]
    nick: String,
    #[arg(long)]
    channel: String,
    /// How long to wait after each line that is said, from the fifth on, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    pace: u64,
    #[command(flatten)]
    client: asyncnet_examples::Client,
}

/// Lines with tags; a server sends PING every two minutes or so.
pub(crate) fn config() -> Config {
    let patience = Duration::from_secs(240);
    Config::default().max_line(8191 + 510).receive_timeout(patience).send_timeout(patience)
}

/// `:NICK!USER@HOST COMMAND PARAMETER .. :TEXT`, as far as it matters here.
#[derive(Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) from: String,
    pub(crate) command: String,
    pub(crate) text: String,
}

impl Message {
    /// Reads a line; `None` if it is no message.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let line = String::from_utf8_lossy(line);
        let mut rest = &*line;
        if rest.starts_with('@') {
            rest = rest.split_once(' ')?.1.trim_start();
        }
        let mut from = "";
        if let Some(behind) = rest.strip_prefix(':') {
            (from, rest) = behind.split_once(' ')?;
        }
        let command = rest.split(' ').next().filter(|command| !command.is_empty())?;
        if !command.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let text = rest.split_once(" :").map(|(_, text)| text);
        let text = text.or(rest.rsplit_once(' ').map(|(_, last)| last)).unwrap_or_default();
        let nick = from.split('!').next().unwrap_or_default();
        Some(Self { from: nick.to_owned(), command: command.to_owned(), text: text.to_owned() })
    }
}

/// Receives as long as `hear` answers true, and answers PING. False: the server ended the connection in good order.
pub(crate) async fn listen<S: Transport>(
    conn: &mut Connection<S>,
    mut hear: impl FnMut(Message) -> Result<bool, Error>,
) -> Result<bool, Error> {
    while let Some(mut batch) = conn.next_batch().await? {
        loop {
            let line = match batch.next_line() {
                Ok(Some(line)) => line,
                // A bad line is left out; the next batch goes on behind it.
                Ok(None) | Err(Error::Line(_)) => break,
                Err(error) => return Err(error),
            };
            let Some(message) = Message::parse(line) else {
                return Err(Error::protocol("the server sent a line that is no message"));
            };
            if message.command == "PING" {
                batch.reply_fmt(format_args!("PONG :{}", message.text))?;
            } else if !hear(message)? {
                // What is left of the batch comes with the next one.
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Takes a nick and joins a channel.
pub(crate) async fn register<S: Transport>(
    conn: &mut Connection<S>,
    nick: &str,
    channel: &str,
) -> Result<(), Error> {
    conn.feed_fmt(format_args!("NICK {nick}"))?;
    conn.feed_fmt(format_args!("USER {nick} 0 * :{nick}"))?;
    // 001: welcome. 366: the end of the names in the channel.
    for good in ["001", "366"] {
        let goes_on = listen(conn, |message| match &*message.command {
            command if command == good => Ok(false),
            // The message of the day may be missing.
            "422" => Ok(true),
            "ERROR" => Err(Error::protocol(format!("the server said {}", message.text))),
            refusal if refusal.starts_with(['4', '5']) => {
                Err(Error::protocol(format!("the server said {refusal} {}", message.text)))
            }
            _ => Ok(true),
        });
        if !goes_on.await? {
            return Err(conn.end().map_or(Error::Closed, Error::Disconnected));
        }
        if good == "001" {
            conn.feed_fmt(format_args!("JOIN {channel}"))?;
        }
    }
    Ok(())
}

/// Says every line of `lines` in the channel, then leaves. From the fifth line on it waits for `pace` behind each.
pub(crate) async fn talk<R: Runtime>(
    writer: Writer<R::Stream>,
    lines: Receiver<String>,
    channel: String,
    pace: Duration,
) -> Result<(), Error> {
    let mut said = 0;
    while let Ok(line) = lines.recv().await {
        writer.send_line(format!("PRIVMSG {channel} :{line}")).await?;
        said += 1;
        if said >= 5 {
            R::sleep(pace).await;
        }
    }
    writer.send_line("QUIT :bye").await
}

async fn run<P: Platform>(options: Options) -> Result<(), Error> {
    let connecting = options.client.connect_options()?.config(config());
    let mut conn = connect::<P::Runtime>(&options.server, connecting).await?;
    register(&mut conn, &options.nick, &options.channel).await?;
    println!("joined {}", options.channel);

    // Standard input blocks, so a thread reads it.
    let (typed, lines) = async_channel::bounded(16);
    std::thread::spawn(move || {
        let input = std::io::stdin().lock().lines().map_while(Result::ok);
        input.take_while(|line| typed.send_blocking(line.clone()).is_ok()).for_each(drop);
    });
    let (writer, typed) = (conn.writer(), lines.clone());
    let pace = Duration::from_millis(options.pace);
    P::spawn(async move {
        // What fails here fails in the task that receives, which says it.
        drop(talk::<P::Runtime>(writer, lines, options.channel, pace).await);
    });
    let heard = listen(&mut conn, |message| {
        match &*message.command {
            "PRIVMSG" => println!("{}: {}", message.from, message.text),
            "JOIN" | "PART" | "QUIT" => println!("* {} {}", message.from, message.command),
            _ => {}
        }
        Ok(true)
    });
    let heard = heard.await;
    // Behind our QUIT every end is a good one.
    if !typed.is_closed() {
        heard?;
        return Err(conn.end().map_or(Error::Closed, Error::Disconnected));
    }
    conn.close().await
}

fn main() -> ExitCode {
    let options = Options::parse();
    run_on!(options.client.runtime, run(options))
}
