//! The server, written once for every runtime.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use asyncnet::net::ListenOptions;
use asyncnet::room::{MemberStats, RoomStats};
use asyncnet::{Listener, Room, SendRuntime};
use futures_lite::future;
use tracing::{info, warn};

use crate::figures::Source;
use crate::guest::{self, Place};
use crate::log::Log;
use crate::relay::{Prepared, Relay};
use crate::stop::{Silence, Speaking, Stop};
use crate::tls::Shown;
use crate::{cli, hints, metrics};

/// What the runtime is given to run beside the accept loop.
pub(crate) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is made before the runtime is.
pub(crate) struct Parts {
    pub(crate) shown: Option<Shown>,
    pub(crate) relay: Option<Prepared>,
    pub(crate) log: Log,
    pub(crate) stop: Stop,
}

/// How many connections may wait to be accepted. The system may lower it.
const BACKLOG: u32 = 4096;

/// How long a client of a room with TLS may take to send its first byte: somebody who joins in plain and says nothing
/// learns then that this room is none of theirs. A first packet that is lost once still comes in time.
const FIRST_BYTE: Duration = Duration::from_millis(1500);

/// Serves until a signal stops it. What was said by then still goes to every client that reads.
pub(crate) async fn serve<R: SendRuntime>(
    options: cli::Serve,
    parts: Parts,
    spawn: impl Fn(Job),
) -> io::Result<()> {
    let Parts { shown, relay: prepared, log, stop } = parts;
    let started = Instant::now();
    let listener = listen::<R>(&options, shown.as_ref()).await?;
    let metrics = match &options.metrics {
        Some(at) => Some(metrics::listen::<R>(at).await?),
        None => None,
    };
    let measured = metrics.as_ref().map(Listener::local_addr).transpose()?;
    hints::announce(&listener.local_addr()?, &options, shown.as_ref(), measured.as_ref())?;

    let (room, task) = Room::new(options.limits());
    let (line_timeout, quiet) = (options.pace.line_timeout(), options.quiet_rules);
    spawn(Box::pin(async {
        // `Room::stats` has what it came to.
        let _ = task.await;
    }));
    let relay = prepared.as_ref().map(Prepared::relay);
    if let Some(prepared) = prepared {
        spawn(Box::pin(prepared.run::<R>(room.clone())));
    }
    let (speaking, silence) = Speaking::new();
    let accepting = async {
        loop {
            let (conn, address) = listener.accept_addr().await?;
            let (room, relay, stop) = (room.clone(), relay.clone(), stop.clone());
            let place = Place { room, relay, stop, line_timeout, quiet };
            spawn(Box::pin(guest::serve::<R>(conn, address, place, speaking.another())));
        }
    };
    let source =
        Source { listener: &listener, room: &room, relay: relay.as_ref(), log: &log, started };
    let telling = async {
        let Some(time) = options.stats() else { return future::pending().await };
        loop {
            R::sleep(time).await;
            source.figures().log();
        }
    };
    let measuring = async {
        let Some(listener) = &metrics else { return future::pending().await };
        metrics::serve(listener, &source, &spawn).await;
        Ok(())
    };
    let serving = future::or(accepting, future::or(telling, measuring));
    let result = stop.asked.or(serving).await.unwrap_or(Ok(()));
    drop(speaking);
    finish(listener, &room, relay.as_ref(), &stop, &silence).await;
    remove_socket_file(&options.listen);
    tell(&room.stats());
    if stop.at_once.is_raised() {
        let why = "a second signal came: the open connections were reset";
        return Err(io::Error::other(why));
    }
    result
}

/// Stops: passes on what has arrived, and gives every client that reads all that was said.
async fn finish<R: SendRuntime>(
    listener: Listener<R>,
    room: &Room<R::Stream>,
    relay: Option<&Relay>,
    stop: &Stop,
    silence: &Silence,
) {
    info!("stopping");
    let began = Instant::now();
    // Where accepting failed, the clients are not told yet.
    stop.asked.raise();
    let closing = async {
        // A client that never stops talking has half of the time.
        future::or(silence.begun(), R::sleep(stop.limit / 2)).await;
        room.close();
        stop.closing.raise();
        if let Some(relay) = relay {
            // A second signal ends the wait.
            let rest = stop.limit.saturating_sub(began.elapsed());
            stop.at_once.or(relay.finish::<R>(rest)).await;
        }
    };
    let (finished, ()) = future::zip(listener.finish(stop.limit), closing).await;
    let lost = finished.aborted + finished.left;
    if lost > 0 {
        warn!(lost, "clients did not read what was said in time, and were reset");
    }
}

async fn listen<R: SendRuntime>(
    options: &cli::Serve,
    shown: Option<&Shown>,
) -> io::Result<Listener<R>> {
    remove_socket_file(&options.listen);
    let mut settings = ListenOptions::new()
        .config(options.config())
        .backlog(BACKLOG)
        // Those that do not read in time are reset: what they have looks as incomplete as it is.
        .track(true);
    if let Some(clients) = options.max_clients {
        settings = settings.max_open(usize::try_from(clients).unwrap_or(usize::MAX));
    }
    if options.proxy_protocol {
        settings = settings.proxy_protocol();
    }
    if let Some(shown) = shown {
        settings = settings.tls(&shown.context).silent_timeout(FIRST_BYTE);
    }
    Listener::bind_with(&options.listen, settings).await
}

/// Removes the socket file that is left of a server which listens no more: this one, or one that was killed.
#[cfg(unix)]
fn remove_socket_file(at: &str) {
    let path = at.strip_prefix("unix:").filter(|path| !path.starts_with('@'));
    // If it must not be removed, the attempt to listen says why it cannot.
    let _ = path.map(asyncnet::net::remove_stale_socket);
}

#[cfg(not(unix))]
fn remove_socket_file(_: &str) {}

/// Says what the room has done.
fn tell(stats: &RoomStats) {
    let RoomStats { total, evicted_hard, evicted_soft, .. } = stats;
    let MemberStats { messages, bytes, dropped_messages, .. } = total;
    info!(messages, bytes, dropped_messages, evicted_hard, evicted_soft, "the room's figures");
}
