//! SMTP: a server that receives mail, with a size limit, STARTTLS and AUTH PLAIN.
//!
//! `cargo run --example smtp_server -- --listen 127.0.0.1:2525 --cert cert.pem --key key.pem --user ann:secret --dir mails`
//!
//! It leans on `Framing::CrLf` (a bare LF or CR ends neither a line nor the mail: nothing is smuggled), `dot::DotReader`
//! (a mail that is too large is discarded in little memory, and refused at its end), `feed_line` (the replies to a
//! pipelined envelope leave in one write), `receive_timeout` (each command and each line of a mail has its deadline) and
//! `upgrade_tls` (refuses commands that were pipelined after STARTTLS).

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use asyncnet::dot::DotReader;
use asyncnet::{Config, Connection, Error, Framing, TlsContext, Transport};
use asyncnet_examples::{Platform, run_on};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use clap::Parser;

/// Receives mail, and writes it into a folder
#[derive(Debug, Parser)]
struct Options {
    /// Where to listen; port 0 lets the system choose
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:2525")]
    listen: String,
    /// The folder for the mails; without it they are counted and dropped
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The largest mail, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 10 << 20)]
    max_size: usize,
    /// Take mail only from this user, who logs in over TLS
    #[arg(long, value_name = "NAME:PASSWORD")]
    user: Option<String>,
    #[command(flatten)]
    server: asyncnet_examples::Server,
}

/// How a client is treated.
pub(crate) struct Settings {
    /// The largest mail, in bytes.
    pub(crate) max_size: usize,
    /// `NAME:PASSWORD`, if nobody else may send.
    pub(crate) user: Option<String>,
    /// The certificate for STARTTLS.
    pub(crate) tls: Option<TlsContext>,
}

/// The settings of a connection. A line of a mail is at most 998 bytes, one with a password may be longer.
pub(crate) fn config() -> Config {
    let patience = Duration::from_secs(300);
    let config = Config::default().framing(Framing::CrLf).max_line(2048);
    config.receive_timeout(patience).send_timeout(patience)
}

/// Who sent a mail, and who is to get it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Envelope {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
}

const MAX_RECIPIENTS: usize = 100;

/// How many commands of a client may be wrong.
const MAX_ERRORS: u32 = 10;

/// What is known of a client.
#[derive(Default)]
struct Session {
    is_user: bool,
    mail: Option<Envelope>,
    errors: u32,
}

impl Session {
    /// The reply to a command that needs nothing but what is known.
    fn reply(&mut self, verb: &str, line: &str, user: Option<&str>) -> &'static str {
        match (verb, self.mail.as_mut()) {
            ("MAIL", None) if user.is_some() && !self.is_user => "530 log in first",
            ("MAIL", None) => match address(line, "MAIL FROM:") {
                Some(from) => {
                    self.mail = Some(Envelope { from: from.to_owned(), to: Vec::new() });
                    "250 ok"
                }
                None => "501 MAIL FROM:<ADDRESS>",
            },
            ("RCPT", Some(mail)) => match address(line, "RCPT TO:") {
                Some(_) if mail.to.len() == MAX_RECIPIENTS => "452 too many recipients",
                Some(to) => {
                    mail.to.push(to.to_owned());
                    "250 ok"
                }
                None => "501 RCPT TO:<ADDRESS>",
            },
            ("RSET", _) => {
                self.mail = None;
                "250 ok"
            }
            ("NOOP", _) => "250 ok",
            ("MAIL" | "RCPT" | "DATA", _) => "503 wrong order of commands",
            _ => "500 no such command",
        }
    }
}

/// `ADDRESS` of `MAIL FROM:<ADDRESS> ..`.
fn address<'a>(line: &'a str, command: &str) -> Option<&'a str> {
    let rest = line.get(command.len()..)?.trim_start().strip_prefix('<')?;
    rest.split_once('>').map(|(address, _)| address)
}

/// Serves one client; `deliver` gets each mail with its text, and answers whether it could be kept.
pub(crate) async fn serve<S: Transport>(
    mut conn: Connection<S>,
    settings: &Settings,
    deliver: impl Fn(&Envelope, &[u8]) -> bool,
) -> Result<(), Error> {
    let user = settings.user.as_deref();
    let mut session = Session::default();
    conn.feed_line("220 server.invalid ESMTP")?;
    while session.errors <= MAX_ERRORS {
        let line = match conn.next_line().await {
            Ok(None) => return conn.close().await,
            Ok(Some(line)) => String::from_utf8_lossy(line).into_owned(),
            Err(Error::Line(_)) => String::new(), // answered as no command
            Err(Error::TimedOut(_)) => return bye(conn, "421 too slow").await,
            Err(error) => return Err(error),
        };
        let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        let reply = match (&*verb, &settings.tls) {
            ("QUIT", _) => return bye(conn, "221 bye").await,
            ("EHLO" | "HELO", _) => {
                session.mail = None;
                hello(&mut conn, settings)?;
                continue;
            }
            ("STARTTLS", Some(tls)) if conn.tls().is_none() => {
                conn.send_line("220 go ahead").await?;
                conn.upgrade_tls(tls.as_server()).await?;
                // What was said in plain anybody may have said.
                session = Session::default();
                continue;
            }
            ("AUTH", _) if conn.tls().is_some() && user.is_some() => {
                session.is_user = is_login(&line, user);
                if session.is_user { "235 welcome" } else { "535 wrong name or password" }
            }
            ("DATA", _) if session.mail.as_ref().is_some_and(|mail| !mail.to.is_empty()) => {
                conn.feed_line("354 end with a single dot")?;
                let mail = session.mail.take().unwrap_or_default();
                match text(&mut conn, settings.max_size).await {
                    Ok(Some(text)) if deliver(&mail, &text) => "250 ok",
                    Ok(Some(_)) => "451 try again later",
                    Ok(None) => "554 the mail is too large or has a bad line",
                    Err(Error::TimedOut(_)) => return bye(conn, "421 too slow").await,
                    Err(error) => return Err(error),
                }
            }
            _ => session.reply(&verb, &line, user),
        };
        session.errors += u32::from(reply.starts_with('5'));
        conn.feed_line(reply)?;
    }
    bye(conn, "421 too many errors").await
}

/// What this server can do.
fn hello<S: Transport>(conn: &mut Connection<S>, settings: &Settings) -> Result<(), Error> {
    for line in ["250-server.invalid", "250-PIPELINING", "250-8BITMIME"] {
        conn.feed_line(line)?;
    }
    if conn.tls().is_some() && settings.user.is_some() {
        conn.feed_line("250-AUTH PLAIN")?;
    } else if conn.tls().is_none() && settings.tls.is_some() {
        conn.feed_line("250-STARTTLS")?;
    }
    conn.feed_fmt(format_args!("250 SIZE {}", settings.max_size))
}

/// The text of a mail, its lines ended by CR LF; `None` if it is refused. It is read to its end in any case, for its
/// lines are no commands.
async fn text<S: Transport>(
    conn: &mut Connection<S>,
    max: usize,
) -> Result<Option<Vec<u8>>, Error> {
    let (mut block, mut text) = (DotReader::new(max), Some(Vec::new()));
    loop {
        match block.next_line(conn).await {
            Ok(Some(line)) => {
                if let Some(text) = &mut text {
                    text.extend_from_slice(line);
                    text.extend_from_slice(b"\r\n");
                }
            }
            Ok(None) => return Ok(text),
            Err(Error::TooLarge { .. } | Error::Line(_)) => text = None,
            Err(error) => return Err(error),
        }
    }
}

/// Whether `AUTH PLAIN ..` names the user and the password.
fn is_login(line: &str, user: Option<&str>) -> bool {
    let secret = line.get("AUTH PLAIN ".len()..).unwrap_or_default();
    let Ok(secret) = BASE64_STANDARD.decode(secret) else { return false };
    let mut parts = secret.splitn(3, |byte| *byte == 0).skip(1);
    let login = [parts.next(), parts.next()].map(Option::unwrap_or_default).join(&b':');
    user.is_some_and(|user| user.as_bytes() == login)
}

/// The last words. `close` makes sure that they arrive.
async fn bye<S: Transport>(mut conn: Connection<S>, text: &str) -> Result<(), Error> {
    conn.feed_line(text)?;
    conn.close().await
}

async fn run<P: Platform>(options: Options) -> Result<(), Error> {
    let Options { listen, dir, max_size, user, server } = options;
    let settings = Arc::new(Settings { max_size, user, tls: server.context()? });
    let count = AtomicU64::new(0);
    let deliver = Arc::new(move |mail: &Envelope, text: &[u8]| {
        let n = count.fetch_add(1, Ordering::Relaxed) + 1;
        println!("mail {n} from {} to {}: {} bytes", mail.from, mail.to.join(" "), text.len());
        // A file of a few MiB; a busy server would write it on another thread.
        let Some(dir) = &dir else { return true };
        std::fs::write(dir.join(format!("{n}.eml")), text).is_ok()
    });
    let client = |conn| {
        let (settings, deliver) = (Arc::clone(&settings), Arc::clone(&deliver));
        async move { serve(conn, &settings, &*deliver).await }
    };
    server.serve::<P, _>(&listen, config(), client).await
}

fn main() -> ExitCode {
    let options = Options::parse();
    run_on!(options.server.runtime, run(options))
}
