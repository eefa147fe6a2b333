//! What the tests of the examples share.
#![allow(dead_code, reason = "no test needs all of it")]

use std::sync::OnceLock;
use std::time::Duration;

use asyncnet::net::{ConnectOptions, ListenOptions, Pipe, connect, pipe};
use asyncnet::{Cause, Config, Connection, Error, Io, Listener, Runtime as _, TlsContext};
use asyncnet_examples::Platform;
use futures_lite::future::{or, zip};

/// Makes a test of each `async fn name<P: Platform>() -> Result<(), Error>`, on every runtime, bounded in time.
#[macro_export]
macro_rules! on_every_runtime {
    ($($name:ident)*) => {
        $crate::on_every_runtime!(tokio OnTokio: $($name)*);
        $crate::on_every_runtime!(smol OnSmol: $($name)*);
        $crate::on_every_runtime!(async_std OnAsyncStd: $($name)*);
    };
    ($runtime:ident $platform:ident: $($name:ident)*) => {
        mod $runtime {
            use asyncnet_examples::{$platform, Platform};

            $(#[test]
            fn $name() {
                let test = $crate::bed::bounded::<$platform, _>(super::$name::<$platform>());
                <$platform as Platform>::block_on(test).expect("no call fails");
            })*
        }
    };
}

/// A test, within a minute.
pub(crate) async fn bounded<P: Platform, T>(
    test: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let limit = async {
        P::Runtime::sleep(Duration::from_secs(60)).await;
        panic!("the test hangs");
    };
    or(test, limit).await
}

/// A connection in memory, with the clock of a runtime.
pub(crate) type Conn<P> =
    Connection<Io<Pipe, <<P as Platform>::Runtime as asyncnet::Runtime>::Clock>>;

/// The two ends of a connection in memory, which moves at most `chunk` bytes in a read: the client's and the server's.
pub(crate) fn pair<P: Platform>(config: Config, chunk: usize) -> (Conn<P>, Conn<P>) {
    let (client, server) = pipe(chunk);
    let over = |end, config| Connection::new(Io::new(end).with_clock(P::Runtime::clock()), config);
    (over(client, config), over(server, Config::default()))
}

/// The two ends of a TCP connection: the client's and the server's.
pub(crate) async fn tcp_pair<P: Platform>(
    client: Config,
    server: Config,
) -> Result<(asyncnet_examples::Conn<P>, asyncnet_examples::Conn<P>), Error> {
    let options = ListenOptions::new().config(server);
    let listener = Listener::<P::Runtime>::bind_with("127.0.0.1:0", options).await?;
    let address = listener.local_addr()?.to_string();
    let connecting = connect::<P::Runtime>(&address, ConnectOptions::new().config(client));
    let (client, server) = zip(connecting, listener.accept()).await;
    Ok((client?, server?))
}

/// A client whose server has said `script` and ended its side, and that server, which is to be kept.
pub(crate) async fn scripted<P: Platform>(
    config: Config,
    script: &[u8],
) -> Result<(Conn<P>, Conn<P>), Error> {
    let (client, mut server) = pair::<P>(config, 1);
    server.send_all(script).await?;
    server.shutdown_write().await?;
    Ok((client, server))
}

/// How many bytes of an unfinished message came before the end that `result` says.
#[track_caller]
pub(crate) fn cut_off<T: std::fmt::Debug>(result: Result<T, Error>) -> usize {
    match result {
        Err(Error::Disconnected(end)) => {
            assert_eq!(end.cause, Cause::Eof);
            end.partial
        }
        other => panic!("no end, but {other:?}"),
    }
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
