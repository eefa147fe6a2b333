//! IMAP: appends a mail, fetches one of any size, waits for news; over TLS from the first byte or from STARTTLS on.
//!
//! `cargo run --example imap_client -- imap.example.org:143 --starttls --user ann fetch 1 >mail.eml` (the password is in
//! the variable `IMAP_PASSWORD`). `append FILE` and `idle SECONDS` are the other two.
//!
//! It leans on `expect_with` (a line with literals in the middle of it is received whole or not at all, so that a deadline
//! may cut it anywhere), `next_bytes` and `skip` (a literal of any size in little memory), `feed_wait` (the same the other
//! way), `within` (IDLE) and `upgrade_tls` (refuses what was injected in plaintext).

pub(crate) mod protocol;

use std::fs::File;
use std::io::{Read, Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use asyncnet::net::{connect, host_name};
use asyncnet::{Connection, Error, TlsContext, Transport};
use asyncnet_examples::{Platform, run_on};
use clap::{Parser, Subcommand};
use protocol::{Response, completed, config, literal, response};

/// Reads and writes a mailbox
#[derive(Debug, Parser)]
struct Options {
    /// The server
    #[arg(value_name = "HOST:PORT")]
    server: String,
    /// Go over to TLS before anything else
    #[arg(long, conflicts_with = "tls")]
    starttls: bool,
    /// Log in under this name, with the password in the variable IMAP_PASSWORD
    #[arg(long, value_name = "NAME")]
    user: String,
    #[arg(long, default_value = "INBOX")]
    mailbox: String,
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    client: asyncnet_examples::Client,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Put a mail into the mailbox
    Append { file: PathBuf },
    /// Write a mail to standard output
    Fetch { number: u32 },
    /// Print what happens in the mailbox
    Idle { seconds: u64 },
}

/// A session with a server.
pub(crate) struct Client<S: Transport> {
    pub(crate) conn: Connection<S>,
    commands: u32,
}

impl<S: Transport> Client<S> {
    /// Hears the greeting.
    pub(crate) async fn greet(conn: Connection<S>) -> Result<Self, Error> {
        let mut client = Self { conn, commands: 0 };
        let greeting = client.next().await?.text;
        completed(&greeting, client)
    }

    fn tag(&mut self) -> String {
        self.commands += 1;
        format!("a{}", self.commands)
    }

    pub(crate) async fn next(&mut self) -> Result<Response, Error> {
        self.conn.expect_with(response).await
    }

    /// The responses up to the one that completes the command `tag`.
    async fn completion(&mut self, tag: &str) -> Result<Vec<Response>, Error> {
        let mut responses = Vec::new();
        // The server decides how many come: bound them.
        while responses.len() < 10_000 {
            let response = self.next().await?;
            if response.text.split(' ').next() == Some(tag) {
                return completed(&response.text, responses);
            }
            responses.push(response);
        }
        Err(Error::protocol("the server sent too many responses to one command"))
    }

    /// Waits until the server asks for the rest of the command `tag`.
    async fn asked(&mut self, tag: &str) -> Result<(), Error> {
        loop {
            let text = self.next().await?.text;
            if text.starts_with('+') {
                return Ok(());
            }
            if text.split(' ').next() == Some(tag) {
                return Err(Error::protocol(format!("the server said {text}")));
            }
        }
    }

    /// A command; each `{}` in it stands for a literal, which waits until the server asks for it.
    pub(crate) async fn call(
        &mut self,
        command: &str,
        literals: &[&[u8]],
    ) -> Result<Vec<Response>, Error> {
        let tag = self.tag();
        let mut texts = command.split("{}");
        let mut line = format!("{tag} {}", texts.next().unwrap_or_default());
        for (literal, text) in literals.iter().zip(texts) {
            self.conn.send_line(format!("{line}{{{}}}", literal.len())).await?;
            self.asked(&tag).await?;
            self.conn.feed_wait(literal).await?;
            line = text.to_owned();
        }
        self.conn.send_line(line).await?;
        self.completion(&tag).await
    }

    /// Goes over to TLS.
    pub(crate) async fn starttls(&mut self, context: &TlsContext, host: &str) -> Result<(), Error> {
        self.call("STARTTLS", &[]).await?;
        self.conn.upgrade_tls(context.as_client(host)).await
    }

    /// Puts `size` bytes of `mail` into a mailbox.
    pub(crate) async fn append(
        &mut self,
        mailbox: &str,
        size: u64,
        mail: impl Read,
    ) -> Result<(), Error> {
        let tag = self.tag();
        self.conn.send_line(format!("{tag} APPEND {mailbox} {{{size}}}")).await?;
        self.asked(&tag).await?;
        let (mut mail, mut sent, mut piece) = (mail.take(size), 0, vec![0; 32 << 10]);
        loop {
            match mail.read(&mut piece)? {
                0 if sent == size => break,
                0 => {
                    // The server waits for the rest, and takes whatever comes for it.
                    self.conn.abort();
                    return Err(Error::protocol("the mail is shorter than its size"));
                }
                n => self.conn.feed_wait(&piece[..n]).await?,
            }
            sent = size - mail.limit();
        }
        self.conn.send_line("").await?;
        self.completion(&tag).await.map(drop)
    }

    /// Writes a mail into `file`, in little memory, and returns its size. Of one above `most` bytes nothing is written.
    pub(crate) async fn fetch(
        &mut self,
        number: u32,
        most: u64,
        file: &mut impl Write,
    ) -> Result<u64, Error> {
        let (tag, mut size) = (self.tag(), 0);
        self.conn.send_line(format!("{tag} FETCH {number} BODY.PEEK[]")).await?;
        loop {
            let line = self.conn.expect_line().await?;
            let Some(mut left) = literal(line)? else {
                let text = String::from_utf8_lossy(line);
                match text.split(' ').next() {
                    Some(done) if done == tag => return completed(&text, size),
                    _ => continue,
                }
            };
            size += left;
            if left > most {
                self.conn.skip(left).await?;
                continue;
            }
            while left > 0 {
                let most = usize::try_from(left).unwrap_or(usize::MAX);
                let piece = self.conn.next_bytes(most).await?;
                file.write_all(piece)?;
                left -= piece.len() as u64;
            }
        }
    }

    /// Waits for news of the mailbox for at most `time`, and returns all that came with the first.
    pub(crate) async fn idle(&mut self, time: Duration) -> Result<Vec<Response>, Error> {
        let tag = self.tag();
        self.conn.send_line(format!("{tag} IDLE")).await?;
        self.asked(&tag).await?;
        let news = match self.conn.within(time).expect_with(response).await {
            // What has come of a response stays: it is received below.
            Err(Error::TimedOut(_)) => None,
            news => Some(news?),
        };
        self.conn.send_line("DONE").await?;
        let rest = self.completion(&tag).await?;
        Ok(news.into_iter().chain(rest).collect())
    }
}

async fn run<P: Platform>(options: Options) -> Result<(), Error> {
    let connecting = options.client.connect_options()?.config(config());
    let conn = connect::<P::Runtime>(&options.server, connecting).await?;
    let mut client = Client::greet(conn).await?;
    if options.starttls {
        client.starttls(&options.client.context()?, host_name(&options.server)?).await?;
    }
    let password = std::env::var("IMAP_PASSWORD").map_err(Error::protocol)?;
    // As literals a name and a password may hold any byte.
    client.call("LOGIN {} {}", &[options.user.as_bytes(), password.as_bytes()]).await?;
    client.call("SELECT {}", &[options.mailbox.as_bytes()]).await?;
    match options.action {
        Action::Append { file } => {
            let file = File::open(file)?;
            client.append(&options.mailbox, file.metadata()?.len(), file).await?;
        }
        Action::Fetch { number } => {
            client.fetch(number, u64::MAX, &mut stdout().lock()).await?;
        }
        Action::Idle { seconds } => {
            for news in client.idle(Duration::from_secs(seconds)).await? {
                println!("{}", news.text);
            }
        }
    }
    client.call("LOGOUT", &[]).await?;
    client.conn.close().await
}

fn main() -> ExitCode {
    let options = Options::parse();
    run_on!(options.client.runtime, run(options))
}
