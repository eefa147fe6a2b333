//! The servers: ours, and what a user would write without this library.
//!
//! Every handler is generic over its stream. What accepts names a socket type, once for each runtime, so
//! that a server over another kind of stream is one more accept loop.

mod floor;
mod futures_ways;
pub(crate) mod ours;
mod threads;
pub(crate) mod tls;
mod tokio_ways;

use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;

/// What a server does with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Counts it, one `next_line().await` for each, and answers the count at the end
    Count,
    /// Counts it, every line that has arrived in one batch
    Drain,
    /// Sends it back
    Echo,
    /// Sends it to every client
    Chat,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Drain => "drain",
            Self::Echo => "echo",
            Self::Chat => "chat",
        }
    }
}

/// Who else serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PeerKind {
    Floor,
    Tokio,
    AsyncStd,
    Smol,
}

impl PeerKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Tokio => "tokio",
            Self::AsyncStd => "async-std",
            Self::Smol => "smol",
        }
    }
}

/// How a peer finds lines, and how it sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// Bare sockets and epoll
    Epoll,
    /// `read_line`; `write_all` for each line
    ReadLine,
    /// `read_until`; `write_all` for each line
    ReadUntil,
    /// `Lines`; `write_all` for each line
    Lines,
    /// `Framed` with a `LinesCodec`, `send` for each line
    Codec,
    /// `read_until` and a `BufWriter`, flushed for each line
    Flush,
    /// The same, flushed by hand when the reader has nothing left
    Coalesce,
    /// A room: a channel and a writing task for each client
    Mpsc,
    /// A room: one loop that awaits each send
    Loop,
}

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Epoll => "epoll",
            Self::ReadLine => "read-line",
            Self::ReadUntil => "read-until",
            Self::Lines => "lines",
            Self::Codec => "codec",
            Self::Flush => "flush",
            Self::Coalesce => "coalesce",
            Self::Mpsc => "mpsc",
            Self::Loop => "loop",
        }
    }

    /// What to call it in a table.
    pub(crate) fn title(self, mode: Mode) -> &'static str {
        match self {
            Self::Epoll => "epoll",
            Self::ReadLine => "read_line",
            Self::ReadUntil => "read_until",
            Self::Lines => "Lines",
            Self::Codec if mode == Mode::Echo => "Framed",
            Self::Codec => "LinesCodec",
            Self::Flush => "BufWriter",
            Self::Coalesce => "by hand",
            Self::Mpsc => "channels",
            Self::Loop => "loop",
        }
    }
}

/// Serves as a peer, on one thread.
pub(crate) fn peer(kind: PeerKind, way: Way, mode: Mode, port: u16) -> io::Result<()> {
    let listener = listen(port)?;
    match kind {
        PeerKind::Floor => floor::serve(listener, mode),
        PeerKind::Tokio => tokio_ways::serve(listener, way, mode),
        PeerKind::AsyncStd => futures_ways::async_std::serve(listener, way, mode),
        PeerKind::Smol => futures_ways::smol::serve(listener, way, mode),
    }
}

/// The listener of every peer: the same queue as ours, and it says where it is.
fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    // A second `listen` sets the length of the queue anew.
    rustix::net::listen(&listener, 4096)?;
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);
    Ok(listener)
}

/// What a peer says about a way that it does not know.
fn unknown(way: Way, mode: Mode) -> io::Error {
    io::Error::other(format!("{} does not {}", way.name(), mode.name()))
}

/// Builds the server over Nim's asyncnet in `out`, where a Nim compiler is installed.
pub(crate) fn nim(out: &Path) -> Option<PathBuf> {
    let program = out.join("nim-server");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/server.nim");
    let built = Command::new("nim")
        .args(["c", "-d:release", "--mm:orc", "--hints:off", "--warnings:off"])
        .arg(format!("--nimcache:{}", out.join("nimcache").display()))
        .arg(format!("--out:{}", program.display()))
        .arg(source)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match built {
        Ok(status) if status.success() => std::path::absolute(program).ok(),
        Ok(_) => {
            eprintln!("Nim's asyncnet skipped: {source} did not compile");
            None
        }
        Err(_) => {
            eprintln!("Nim's asyncnet skipped: nim is not installed");
            None
        }
    }
}
