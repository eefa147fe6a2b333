//! STOMP: frames that end in NUL, headers in lines, bodies that may hold NUL if their length is said.
//!
//! `cargo run --example stomp -- send /queue/a 'It rains.'`, `-- subscribe /queue/a`. `--connect` names the server.
//!
//! It leans on `Framing::Byte(0)` (a frame is a line whose end is NUL, both ways), on `next_with` (a body with a length is
//! taken over the NULs in it), on `checkpoint` (heart-beats between frames are consumed as they come), and on
//! `idle_timeout`.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use asyncnet::net::connect;
use asyncnet::{Config, Connection, Error, Framing, Transport, Unread};
use asyncnet_examples::{Client, Platform, run_on};
use clap::{Parser, Subcommand};

/// A client of STOMP
#[derive(Debug, Parser)]
struct Options {
    /// The server
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:61613")]
    connect: String,
    #[command(flatten)]
    client: Client,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Send one message, and wait until the server has it
    Send { destination: String, text: String },
    /// Print this many messages of a destination, or all
    Subscribe {
        destination: String,
        #[arg(long, default_value_t = usize::MAX)]
        count: usize,
    },
}

/// Frames of up to 1 MiB. The server says something every 10 s: we ask it for heart-beats.
pub(crate) fn config() -> Config {
    let config = Config::default().framing(Framing::Byte(0)).max_line(1 << 20).max_block(1 << 20);
    config.receive_timeout(None).idle_timeout(Duration::from_secs(30))
}

/// A command, headers and a body.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Frame {
    pub(crate) command: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(command: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers = headers.iter().map(own).collect();
        Self { command: command.to_owned(), headers, body: body.to_vec() }
    }

    /// The first of that name counts.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
    }

    /// The frame with the length of its body, so that the body may hold NUL.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = format!("{}\n", self.command).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{}:{}\n", escaped(name), escaped(value)).as_bytes());
        }
        bytes.extend_from_slice(format!("content-length:{}\n\n", self.body.len()).as_bytes());
        bytes.extend_from_slice(&self.body);
        bytes.push(0);
        bytes
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}: {}", self.command, self.headers, String::from_utf8_lossy(&self.body))
    }
}

/// A name or value that would end its line, or its frame, does not.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r").replace(':', "\\c")
}

fn unescaped(text: &str) -> Result<String, Error> {
    let mut chars = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(char) = chars.next() {
        plain.push(match char {
            '\\' => match chars.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('c') => ':',
                _ => return Err(Error::protocol("a header has an unknown escape")),
            },
            char => char,
        });
    }
    Ok(plain)
}

/// Parses a frame: for `next_with`.
pub(crate) fn frame(unread: &mut Unread<'_>) -> Result<Frame, Error> {
    // A heart-beat is a line end between frames.
    loop {
        match unread.rest().first() {
            Some(b'\n' | b'\r') => _ = unread.block(1)?,
            Some(_) => break,
            None => return Err(unread.needs(1)),
        }
        unread.checkpoint();
    }
    // Up to the first NUL: the headers hold none.
    let line = unread.line()?;
    let text = std::str::from_utf8(line);
    let upto = text.map_or_else(|error| error.valid_up_to(), str::len);
    let text = std::str::from_utf8(&line[..upto]).map_err(Error::protocol)?;
    let mut frame = Frame::default();
    let mut lines = text.split_inclusive('\n');
    let mut len = 0;
    let mut line_of = |lines: &mut std::str::SplitInclusive<'_, char>| {
        let line = lines.next().and_then(|line| line.strip_suffix('\n').map(|it| (it, line.len())));
        let (line, whole) = line.ok_or_else(|| Error::protocol("a frame without an empty line"))?;
        len += whole;
        Ok::<_, Error>(line.strip_suffix('\r').unwrap_or(line).to_owned())
    };
    frame.command = line_of(&mut lines)?;
    loop {
        let header = line_of(&mut lines)?;
        if header.is_empty() {
            break;
        }
        let header = header.split_once(':');
        let (name, value) = header.ok_or_else(|| Error::protocol("a header without a colon"))?;
        frame.headers.push((unescaped(name)?, unescaped(value)?));
    }
    frame.body = line[len..].to_vec();
    let Some(length) = frame.header("content-length") else { return Ok(frame) };
    let length: usize = length.parse().map_err(Error::protocol)?;
    if length > frame.body.len() {
        // The NUL was a part of the body.
        frame.body.push(0);
        let rest = unread.block((length - frame.body.len()).saturating_add(1))?;
        frame.body.extend_from_slice(rest);
        if frame.body.pop() != Some(0) {
            return Err(Error::protocol("a body is longer than its length"));
        }
    }
    if length < frame.body.len() {
        return Err(Error::protocol("a body is longer than its length"));
    }
    Ok(frame)
}

/// The next frame. An end, and the server's `ERROR`, are errors.
pub(crate) async fn next<S: Transport>(conn: &mut Connection<S>) -> Result<Frame, Error> {
    let frame = conn.expect_with(frame).await?;
    if frame.command == "ERROR" { Err(Error::protocol(frame.to_string())) } else { Ok(frame) }
}

/// Sends a frame, and waits for the one that answers it.
pub(crate) async fn ask<S: Transport>(
    conn: &mut Connection<S>,
    frame: &Frame,
    answer: &str,
) -> Result<Frame, Error> {
    conn.feed_wait(frame.encode()).await?;
    let frame = next(conn).await?;
    if frame.command == answer { Ok(frame) } else { Err(Error::protocol(frame.to_string())) }
}

async fn run<P: Platform>(options: Options) -> Result<(), Error> {
    let to = options.client.connect_options()?.config(config());
    let mut conn = connect::<P::Runtime>(&options.connect, to).await?;
    let headers = [("accept-version", "1.2"), ("host", "localhost"), ("heart-beat", "0,10000")];
    ask(&mut conn, &Frame::new("CONNECT", &headers, b""), "CONNECTED").await?;
    match options.what {
        What::Send { destination, text } => {
            let headers = [("destination", &*destination), ("receipt", "1")];
            ask(&mut conn, &Frame::new("SEND", &headers, text.as_bytes()), "RECEIPT").await?;
        }
        What::Subscribe { destination, count } => {
            let headers = [("destination", &*destination), ("id", "1"), ("ack", "auto")];
            conn.send_all(Frame::new("SUBSCRIBE", &headers, b"").encode()).await?;
            for _ in 0..count {
                println!("{}", next(&mut conn).await?);
            }
        }
    }
    ask(&mut conn, &Frame::new("DISCONNECT", &[("receipt", "2")], b""), "RECEIPT").await?;
    conn.close().await
}

fn main() -> ExitCode {
    let options = Options::parse();
    run_on!(options.client.runtime, run(options))
}
