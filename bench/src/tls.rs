//! The workload over TLS: which servers take part, and what both sides have in common. The load generator
//! is rustls over a blocking socket, the same for all of them; ring does the cryptography everywhere.

use std::fs;
use std::io::{self, BufReader, IoSlice, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use rustls::client::Resumption;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ServerSessionMemoryCache;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::Runtime;
use crate::load::tls as load;
use crate::process::Server;
use crate::rounds::{Case, Unit};

/// How large a block is: a full record.
pub(crate) const BLOCK: usize = 16 << 10;
/// What a server says that speaks first.
pub(crate) const BANNER: &[u8] = b"220 ready\r\n";

/// What a server does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    /// Reads a number and so many blocks, and answers how many bytes they were
    Receive,
    /// Reads a number and sends so many blocks
    Send,
    /// Sends every line back; peers write and flush each
    Echo,
    /// The same; peers buffer, and flush when they have nothing left to read
    EchoByHand,
    /// Speaks first, without `NoDelay`, and waits: an end would push out what the system holds back
    Banner,
    /// As `Echo`, and in plain at a second port
    Idle,
}

/// Who serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    AsyncnetTokio,
    AsyncnetAsyncStd,
    AsyncnetSmol,
    TokioRustls,
    FuturesRustls,
    /// rustls over blocking sockets, a thread for each connection: the floor
    Blocking,
}

impl Task {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Send => "send",
            Self::Echo => "echo",
            Self::EchoByHand => "echo-by-hand",
            Self::Banner => "banner",
            Self::Idle => "idle",
        }
    }
}

impl Kind {
    fn ours(runtime: Runtime) -> Self {
        match runtime {
            Runtime::Tokio => Self::AsyncnetTokio,
            Runtime::AsyncStd => Self::AsyncnetAsyncStd,
            Runtime::Smol => Self::AsyncnetSmol,
        }
    }

    /// Which runtime of ours it is.
    pub(crate) fn runtime(self) -> Option<Runtime> {
        Runtime::ALL.into_iter().find(|&runtime| Self::ours(runtime) == self)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AsyncnetTokio => "asyncnet-tokio",
            Self::AsyncnetAsyncStd => "asyncnet-async-std",
            Self::AsyncnetSmol => "asyncnet-smol",
            Self::TokioRustls => "tokio-rustls",
            Self::FuturesRustls => "futures-rustls",
            Self::Blocking => "blocking",
        }
    }

    /// What to call it in a table.
    pub(crate) fn title(self, task: Task) -> String {
        let name = match self {
            Self::Blocking => "rustls, blocking",
            Self::AsyncnetTokio | Self::AsyncnetAsyncStd | Self::AsyncnetSmol => {
                return self.name().replacen('-', " ", 1);
            }
            _ => self.name(),
        };
        match task {
            Task::Echo if self != Self::Blocking => format!("{name} each"),
            Task::EchoByHand => format!("{name} by hand"),
            _ => name.into(),
        }
    }
}

/// A certificate for `localhost`, and its key.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Identity {
    /// That in `dir`.
    pub(crate) fn at(dir: &Path) -> Self {
        Self { cert: dir.join("cert.pem"), key: dir.join("key.pem") }
    }

    /// Makes one, and puts it into `dir`.
    fn make(dir: &Path) -> io::Result<Self> {
        let this = Self::at(dir);
        let made = rcgen::generate_simple_self_signed(["localhost".into()]);
        let rcgen::CertifiedKey { cert, signing_key } = made.map_err(io::Error::other)?;
        fs::write(&this.cert, cert.pem())?;
        fs::write(&this.key, signing_key.serialize_pem())?;
        Ok(this)
    }

    fn certificate(&self) -> io::Result<CertificateDer<'static>> {
        CertificateDer::from_pem_file(&self.cert).map_err(io::Error::other)
    }

    /// The settings of a server that is not ours: what ours does by default.
    pub(crate) fn server(&self) -> io::Result<Arc<ServerConfig>> {
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(io::Error::other)?;
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth();
        let config = builder.with_single_cert(vec![self.certificate()?], key);
        let mut config = config.map_err(io::Error::other)?;
        config.session_storage = ServerSessionMemoryCache::new(1024);
        Ok(Arc::new(config))
    }

    /// The settings of the load generator.
    fn client(&self, resumes: bool) -> io::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate()?).map_err(io::Error::other)?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        if !resumes {
            config.resumption = Resumption::disabled();
        }
        Ok(Arc::new(config))
    }
}

/// A blocking socket that is read in large pieces: rustls itself asks for 4 KiB at a time.
pub(crate) struct Pieces(BufReader<TcpStream>);

impl Pieces {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self(BufReader::with_capacity(64 << 10, stream))
    }
}

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Pieces {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(buf)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.get_mut().write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the cases are made of.
pub(crate) struct Plan {
    pub(crate) runtimes: Vec<Runtime>,
    pub(crate) quick: bool,
    pub(crate) descriptors: usize,
    /// Where the certificate goes.
    pub(crate) out: PathBuf,
}

pub(crate) fn cases(plan: &Plan) -> io::Result<Vec<Case>> {
    let identity = Identity::make(&plan.out)?;
    let (full, resumed) = (identity.client(false)?, identity.client(true)?);
    let time = Duration::from_millis(if plan.quick { 200 } else { 1000 });
    let mut cases = plan.bulk(&full)?;
    for window in [1, 16, 256, 1024] {
        let config = Arc::clone(&full);
        cases.push(Case {
            title: format!("TLS lines of 64 bytes that come back: {window} in flight"),
            unit: Unit::LinesPerSecond,
            servers: plan.line_servers()?,
            load: Box::new(move |server| load::echo(server, &config, window, time)),
        });
    }
    for (title, config) in [("full", &full), ("resumed", &resumed)] {
        let (config, resumed) = (Arc::clone(config), title == "resumed");
        cases.push(Case {
            title: format!("TLS handshakes, {title}, one line each, 8 at a time"),
            unit: Unit::HandshakesPerSecond,
            servers: plan.servers(Task::Echo)?,
            load: Box::new(move |server| load::handshakes(server, &config, resumed, time)),
        });
    }
    cases.push(Case {
        title: "TLS handshakes, resumed, the server speaks first without NoDelay".into(),
        unit: Unit::HandshakesPerSecond,
        servers: plan.servers(Task::Banner)?,
        load: Box::new(move |server| load::banners(server, &resumed, time)),
    });
    cases.push(plan.idle(full)?);
    Ok(cases)
}

impl Plan {
    fn server(&self, kind: Kind, task: Task) -> io::Result<Server> {
        Server::tls(kind, task, &self.out)
    }

    fn ours(&self, task: Task) -> io::Result<Vec<Server>> {
        self.runtimes.iter().map(|&runtime| self.server(Kind::ours(runtime), task)).collect()
    }

    fn has_smol(&self) -> bool {
        self.runtimes.contains(&Runtime::Smol)
    }

    /// The floor, ours on every runtime, tokio-rustls, and futures-rustls on smol.
    fn servers(&self, task: Task) -> io::Result<Vec<Server>> {
        let mut servers = vec![self.server(Kind::Blocking, task)?];
        servers.extend(self.ours(task)?);
        servers.push(self.server(Kind::TokioRustls, task)?);
        if self.has_smol() {
            servers.push(self.server(Kind::FuturesRustls, task)?);
        }
        Ok(servers)
    }

    fn line_servers(&self) -> io::Result<Vec<Server>> {
        let mut servers = self.servers(Task::Echo)?;
        servers.push(self.server(Kind::TokioRustls, Task::EchoByHand)?);
        Ok(servers)
    }

    fn bulk(&self, config: &Arc<ClientConfig>) -> io::Result<Vec<Case>> {
        let mib: u64 = if self.quick { 64 } else { 384 };
        let blocks = (mib << 20) / BLOCK as u64;
        let (to, from) = (Arc::clone(config), Arc::clone(config));
        Ok(vec![
            Case {
                title: format!("TLS bulk, the server receives {mib} MiB in blocks of 16 KiB"),
                unit: Unit::BlocksPerSecond,
                servers: self.servers(Task::Receive)?,
                load: Box::new(move |server| load::bulk_to(server, &to, blocks)),
            },
            Case {
                title: format!("TLS bulk, the server sends {mib} MiB in blocks of 16 KiB"),
                unit: Unit::BlocksPerSecond,
                servers: self.servers(Task::Send)?,
                load: Box::new(move |server| load::bulk_from(server, &from, blocks)),
            },
        ])
    }

    fn idle(&self, config: Arc<ClientConfig>) -> io::Result<Case> {
        // In plain and over TLS, and each end is a descriptor of its own process.
        let most = if self.quick { 500 } else { 2000 };
        let connections = most.min(self.descriptors.saturating_sub(256) / 2);
        let mut servers = self.ours(Task::Idle)?;
        servers.push(self.server(Kind::TokioRustls, Task::Idle)?);
        Ok(Case {
            title: format!(
                "TLS idle: {connections} connections that have echoed a line, beyond as many in plain"
            ),
            unit: Unit::Bytes,
            servers,
            load: Box::new(move |server| load::idle(server, &config, connections)),
        })
    }
}
