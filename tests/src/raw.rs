//! The raw other end of TLS: rustls itself over a blocking socket, for peers that keep to the protocol, and
//! for those that break it to the byte. Peers are played on helper threads.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use asyncnet::tls::rustls::crypto::cipher::{MessageEncrypter, OutboundPlainMessage};
use asyncnet::tls::rustls::crypto::ring;
use asyncnet::tls::rustls::pki_types::pem::PemObject as _;
use asyncnet::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use asyncnet::tls::rustls::{
    AlertDescription, ClientConfig, ClientConnection, Connection as Tls, ConnectionTrafficSecrets,
    ContentType, Error, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion, version,
};
use asyncnet::{AsyncSocket, Config, Connection, Listener, TlsContext};
use blocking::{Task, unblock};
use rcgen::{CertificateParams, DnType, KeyPair};
use socket2::SockRef;

use crate::bed::System;
use crate::tls::{NAME, Role, context, identity};

/// The safety net of helper threads.
const PATIENCE: Duration = Duration::from_secs(40);

/// The roles that ours can have.
pub(crate) const ROLES: [Role<'static>; 2] = [Role::Client { server_name: NAME }, Role::Server];

pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

/// A certificate for `name` that signs itself, and its key, in PEM. Nobody knows it.
pub(crate) fn stranger(name: &str) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, name);
    (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
}

pub(crate) fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM")
}

fn key_der(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("PEM")
}

/// Settings of a client that trusts the certificate of the tests, and shows `shown`.
pub(crate) fn client_config(
    versions: &[&'static SupportedProtocolVersion],
    shown: Option<&(String, String)>,
) -> ClientConfig {
    trusting(&identity().0, versions, shown)
}

/// Settings of a client that trusts this certificate.
pub(crate) fn trusting(
    certificate: &str,
    versions: &[&'static SupportedProtocolVersion],
    shown: Option<&(String, String)>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(der(certificate)).expect("a root");
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
    let config = config.expect("versions").with_root_certificates(roots);
    match shown {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => config
            .with_client_auth_cert(vec![der(certificate)], key_der(key))
            .expect("a key that fits"),
    }
}

/// Settings of a server that shows the certificate of the tests.
pub(crate) fn server_config(versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
    let (certificate, key) = identity();
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions);
    let config = config.expect("versions").with_no_client_auth();
    config.with_single_cert(vec![der(certificate)], key_der(key)).expect("a key that fits")
}

/// A connection of ours in plain, and the socket at its other end.
pub(crate) fn plain<R: System>(config: Config) -> (Connection<R::Stream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let theirs = connect(listener.local_addr().expect("an address"));
    let (ours, _) = listener.accept().expect("a connection");
    let ours = AsyncSocket::<R>::adopt(ours).expect("a socket").with_config(config);
    (ours.into_connection().expect("a connection"), theirs)
}

/// A secure connection of ours in this role, and its peer.
pub(crate) async fn secure<R: System>(
    role: Role<'static>,
    config: Config,
) -> (Connection<R::Stream>, Raw) {
    let (mut conn, socket) = plain::<R>(config);
    let peer = unblock(move || Raw::peer_of(role, socket).expect("the handshake succeeds"));
    conn.upgrade_tls(role.of(context())).await.expect("the handshake succeeds");
    (conn, peer.await)
}

/// The next connection of a TLS listener, its handshake done.
pub(crate) async fn accept_secure<R: System>(listener: &Listener<R>) -> Connection<R::Stream> {
    let mut conn = listener.accept().await.expect("a peer that has spoken");
    conn.handshake().await.expect("the handshake succeeds");
    conn
}

/// A listener whose connections are secure, and where it is.
pub(crate) async fn listen<R: System>(
    context: &TlsContext,
    config: Config,
) -> (Listener<R>, SocketAddr) {
    let mut socket = AsyncSocket::<R>::default().with_config(config);
    socket.wrap_tls(context);
    socket.bind_addr("127.0.0.1", 0).await.expect("a port");
    let listener = socket.listen(64).expect("a listener");
    let address = listener.local_addr().expect("an address");
    (listener, address.ip().expect("TCP"))
}

/// A socket of a peer that connects.
pub(crate) fn connect(to: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(to).expect("it listens");
    patient(socket)
}

fn patient(socket: TcpStream) -> TcpStream {
    socket.set_read_timeout(Some(PATIENCE)).expect("an option");
    socket.set_write_timeout(Some(PATIENCE)).expect("an option");
    socket.set_nodelay(true).expect("an option");
    socket
}

/// Plays a server: `play` gets every socket that comes, one after the other, `n` of them.
pub(crate) fn serve<T: Send + 'static>(
    n: usize,
    play: impl Fn(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, Task<Vec<T>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let played = move || {
        let sockets = listener.incoming().take(n).map(|socket| socket.expect("a connection"));
        sockets.map(|socket| play(patient(socket))).collect()
    };
    (address, unblock(played))
}

/// A peer that speaks TLS by rustls itself.
pub(crate) struct Raw {
    pub(crate) socket: TcpStream,
    pub(crate) tls: Tls,
}

impl Raw {
    /// The peer of ours in the role `ours`, once the handshake is over.
    pub(crate) fn peer_of(ours: Role<'_>, socket: TcpStream) -> io::Result<Self> {
        if ours == Role::Server {
            Self::client(socket, client_config(&VERSIONS, None))
        } else {
            Self::server(socket, server_config(&VERSIONS))
        }
    }

    pub(crate) fn client(
        socket: TcpStream,
        config: impl Into<Arc<ClientConfig>>,
    ) -> io::Result<Self> {
        Self::hello(socket, config)?.handshake()
    }

    /// A client that has said hello, and no more.
    pub(crate) fn hello(
        socket: TcpStream,
        config: impl Into<Arc<ClientConfig>>,
    ) -> io::Result<Self> {
        let mut config: Arc<ClientConfig> = config.into();
        Arc::make_mut(&mut config).enable_secret_extraction = true;
        let name = ServerName::try_from(NAME).expect("a name");
        let tls = ClientConnection::new(config, name).expect("settings that fit");
        let mut this = Self { socket, tls: tls.into() };
        this.flush()?;
        Ok(this)
    }

    pub(crate) fn server(
        socket: TcpStream,
        config: impl Into<Arc<ServerConfig>>,
    ) -> io::Result<Self> {
        let mut config: Arc<ServerConfig> = config.into();
        Arc::make_mut(&mut config).enable_secret_extraction = true;
        let tls = ServerConnection::new(config).expect("settings that fit");
        Self { socket, tls: tls.into() }.handshake()
    }

    pub(crate) fn handshake(mut self) -> io::Result<Self> {
        self.flush()?;
        while self.tls.is_handshaking() {
            self.fill()?;
        }
        Ok(self)
    }

    /// A client that sends the end of its handshake, `said` and its close notice in one piece, and then ends.
    pub(crate) fn hasty_client(
        socket: TcpStream,
        config: impl Into<Arc<ClientConfig>>,
        said: &[u8],
    ) -> io::Result<TcpStream> {
        let name = ServerName::try_from(NAME).expect("a name");
        let tls = ClientConnection::new(config.into(), name).expect("settings that fit");
        let mut this = Self { socket, tls: tls.into() };
        this.flush()?;
        while this.tls.is_handshaking() {
            uninterrupted(|| this.tls.read_tls(&mut this.socket))?;
            let processed = this.tls.process_new_packets();
            processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
        let wire = [this.sealed(said), this.notice()].concat();
        this.socket.write_all(&wire)?;
        this.fin();
        Ok(this.socket)
    }

    /// One read of what is on the wire, and what rustls has to say to it.
    fn fill(&mut self) -> io::Result<()> {
        if uninterrupted(|| self.tls.read_tls(&mut self.socket))? == 0 && self.tls.is_handshaking()
        {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let processed = self.tls.process_new_packets();
        self.flush()?;
        processed.map(drop).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
    }

    /// The records that hold `bytes`, for somebody else to send.
    pub(crate) fn sealed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut records = Vec::new();
        self.tls.writer().write_all(bytes).expect("it holds this much");
        while self.tls.wants_write() {
            self.tls.write_tls(&mut records).expect("a Vec takes everything");
        }
        records
    }

    pub(crate) fn notice(&mut self) -> Vec<u8> {
        self.tls.send_close_notify();
        self.sealed(b"")
    }

    /// Ends its side in good order.
    pub(crate) fn close(&mut self) {
        let notice = self.notice();
        self.socket.write_all(&notice).expect("our side is there");
        self.fin();
    }

    /// Ends its side without a word.
    pub(crate) fn fin(&self) {
        self.socket.shutdown(Shutdown::Write).expect("connected");
    }

    /// Breaks the connection.
    pub(crate) fn reset(self) {
        let linger = Some(Duration::ZERO);
        SockRef::from(&self.socket).set_linger(linger).expect("an option");
    }

    /// All that comes until the end, and how it ends.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, io::Result<()>) {
        let mut bytes = Vec::new();
        let end = self.read_to_end(&mut bytes);
        (bytes, end.map(drop))
    }

    /// Gives up the layer, so that any record can be made.
    pub(crate) fn forge(self) -> Forger {
        let suite = self.tls.negotiated_cipher_suite().and_then(|suite| suite.tls13());
        let aead = suite.expect("TLS 1.3").aead_alg;
        let (seq, secrets) = self.tls.dangerous_extract_secrets().expect("it is enabled").tx;
        let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets
        else {
            panic!("a suite that nobody knows");
        };
        Forger { socket: self.socket, encrypter: aead.encrypter(key, iv), seq }
    }
}

/// A signal that comes while the socket waits is no answer.
fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

impl Read for Raw {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.fill()?,
                read => return read,
            }
        }
    }
}

impl Write for Raw {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        // rustls holds 64 KiB at most.
        let n = self.tls.writer().write(&buf[..buf.len().min(32 << 10)])?;
        self.flush()?;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            uninterrupted(|| self.tls.write_tls(&mut self.socket))?;
        }
        Ok(())
    }
}

/// Seals records that no library would make (TLS 1.3).
pub(crate) struct Forger {
    pub(crate) socket: TcpStream,
    encrypter: Box<dyn MessageEncrypter>,
    seq: u64,
}

impl Forger {
    pub(crate) fn seal(&mut self, typ: ContentType, payload: &[u8]) -> Vec<u8> {
        let version = ProtocolVersion::TLSv1_3;
        let message = OutboundPlainMessage { typ, version, payload: payload.into() };
        let record = self.encrypter.encrypt(message, self.seq).expect("it is short");
        self.seq += 1;
        record.encode()
    }
}

/// The alert that an error of a [`Raw`] is about.
pub(crate) fn alert(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}
