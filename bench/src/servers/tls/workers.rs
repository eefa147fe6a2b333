//! Echo over TLS as a user of tokio writes it: one accept loop, a task for each connection, so many workers.

use std::io;

use asyncnet::TlsContext;
use asyncnet::net::ListenOptions;
use asyncnet_tokio::Tokio;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio_rustls::TlsAcceptor;

use super::{tokio::echo as echo_by_rustls, unknown};
use crate::model::{Kind, Task};
use crate::secure::Identity;
use crate::servers::listen;
use crate::servers::ours::{BACKLOG, echo};

pub(crate) fn serve(kind: Kind, workers: usize, identity: &Identity, port: u16) -> io::Result<()> {
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    match kind {
        Kind::AsyncnetTokio => runtime.block_on(ours(identity, port)),
        Kind::TokioRustls => runtime.block_on(tokio_rustls(identity, port)),
        _ => Err(unknown(kind, Task::Echo)),
    }
}

async fn ours(identity: &Identity, port: u16) -> io::Result<()> {
    let tls = TlsContext::server().identity_files(&identity.cert, &identity.key)?.build()?;
    let options = ListenOptions::new().backlog(BACKLOG).tls(&tls);
    let address = format!("127.0.0.1:{port}");
    let listener = asyncnet::Listener::<Tokio>::bind_with(&address, options).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        drop(tokio::spawn(echo(listener.accept().await?)));
    }
}

async fn tokio_rustls(identity: &Identity, port: u16) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(identity.server()?);
    let listener = TcpListener::from_std(listen(port)?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let accepting = acceptor.accept(stream);
        drop(tokio::spawn(async move { echo_by_rustls(accepting.await?).await }));
    }
}
