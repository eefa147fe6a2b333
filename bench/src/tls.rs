//! The workload over TLS: its cases, and which servers take part. The load generator is rustls over a blocking
//! socket, the same for all of them; ring does the cryptography everywhere.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use crate::load::tls as load;
use crate::model::{BLOCK, Kind, Runtime, Task};
use crate::process::Server;
use crate::rounds::{Case, Unit};
use crate::secure::Identity;

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
