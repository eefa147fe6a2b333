//! A bed whose connection is secure, on top of any other bed. The peer speaks TLS by rustls itself, record
//! by record: nothing of ours is on its side.

use std::collections::VecDeque;
use std::fmt;
use std::io::{Read as _, Write as _};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use asyncnet::tls::Side;
use asyncnet::tls::rustls::crypto::ring;
use asyncnet::tls::rustls::pki_types::ServerName;
use asyncnet::tls::rustls::{ClientConfig, ClientConnection, RootCertStore};
use asyncnet::{Config, Connection, TlsContext};
use futures_lite::future::zip;

use crate::bed::{Bed, Executor, Peer, Rest};

/// The name that the certificate of the tests is for.
pub(crate) const NAME: &str = "server.test";

/// A certificate that signs itself, and its key, in PEM; made once in each process.
pub(crate) fn identity() -> &'static (String, String) {
    static IDENTITY: OnceLock<(String, String)> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned(), "127.0.0.1".into()]);
        let made = made.expect("a certificate");
        (made.cert.pem(), made.signing_key.serialize_pem())
    })
}

/// The settings of our side: a server that shows the certificate, a client that trusts it.
pub(crate) fn context() -> &'static TlsContext {
    static CONTEXT: OnceLock<TlsContext> = OnceLock::new();
    CONTEXT.get_or_init(|| {
        let (certificate, key) = identity();
        let server = TlsContext::server().identity_pem(certificate.as_bytes(), key.as_bytes());
        let client = TlsContext::client().ca_pem(certificate.as_bytes());
        let server = server.expect("an identity").build().expect("a server");
        server.and(client.expect("a root").build().expect("a client"))
    })
}

/// The side of a secure connection that is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role<'a> {
    Client { server_name: &'a str },
    Server,
}

impl Role<'_> {
    /// This side with these settings.
    pub(crate) fn of(self, context: &TlsContext) -> Side {
        match self {
            Self::Client { server_name } => context.as_client(server_name),
            Self::Server => context.as_server(),
        }
    }
}

/// The settings of the peer.
fn peer_config() -> Arc<ClientConfig> {
    use asyncnet::tls::rustls::pki_types::{CertificateDer, pem::PemObject};

    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(identity().0.as_bytes());
    roots.add(certificate.expect("PEM")).expect("a root");
    let provider = Arc::new(ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(config.expect("versions").with_root_certificates(roots).with_no_client_auth())
}

/// The bed `B` with TLS in between. Ours is the server.
#[derive(Debug)]
pub struct Tls<B>(PhantomData<B>);

impl<B: Bed> Executor for Tls<B> {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        B::block_on(future)
    }

    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        B::spawn(task)
    }
}

impl<B: Bed> Bed for Tls<B> {
    type Stream = B::Stream;
    type Peer = TlsPeer<B::Peer>;

    const HOLDS: usize = B::HOLDS;
    const RESETS: bool = B::RESETS;
    const TAKES_AT_ONCE: bool = B::TAKES_RECORDS;
    const IS_PLAIN: bool = false;

    fn peer_resets() -> bool {
        B::peer_resets()
    }

    async fn pair(config: Config) -> (Connection<Self::Stream>, Self::Peer) {
        let (mut conn, wire) = B::pair(config).await;
        let peer = TlsPeer::new(wire);
        let upgrade = conn.upgrade_tls(Role::Server.of(context()));
        let (upgraded, ()) = zip(upgrade, peer.handshake()).await;
        upgraded.expect("the handshake succeeds");
        (conn, peer)
    }
}

/// The raw other end of a secure connection.
pub struct TlsPeer<P> {
    wire: P,
    tls: Mutex<Session>,
}

struct Session {
    conn: ClientConnection,
    /// Received and not asked for.
    plain: VecDeque<u8>,
}

impl Session {
    /// What it has for the wire.
    fn outgoing(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.conn.wants_write() {
            self.conn.write_tls(&mut out).expect("a Vec takes everything");
        }
        out
    }

    fn take_in(&mut self, mut wire: &[u8]) {
        while !wire.is_empty() {
            let n = self.conn.read_tls(&mut wire).expect("there is room");
            let state = self.conn.process_new_packets().expect("our side speaks TLS");
            let mut plain = vec![0; state.plaintext_bytes_to_read()];
            self.conn.reader().read_exact(&mut plain).expect("it said that they are there");
            self.plain.extend(plain);
            if n == 0 {
                // Behind a close notice it takes nothing.
                return;
            }
        }
    }
}

impl<P: Peer> TlsPeer<P> {
    fn new(wire: P) -> Self {
        let name = ServerName::try_from(NAME).expect("a name");
        let conn = ClientConnection::new(peer_config(), name).expect("settings that fit");
        Self { wire, tls: Mutex::new(Session { conn, plain: VecDeque::new() }) }
    }

    fn tls(&self) -> MutexGuard<'_, Session> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn flush(&self) {
        let out = self.tls().outgoing();
        self.wire.send(&out).await;
    }

    async fn recv_record(&self) {
        let mut record = self.wire.recv(5).await;
        let body = u16::from_be_bytes([record[3], record[4]]);
        record.extend(self.wire.recv(body.into()).await);
        self.tls().take_in(&record);
    }

    async fn handshake(&self) {
        loop {
            self.flush().await;
            if !self.tls().conn.is_handshaking() {
                return;
            }
            self.recv_record().await;
        }
    }

    fn has(&self, n: usize) -> bool {
        self.tls().plain.len() >= n
    }
}

impl<P: Peer> Peer for TlsPeer<P> {
    async fn send(&self, bytes: &[u8]) {
        // rustls holds 64 KiB at most.
        for part in bytes.chunks(32 << 10) {
            self.tls().conn.writer().write_all(part).expect("it holds this much");
            self.flush().await;
        }
    }

    async fn recv(&self, n: usize) -> Vec<u8> {
        while !self.has(n) {
            self.recv_record().await;
        }
        self.tls().plain.drain(..n).collect()
    }

    async fn recv_all(&self) -> Rest {
        let Rest { bytes, reset } = self.wire.recv_all().await;
        let mut tls = self.tls();
        tls.take_in(&bytes);
        Rest { bytes: tls.plain.drain(..).collect(), reset }
    }

    async fn shutdown(&self) {
        self.tls().conn.send_close_notify();
        self.flush().await;
        self.wire.shutdown().await;
    }

    fn reset(self) {
        self.wire.reset();
    }
}

impl<P: fmt::Debug> fmt::Debug for TlsPeer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsPeer").field("wire", &self.wire).finish_non_exhaustive()
    }
}
