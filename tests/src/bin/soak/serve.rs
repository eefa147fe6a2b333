//! The servers, written once for every runtime.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use asyncnet::{
    AsyncSocket, CloseBounds, Config, Connection, Domain, Listener, RecvError, Room, RoomLimits,
    SendError, SendRuntime, Setting, TlsContext, Transport,
};
use asyncnet_async_std::AsyncStd;
use asyncnet_smol::Smol;
use asyncnet_tokio::Tokio;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::cli::{Runtime, Server};

/// The longest line that a client may send: short, so that many are too long.
pub(crate) const MAX_LINE: usize = 512;
/// The answer to one that is longer.
pub(crate) const TOO_LONG: &[u8] = b"! too long";
/// The answer to one that cannot be a line of ours: there is a CR in it.
pub(crate) const LINE_BREAK: &[u8] = b"! line break";
/// Ends the certificate on the standard input.
pub(crate) const END: &str = ".";

/// What the system holds for a peer, small, so that one that does not read is soon noticed.
const BUFFER: usize = 16 << 10;
/// What a room queues for a member before it is disconnected.
const HARD: usize = 256 << 10;

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves until the standard input ends.
pub(crate) fn serve(runtime: Runtime, server: Server, descriptors: u64) -> io::Result<()> {
    let limit = Rlimit { current: Some(descriptors), maximum: Some(descriptors) };
    setrlimit(Resource::Nofile, limit)?;
    let context = if server.is_tls() { Some(read_context()?) } else { None };
    match runtime {
        Runtime::Tokio | Runtime::All => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            let tokio = builder.worker_threads(2).enable_all().build()?;
            let spawn = |job: Job| drop(tokio::spawn(job));
            tokio.block_on(accept::<Tokio>(server, context, spawn))
        }
        Runtime::AsyncStd => {
            let spawn = |job: Job| drop(async_std::task::spawn(job));
            async_std::task::block_on(accept::<AsyncStd>(server, context, spawn))
        }
        Runtime::Smol => {
            let spawn = |job: Job| smol::spawn(job).detach();
            smol::block_on(accept::<Smol>(server, context, spawn))
        }
    }
}

fn read_context() -> io::Result<TlsContext> {
    let mut pem = String::new();
    for line in io::stdin().lines() {
        let line = line?;
        if line == END {
            break;
        }
        pem += &line;
        pem.push('\n');
    }
    Ok(TlsContext::server().identity_pem(pem.as_bytes(), pem.as_bytes())?.build()?)
}

/// Gives every connection a task.
async fn accept<R: SendRuntime>(
    server: Server,
    context: Option<TlsContext>,
    spawn: impl Fn(Job),
) -> io::Result<()> {
    let listener = Arc::new(listen::<R>(context).await?);
    let limits = RoomLimits::default().hard(HARD).soft(HARD / 2, Duration::from_secs(2));
    let room = Room::new(limits, R::timer());
    spawn(Box::pin(room.clone().run()));
    println!("{}", listener.local_addr()?.port());
    tell(Arc::clone(&listener), room.clone());
    loop {
        let conn = listener.accept().await?;
        match server {
            Server::Echo | Server::EchoTls => spawn(Box::pin(echo(conn))),
            Server::Split | Server::SplitTls => spawn(Box::pin(split(conn))),
            Server::Chat | Server::ChatTls => spawn(Box::pin(chat(conn, room.clone()))),
        }
    }
}

async fn listen<R: SendRuntime>(context: Option<TlsContext>) -> io::Result<Listener<R>> {
    let bounds = CloseBounds::default()
        .flush(Duration::from_secs(2))
        .drain(Duration::from_secs(1), 64 << 10);
    let config = Config::default()
        .max_line(MAX_LINE)
        .max_outbox(16 << 10)
        .handshake(Duration::from_secs(2))
        .close(bounds);
    let socket = AsyncSocket::<R>::new(Domain::Ipv4)?;
    let mut socket = socket.with_config(config);
    if let Some(context) = context {
        socket.wrap_tls(&context);
    }
    socket.set(Setting::RecvBuffer(BUFFER))?;
    socket.set(Setting::SendBuffer(BUFFER))?;
    socket.bind_addr("127.0.0.1", 0).await?;
    socket.listen(4096)
}

/// Says, for each line of the standard input, how many connections are open, how many members the room
/// has, and how many it disconnected. Ends the process with the input.
fn tell<R: SendRuntime>(listener: Arc<Listener<R>>, room: Room<R::Stream>) {
    std::thread::spawn(move || {
        for _ in io::stdin().lines() {
            let stats = room.stats();
            println!("{} {} {}", listener.open_connections(), stats.members, stats.evicted());
        }
        std::process::exit(0);
    });
}

async fn echo<S: Transport>(mut conn: Connection<S>) {
    // Why a client left is the client's affair.
    let _ = echo_all(&mut conn).await;
    let _ = conn.close().await;
}

async fn echo_all<S: Transport>(conn: &mut Connection<S>) -> io::Result<()> {
    loop {
        match conn.next_lines().await {
            Ok(Some(mut batch)) => {
                while let Some(line) = batch.next_line() {
                    match batch.outbox.feed_line(line) {
                        Err(SendError::LineBreak) => batch.outbox.feed_line(LINE_BREAK)?,
                        fed => fed?,
                    }
                }
            }
            Ok(None) => return Ok(()),
            Err(RecvError::Line(_)) => conn.send_line(TOO_LONG).await?,
            Err(error) => return Err(error.into()),
        }
    }
}

async fn split<S: Transport>(conn: Connection<S>) {
    let (mut lines, sender) = conn.split();
    let answering = async {
        loop {
            match lines.next_lines().await {
                Ok(Some(batch)) => {
                    for line in batch {
                        let mut answer = line;
                        // Waits when the outbox is full: the peer has to read.
                        while let Err(error) = sender.feed_line(answer) {
                            match error {
                                SendError::LineBreak => answer = LINE_BREAK,
                                SendError::Full { .. } => sender.flush().await?,
                                error => return Err(error),
                            }
                        }
                    }
                }
                Err(RecvError::Line(_)) => sender.send_line(TOO_LONG).await?,
                Ok(None) | Err(_) => return Ok(()),
            }
        }
    };
    let _ = answering.await;
    let _ = sender.close().await;
}

async fn chat<S: Transport>(conn: Connection<S>, room: Room<S>) {
    let (mut lines, sender) = conn.split();
    let member = room.join(sender.clone());
    loop {
        match lines.next_lines().await {
            Ok(Some(batch)) => {
                for line in batch {
                    // A line with a CR in it is nobody's; the room itself is never closed.
                    let _ = room.send_line(line).await;
                }
            }
            Err(RecvError::Line(_)) => {}
            Ok(None) | Err(_) => break,
        }
    }
    member.leave().await;
    let _ = sender.close().await;
}
