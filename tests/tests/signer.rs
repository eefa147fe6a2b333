//! T6: a signature that takes long keeps up its own connection alone.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use asyncnet::net::ListenOptions;
use asyncnet::tls::rustls::crypto::ring;
use asyncnet::tls::rustls::pki_types::pem::PemObject as _;
use asyncnet::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use asyncnet::tls::rustls::server::{ClientHello, ResolvesServerCert};
use asyncnet::tls::rustls::sign::{CertifiedKey, Signer, SigningKey};
use asyncnet::tls::rustls::{
    ClientConfig, ClientConnection, Error, RootCertStore, ServerConfig, SignatureAlgorithm,
    SignatureScheme, StreamOwned,
};
use asyncnet::{Connection, Listener, SendRuntime, TlsContext, Transport};
use asyncnet_async_std::AsyncStd;
use asyncnet_smol::Smol;
use asyncnet_tokio::Tokio;

/// The safety net of the clients.
const PATIENCE: Duration = Duration::from_secs(20);

/// A key whose first signature waits until it is let go. Later ones do not wait.
#[derive(Debug)]
struct SlowKey {
    key: Arc<dyn SigningKey>,
    first: Arc<Mutex<Option<Gate>>>,
}

/// Where the first signature waits: it says that it has begun, and is told to go on.
#[derive(Debug)]
struct Gate {
    begun: SyncSender<()>,
    go: Receiver<()>,
}

impl SigningKey for SlowKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let signer = self.key.choose_scheme(offered)?;
        Some(Box::new(SlowSigner { signer, first: Arc::clone(&self.first) }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}

#[derive(Debug)]
struct SlowSigner {
    signer: Box<dyn Signer>,
    first: Arc<Mutex<Option<Gate>>>,
}

impl Signer for SlowSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let gate = self.first.lock().expect("nobody panicked").take();
        if let Some(gate) = gate {
            gate.begun.send(()).expect("the test waits for it");
            gate.go.recv().expect("the test lets it go");
        }
        self.signer.sign(message)
    }

    fn scheme(&self) -> SignatureScheme {
        self.signer.scheme()
    }
}

#[derive(Debug)]
struct OneKey(Arc<CertifiedKey>);

impl ResolvesServerCert for OneKey {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// What the clients need: their settings, and the other end of the gate.
struct Clients {
    config: Arc<ClientConfig>,
    has_begun: Receiver<()>,
    let_go: SyncSender<()>,
}

/// The settings of a server whose first signature is slow, and its clients.
fn settings() -> (TlsContext, Clients) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a key");
    let certificate = CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes());
    let key = ring::sign::any_supported_type(&key.expect("PEM")).expect("a key");
    let ((begun, has_begun), (let_go, go)) = (sync_channel(1), sync_channel(1));
    let first = Arc::new(Mutex::new(Some(Gate { begun, go })));
    let key = CertifiedKey::new(vec![certificate.clone()], Arc::new(SlowKey { key, first }));
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(OneKey(Arc::new(key))));
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a root");
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (TlsContext::from(Arc::new(server)), Clients { config: Arc::new(client), has_begun, let_go })
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("an option");
    stream
}

/// A line there and back.
fn ask(mut stream: impl Read + Write, line: &[u8]) {
    stream.write_all(line).expect("it is served");
    let mut answer = vec![0; line.len()];
    stream.read_exact(&mut answer).expect("it is served");
    assert_eq!(answer, line);
}

fn ask_secretly(address: SocketAddr, config: &Arc<ClientConfig>, line: &[u8]) {
    let name = ServerName::try_from("localhost").expect("a name");
    let tls = ClientConnection::new(Arc::clone(config), name).expect("settings");
    ask(StreamOwned::new(tls, connect(address)), line);
}

async fn echo<S: Transport>(mut conn: Connection<S>) {
    while let Ok(Some(line)) = conn.next_line().await {
        let line = line.to_vec();
        conn.send_line(line).await.expect("the client is there");
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Accepts, with a task for each connection.
async fn serve<R: SendRuntime, T>(listener: Listener<R>, spawn: impl Fn(Task) -> T) {
    // Some runtimes cancel a task whose handle is dropped.
    let mut tasks = Vec::new();
    loop {
        let conn = listener.accept().await.expect("a connection");
        tasks.push(spawn(Box::pin(echo(conn))));
    }
}

/// While the first signature is under way, a client of another connection is served, over TLS and in plain.
fn others_are_served(secure: SocketAddr, plain: SocketAddr, clients: Clients) {
    let Clients { config, has_begun, let_go } = clients;
    let mut open = connect(plain);
    ask(&mut open, b"before\r\n");
    let first: JoinHandle<()> = {
        let config = Arc::clone(&config);
        thread::spawn(move || ask_secretly(secure, &config, b"first\r\n"))
    };
    has_begun.recv_timeout(PATIENCE).expect("it signs");
    for _ in 0..10 {
        ask_secretly(secure, &config, b"another\r\n");
        ask(&mut open, b"in plain\r\n");
        ask(connect(plain), b"new\r\n");
    }
    assert!(!first.is_finished(), "nobody has let it go");
    let_go.send(()).expect("it waits");
    first.join().expect("it is served in the end");
}

/// A TLS listener and a plain one, served by tasks that `spawn` makes until the clients are done.
async fn scene<R: SendRuntime, T: Send + 'static>(
    spawn: impl Fn(Task) -> T + Clone + Send + Sync + 'static,
) {
    let (tls, clients) = settings();
    let options = ListenOptions::new().tls(&tls);
    let secure = Listener::<R>::bind_with("127.0.0.1:0", options).await.expect("a port");
    let plain = Listener::<R>::bind("127.0.0.1:0").await.expect("a port");
    let [secure_at, plain_at] = [&secure, &plain]
        .map(|listener| listener.local_addr().expect("an address").ip().expect("TCP"));
    let _serving = [
        spawn(Box::pin(serve(secure, spawn.clone()))),
        spawn(Box::pin(serve(plain, spawn.clone()))),
    ];
    blocking::unblock(move || others_are_served(secure_at, plain_at, clients)).await;
}

/// A signature takes one of the two workers. tokio lets the other one sleep while there is nothing else to do, even
/// if it is the first that should look after the sockets; so there is something else to do.
#[test]
fn t6_a_slow_signature_keeps_up_no_other_connection_on_tokio() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime");
    let busy = runtime.spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    runtime.block_on(scene::<Tokio, _>(tokio::spawn));
    busy.abort();
}

#[test]
fn t6_a_slow_signature_keeps_up_no_other_connection_on_smol() {
    let executor = Arc::new(smol::Executor::new());
    let (stop, stopped) = smol::channel::bounded::<()>(1);
    let workers = [(); 2].map(|()| {
        let (executor, stopped) = (Arc::clone(&executor), stopped.clone());
        thread::spawn(move || smol::block_on(executor.run(stopped.recv())))
    });
    let spawner = Arc::clone(&executor);
    smol::block_on(scene::<Smol, _>(move |task| spawner.spawn(task)));
    drop(stop);
    for worker in workers {
        assert!(worker.join().expect("it ran").is_err(), "nobody sends");
    }
}

/// It has a thread for each core, and with one of them nothing goes on beside a signature.
#[test]
fn t6_a_slow_signature_keeps_up_no_other_connection_on_async_std() {
    if thread::available_parallelism().is_ok_and(|threads| threads.get() > 1) {
        async_std::task::block_on(scene::<AsyncStd, _>(async_std::task::spawn));
    }
}
