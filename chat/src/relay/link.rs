//! Keeps a connection to the broker: connects, and connects again when it is lost.

use std::future::Future;
use std::io;
use std::time::Duration;

use asyncnet::net::Backoff;
use asyncnet::{Clock, Connection, Error, Room, SendRuntime, Time, Transport};
use futures_lite::future;
use tracing::warn;

use super::Shared;
use super::broker::Broker;
use super::envelope::HEAD;
use super::heard::Heard;
use super::session::Session;
use crate::shown::shown;

/// How long a broker has to greet us.
const GREETING: Duration = Duration::from_secs(10);

/// The first wait before another try.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// The longest: where the broker cannot be reached, and where it does not want us.
const UNREACHABLE: Duration = Duration::from_millis(400);
const REFUSED: Duration = Duration::from_secs(15);

/// How often the same reason is logged, and how often another one.
const REMIND: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);

/// Runs until the server stops and everything is confirmed. `dial` makes a connection.
pub(super) async fn run<R, B, S, T, F>(
    shared: &Shared,
    broker: &B,
    room: &Room<S>,
    dial: impl Fn() -> F,
) where
    R: SendRuntime,
    B: Broker,
    S: Transport + Send + Sync,
    T: Transport + Send,
    F: Future<Output = io::Result<Connection<T>>>,
{
    let mut heard = Heard::new(shared.outbox.origin());
    let [mut unreachable, mut refused] =
        [UNREACHABLE, REFUSED].map(|longest| Backoff::new(FIRST_WAIT, longest));
    let mut said = Said { clock: R::clock(), last: None };
    let mut is_first = true;
    loop {
        let mut worked = false;
        let begun = said.clock.now();
        let attempt = attempt::<R, _, _, _, _>(
            shared,
            broker,
            room,
            &dial,
            is_first,
            &mut heard,
            &mut worked,
        );
        let Err(error) = attempt.await else { return };
        is_first = false;
        shared.outbox.rewind(None);
        shared.counts.set_connected(false);
        let is_refusal = is_refusal(&error);
        // A refusal behind a long session is news, and not one of a row of them.
        let was_long = said.clock.now().since(begun) > 2 * REFUSED;
        if worked && (!is_refusal || was_long) {
            unreachable.reset();
            refused.reset();
            said.last = None;
        }
        let wait = if is_refusal { refused.wait() } else { unreachable.wait() };
        let why = error.to_string();
        if said.is_news(&why) {
            warn!(
                broker = %shared.place,
                "the relay is not connected: {}; the room goes on, and the relay tries again",
                shown(why.as_bytes())
            );
        }
        R::sleep(wait).await;
    }
}

/// One connection, from its start to its end. No error: the server stops, and all is confirmed.
async fn attempt<R, B, S, T, F>(
    shared: &Shared,
    broker: &B,
    room: &Room<S>,
    dial: &impl Fn() -> F,
    is_first: bool,
    heard: &mut Heard,
    worked: &mut bool,
) -> Result<(), Error>
where
    R: SendRuntime,
    B: Broker,
    S: Transport + Send + Sync,
    T: Transport + Send,
    F: Future<Output = io::Result<Connection<T>>>,
{
    let mut conn = dial().await?;
    let greeting = broker.greet(&mut conn);
    let late = async {
        R::sleep(GREETING).await;
        let why = "the broker did not greet in time";
        Err(io::Error::new(io::ErrorKind::TimedOut, why).into())
    };
    let max = future::or(greeting, late).await?;
    if max <= HEAD + 1 {
        let why = format!("the broker takes messages of at most {max} bytes, which is too little");
        return Err(Error::protocol(why));
    }
    shared.outbox.rewind(Some(max - HEAD));
    let session = Session { shared, broker, room, max, is_first };
    session.run::<R, _>(&mut conn, heard, worked).await?;
    // All is confirmed: how the broker takes the end changes nothing.
    let _ = conn.close().await;
    Ok(())
}

/// Whether the broker can be reached and does not want us, or is none.
const fn is_refusal(error: &Error) -> bool {
    !matches!(error, Error::Disconnected(_) | Error::TimedOut(_) | Error::Io(_) | Error::Closed)
}

/// What was logged last, so that a long loss is a line now and then.
struct Said<C> {
    clock: C,
    last: Option<(String, Time)>,
}

impl<C: Clock> Said<C> {
    /// Whether `why` is to be logged now. Another reason is news, and the same one after a while.
    fn is_news(&mut self, why: &str) -> bool {
        let now = self.clock.now();
        if let Some((last, at)) = &self.last {
            let pause = if last == why { REMIND } else { PAUSE };
            if now.since(*at) < pause {
                return false;
            }
        }
        self.last = Some((why.to_owned(), now));
        true
    }
}
