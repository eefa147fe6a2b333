//! What the tests of the protocols share; each uses a part of it.
#![allow(dead_code, unused_macros, unused_imports, reason = "not every test needs all of it")]

use std::sync::OnceLock;
use std::time::Duration;

use asyncnet::net::{ConnectOptions, ListenOptions, connect};
use asyncnet::{Config, Error, Listener, TlsContext};
use asyncnet_examples::{Conn, Platform};
use futures_lite::future::{or, zip};

/// Makes a test of each `async fn name<P: Platform>() -> Result<(), Error>`, on every runtime.
macro_rules! on_every_runtime {
    ($($name:ident)*) => {
        crate::common::on_every_runtime!(tokio OnTokio: $($name)*);
        crate::common::on_every_runtime!(smol OnSmol: $($name)*);
        crate::common::on_every_runtime!(async_std OnAsyncStd: $($name)*);
    };
    ($runtime:ident $platform:ident: $($name:ident)*) => {
        mod $runtime {
            $(#[test]
            fn $name() {
                type P = asyncnet_examples::$platform;
                crate::common::run::<P>(super::$name::<P>());
            })*
        }
    };
}
pub(crate) use on_every_runtime;

/// Runs a test, for a minute at most.
pub(crate) fn run<P: Platform>(test: impl Future<Output = Result<(), Error>>) {
    let late = async {
        <P::Runtime as asyncnet::Runtime>::sleep(Duration::from_secs(60)).await;
        panic!("the test hangs");
    };
    P::block_on(or(test, late)).expect("no call fails");
}

/// The two ends of a TCP connection: the client's and the server's.
pub(crate) async fn pair<P: Platform>(
    client: Config,
    server: Config,
) -> Result<(Conn<P>, Conn<P>), Error> {
    let options = ListenOptions::new().config(server);
    let listener = Listener::<P::Runtime>::bind_with("127.0.0.1:0", options).await?;
    let address = listener.local_addr()?.to_string();
    let connecting = connect::<P::Runtime>(&address, ConnectOptions::new().config(client));
    let (client, server) = zip(connecting, listener.accept()).await;
    Ok((client?, server?))
}

/// A client whose server has said `script` and ended its side. Keep the server: it is what holds the connection.
pub(crate) async fn scripted<P: Platform>(
    config: Config,
    script: &[u8],
) -> Result<(Conn<P>, Conn<P>), Error> {
    let (client, mut server) = pair::<P>(config, Config::default()).await?;
    server.send_all(script).await?;
    server.shutdown_write().await?;
    Ok((client, server))
}

/// The name that the certificate of the servers is for.
pub(crate) const NAME: &str = "server.test";

/// TLS settings: a server that shows a certificate, a client that trusts it.
pub(crate) fn tls() -> TlsContext {
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
