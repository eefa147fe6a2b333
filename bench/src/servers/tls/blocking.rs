//! The floor over TLS: rustls, a blocking socket and a thread for each connection, nothing in between.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{block, unknown};
use crate::model::{BANNER, BLOCK, Kind, Task};
use crate::secure::Pieces;

type Stream = StreamOwned<ServerConnection, Pieces>;

pub(super) fn serve(
    listener: &TcpListener,
    task: Task,
    config: &Arc<ServerConfig>,
) -> io::Result<()> {
    listener.set_nonblocking(false)?;
    loop {
        let (stream, _) = listener.accept()?;
        let config = Arc::clone(config);
        // A client that breaks off is the load generator's business.
        std::thread::spawn(move || handle(stream, task, config));
    }
}

fn handle(stream: TcpStream, task: Task, config: Arc<ServerConfig>) -> io::Result<()> {
    stream.set_nodelay(task != Task::Banner)?;
    let tls = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(tls, Pieces::new(stream));
    match task {
        Task::Receive => receive(&mut stream)?,
        Task::Send => send(&mut stream)?,
        Task::Echo => echo(&mut stream)?,
        Task::Banner => banner(&mut stream)?,
        Task::EchoByHand | Task::Idle => return Err(unknown(Kind::Blocking, task)),
    }
    stream.conn.send_close_notify();
    stream.flush()
}

fn number(stream: &mut Stream) -> io::Result<u64> {
    let mut number = [0; 8];
    stream.read_exact(&mut number)?;
    Ok(u64::from_be_bytes(number))
}

fn receive(stream: &mut Stream) -> io::Result<()> {
    let blocks = number(stream)?;
    let mut block = vec![0; BLOCK];
    for _ in 0..blocks {
        stream.read_exact(&mut block)?;
    }
    stream.write_all(&(blocks * BLOCK as u64).to_be_bytes())
}

fn send(stream: &mut Stream) -> io::Result<()> {
    let block = block();
    for _ in 0..number(stream)? {
        stream.write_all(&block)?;
    }
    Ok(())
}

fn banner(stream: &mut Stream) -> io::Result<()> {
    stream.write_all(BANNER)?;
    while stream.read(&mut [0; 64])? > 0 {}
    Ok(())
}

/// It looks for no lines.
fn echo(stream: &mut Stream) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            n => stream.write_all(&buffer[..n])?,
        }
    }
}
