//! The command line.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use asyncnet::Config;
use asyncnet::room::{Limits, Policy};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::log::Form;
use crate::trust::Fingerprint;
use crate::{address, relay};

/// A chat room: every line that one client sends goes to all.
#[derive(Debug, Parser)]
#[command(name = "asyncnet-chat", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

impl Cli {
    /// What to do; without a word, serve.
    pub(crate) fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve(Box::new(self.serve)))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Open a room (what happens without a command)
    Serve(Box<Serve>),
    /// Join a room: send what you type, and print what everybody says
    #[command(after_help = EXIT_STATUS)]
    Join(Join),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    // No doc comment: brackets are links there.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:12345",
        value_parser = address::to_listen,
        help = "Where to listen: HOST:PORT (port 0 lets the system choose, [::]:PORT are all addresses), unix:/PATH, \
                or fd:NAME for a socket from the supervisor"
    )]
    pub(crate) listen: String,
    /// The async runtime to run on
    #[arg(long, value_enum, default_value_t)]
    pub(crate) runtime: Runtime,
    /// The longest line that a client may send, in bytes without its line end
    #[arg(long, value_name = "BYTES", default_value_t = Config::default().max_line)]
    pub(crate) max_line: usize,
    /// What happens to a client that does not read what is said
    #[arg(long, value_enum, default_value_t)]
    pub(crate) slow: Slow,
    /// How many bytes may wait for a client; beyond that, --slow says what happens
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().hard)]
    pub(crate) hard_limit: usize,
    /// Disconnect a client for which more than this many bytes have waited for --soft-seconds without a break; only
    /// with --slow disconnect
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().soft)]
    pub(crate) soft_limit: usize,
    /// How long more than --soft-limit may wait for a client
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().soft_for.as_secs())]
    pub(crate) soft_seconds: u64,
    /// At SIGTERM or SIGINT, how long clients may take to read what was said; a second signal
    /// ends the server at once, with status 1
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    stop_seconds: u64,
    /// How many clients may be connected at once; others wait in the queue of the system
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_clients: Option<u32>,
    /// Expect a header of the PROXY protocol, version 1 or 2, in front of every connection; listen
    /// only where the proxy alone can connect
    #[arg(long)]
    pub(crate) proxy_protocol: bool,
    #[command(flatten)]
    pub(crate) pace: Pace,
    #[arg(
        long,
        help = "Send clients no notice when lines of theirs were dropped (too long, or with a CR inside) or the relay \
                lost lines; a notice is a line that begins with \"[server] \""
    )]
    pub(crate) quiet_rules: bool,
    /// The format of the log, which goes to standard error
    #[arg(long, value_enum, default_value_t)]
    pub(crate) log: Form,
    /// How often to log the figures of the room, the listener and the process
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    stats: Option<u64>,
    /// Serve the figures of --stats over HTTP at this address, under /metrics, as Prometheus reads them
    #[arg(long, value_name = "ADDRESS", value_parser = address::to_listen)]
    pub(crate) metrics: Option<String>,
    #[command(flatten)]
    pub(crate) tls: ServeTls,
    #[command(flatten)]
    relay: ServeRelay,
}

/// One room on many servers.
#[derive(Args, Clone, Debug)]
struct ServeRelay {
    // No doc comment: brackets are links there.
    #[arg(
        long,
        value_name = "URL",
        help = "Share the room with every server that has the same broker and subject: nats://HOST:PORT/SUBJECT, tls:// \
                (NATS over TLS), redis://HOST:PORT/CHANNEL or rediss://; without a subject it is asyncnet-chat. \
                USER:PASSWORD@ or TOKEN@ in front of the host works, but other users of this machine can read it"
    )]
    relay: Option<relay::Url>,
    #[arg(
        long,
        value_name = "FILE",
        requires = "relay",
        help = "The credentials for the broker: USER:PASSWORD, or a token or password alone, on the first line of this \
                file; without it, those in the environment variable ASYNCNET_CHAT_RELAY_CREDENTIALS"
    )]
    relay_credentials: Option<PathBuf>,
    /// Trust the certificates in this file for the broker, in PEM, and not those that the system
    /// trusts
    #[arg(long, value_name = "FILE", requires = "relay")]
    relay_ca: Option<PathBuf>,
    /// How many bytes to keep until the broker confirms them; lines that do not fit are lost to other
    /// servers, and counted
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20)]
    relay_buffer: usize,
}

/// How slow, how silent and how fast a client may be.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Disconnect a client that takes longer than this to end a line that it has begun
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    line_timeout: Option<u64>,
    /// Disconnect a client when nothing was received from it or sent to it for this long
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    idle_timeout: Option<u64>,
    /// How many lines a client may send in a second; further lines wait, and none is dropped
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_lines_per_second: Option<u32>,
}

impl Pace {
    pub(crate) fn line_timeout(self) -> Option<Duration> {
        self.line_timeout.map(Duration::from_secs)
    }

    fn idle_timeout(self) -> Option<Duration> {
        self.idle_timeout.map(Duration::from_secs)
    }
}

/// How the room is reached over TLS, if it is.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServeTls {
    /// Speak TLS with a certificate made now, for localhost, 127.0.0.1, ::1 and the host of --listen
    #[arg(long, conflicts_with_all = ["cert", "key"])]
    pub(crate) tls_self_signed: bool,
    /// Write the certificate of --tls-self-signed to this file, in PEM, for join --tls --ca
    #[arg(long, value_name = "FILE", requires = "tls_self_signed")]
    pub(crate) cert_out: Option<PathBuf>,
    /// Speak TLS with the certificate in this file, in PEM; SIGHUP reads it and its key again
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The key to the certificate of --cert, in PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
}

impl Serve {
    pub(crate) fn config(&self) -> Config {
        Config::default()
            .max_line(self.max_line)
            .idle_timeout(self.pace.idle_timeout())
            .max_lines_per_second(self.pace.max_lines_per_second)
    }

    /// Refuses limits under which one long line would disconnect everybody.
    pub(crate) fn check(&self) -> io::Result<()> {
        let Self { max_line, hard_limit, .. } = self;
        // CR LF is queued too.
        if hard_limit.saturating_sub(2) >= *max_line {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "--hard-limit {hard_limit} has no room for a line of --max-line {max_line} bytes and its end"
        )))
    }

    /// What there is to say about the relay, if there is one.
    pub(crate) fn relay(&self) -> Option<relay::Options<'_>> {
        let ServeRelay { relay, relay_credentials, relay_ca, relay_buffer } = &self.relay;
        Some(relay::Options {
            url: relay.as_ref()?,
            credentials: relay_credentials.as_deref(),
            ca: relay_ca.as_deref(),
            buffer: *relay_buffer,
            max_line: self.max_line,
            quiet: self.quiet_rules,
        })
    }

    pub(crate) fn stats(&self) -> Option<Duration> {
        self.stats.map(Duration::from_secs)
    }

    pub(crate) fn stop_limit(&self) -> Duration {
        Duration::from_secs(self.stop_seconds)
    }

    pub(crate) fn limits(&self) -> Limits {
        let soft_for = Duration::from_secs(self.soft_seconds);
        Limits::default()
            .hard(self.hard_limit)
            .soft(self.soft_limit, soft_for)
            .policy(self.slow.into())
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Slow {
    /// The room disconnects it
    #[default]
    Disconnect,
    /// It misses the newest lines
    DropNewest,
    /// It misses the oldest of the lines that wait for it
    DropOldest,
}

impl From<Slow> for Policy {
    fn from(slow: Slow) -> Self {
        match slow {
            Slow::Disconnect => Self::Disconnect,
            Slow::DropNewest => Self::DropNewest,
            Slow::DropOldest => Self::DropOldest,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Runtime {
    #[default]
    Tokio,
    AsyncStd,
    Smol,
}

const EXIT_STATUS: &str = "\
On a terminal, what you type stays in the last row, and lines appear above it, your own too once the room has
sent them to you. The keys are those of a shell: Ctrl-A, Ctrl-E, Ctrl-W, Ctrl-U, Up and Down for the lines before.
/quit, or Ctrl-D in an empty row, leaves once the room has said all that you typed; Ctrl-C leaves at once. With
TERM=dumb the terminal itself shows what you type, /quit or Ctrl-D leaves, and Ctrl-C kills the program.

Exit status:
  0  you left; at the end of the input, after everything sent to you was printed
  1  the room could not be joined, or the connection was lost
  2  the command line is wrong
  3  the room closed the connection before you left";

#[derive(Args, Debug)]
pub(crate) struct Join {
    /// The room's address: HOST:PORT or unix:/PATH
    #[arg(default_value = "127.0.0.1:12345", value_parser = address::to_join)]
    pub(crate) address: String,
    /// Join again whenever the room cannot be reached or the connection ends: after 0.5 s at most, then
    /// with growing waits of up to 30 s. Lines that were on their way may be lost
    #[arg(long)]
    pub(crate) reconnect: bool,
    /// Speak TLS, and join only if the room's certificate is trusted
    #[arg(long)]
    pub(crate) tls: bool,
    /// Trust the certificates in this file, in PEM, and not those that the system trusts
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub(crate) ca: Option<PathBuf>,
    /// Trust the one certificate with this SHA-256 fingerprint, as the server prints it
    #[arg(long, value_name = "SHA256", requires = "tls", conflicts_with_all = ["ca", "name"])]
    pub(crate) fingerprint: Option<Fingerprint>,
    /// The name that the certificate must be for, if it is not the host
    #[arg(long, value_name = "NAME", requires = "tls")]
    pub(crate) name: Option<String>,
}
