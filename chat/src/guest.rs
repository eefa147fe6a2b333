//! One client of the server, from its arrival to its leaving.

use std::time::Duration;

use asyncnet::room::{Member, MemberStats};
use asyncnet::tls::TlsErrorKind;
use asyncnet::{
    Address, Batch, CloseLimits, Connection, Error, Room, SendRuntime, Timeout, Transport,
};
use futures_lite::future;
use tracing::{info, warn};

use crate::relay::Relay;
use crate::rules::{Dropped, PREFIX};
use crate::stop::{Speaking, Stop};

/// Once the server stops, a client that has said nothing for so long has been heard.
const QUIET: Duration = Duration::from_millis(100);

/// What the log says about a client without TLS, where TLS is spoken.
const NOT_TLS: &str = "; a client that does not use TLS has to join with --tls";

/// What a client gets that speaks TLS to a server without it.
const NOT_PLAIN: &str =
    "This room does not use TLS: join without --tls, or start the server with a certificate.";

/// How the first message of a TLS client begins.
const HELLO: &[u8] = &[0x16, 0x03];

/// Where a client comes in.
pub(crate) struct Place<S: Transport> {
    pub(crate) room: Room<S>,
    /// To the rooms of other servers.
    pub(crate) relay: Option<Relay>,
    pub(crate) stop: Stop,
    pub(crate) line_timeout: Option<Duration>,
    /// Whether clients are not told which lines were dropped.
    pub(crate) quiet: bool,
}

/// Serves one client.
pub(crate) async fn serve<R: SendRuntime>(
    mut conn: Connection<R::Stream>,
    address: Address,
    place: Place<R::Stream>,
    speaking: Speaking,
) {
    let served = place.stop.at_once.or(visit::<R>(&mut conn, &address, &place, speaking)).await;
    if served.is_none() {
        conn.abort();
    }
}

async fn visit<R: SendRuntime>(
    conn: &mut Connection<R::Stream>,
    address: &Address,
    place: &Place<R::Stream>,
    speaking: Speaking,
) {
    match place.stop.asked.or(conn.handshake()).await {
        Some(Ok(())) => stay::<R>(conn, address, place, speaking).await,
        Some(Err(error)) => {
            let hint = match &error {
                Error::Tls(error) if error.kind() == TlsErrorKind::Protocol => NOT_TLS,
                _ => "",
            };
            warn!(%address, "refused: {error}{hint}");
        }
        // It was not in the room yet, and must not take this for the room's end.
        None => return conn.abort(),
    }
    if place.stop.asked.is_raised() {
        // A client that reads gets everything that the time of the stop allows.
        let limits = CloseLimits::default().flush(place.stop.limit, place.stop.limit);
        conn.configure(|config| config.close(limits));
    }
    if let Err(error) = conn.close().await {
        info!(%address, "gone before everything was sent: {error}");
    }
}

/// A client that is in the room.
async fn stay<R: SendRuntime>(
    conn: &mut Connection<R::Stream>,
    address: &Address,
    place: &Place<R::Stream>,
    speaking: Speaking,
) {
    // The room is closed only when the server is stopping.
    let Ok(member) = place.room.join(conn.writer()) else { return };
    info!(%address, "joined");
    let mut dropped = Dropped::new(conn.config().max_line);
    let left = pass_on_all::<R>(conn, address, place, &member, &mut dropped).await;
    dropped.report(address, &member, place.quiet).await;
    drop(speaking);
    if let Ok(Leaving::Stop) = left {
        // Others may still be heard.
        place.stop.closing.raised().await;
    }
    if let Err(Error::Protocol(why)) = &left {
        let _ = member.tell_line(format!("{PREFIX}{why}")).await;
    }
    if let Err(Error::TimedOut(timeout)) = &left {
        // It comes behind all that was said before. A closed room passes nothing on.
        let why = reason(timeout, "you");
        let _ = member.tell_line(format!("{PREFIX}You are disconnected: {why}.")).await;
    }
    // What it said last comes back to it too.
    let MemberStats { messages, dropped_messages, .. } = member.leave().await;
    if dropped_messages > 0 {
        warn!(messages, dropped_messages, %address, "it read too slowly to get everything");
    }
    match left {
        Ok(_) => info!(%address, "left"),
        Err(Error::TimedOut(timeout)) => {
            warn!(%address, "disconnected: {}", reason(&timeout, "it"));
        }
        Err(Error::Closed) => warn!(%address, "disconnected: it did not read what was said"),
        Err(error) => warn!(%address, "lost: {error}"),
    }
}

/// Why a client leaves in good order.
enum Leaving {
    /// It ended its side.
    End,
    /// The server stops.
    Stop,
}

/// Why a client is disconnected that took too long.
fn reason(timeout: &Timeout, who: &str) -> String {
    match timeout {
        Timeout::Idle => format!("{who} said nothing for too long"),
        _ => format!("{who} did not end a line in time"),
    }
}

/// What has arrived, once that is a line. A line has to be whole `line_timeout` after its first byte; in front of that
/// byte a client may be silent. One that is too long is dropped as it comes, and may take its time.
async fn next_batch<S: Transport>(
    conn: &mut Connection<S>,
    line_timeout: Option<Duration>,
) -> Result<Option<Batch<'_, S>>, Error> {
    let Some(time) = line_timeout else { return conn.next_batch().await };
    if !conn.has_data_buffered() {
        // Of any other error, the batch says what it is.
        if let Err(error @ Error::TimedOut(_)) = conn.peek(1).await {
            return Err(error);
        }
    }
    conn.within(time).next_batch().await
}

/// Passes on every line of a client until it leaves, or until the server stops and all that has arrived was passed on.
async fn pass_on_all<R: SendRuntime>(
    conn: &mut Connection<R::Stream>,
    address: &Address,
    place: &Place<R::Stream>,
    member: &Member<R::Stream>,
    dropped: &mut Dropped,
) -> Result<Leaving, Error> {
    let stop = &place.stop;
    match stop.asked.or(begins_with_tls(conn, place.line_timeout)).await {
        Some(Ok(true)) => return Err(Error::protocol(NOT_PLAIN)),
        Some(Err(error @ Error::TimedOut(_))) => return Err(error),
        // The next receive tells it again.
        Some(Ok(false) | Err(_)) | None => {}
    }
    loop {
        let due = report_due::<R, _>(dropped);
        let next = future::or(async { Some(next_batch(conn, place.line_timeout).await) }, due);
        match stop.asked.or(next).await {
            Some(Some(Ok(Some(batch)))) => pass_on(batch, place, dropped).await,
            Some(Some(Ok(None))) => return Ok(Leaving::End),
            Some(Some(Err(error))) => return Err(error),
            Some(None) => {}
            None => break,
        }
        if dropped.due_in() == Some(Duration::ZERO) {
            dropped.report(address, member, place.quiet).await;
        }
    }
    while let Some(received) = stop.closing.or(conn.within(QUIET).next_batch()).await {
        match received {
            Ok(Some(batch)) => pass_on(batch, place, dropped).await,
            Ok(None) => return Ok(Leaving::End),
            Err(Error::TimedOut(_)) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(Leaving::Stop)
}

/// Waits for the first bytes of a client in plain; whether they are those of TLS.
async fn begins_with_tls<S: Transport>(
    conn: &mut Connection<S>,
    line_timeout: Option<Duration>,
) -> Result<bool, Error> {
    if conn.tls().is_some() || !conn.peek(1).await?.starts_with(&HELLO[..1]) {
        return Ok(false);
    }
    // This byte is no line alone.
    let conn = match line_timeout {
        Some(time) => conn.within(time),
        None => conn,
    };
    Ok(conn.peek(2).await?.starts_with(HELLO))
}

/// Waits until dropped lines may be reported.
async fn report_due<R: SendRuntime, T>(dropped: &Dropped) -> Option<T> {
    match dropped.due_in() {
        Some(time) => R::sleep(time).await,
        None => future::pending().await,
    }
    None
}

/// Says every line of a batch in the room, and in those of other servers.
async fn pass_on<S: Transport>(mut batch: Batch<'_, S>, place: &Place<S>, dropped: &mut Dropped) {
    loop {
        match batch.next_line() {
            Ok(Some(line)) => match place.room.send_line(line).await {
                Ok(()) => {
                    if place.relay.as_ref().is_some_and(|relay| !relay.say(line)) {
                        dropped.too_long_to_relay();
                    }
                }
                Err(Error::LineBreak) => dropped.with_cr(),
                // The room is closed: the server has waited long enough.
                Err(_) => return,
            },
            Ok(None) => return,
            // Nothing else breaks this framing.
            Err(_) => dropped.too_long(),
        }
    }
}
