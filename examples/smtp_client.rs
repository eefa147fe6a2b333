//! SMTP: submits a mail, with STARTTLS or TLS, AUTH PLAIN and a pipelined envelope.
//!
//! `cargo run --example smtp_client -- mail.example.org:587 --starttls --user ann --from ann@example.org bob@example.net <mail.eml`
//! (the password is in the variable `SMTP_PASSWORD`).
//!
//! It leans on `expect_with` (a reply of many lines is received whole or not at all), `feed_fmt` (the envelope leaves in one
//! write, and an address cannot smuggle a command in: a line break is refused), `upgrade_tls` (refuses what was injected
//! in plaintext), `dot::DotWriter` (a mail of any size in little memory) and the timeouts of `Config`.

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use asyncnet::dot::DotWriter;
use asyncnet::net::{connect, host_name};
use asyncnet::{Config, Connection, Error, TlsContext, Transport, Unread};
use asyncnet_examples::{Platform, run_on};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use clap::Parser;

/// Submits the mail on standard input
#[derive(Debug, Parser)]
struct Options {
    /// The server
    #[arg(value_name = "HOST:PORT")]
    server: String,
    /// The recipients
    #[arg(value_name = "ADDRESS", required = true)]
    to: Vec<String>,
    /// The sender
    #[arg(long, value_name = "ADDRESS")]
    from: String,
    /// Go over to TLS before anything else
    #[arg(long, conflicts_with = "tls")]
    starttls: bool,
    /// Log in under this name, with the password in the variable SMTP_PASSWORD; only over TLS
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[command(flatten)]
    client: asyncnet_examples::Client,
}

/// The settings of a client: how long a reply and a stalled send may take (RFC 5321 4.5.3.2), how long a reply line is.
pub(crate) fn config() -> Config {
    let patience = Duration::from_secs(300);
    Config::default().max_line(4096).receive_timeout(patience).send_timeout(patience)
}

/// What the server says to a command.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Three digits; from 400 on a refusal.
    pub(crate) code: u16,
    /// The text, line by line.
    pub(crate) lines: Vec<String>,
}

impl Reply {
    /// This reply, if its code is `code`; otherwise its text as an error.
    fn expect(self, code: u16) -> Result<Self, Error> {
        if self.code == code {
            return Ok(self);
        }
        Err(Error::protocol(format!("the server said {} {}", self.code, self.lines.join(" / "))))
    }
}

/// `250-..` as often as it comes, then `250 ..`.
fn reply(unread: &mut Unread<'_>) -> Result<Reply, Error> {
    let no_reply = || Error::protocol("the server sent a line that is no reply");
    let mut lines = Vec::new();
    // A peer decides how many lines a reply has: bound them.
    while lines.len() < 100 {
        let line = String::from_utf8_lossy(unread.line()?).into_owned();
        let (code, rest) = line.split_at_checked(3).ok_or_else(no_reply)?;
        let is_code = code.bytes().all(|digit| digit.is_ascii_digit());
        let code = code.parse().ok().filter(|_| is_code).ok_or_else(no_reply)?;
        lines.push(rest.get(1..).unwrap_or_default().to_owned());
        match rest.as_bytes().first() {
            None | Some(b' ') => return Ok(Reply { code, lines }),
            Some(b'-') => {}
            Some(_) => return Err(no_reply()),
        }
    }
    Err(Error::protocol("the reply of the server has too many lines"))
}

/// A session with a server.
pub(crate) struct Client<S: Transport> {
    /// The connection; its state says more about an error.
    pub(crate) conn: Connection<S>,
    extensions: Vec<String>,
}

impl<S: Transport> Client<S> {
    /// Hears the greeting and says who we are.
    pub(crate) async fn greet(conn: Connection<S>) -> Result<Self, Error> {
        let mut this = Self { conn, extensions: Vec::new() };
        this.reply().await?.expect(220)?;
        this.hello().await?;
        Ok(this)
    }

    async fn hello(&mut self) -> Result<(), Error> {
        self.extensions = self.call("EHLO client.invalid").await?.expect(250)?.lines;
        Ok(())
    }

    fn has(&self, extension: &str) -> bool {
        self.extensions.iter().any(|line| line.eq_ignore_ascii_case(extension))
    }

    async fn reply(&mut self) -> Result<Reply, Error> {
        self.conn.expect_with(reply).await
    }

    async fn call(&mut self, command: &str) -> Result<Reply, Error> {
        self.conn.feed_line(command)?;
        self.reply().await
    }

    /// Goes over to TLS, and asks again what the server can do: what it said in plain anybody may have written.
    pub(crate) async fn starttls(&mut self, context: &TlsContext, host: &str) -> Result<(), Error> {
        self.call("STARTTLS").await?.expect(220)?;
        self.conn.upgrade_tls(context.as_client(host)).await?;
        self.hello().await
    }

    /// Logs in, over TLS only.
    pub(crate) async fn log_in(&mut self, user: &str, password: &str) -> Result<(), Error> {
        if self.conn.tls().is_none() {
            return Err(Error::protocol("a password is only sent over TLS"));
        }
        let secret = BASE64_STANDARD.encode(format!("\0{user}\0{password}"));
        self.call(&format!("AUTH PLAIN {secret}")).await?.expect(235).map(drop)
    }

    /// Sends a mail. Returns the recipients that the server refused, each with its reply.
    pub(crate) async fn send(
        &mut self,
        from: &str,
        to: &[String],
        text: impl Read,
    ) -> Result<Vec<(String, Reply)>, Error> {
        let rcpt = to.iter().map(|to| format!("RCPT TO:<{to}>"));
        let commands =
            [format!("MAIL FROM:<{from}>")].into_iter().chain(rcpt).chain(["DATA".to_owned()]);
        let mut replies = Vec::new();
        if self.has("PIPELINING") {
            // All in one write, when the first reply is waited for.
            for command in commands {
                self.conn.feed_line(command)?;
            }
            for _ in 0..to.len() + 2 {
                replies.push(self.reply().await?);
            }
        } else {
            for command in commands {
                replies.push(self.call(&command).await?);
            }
        }
        let data = replies.pop().map_or(0, |reply| reply.code);
        let mut replies = replies.into_iter();
        let is_from_good = replies.next().is_some_and(|reply| reply.code == 250);
        let refused: Vec<_> =
            to.iter().cloned().zip(replies).filter(|(_, reply)| reply.code >= 300).collect();
        let is_wanted = is_from_good && refused.len() < to.len();
        if data == 354 {
            // A server that takes a text without a recipient gets an empty one.
            self.text(text.take(if is_wanted { u64::MAX } else { 0 })).await?;
        }
        if data != 354 || !is_wanted {
            let why = refused.first().map_or(String::new(), |(_, why)| why.lines.join(" / "));
            return Err(Error::protocol(format!("the server took no mail: {why}")));
        }
        Ok(refused)
    }

    async fn text(&mut self, mut text: impl Read) -> Result<(), Error> {
        let (mut block, mut piece) = (DotWriter::new(), vec![0; 32 << 10]);
        loop {
            match text.read(&mut piece)? {
                0 => break,
                n => block.feed_wait(&mut self.conn, &piece[..n]).await?,
            }
        }
        block.finish(&mut self.conn).await?;
        self.reply().await?.expect(250).map(drop)
    }

    /// Says good-bye.
    pub(crate) async fn quit(mut self) -> Result<(), Error> {
        self.call("QUIT").await?.expect(221)?;
        self.conn.close().await
    }
}

async fn run<P: Platform>(options: Options) -> Result<(), Error> {
    let connecting = options.client.connect_options()?.config(config());
    let conn = connect::<P::Runtime>(&options.server, connecting).await?;
    let mut client = Client::greet(conn).await?;
    if options.starttls {
        client.starttls(&options.client.context()?, host_name(&options.server)?).await?;
    }
    if let Some(user) = &options.user {
        let password = std::env::var("SMTP_PASSWORD").map_err(Error::protocol)?;
        client.log_in(user, &password).await?;
    }
    for (to, why) in client.send(&options.from, &options.to, std::io::stdin().lock()).await? {
        eprintln!("refused: {to}: {} {}", why.code, why.lines.join(" / "));
    }
    println!("sent");
    client.quit().await
}

fn main() -> ExitCode {
    let options = Options::parse();
    run_on!(options.client.runtime, run(options))
}
