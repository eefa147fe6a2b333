//! The server, written once for every runtime.

use std::convert::Infallible;
use std::future::Future;
use std::io::{self, Write};
use std::pin::Pin;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use asyncnet::net::ListenOptions;
use asyncnet::room::{MemberStats, RoomStats};
use asyncnet::{
    Address, Batch, Connection, Error, Listener, Room, SendRuntime, Timeout, Transport,
};
use futures_lite::future;
use tracing::{info, warn};

use crate::tls::Shown;
use crate::{cli, tls};

/// What the runtime is given to run beside the accept loop.
pub(crate) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How many connections may wait to be accepted. The system may lower it.
const BACKLOG: u32 = 4096;

/// How long clients may take to read what waits for them once the server stops.
const PARTING: Duration = Duration::from_secs(10);

/// Tells every task that has a clone of it that the server stops.
#[derive(Clone)]
pub(crate) struct Stop {
    sender: Sender<Infallible>,
    receiver: Receiver<Infallible>,
}

impl Stop {
    pub(crate) fn new() -> Self {
        // It carries no message: all that happens to it is that it is closed.
        let (sender, receiver) = async_channel::bounded(1);
        Self { sender, receiver }
    }

    /// The server stops. A second call changes nothing.
    pub(crate) fn now(&self) {
        self.sender.close();
    }

    /// What `future` comes to, or `otherwise` if the server stops first.
    async fn or<T>(&self, future: impl Future<Output = T>, otherwise: T) -> T {
        let stopping = async {
            let _ = self.receiver.recv().await;
            otherwise
        };
        future::or(future, stopping).await
    }
}

/// Serves until `stop`. What was said by then still goes to every client that reads.
pub(crate) async fn serve<R: SendRuntime>(
    options: cli::Serve,
    spawn: impl Fn(Job),
    stop: Stop,
) -> io::Result<()> {
    let shown = tls::server(&options)?;
    let listener = listen::<R>(&options, shown.as_ref()).await?;
    announce(&listener.local_addr()?, &options, shown.as_ref())?;

    let (room, task) = Room::new(options.limits());
    let line_timeout = options.pace.line_timeout();
    spawn(Box::pin(async {
        // `Room::stats` has what it came to.
        let _ = task.await;
    }));
    let accepting = async {
        loop {
            let (conn, address) = listener.accept_addr().await?;
            let place = Place { room: room.clone(), stop: stop.clone(), line_timeout };
            spawn(Box::pin(client(conn, address, place)));
        }
    };
    let result = stop.or(accepting, Ok(())).await;
    info!("stopping");
    // Where accepting failed, the clients are not told yet.
    stop.now();
    room.close();
    let left = listener.finish(PARTING).await.left;
    if left > 0 {
        warn!(left, "clients did not read what was said, and are disconnected");
    }
    tell(&room.stats());
    result
}

async fn listen<R: SendRuntime>(
    options: &cli::Serve,
    shown: Option<&Shown>,
) -> io::Result<Listener<R>> {
    let mut settings = ListenOptions::new().config(options.config()).backlog(BACKLOG);
    if let Some(shown) = shown {
        settings = settings.tls(&shown.context);
    }
    Listener::bind_with(&options.listen, settings).await
}

/// Says where we listen, first of all and at once: programs wait for that line.
fn announce(address: &Address, options: &cli::Serve, shown: Option<&Shown>) -> io::Result<()> {
    let mut text = format!("listening on {address}\njoin with: asyncnet-chat join ");
    match shown {
        None => text += &format!("{address}   (or: nc {})\n", as_arguments(address)),
        Some(Shown { fingerprint, .. }) => {
            let ca = options.tls.cert_out.as_ref();
            let ca = ca.map_or_else(String::new, |path| format!("--ca {} ", path.display()));
            let arguments = as_arguments(address);
            text += &format!("--tls {ca}{address}   (or: ncat --ssl {arguments})\n");
            if let Some(fingerprint) = fingerprint {
                text += &format!("the certificate's SHA-256 fingerprint: {fingerprint}\n");
            }
        }
    }
    // One write: a program may read the first line alone and go away.
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The address as the arguments of `nc` or `ncat`.
fn as_arguments(address: &Address) -> String {
    match address {
        Address::Ip(address) => format!("{} {}", address.ip(), address.port()),
        Address::Unix(path) => format!("-U {}", path.display()),
        _ => address.to_string(),
    }
}

/// Says what the room has done.
fn tell(stats: &RoomStats) {
    let RoomStats { total, evicted_hard, evicted_soft, .. } = stats;
    let MemberStats { messages, bytes, dropped_messages, .. } = total;
    info!(messages, bytes, dropped_messages, evicted_hard, evicted_soft, "the room in numbers");
}

/// Where a client comes in.
struct Place<S: Transport> {
    room: Room<S>,
    stop: Stop,
    line_timeout: Option<Duration>,
}

/// One client, from its arrival to its leaving.
async fn client<S: Transport>(mut conn: Connection<S>, address: Address, place: Place<S>) {
    match place.stop.or(conn.handshake(), Ok(())).await {
        Ok(()) => stay(&mut conn, &address, &place).await,
        Err(error) => warn!(%address, "not let in: {error}"),
    }
    if let Err(error) = conn.close().await {
        info!(%address, "gone before it had everything: {error}");
    }
}

/// A client that is in the room.
async fn stay<S: Transport>(conn: &mut Connection<S>, address: &Address, place: &Place<S>) {
    // The room is closed only when the server is stopping.
    let Ok(member) = place.room.join(conn.writer()) else { return };
    info!(%address, "joined");
    let left = relay(conn, address, place).await;
    if let Err(Error::TimedOut(timeout)) = &left {
        // It comes behind all that was said before. In a closed room nobody is told anything any more.
        let _ =
            member.tell_line(format!("You are disconnected: {}.", reason(timeout, "you"))).await;
    }
    // What it said last comes back to it too.
    let MemberStats { messages, dropped_messages, .. } = member.leave().await;
    if dropped_messages > 0 {
        warn!(messages, dropped_messages, %address, "it read too slowly to get everything");
    }
    match left {
        Ok(()) => info!(%address, "left"),
        Err(Error::TimedOut(timeout)) => {
            warn!(%address, "disconnected: {}", reason(&timeout, "it"));
        }
        Err(Error::Closed) => warn!(%address, "disconnected: it did not read what was said"),
        Err(error) => warn!(%address, "lost: {error}"),
    }
}

/// Why a client is disconnected that took too long.
fn reason(timeout: &Timeout, who: &str) -> String {
    match timeout {
        Timeout::Idle => format!("{who} said nothing for too long"),
        _ => format!("{who} did not end a line in time"),
    }
}

/// What has arrived, once that is a line. A line has to be whole `line_timeout` after its first byte; in front of that
/// byte a client may be silent.
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

/// Passes on every line of a client until it leaves or the server stops.
async fn relay<S: Transport>(
    conn: &mut Connection<S>,
    address: &Address,
    place: &Place<S>,
) -> Result<(), Error> {
    let Place { room, stop, line_timeout } = place;
    while let Some(mut batch) = stop.or(next_batch(conn, *line_timeout), Ok(None)).await? {
        loop {
            let line = match batch.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(error) => {
                    warn!(%address, "line dropped: {error}");
                    continue;
                }
            };
            match room.send_line(line).await {
                Ok(()) => {}
                Err(Error::LineBreak) => warn!(%address, "line dropped: it holds a CR"),
                // The room is closed: the server is stopping.
                Err(_) => return Ok(()),
            }
        }
    }
    Ok(())
}
