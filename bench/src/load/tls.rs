//! Load over TLS: rustls, and sockets that block.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};

use super::{Meter, Outcome, TOGETHER, arrive, connect, hear, lines, same};
use crate::model::{BANNER, BLOCK};
use crate::process::Running;
use crate::secure::Pieces;

/// How long a line takes.
const LINE: usize = 64;
/// How many handshakes are under way at once: as many as the load generator keeps tickets for.
pub(super) const HANDSHAKES: usize = 8;

pub(super) type Client = StreamOwned<ClientConnection, Pieces>;

/// Connects, and sends the client's hello.
fn begin(port: u16, config: &Arc<ClientConfig>) -> io::Result<Client> {
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    let stream = connect(port)?;
    // They are reset when they are dropped, so that no port is kept waiting.
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
    let mut socket = Pieces::new(stream);
    while tls.wants_write() {
        tls.write_tls(&mut socket)?;
    }
    Ok(StreamOwned::new(tls, socket))
}

/// Goes on until the handshake is over.
fn finish(client: &mut Client) -> io::Result<()> {
    while client.conn.is_handshaking() {
        client.conn.complete_io(&mut client.sock)?;
    }
    Ok(())
}

fn secure(port: u16, config: &Arc<ClientConfig>) -> io::Result<Client> {
    let mut client = begin(port, config)?;
    finish(&mut client)?;
    Ok(client)
}

/// Sends `blocks` blocks; the server counts the bytes.
pub(crate) fn bulk_to(
    server: &Running,
    config: &Arc<ClientConfig>,
    blocks: u64,
) -> io::Result<Outcome> {
    const AT_ONCE: u64 = 4;
    let mut client = secure(server.port, config)?;
    let text = lines(LINE, BLOCK / LINE).repeat(AT_ONCE as usize);
    let meter = Meter::start(server);
    client.write_all(&blocks.to_be_bytes())?;
    for _ in 0..blocks / AT_ONCE {
        client.write_all(&text)?;
    }
    let mut answer = [0; 8];
    client.read_exact(&mut answer)?;
    let outcome = meter.rate(blocks);
    match u64::from_be_bytes(answer) {
        bytes if bytes == blocks * BLOCK as u64 => Ok(outcome),
        bytes => Err(io::Error::other(format!("the server counted {bytes} in {blocks} blocks"))),
    }
}

/// Has the server send `blocks` blocks.
pub(crate) fn bulk_from(
    server: &Running,
    config: &Arc<ClientConfig>,
    blocks: u64,
) -> io::Result<Outcome> {
    let mut client = secure(server.port, config)?;
    let text = lines(LINE, BLOCK / LINE);
    let mut block = vec![0; BLOCK];
    let meter = Meter::start(server);
    client.write_all(&blocks.to_be_bytes())?;
    for _ in 0..blocks {
        client.read_exact(&mut block)?;
        same(&block, &text)?;
    }
    Ok(meter.rate(blocks))
}

/// Keeps `window` lines in flight for `time`, in two halves, so that both sides have something to do.
pub(crate) fn echo(
    server: &Running,
    config: &Arc<ClientConfig>,
    window: usize,
    time: Duration,
) -> io::Result<Outcome> {
    let mut client = secure(server.port, config)?;
    let half = window.div_ceil(2);
    let text = lines(LINE, half);
    let (meter, mut echoed) = (Meter::start(server), 0_u64);
    for _ in 0..window / half {
        client.write_all(&text)?;
    }
    let mut answer = vec![0; text.len()];
    while meter.runs(time) {
        client.read_exact(&mut answer)?;
        same(&answer, &text)?;
        client.write_all(&text)?;
        echoed += half as u64;
    }
    Ok(meter.rate(echoed))
}

/// Opens `n` connections, each for a line there and back.
pub(super) fn arrive_secure(
    port: u16,
    config: &Arc<ClientConfig>,
    n: usize,
) -> io::Result<Vec<Client>> {
    let line = lines(LINE, 1);
    let mut clients = Vec::with_capacity(n);
    for _ in 0..n {
        clients.push(begin(port, config)?);
    }
    for client in &mut clients {
        finish(client)?;
        client.write_all(&line)?;
    }
    for client in &mut clients {
        hear(client, &line)?;
    }
    Ok(clients)
}

/// Opens connections for `time`, each for one line there and back.
pub(crate) fn handshakes(
    server: &Running,
    config: &Arc<ClientConfig>,
    resumed: bool,
    time: Duration,
) -> io::Result<Outcome> {
    // They bring the tickets for the next.
    arrive_secure(server.port, config, HANDSHAKES)?;
    let kind = if resumed { HandshakeKind::Resumed } else { HandshakeKind::Full };
    let (meter, mut times) = (Meter::start(server), 0);
    while meter.runs(time) {
        let clients = arrive_secure(server.port, config, HANDSHAKES)?;
        if clients.iter().any(|client| client.conn.handshake_kind() != Some(kind)) {
            return Err(io::Error::other(format!("a handshake was not {kind:?}")));
        }
        times += HANDSHAKES as u64;
    }
    Ok(meter.rate(times))
}

/// Opens connections for `time`, one after the other; the server speaks first.
pub(crate) fn banners(
    server: &Running,
    config: &Arc<ClientConfig>,
    time: Duration,
) -> io::Result<Outcome> {
    hear(&mut secure(server.port, config)?, BANNER)?;
    let (meter, mut times, mut worst) = (Meter::start(server), 0, Duration::ZERO);
    while meter.runs(time) {
        let start = Instant::now();
        hear(&mut secure(server.port, config)?, BANNER)?;
        worst = worst.max(start.elapsed());
        times += 1;
    }
    let mut outcome = meter.rate(times);
    outcome.note = format!(
        "{:.1} ms each, {:.1} ms the worst",
        1e3 / outcome.value,
        worst.as_secs_f64() * 1e3
    );
    Ok(outcome)
}

/// Opens `connections` in plain and as many over TLS, each for one line there and back; answers the bytes
/// that one over TLS keeps beyond one in plain.
pub(crate) fn idle(
    server: &mut Running,
    config: &Arc<ClientConfig>,
    connections: usize,
) -> io::Result<Outcome> {
    let plain = server.next_port().ok_or_else(|| io::Error::other("no port in plain"))?;
    let secure = server.port;
    let line = lines(LINE, 1);
    let (plain, _open) = keep(server, connections, |n| arrive(plain, n, &line))?;
    let (secure, _open) = keep(server, connections, |n| arrive_secure(secure, config, n))?;
    let note = format!("{:.1} KiB over TLS, {:.1} KiB in plain", secure / 1024.0, plain / 1024.0);
    Ok(Outcome { value: secure - plain, cost: 0.0, note })
}

/// How many bytes of the server each of so many connections keeps, and the connections: what they gave back
/// would be there for the next.
fn keep<C>(
    server: &Running,
    connections: usize,
    arrive: impl Fn(usize) -> io::Result<Vec<C>>,
) -> io::Result<(f64, Vec<C>)> {
    // What the first ones bring along belongs to the server, not to them.
    let mut open = arrive(TOGETHER)?;
    let before = server.resident()?;
    for _ in 0..connections.div_ceil(TOGETHER) {
        open.append(&mut arrive(TOGETHER)?);
    }
    let more = server.resident()?.saturating_sub(before);
    Ok((more as f64 / (open.len() - TOGETHER) as f64, open))
}
