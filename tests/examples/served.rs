//! A server as an operator runs one, for `tests/operator.sh`: behind a proxy, and from a supervisor that restarts it.
//!
//! ```text
//! served RUNTIME ADDRESS [--proxy] [--tls DIR]
//! ```
//!
//! It answers each line with itself, the peer and the proxy, until SIGTERM; then it finishes what it has accepted.

use std::error::Error;
use std::pin::Pin;
use std::time::Duration;

use asyncnet::net::ListenOptions;
use asyncnet::{Connection, Listener, SendRuntime, TlsContext, Transport};
use blocking::unblock;
use futures_lite::future::or;
use nix::sys::signal::{SigSet, Signal};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;
type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How long connections have to come to their end.
const LIMIT: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    // For all threads that are started from here on: one of them asks for it.
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGTERM);
    stop.thread_block()?;
    let mut words = std::env::args().skip(1);
    let runtime = words.next().ok_or("a runtime is missing")?;
    let at = words.next().ok_or("an address is missing")?;
    let mut options = ListenOptions::new().track(true);
    while let Some(word) = words.next() {
        options = match &*word {
            "--proxy" => options.proxy_protocol(),
            "--tls" => {
                let dir = words.next().ok_or("a directory is missing")?;
                let server = TlsContext::server()
                    .identity_files(format!("{dir}/server.pem"), format!("{dir}/server.key"))?;
                options.tls(&server.build()?)
            }
            _ => return Err(format!("{word} is no option").into()),
        };
    }
    match &*runtime {
        "tokio" => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let spawn = |job: Job| drop(tokio::spawn(job));
            runtime.block_on(serve::<asyncnet_tokio::Tokio>(&at, options, spawn, stop))
        }
        "async-std" => {
            let spawn = |job: Job| drop(async_std::task::spawn(job));
            let serving = serve::<asyncnet_async_std::AsyncStd>(&at, options, spawn, stop);
            async_std::task::block_on(serving)
        }
        "smol" => {
            let spawn = |job: Job| smol::spawn(job).detach();
            smol::block_on(serve::<asyncnet_smol::Smol>(&at, options, spawn, stop))
        }
        _ => Err("the runtimes are tokio, async-std and smol".into()),
    }
}

async fn serve<R: SendRuntime>(
    at: &str,
    options: ListenOptions,
    spawn: impl Fn(Job),
    stop: SigSet,
) -> Result<()> {
    let listener = Listener::<R>::bind_with(at, options).await?;
    println!("listening on {}", listener.local_addr()?);
    let stopped = async { Ok(unblock(move || stop.wait()).await.map(drop)?) };
    let accepting = async {
        loop {
            let conn = listener.accept().await?;
            spawn(Box::pin(async move { drop(answer(conn).await) }));
        }
    };
    or::<Result<()>, _, _>(stopped, accepting).await?;
    println!("finished {:?}", listener.finish(LIMIT).await);
    Ok(())
}

async fn answer<S: Transport>(mut conn: Connection<S>) -> Result<()> {
    let peer = conn.socket().peer_addr()?;
    let proxied = conn.socket().proxied();
    let proxy =
        proxied.map_or_else(|| "no proxy".into(), |proxied| proxied.proxy_addr().to_string());
    while let Some(mut batch) = conn.next_batch().await? {
        while let Some(line) = batch.next_line()? {
            let line = String::from_utf8_lossy(line);
            batch.reply_fmt(format_args!("{line} from {peer} via {proxy}"))?;
        }
    }
    Ok(conn.close().await?)
}
