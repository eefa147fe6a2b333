//! The servers, written once for every runtime.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use asyncnet::net::{Domain, Setting};
use asyncnet::room::Limits;
use asyncnet::{
    AsyncSocket, CloseLimits, Config, Connection, Error, Listener, Room, SendRuntime, TlsContext,
    Transport, Writer,
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

/// How long a line may take, where that is bounded.
pub(crate) const LINE_TIMEOUT: Duration = Duration::from_secs(3);

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
    let listener = Arc::new(listen::<R>(server, context).await?);
    let limits = Limits::default().hard(HARD).soft(HARD / 2, Duration::from_secs(2));
    let (room, task) = Room::new(limits);
    spawn(Box::pin(async move {
        let _ = task.await;
    }));
    println!("{}", listener.local_addr()?.port());
    tell(Arc::clone(&listener), room.clone());
    loop {
        let conn = listener.accept().await?;
        match server {
            Server::Echo | Server::EchoTls | Server::Timed => spawn(Box::pin(echo(conn))),
            Server::Split | Server::SplitTls => spawn(Box::pin(split(conn))),
            Server::Chat | Server::ChatTls => spawn(Box::pin(chat(conn, room.clone()))),
        }
    }
}

async fn listen<R: SendRuntime>(
    server: Server,
    context: Option<TlsContext>,
) -> io::Result<Listener<R>> {
    let bounds = CloseLimits::default()
        .flush(Duration::from_secs(2), Duration::from_secs(2))
        .drain(Duration::from_secs(1), 64 << 10);
    let config = Config::default()
        .max_line(MAX_LINE)
        .max_queue(16 << 10)
        .handshake_timeout(Duration::from_secs(2))
        .close(bounds)
        .receive_timeout((server == Server::Timed).then_some(LINE_TIMEOUT));
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

async fn echo_all<S: Transport>(conn: &mut Connection<S>) -> Result<(), Error> {
    while let Some(mut batch) = conn.next_batch().await? {
        loop {
            match batch.next_line() {
                Ok(Some(line)) => match batch.reply_line(line) {
                    Err(Error::LineBreak) => batch.reply_line(LINE_BREAK)?,
                    replied => replied?,
                },
                Ok(None) => break,
                Err(Error::Line(_)) => batch.reply_line(TOO_LONG)?,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

async fn split<S: Transport>(mut conn: Connection<S>) {
    let writer = conn.writer();
    let _ = answer_all(&mut conn, &writer).await;
    let _ = writer.close().await;
}

/// Answers through a writer, one line after the other.
async fn answer_all<S: Transport>(
    conn: &mut Connection<S>,
    writer: &Writer<S>,
) -> Result<(), Error> {
    loop {
        let mut answer = match conn.next_line().await {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(Error::Line(_)) => TOO_LONG,
            Err(error) => return Err(error),
        };
        // Waits when the queue is full: the peer has to read.
        while let Err(error) = writer.feed_line(answer) {
            match error {
                Error::LineBreak => answer = LINE_BREAK,
                Error::Full { .. } => writer.flush().await?,
                error => return Err(error),
            }
        }
    }
}

async fn chat<S: Transport>(mut conn: Connection<S>, room: Room<S>) {
    let writer = conn.writer();
    // The room itself is never closed.
    if let Ok(member) = room.join(writer.clone()) {
        let _ = say_all(&mut conn, &room).await;
        member.leave().await;
    }
    let _ = writer.close().await;
}

/// Says in the room what comes.
async fn say_all<S: Transport>(conn: &mut Connection<S>, room: &Room<S>) -> Result<(), Error> {
    while let Some(mut batch) = conn.next_batch().await? {
        loop {
            match batch.next_line() {
                // A line with a CR in it is nobody's.
                Ok(Some(line)) => drop(room.send_line(line).await),
                Ok(None) => break,
                Err(Error::Line(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}
