//! An IRC-like server, small enough to read: NICK, USER, JOIN, PART, PRIVMSG, PING, QUIT.
//!
//! `cargo run --example irc_server -- --listen 127.0.0.1:6667`
//!
//! It leans on `Room` (a channel: what is said is stored once, and a client that does not read delays no other),
//! `Member::send_line` (everyone but me) and `tell_line` (me alone, in order with the rest), `writer` and `try_send_line` (a
//! message to one client never waits for it), `within` (PING for silent clients; a line that trickles in is cut off on time)
//! and `max_lines_per_second` (a client that floods is only received more slowly).

use std::collections::HashMap;
use std::fmt::Display;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use asyncnet::room::{Limits, Member};
use asyncnet::{Config, Error, Room, Timeout, Writer};
use asyncnet_examples::{Conn, Platform, run_on};
use clap::Parser;

/// Serves IRC
#[derive(Debug, Parser)]
struct Options {
    /// Where to listen; port 0 lets the system choose
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:6667")]
    listen: String,
    #[command(flatten)]
    server: asyncnet_examples::Server,
}

/// A line is short; more than twenty a second are a flood, and wait.
pub(crate) fn config() -> Config {
    let config = Config::default().max_line(510).max_lines_per_second(20);
    config.send_timeout(Duration::from_secs(60))
}

/// How many channels a client may be in.
const MAX_CHANNELS: usize = 20;

type Stream<P> = <<P as Platform>::Runtime as asyncnet::Runtime>::Stream;

/// A room, and the nicks of those who are in it.
type Channel<P> = (Room<Stream<P>>, Vec<String>);

/// What all clients share.
pub(crate) struct Server<P: Platform> {
    nicks: Mutex<HashMap<String, Writer<Stream<P>>>>,
    channels: Mutex<HashMap<String, Channel<P>>>,
    /// How long a client may be silent before it is asked, and then again.
    patience: Duration,
}

impl<P: Platform> Server<P> {
    pub(crate) fn new(patience: Duration) -> Arc<Self> {
        Arc::new(Self { nicks: Mutex::default(), channels: Mutex::default(), patience })
    }

    /// Joins a channel, which the first member opens. Returns the nicks of all who are in it, too.
    fn join(
        &self,
        name: &str,
        nick: &str,
        writer: Writer<Stream<P>>,
    ) -> Result<(Member<Stream<P>>, Vec<String>), Error> {
        let mut channels = lock(&self.channels);
        let (room, nicks) = channels.entry(name.to_owned()).or_insert_with(|| {
            let (room, task) = Room::new(Limits::default().hard(1 << 20));
            P::spawn(async move {
                task.await;
            });
            (room, Vec::new())
        });
        let member = room.join(writer)?;
        nicks.push(nick.to_owned());
        Ok((member, nicks.clone()))
    }

    /// Takes a nick off a channel, and drops the channel behind the last one. Comes before the others are told: who joins
    /// in between has not heard of that client, and must not find it among the names.
    fn leave(&self, name: &str, nick: &str) {
        let mut channels = lock(&self.channels);
        let Some((_, nicks)) = channels.get_mut(name) else { return };
        if let Some(at) = nicks.iter().position(|other| other == nick) {
            nicks.swap_remove(at);
        }
        if nicks.is_empty() {
            channels.remove(name);
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether `name` can be a nick.
fn is_name(name: &str) -> bool {
    (1..=30).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-[]".contains(&b))
}

/// The command of a line and its parameters, of which the last may hold spaces.
fn parse(line: &str) -> (String, Vec<&str>) {
    let (words, last) =
        line.split_once(" :").map_or((line, None), |(words, last)| (words, Some(last)));
    let mut words = words.split(' ').filter(|word| !word.is_empty() && !word.starts_with(':'));
    let command = words.next().unwrap_or_default().to_ascii_uppercase();
    (command, words.chain(last).collect())
}

/// One client.
struct Client<P: Platform> {
    server: Arc<Server<P>>,
    conn: Conn<P>,
    nick: String,
    has_user: bool,
    channels: HashMap<String, Member<Stream<P>>>,
}

/// Serves one client.
pub(crate) async fn serve<P: Platform>(conn: Conn<P>, server: Arc<Server<P>>) -> Result<(), Error> {
    let (nick, channels) = (String::new(), HashMap::new());
    let mut client = Client { server, conn, nick, has_user: false, channels };
    let served = client.talk().await;
    if !client.nick.is_empty() {
        lock(&client.server.nicks).remove(&client.nick);
    }
    for (name, member) in std::mem::take(&mut client.channels) {
        client.server.leave(&name, &client.nick);
        drop(member.send_line(format!(":{} QUIT", client.nick)).await);
        member.leave().await;
    }
    let closed = client.conn.close().await;
    served.and(closed)
}

impl<P: Platform> Client<P> {
    async fn talk(&mut self) -> Result<(), Error> {
        let (patience, mut is_asked) = (self.server.patience, false);
        loop {
            let line = match self.conn.within(patience).next_line().await {
                Ok(None) => return Ok(()),
                Ok(Some(line)) => String::from_utf8_lossy(line).into_owned(),
                Err(Error::Line(_)) => {
                    self.say("417", ":the line is too long")?;
                    continue;
                }
                Err(Error::TimedOut(Timeout::Receive { partial: 0 })) if !is_asked => {
                    is_asked = true;
                    self.conn.feed_line("PING :server")?;
                    continue;
                }
                Err(error) => {
                    drop(self.conn.feed_fmt(format_args!("ERROR :{error}")));
                    return Err(error);
                }
            };
            is_asked = false;
            let (command, parameters) = parse(&line);
            match (&*command, &parameters[..]) {
                ("", _) | ("PONG", _) => {}
                ("QUIT", _) => return self.conn.feed_line("ERROR :bye"),
                ("PING", [token, ..]) => {
                    self.conn.feed_fmt(format_args!("PONG server :{token}"))?;
                }
                ("NICK", [nick, ..]) => self.take_nick(nick)?,
                ("USER", [_, ..]) if !self.has_user => {
                    self.has_user = true;
                    self.welcome()?;
                }
                ("JOIN" | "PART" | "PRIVMSG", _) if !self.is_welcome() => {
                    self.say("451", ":NICK and USER first")?;
                }
                ("JOIN", [names, ..]) => {
                    for name in names.split(',') {
                        self.join(name).await?;
                    }
                }
                ("PART", [names, ..]) => {
                    for name in names.split(',') {
                        self.part(name).await?;
                    }
                }
                ("PRIVMSG", [to, .., text]) => self.send(to, text).await?,
                ("JOIN" | "PART" | "PRIVMSG" | "NICK" | "USER", _) => {
                    self.say("461", format_args!("{command} :a parameter is missing"))?;
                }
                _ => self.say("421", format_args!("{command} :unknown command"))?,
            }
        }
    }

    /// A numbered reply. `text` is the parameter that it is about, if there is one, and the words behind a colon.
    fn say(&mut self, number: &str, text: impl Display) -> Result<(), Error> {
        let nick = if self.nick.is_empty() { "*" } else { &self.nick };
        self.conn.feed_fmt(format_args!(":server {number} {nick} {text}"))
    }

    fn is_welcome(&self) -> bool {
        self.has_user && !self.nick.is_empty()
    }

    /// Behind NICK and behind USER: a client may send them in any order, and more than one NICK until it has one.
    fn welcome(&mut self) -> Result<(), Error> {
        if self.is_welcome() {
            self.say("001", ":welcome")?;
            self.say("422", ":there is no message of the day")?;
        }
        Ok(())
    }

    fn take_nick(&mut self, nick: &str) -> Result<(), Error> {
        if !self.nick.is_empty() {
            return self.say("484", ":a nick stays");
        }
        if !is_name(nick) {
            return self.say("432", format_args!("{nick} :no nick"));
        }
        let writer = self.conn.writer();
        {
            let mut nicks = lock(&self.server.nicks);
            if !nicks.contains_key(nick) {
                nicks.insert(nick.to_owned(), writer);
                nick.clone_into(&mut self.nick);
            }
        }
        if self.nick.is_empty() {
            return self.say("433", format_args!("{nick} :the nick is in use"));
        }
        self.welcome()
    }

    async fn join(&mut self, name: &str) -> Result<(), Error> {
        if !name.strip_prefix('#').is_some_and(is_name) || self.channels.len() >= MAX_CHANNELS {
            return self.say("403", format_args!("{name} :no channel, or one too many"));
        }
        if self.channels.contains_key(name) {
            return Ok(());
        }
        let (member, nicks) = self.server.join(name, &self.nick, self.conn.writer())?;
        let member = self.channels.entry(name.to_owned()).or_insert(member);
        member.room().send_line(format!(":{} JOIN {name}", self.nick)).await?;
        // Behind the JOIN, which comes through the room. A line holds 512 bytes.
        for nicks in nicks.chunks(14) {
            let nicks = nicks.join(" ");
            member.tell_line(format!(":server 353 {} = {name} :{nicks}", self.nick)).await?;
        }
        member.tell_line(format!(":server 366 {} {name} :end of names", self.nick)).await
    }

    async fn part(&mut self, name: &str) -> Result<(), Error> {
        let Some(member) = self.channels.remove(name) else {
            return self.say("442", format_args!("{name} :not in it"));
        };
        self.server.leave(name, &self.nick);
        member.room().send_line(format!(":{} PART {name}", self.nick)).await?;
        member.leave().await;
        Ok(())
    }

    async fn send(&mut self, to: &str, text: &str) -> Result<(), Error> {
        let line = format!(":{} PRIVMSG {to} :{text}", self.nick);
        if let Some(member) = self.channels.get(to) {
            return member.send_line(line).await; // to everyone but this client
        }
        let writer = lock(&self.server.nicks).get(to).cloned();
        match writer {
            // One that does not read misses the message.
            Some(writer) => drop(writer.try_send_line(line)),
            None => self.say("401", format_args!("{to} :nobody has that name"))?,
        }
        Ok(())
    }
}

async fn run<P: Platform>(options: Options) -> Result<(), Error> {
    let server = Server::<P>::new(Duration::from_secs(120));
    let client = |conn| serve::<P>(conn, Arc::clone(&server));
    options.server.serve::<P, _>(&options.listen, config(), client).await
}

fn main() -> ExitCode {
    let options = Options::parse();
    run_on!(options.server.runtime, run(options))
}
