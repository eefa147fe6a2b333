//! No runtime: the state machine of `asyncnet-core` over a blocking `std::net` socket, in one thread, with deadlines, and
//! over TLS.
//!
//! `cargo run --example no_runtime -- ask 127.0.0.1:7777 one two` sends lines and prints the answers; `--tls --ca FILE`
//! does so over TLS. `-- serve 127.0.0.1:7777` is a server that answers every line with itself, a client at a time.
//!
//! It leans on `outgoing` and `transmitted`, `space` and `handle_read` (the bytes), on `poll_timeout` and
//! `handle_timeout` (how long a call may block, and what that means), on `Loss::from` (what an error of the system means),
//! and on `TlsLayer`. The rules are those of every runtime: this is all that a driver has to do.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use asyncnet_core::{Config, Connection, Error, Framing, Step, Time, TlsLayer};
use clap::{Parser, Subcommand};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

/// A client and a server without a runtime
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Send lines, and print the answer to each
    Ask {
        /// The server, as HOST:PORT
        server: String,
        lines: Vec<String>,
        /// Speak TLS, and trust the certificates in the file of --ca
        #[arg(long, requires = "ca")]
        tls: bool,
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
    /// Answer every line with itself, a client at a time
    Serve {
        /// Where to listen; port 0 lets the system choose
        listen: String,
    },
}

/// A client may take 5 s for a line, however slowly it sends, and for reading what it was sent.
pub(crate) fn config() -> Config {
    let time = Duration::from_secs(5);
    let config = Config::default().framing(Framing::Lf).max_line(64 << 10);
    config.receive_timeout(time).send_timeout(time)
}

/// A connection that blocks.
pub(crate) struct Blocking {
    conn: Connection,
    socket: TcpStream,
    start: Instant,
}

impl Blocking {
    pub(crate) fn new(socket: TcpStream, config: Config) -> Self {
        Self { conn: Connection::new(config), socket, start: Instant::now() }
    }

    /// Goes over to TLS, and waits for the end of the handshake.
    pub(crate) fn start_tls(&mut self, layer: TlsLayer) -> Result<(), Error> {
        self.conn.start_tls(Box::new(layer))?;
        while self.conn.is_handshaking() {
            self.turn()?;
        }
        // Whether it went well, the next call says.
        self.transmit()
    }

    /// The next line, or `None` at the end. It may take as long as the configuration says.
    pub(crate) fn next_line(&mut self) -> Result<Option<&[u8]>, Error> {
        loop {
            match self.conn.poll_line()? {
                Step::Ready(Some(span)) => return Ok(Some(self.conn.line(span))),
                Step::Ready(None) => return Ok(None),
                Step::NeedInput => self.turn()?,
            }
        }
    }

    /// Queues a line: it leaves with the next call that waits.
    pub(crate) fn feed_line(&mut self, line: &[u8]) -> Result<(), Error> {
        match self.conn.feed_line(line) {
            Err(Error::Full { .. }) => {
                self.transmit()?;
                self.conn.feed_line(line)
            }
            fed => fed,
        }
    }

    /// Sends what is queued, and ends the connection.
    pub(crate) fn close(mut self) -> Result<(), Error> {
        self.conn.close();
        self.transmit()?;
        match self.socket.shutdown(std::net::Shutdown::Write) {
            Err(error) if error.kind() != ErrorKind::NotConnected => Err(error.into()),
            // The peer has ended the connection already, or may still send.
            _ => self.drain(),
        }
    }

    /// Reads to the end what the peer still sends: for bytes that nobody has read, the system would reset the
    /// connection, and the peer could lose what it was sent last.
    fn drain(mut self) -> Result<(), Error> {
        let (limits, start) = (self.conn.config().close, Instant::now());
        let mut left = limits.drain_bytes;
        let mut block = [0; 4096];
        while left > 0 {
            let time = limits.drain.saturating_sub(start.elapsed());
            if time.is_zero() {
                break;
            }
            self.socket.set_read_timeout(Some(time))?;
            match self.socket.read(&mut block) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(n) if n > 0 => left = left.saturating_sub(n),
                _ => break,
            }
        }
        Ok(())
    }

    fn now(&self) -> Time {
        Time::from_start(self.start.elapsed())
    }

    /// Bounds the next call of the system. False: it is too late for one, and the state machine knows.
    fn bound(
        &mut self,
        set_timeout: fn(&TcpStream, Option<Duration>) -> io::Result<()>,
    ) -> io::Result<bool> {
        let now = self.now();
        let left = self.conn.poll_timeout(now).map(|at| at.since(now));
        // Without this a peer that sends a byte now and then would never be late.
        if left == Some(Duration::ZERO) {
            self.conn.handle_timeout(now);
            return Ok(false);
        }
        set_timeout(&self.socket, left)?;
        Ok(true)
    }

    /// Transmits, reads once, and tells the state machine what happened.
    fn turn(&mut self) -> Result<(), Error> {
        self.transmit()?;
        if !self.bound(TcpStream::set_read_timeout)? {
            return Ok(());
        }
        match self.socket.read(self.conn.space()) {
            Ok(0) => self.conn.handle_eof(),
            Ok(n) => self.conn.handle_read(n),
            Err(error) if is_no_loss(&error) => self.conn.handle_timeout(self.now()),
            Err(error) => self.conn.handle_lost(error.kind().into()),
        }
        Ok(())
    }

    /// Puts on the wire what is queued. A loss is for the next call to say.
    fn transmit(&mut self) -> Result<(), Error> {
        while self.conn.outgoing().next().is_some() {
            if !self.bound(TcpStream::set_write_timeout)? {
                continue;
            }
            let Some(piece) = self.conn.outgoing().next() else { break };
            match self.socket.write(piece) {
                Ok(n) => self.conn.transmitted(n),
                Err(error) if is_no_loss(&error) => self.conn.handle_timeout(self.now()),
                Err(error) => self.conn.handle_write_lost(error.kind().into()),
            }
        }
        Ok(())
    }
}

/// A timeout of the socket, or a signal.
fn is_no_loss(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Answers every line with itself.
pub(crate) fn echo(mut conn: Blocking) -> Result<(), Error> {
    while let Some(line) = conn.next_line()?.map(<[u8]>::to_vec) {
        conn.feed_line(&line)?;
    }
    conn.close()
}

/// The client's end of TLS, which trusts the certificates in a file.
pub(crate) fn layer(ca: &Path, host: &str) -> Result<TlsLayer, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(Error::protocol)? {
        roots.add(certificate.map_err(Error::protocol)?).map_err(Error::protocol)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(Error::protocol)?.with_root_certificates(roots);
    let name = ServerName::try_from(host.to_owned()).map_err(Error::protocol)?;
    TlsLayer::client(Arc::new(config.with_no_client_auth()), name).map_err(Error::Tls)
}

fn run(what: What) -> Result<(), Error> {
    match what {
        What::Ask { server, lines, tls, ca } => {
            let mut conn =
                Blocking::new(TcpStream::connect(&server)?, config().framing(Framing::Lenient));
            if let (true, Some(ca)) = (tls, &ca) {
                let host = server.rsplit_once(':').map_or(&*server, |(host, _)| host);
                conn.start_tls(layer(ca, host)?)?;
            }
            for line in &lines {
                conn.feed_line(line.as_bytes())?;
                let answer = conn.next_line()?.ok_or_else(|| Error::protocol("no answer"))?;
                println!("{}", String::from_utf8_lossy(answer));
            }
            conn.close()
        }
        What::Serve { listen } => {
            let listener = TcpListener::bind(listen)?;
            println!("listening on {}", listener.local_addr()?);
            for socket in listener.incoming() {
                if let Err(error) =
                    socket.map_err(Error::Io).and_then(|it| echo(Blocking::new(it, config())))
                {
                    eprintln!("a client: {error}");
                }
            }
            Ok(())
        }
    }
}

fn main() -> ExitCode {
    asyncnet_examples::finish(run(Options::parse().what))
}
