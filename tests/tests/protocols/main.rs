//! Three protocols on the public calls, each a page of a cookbook: what a client needs, the small server at its
//! other end, and tests that run both on tokio, smol and async-std. The protocol code is generic over the stream.

mod imap;
mod irc;
mod resp;

use std::process::Command;
use std::sync::OnceLock;

use asyncnet::net::{ConnectOptions, ListenOptions, connect};
use asyncnet::{Config, Connection, Error, Listener, Runtime, TlsContext};
use asyncnet_async_std::AsyncStd;
use asyncnet_conformance::{Executor, Platform};
use asyncnet_smol::Smol;
use asyncnet_tokio::Tokio;

/// Makes a test of each `async fn name<P: Platform>() -> Result<(), Error>`, on every runtime.
macro_rules! on_every_runtime {
    ($($name:ident)*) => {
        crate::on_every_runtime!(tokio crate::OnTokio: $($name)*);
        crate::on_every_runtime!(smol crate::OnSmol: $($name)*);
        crate::on_every_runtime!(async_std crate::OnAsyncStd: $($name)*);
    };
    ($runtime:ident $platform:ty: $($name:ident)*) => {
        mod $runtime {
            $(#[test]
            fn $name() {
                asyncnet_conformance::run::<$platform, _>(|| async {
                    super::$name::<$platform>().await.expect("no call fails");
                });
            })*
        }
    };
}
use on_every_runtime;

/// tokio, with two workers.
struct OnTokio;

impl Executor for OnTokio {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().expect("a runtime").block_on(future)
    }

    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        let task = tokio::spawn(task);
        async { task.await.expect("the task ends") }
    }
}

impl Platform for OnTokio {
    type Runtime = Tokio;
}

/// smol.
struct OnSmol;

impl Executor for OnSmol {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        smol::block_on(future)
    }

    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        smol::spawn(task)
    }
}

impl Platform for OnSmol {
    type Runtime = Smol;
}

/// async-std.
struct OnAsyncStd;

impl Executor for OnAsyncStd {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        async_std::task::block_on(future)
    }

    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        async_std::task::spawn(task)
    }
}

impl Platform for OnAsyncStd {
    type Runtime = AsyncStd;
}

/// A connection of a platform.
type Conn<P> = Connection<<<P as Platform>::Runtime as Runtime>::Stream>;

/// The two ends of a TCP connection: the client's and the server's.
async fn pair<P: Platform>(client: Config, server: Config) -> Result<(Conn<P>, Conn<P>), Error> {
    let options = ListenOptions::new().config(server);
    let listener = Listener::<P::Runtime>::bind_with("127.0.0.1:0", options).await?;
    let address = listener.local_addr()?.to_string();
    let client = connect::<P::Runtime>(&address, ConnectOptions::new().config(client)).await?;
    Ok((client, listener.accept().await?))
}

/// A client whose server has said `script` and ended its side. Keep the server: it is what holds the connection.
async fn scripted<P: Platform>(config: Config, script: &[u8]) -> Result<(Conn<P>, Conn<P>), Error> {
    let (client, mut server) = pair::<P>(config, Config::default()).await?;
    server.send_all(script).await?;
    server.shutdown_write().await?;
    Ok((client, server))
}

/// The name that the certificate of the servers is for.
const NAME: &str = "server.test";

/// TLS settings: a server that shows a certificate, a client that trusts it.
fn tls() -> TlsContext {
    static CONTEXT: OnceLock<TlsContext> = OnceLock::new();
    let make = || {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("a certificate");
        let (pem, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let server = TlsContext::server().identity_pem(pem.as_bytes(), key.as_bytes());
        let client = TlsContext::client().ca_pem(pem.as_bytes());
        let server = server.expect("an identity").build().expect("a server");
        server.and(client.expect("a root").build().expect("a client"))
    };
    CONTEXT.get_or_init(make).clone()
}

/// The variable that a test finds set in the process that it has to itself.
const ALONE: &str = "ASYNCNET_PROTOCOLS_ALONE";

/// Runs the test that calls it once more, in a process of its own, whose memory nothing else uses. True there.
fn is_alone() -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let test = std::thread::current().name().expect("a test has its name").to_owned();
    let this = std::env::current_exe().expect("this program has a path");
    let ran = Command::new(this).args(["--exact", &test]).env(ALONE, "").output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// The most memory that this process has had at once, in KiB; 0 where the system does not say.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}
