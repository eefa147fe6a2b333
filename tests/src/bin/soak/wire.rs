//! A client's end: a blocking socket, plain or under rustls itself. Nothing of ours is on this side.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use asyncnet::tls::rustls::pki_types::ServerName;
use asyncnet::tls::rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::SockRef;

use crate::certificate::NAME;

/// How long anything may take. Longer is a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Whether it took longer.
pub(crate) fn is_hang(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// An error, in words.
pub(crate) fn reason(error: &io::Error) -> String {
    if is_hang(error) { format!("nothing moved for {PATIENCE:?}") } else { error.to_string() }
}

/// Where the server is, and how it speaks.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

impl Door {
    pub(crate) fn new(port: u16, tls: Option<Arc<ClientConfig>>) -> Self {
        Self { address: (Ipv4Addr::LOCALHOST, port).into(), tls }
    }

    pub(crate) const fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Connects, and no more. With no port left on this machine it waits for one.
    pub(crate) fn knock(&self) -> io::Result<TcpStream> {
        let until = Instant::now() + PATIENCE;
        loop {
            match TcpStream::connect_timeout(&self.address, PATIENCE) {
                Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                    if Instant::now() > until {
                        return Err(error);
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
                stream => {
                    let stream = stream?;
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    return Ok(stream);
                }
            }
        }
    }

    /// Connects, and goes through the handshake if there is one.
    pub(crate) fn enter(&self) -> io::Result<Wire> {
        let mut tcp = self.knock()?;
        let Some(config) = &self.tls else {
            return Ok(Wire::new(Stream::Plain(tcp)));
        };
        let mut conn = client(config)?;
        while conn.is_handshaking() {
            conn.complete_io(&mut tcp)?;
        }
        Ok(Wire::new(Stream::Tls(Box::new(StreamOwned::new(conn, tcp)))))
    }

    /// The first bytes of a handshake.
    pub(crate) fn hello(&self) -> io::Result<Vec<u8>> {
        let mut hello = Vec::new();
        if let Some(config) = &self.tls {
            client(config)?.write_tls(&mut hello)?;
        }
        Ok(hello)
    }
}

fn client(config: &Arc<ClientConfig>) -> io::Result<ClientConnection> {
    let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
    ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// A connection that reads lines.
pub(crate) struct Wire {
    stream: Stream,
    read: Vec<u8>,
    /// How much of `read` is consumed.
    at: usize,
}

impl Wire {
    const fn new(stream: Stream) -> Self {
        Self { stream, read: Vec::new(), at: 0 }
    }

    pub(crate) const fn tcp(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(tls) => &tls.sock,
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(tcp) => tcp.write_all(bytes),
            Stream::Tls(tls) => {
                tls.write_all(bytes)?;
                tls.flush()
            }
        }
    }

    /// The next line, without its CR LF; `None` at an end in good order between lines.
    pub(crate) fn line(&mut self) -> io::Result<Option<&[u8]>> {
        let mut searched = self.at;
        let end = loop {
            if let Some(end) = self.read[searched..].iter().position(|&byte| byte == b'\n') {
                break searched + end;
            }
            self.read.drain(..self.at);
            self.at = 0;
            searched = self.read.len();
            let mut block = [0; 4096];
            let n = match &mut self.stream {
                Stream::Plain(tcp) => tcp.read(&mut block)?,
                Stream::Tls(tls) => tls.read(&mut block)?,
            };
            self.read.extend_from_slice(&block[..n]);
            if n == 0 {
                let whole = self.read.is_empty();
                return if whole { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
        };
        let line = self.at..end;
        self.at = end + 1;
        let line = &self.read[line];
        line.strip_suffix(b"\r").map(Some).ok_or_else(|| io::Error::other("a line without its CR"))
    }

    /// Ends our side in good order; what the server has to say still comes.
    pub(crate) fn half_close(&mut self) -> io::Result<()> {
        if let Stream::Tls(tls) = &mut self.stream {
            tls.conn.send_close_notify();
            while tls.conn.wants_write() {
                tls.conn.write_tls(&mut tls.sock)?;
            }
        }
        self.tcp().shutdown(Shutdown::Write)
    }

    /// Its sending side; TLS has none that is of use alone.
    pub(crate) fn plain(&self) -> io::Result<Writer> {
        Ok(Writer(self.tcp().try_clone()?))
    }

    /// Ends both sides.
    pub(crate) fn shut(&self) -> io::Result<()> {
        self.tcp().shutdown(Shutdown::Both)
    }

    /// Leaves with a reset.
    pub(crate) fn reset(self) -> io::Result<()> {
        reset(self.tcp())
    }
}

/// Makes dropping `tcp` a reset.
pub(crate) fn reset(tcp: &TcpStream) -> io::Result<()> {
    SockRef::from(tcp).set_linger(Some(Duration::ZERO))
}

/// The sending side of a plain connection, for another thread.
pub(crate) struct Writer(TcpStream);

impl Writer {
    pub(crate) fn send_all<'a>(
        &mut self,
        messages: impl Iterator<Item = &'a Vec<u8>>,
    ) -> io::Result<()> {
        let mut messages = messages.peekable();
        while messages.peek().is_some() {
            let some: Vec<_> = messages.by_ref().take(20).flatten().copied().collect();
            self.0.write_all(&some)?;
        }
        Ok(())
    }
}
