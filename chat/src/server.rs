//! The server, written once for every runtime.

use std::future::Future;
use std::io::{self, Write};
use std::pin::Pin;

use async_channel::Receiver;
use asyncnet::{
    Address, Connection, ListenOptions, Listener, MemberStats, RecvError, RecvHalf, Room,
    RoomStats, SendError, SendRuntime, Transport,
};
use futures_lite::future;
use tracing::{info, warn};

use crate::tls::Shown;
use crate::{cli, tls};

/// What the runtime is given to run beside the accept loop.
pub(crate) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How many connections may wait to be accepted. The system may lower it.
const BACKLOG: u32 = 4096;

/// Serves until `stopped` has a message.
pub(crate) async fn serve<R: SendRuntime>(
    options: cli::Serve,
    spawn: impl Fn(Job),
    stopped: Receiver<()>,
) -> io::Result<()> {
    let shown = tls::server(&options)?;
    let listener = listen::<R>(&options, shown.as_ref()).await?;
    announce(&listener.local_addr()?, &options, shown.as_ref())?;

    let room = Room::new(options.limits(), R::timer());
    spawn(Box::pin(room.clone().run()));
    let accepting = async {
        loop {
            let (conn, address) = listener.accept_addr().await?;
            spawn(Box::pin(client(conn, address, room.clone())));
        }
    };
    let stopping = async {
        // An error says that the signal handler is gone, and then nothing will ever stop us but it.
        let _ = stopped.recv().await;
        info!("stopping");
        Ok(())
    };
    let result = future::or(accepting, stopping).await;
    room.close();
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
    Listener::bind_with(&options.listen.to_string(), settings).await
}

/// Says where we listen, first of all and at once: programs wait for that line.
fn announce(address: &Address, options: &cli::Serve, shown: Option<&Shown>) -> io::Result<()> {
    let (ip, port) = (ip(address), address.port());
    let mut text = format!("listening on {address}\njoin with: asyncnet-chat join ");
    match shown {
        None => text += &format!("{address}   (or: nc {ip} {port})\n"),
        Some(Shown { fingerprint, .. }) => {
            let ca = options.tls.cert_out.as_ref();
            let ca = ca.map_or_else(String::new, |path| format!("--ca {} ", path.display()));
            text += &format!("--tls {ca}{address}   (or: ncat --ssl {ip} {port})\n");
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

fn ip(address: &Address) -> String {
    address.ip().map_or_else(String::new, |address| address.ip().to_string())
}

/// Says what the room has done.
fn tell(stats: &RoomStats) {
    let RoomStats { members, total, evicted_hard, evicted_soft, .. } = stats;
    let MemberStats { messages, bytes, dropped_messages, .. } = total;
    info!(
        members,
        messages, bytes, dropped_messages, evicted_hard, evicted_soft, "the room in numbers"
    );
}

/// One client, from its arrival to its leaving.
async fn client<S: Transport>(conn: Connection<S>, address: Address, room: Room<S>) {
    info!(%address, "joined");
    let (mut lines, sender) = conn.split();
    let member = room.join(sender.clone());
    let left = relay(&mut lines, &address, &room).await;
    // What it said last comes back to it too.
    let MemberStats { messages, dropped_messages, .. } = member.leave().await;
    if dropped_messages > 0 {
        warn!(messages, dropped_messages, %address, "it read too slowly to get everything");
    }
    match left {
        Ok(()) => info!(%address, "left"),
        Err(RecvError::Closed) => warn!(%address, "disconnected: it did not read what was said"),
        Err(error) => warn!(%address, "lost: {error}"),
    }
    if let Err(error) = sender.close().await {
        info!(%address, "gone before it had everything: {error}");
    }
}

/// Passes on every line of a client until it leaves.
async fn relay<S: Transport>(
    lines: &mut RecvHalf<S>,
    address: &Address,
    room: &Room<S>,
) -> Result<(), RecvError> {
    loop {
        match lines.next_lines().await {
            Ok(Some(batch)) => {
                for line in batch {
                    match room.send_line(line).await {
                        Ok(()) => {}
                        Err(SendError::LineBreak) => warn!(%address, "line dropped: it holds a CR"),
                        // The room is closed: the server is stopping.
                        Err(_) => return Ok(()),
                    }
                }
            }
            Ok(None) => return Ok(()),
            Err(RecvError::Line(error)) => warn!(%address, "line dropped: {error}"),
            Err(error) => return Err(error),
        }
    }
}
