//! A small client for people and pipes: what is typed to the room, the room to standard output.

use std::error;
use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::time::Duration;

use asyncnet::net::{Backoff, ConnectOptions, connect};
use asyncnet::tls::{TlsError, TlsErrorKind};
use asyncnet::{Config, Error, TlsContext};
use asyncnet_smol::{Connection, Smol};
use futures_lite::future;
use smol::Timer;
use tracing::warn;

use crate::log::Log;
use crate::screen::Screen;
use crate::shown::shown;
#[cfg(unix)]
use crate::terminal::{self, Terminal};
use crate::typed::Typed;
use crate::{cli, trust};

/// Longer lines are not printed. No room of ours says such.
const MAX_LINE: usize = 64 << 20;

/// How long a room has to let us in.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait before joining again: at first, and at most.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How a TLS peer begins to say that something is wrong.
const ALERT: &[u8] = &[0x15, 0x03];

/// How it came to an end that is no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// We left: the input ended, and the room has answered with its end.
    Left,
    /// The room closed the connection in good order, and we had not left.
    Closed,
}

/// How one stay in the room ended.
enum Ended {
    Left,
    Closed,
    /// The connection is lost or was not made; another try may succeed.
    Lost(io::Error),
    /// Another try would fail in the same way.
    Failed(io::Error),
}

/// Joins the room of these options. The end of the input ends our side only: what others say meanwhile is still
/// printed, until the room ends its side too.
pub(crate) async fn join(options: &cli::Join, log: &Log) -> io::Result<Outcome> {
    let context = trust::context(options)?;
    #[cfg(unix)]
    if terminal::is_there() {
        let (typed, lines, leaving) = Typed::at_a_terminal();
        let terminal = Terminal::start(lines, leaving, log)?;
        return stay_joined(options, context, typed, Screen::above(terminal.printer())).await;
    }
    let _ = log;
    let is_echoed = io::stdin().is_terminal() && io::stdout().is_terminal();
    stay_joined(options, context, Typed::start()?, Screen::plain(is_echoed)).await
}

async fn stay_joined(
    options: &cli::Join,
    context: Option<TlsContext>,
    mut typed: Typed,
    mut screen: Screen,
) -> io::Result<Outcome> {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    loop {
        let opened = unless(typed.has_left(), open(options, context.as_ref())).await;
        let ended = match opened {
            Some(Ok(mut conn)) => {
                let leaves = typed.leaves_at_once();
                let mut stay = Stay { typed: &mut typed, screen: &mut screen, has_heard: false };
                let ended = unless(leaves, stay.go_on(&mut conn)).await;
                if stay.has_heard {
                    backoff.reset();
                }
                ended.unwrap_or(Ended::Left)
            }
            Some(Err(ended)) => ended,
            None => Ended::Left,
        };
        let why = match ended {
            Ended::Left => return Ok(Outcome::Left),
            Ended::Failed(error) => return Err(error),
            Ended::Closed if !options.reconnect => return Ok(Outcome::Closed),
            Ended::Lost(error) if !options.reconnect => return Err(error),
            Ended::Closed => "the room closed the connection".to_owned(),
            Ended::Lost(error) => error.to_string(),
        };
        let wait = backoff.wait();
        screen.own().clear();
        let wait_seconds = wait.as_secs_f32();
        warn!("{}; joining again in {wait_seconds:.1} s", shown(why.as_bytes()));
        if unless(typed.has_left(), Timer::after(wait)).await.is_none() {
            return Ok(Outcome::Left);
        }
    }
}

/// What `future` comes to, or `None` if a person leaves first.
async fn unless<T>(leaves: impl Future<Output = ()>, future: impl Future<Output = T>) -> Option<T> {
    let leaves = async {
        leaves.await;
        None
    };
    future::or(async { Some(future.await) }, leaves).await
}

async fn open(options: &cli::Join, context: Option<&TlsContext>) -> Result<Connection, Ended> {
    let config = Config::default().max_line(MAX_LINE);
    let mut how = ConnectOptions::new().config(config).timeout(PATIENCE);
    if let Some(context) = context {
        how = how.tls(context);
    }
    connect::<Smol>(&options.address, how).await.map_err(|error| match tls_error(&error) {
        Some(TlsErrorKind::Protocol | TlsErrorKind::LeftInHandshake | TlsErrorKind::TimedOut) => {
            let hint = "if the room does not use TLS, join without --tls";
            Ended::Failed(with_hint(&error, hint))
        }
        Some(_) => Ended::Failed(error),
        None if error.kind() == io::ErrorKind::InvalidInput => Ended::Failed(error),
        None => Ended::Lost(error),
    })
}

fn with_hint(error: &impl Display, hint: &str) -> io::Error {
    io::Error::other(format!("{error}; {hint}"))
}

/// What TLS has to say in this error.
fn tls_error(error: &io::Error) -> Option<TlsErrorKind> {
    let mut cause: Option<&(dyn error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<TlsError>() {
            return Some(error.kind());
        }
        if let Some(Error::Tls(error)) = error.downcast_ref::<Error>() {
            return Some(error.kind());
        }
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = inside.map(|inside| inside as _).or_else(|| error.source());
    }
    None
}

/// A stay in the room.
struct Stay<'a> {
    typed: &'a mut Typed,
    screen: &'a mut Screen,
    has_heard: bool,
}

impl Stay<'_> {
    async fn go_on(&mut self, conn: &mut Connection) -> Ended {
        let writer = conn.writer();
        let Self { typed, screen, has_heard } = self;
        let mut has_left = false;
        let own = screen.own();
        let speaking = async {
            // An error is one of the connection: hearing tells it.
            if typed.say(&writer, &own).await.is_ok() {
                has_left = writer.shutdown_write().await.is_ok();
            }
            future::pending().await
        };
        let heard = future::or(hear(conn, screen, has_heard), speaking).await;
        match heard {
            _ if conn.partial().starts_with(ALERT) && !*has_heard => Ended::Failed(speaks_tls()),
            Ok(()) if has_left => Ended::Left,
            Ok(()) if !*has_heard => {
                let what = "the room closed the connection without a word";
                Ended::Lost(with_hint(&what, "if it speaks TLS, join with --tls"))
            }
            Ok(()) => Ended::Closed,
            Err(Error::Io(error)) => Ended::Failed(error),
            Err(Error::Protocol(_)) => Ended::Failed(speaks_tls()),
            Err(error) => Ended::Lost(io::Error::other(format!(
                "the connection to the room is lost: {error}"
            ))),
        }
    }
}

fn speaks_tls() -> io::Error {
    io::Error::other(
        "the room speaks TLS: join with --tls, or start the server without a certificate",
    )
}

/// Prints every line of the room, until it ends its side. `Io` is an error of standard output.
async fn hear(
    conn: &mut Connection,
    screen: &mut Screen,
    has_heard: &mut bool,
) -> Result<(), Error> {
    let mut text = Vec::new();
    while let Some(mut batch) = conn.next_batch().await? {
        text.clear();
        loop {
            match batch.next_line() {
                // An alert with the number 10 is a line.
                Ok(Some(line)) if !*has_heard && line.starts_with(ALERT) => {
                    return Err(Error::protocol("an alert of TLS"));
                }
                Ok(Some(line)) => {
                    *has_heard = true;
                    screen.add(line, &mut text);
                }
                Ok(None) => break,
                Err(error) => warn!("a line was not printed: {error}"),
            }
        }
        screen.print(&text).await.map_err(Error::Io)?;
    }
    Ok(())
}
