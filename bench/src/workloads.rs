//! The workloads: which servers take part in each, and what is done to them.

use std::cell::OnceCell;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::load::{crowd, memory, stream};
use crate::machine::{Cores, raise_descriptors};
use crate::model::Runtime;
use crate::process::Server;
use crate::rounds::{Case, Unit};
use crate::servers::{Mode, PeerKind, Way, nim};
use crate::tls::{self, Plan};
use crate::{Run, framing, report};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    Framing,
    Ingest,
    Drain,
    Echo,
    Fanout,
    Room,
    Stall,
    Idle,
    Accept,
    Tls,
    Timeouts,
}

impl Workload {
    pub(crate) const ALL: [Self; 11] = [
        Self::Framing,
        Self::Ingest,
        Self::Drain,
        Self::Echo,
        Self::Fanout,
        Self::Room,
        Self::Stall,
        Self::Idle,
        Self::Accept,
        Self::Tls,
        Self::Timeouts,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Framing => "framing",
            Self::Ingest => "ingest",
            Self::Drain => "drain",
            Self::Echo => "echo",
            Self::Fanout => "fanout",
            Self::Room => "room",
            Self::Stall => "stall",
            Self::Idle => "idle",
            Self::Accept => "accept",
            Self::Tls => "tls",
            Self::Timeouts => "timeouts",
        }
    }

    fn cases(self, hall: &Hall<'_>) -> io::Result<Vec<Case>> {
        match self {
            // In memory: it has no servers.
            Self::Framing => Ok(Vec::new()),
            Self::Ingest => hall.ingest("ingest, one await for each line", Mode::Count),
            Self::Drain => hall.ingest("drain, all that has arrived at once", Mode::Drain),
            Self::Echo => hall.echo(),
            Self::Fanout => hall.fanout(),
            Self::Room => hall.room(),
            Self::Stall => hall.stall(),
            Self::Idle => hall.idle(),
            Self::Accept => hall.accept(),
            Self::Tls => hall.tls(),
            Self::Timeouts => hall.timeouts(),
        }
    }
}

/// Runs workloads one after the other, and tells of each when it is done.
pub(crate) fn run(workloads: &[Workload], run: &Run) -> io::Result<()> {
    let cores = Cores::take()?;
    let rounds = if run.quick { 2 } else { 5 };
    fs::create_dir_all(&run.out)?;
    let hall = Hall { run, descriptors: raise_descriptors()?, nim: OnceCell::new() };
    for workload in workloads {
        let comparisons = match workload {
            Workload::Framing => framing::run(run.quick),
            _ => workload.cases(&hall)?.into_iter().map(|case| case.run(rounds, cores)).collect(),
        };
        report::tell(workload.name(), &comparisons, &run.out)?;
    }
    Ok(())
}

/// What a workload needs to know of this run.
struct Hall<'a> {
    run: &'a Run,
    descriptors: usize,
    /// The server over Nim's asyncnet, built when it is first asked for, if it can be.
    nim: OnceCell<Option<PathBuf>>,
}

impl Hall<'_> {
    fn time(&self) -> Duration {
        Duration::from_millis(if self.run.quick { 200 } else { 1000 })
    }

    fn runtimes(&self) -> impl Iterator<Item = Runtime> {
        let chosen = self.run.runtime;
        Runtime::ALL.into_iter().filter(move |runtime| chosen.is_none_or(|only| only == *runtime))
    }

    /// The floor, ours on every runtime in `mode`, tokio's peers in `tokio` ways, the other runtimes' in
    /// `futures` ways, and Nim's. The peers do `theirs`.
    fn servers(
        &self,
        mode: Mode,
        theirs: Mode,
        tokio: &[Way],
        futures: &[Way],
    ) -> io::Result<Vec<Server>> {
        let mut servers = vec![Server::peer(PeerKind::Floor, Way::Epoll, theirs)?];
        for runtime in self.runtimes() {
            servers.push(Server::ours(runtime, mode)?);
        }
        for way in tokio {
            servers.push(Server::peer(PeerKind::Tokio, *way, theirs)?);
        }
        for runtime in self.runtimes() {
            let kind = match runtime {
                Runtime::Tokio => continue,
                Runtime::AsyncStd => PeerKind::AsyncStd,
                Runtime::Smol => PeerKind::Smol,
            };
            for way in futures {
                servers.push(Server::peer(kind, *way, theirs)?);
            }
        }
        let nim = self.nim.get_or_init(|| nim(&self.run.out));
        servers.extend(nim.clone().map(|program| Server::nim(program, theirs)));
        Ok(servers)
    }

    fn ingest(&self, title: &str, mode: Mode) -> io::Result<Vec<Case>> {
        let time = self.time();
        let tokio = [Way::ReadLine, Way::ReadUntil, Way::Lines, Way::Codec];
        let mut cases = Vec::new();
        for len in [16, 64, 1024] {
            cases.push(Case {
                title: format!("{title}: lines of {len} bytes"),
                unit: Unit::LinesPerSecond,
                servers: self.servers(mode, Mode::Count, &tokio, &[Way::ReadUntil, Way::Lines])?,
                load: Box::new(move |server| stream::ingest(server, len, time)),
            });
        }
        Ok(cases)
    }

    fn echo(&self) -> io::Result<Vec<Case>> {
        let time = self.time();
        let mut cases = Vec::new();
        for (connections, window) in [(1, 1), (64, 1), (1, 16), (1, 256), (64, 16)] {
            cases.push(Case {
                title: format!("echo, lines of 32 bytes: {connections} x {window} in flight"),
                unit: Unit::LinesPerSecond,
                servers: self.echo_servers()?,
                load: Box::new(move |server| stream::echo(server, connections, 32, window, time)),
            });
        }
        Ok(cases)
    }

    fn timeouts(&self) -> io::Result<Vec<Case>> {
        let time = self.time();
        let mut cases = Vec::new();
        for runtime in self.runtimes() {
            for (connections, window) in [(1, 1), (64, 1), (64, 16)] {
                let name = runtime.name();
                cases.push(Case {
                    title: format!("timeouts, {name}: {connections} x {window} in flight"),
                    unit: Unit::LinesPerSecond,
                    servers: Server::timeouts(runtime)?,
                    load: Box::new(move |server| {
                        stream::echo(server, connections, 32, window, time)
                    }),
                });
            }
        }
        Ok(cases)
    }

    fn echo_servers(&self) -> io::Result<Vec<Server>> {
        let tokio =
            [Way::ReadLine, Way::ReadUntil, Way::Lines, Way::Codec, Way::Flush, Way::Coalesce];
        self.servers(Mode::Echo, Mode::Echo, &tokio, &[Way::ReadUntil, Way::Lines])
    }

    fn chat_servers(&self) -> io::Result<Vec<Server>> {
        self.servers(Mode::Chat, Mode::Chat, &[Way::Mpsc, Way::Loop], &[Way::Loop])
    }

    fn fanout(&self) -> io::Result<Vec<Case>> {
        let time = self.time();
        let mut cases = Vec::new();
        for (clients, window) in [(100, 1), (100, 64), (1000, 1), (1000, 64)] {
            cases.push(Case {
                title: format!("fanout: one of {clients} says {window}, lines of 64 bytes"),
                unit: Unit::DeliveriesPerSecond,
                servers: self.chat_servers()?,
                load: Box::new(move |server| crowd::fanout(server, clients, window, time)),
            });
        }
        Ok(cases)
    }

    fn room(&self) -> io::Result<Vec<Case>> {
        let time = self.time();
        Ok(vec![Case {
            title: "room: 100 talk at once, lines of 64 bytes".into(),
            unit: Unit::DeliveriesPerSecond,
            servers: self.chat_servers()?,
            load: Box::new(move |server| crowd::room(server, 100, time)),
        }])
    }

    fn stall(&self) -> io::Result<Vec<Case>> {
        Ok(vec![Case {
            title: "stall: 10 read 16 MiB, one never reads".into(),
            unit: Unit::DeliveriesPerSecond,
            servers: self.chat_servers()?,
            load: Box::new(|server| crowd::stall(server, 10)),
        }])
    }

    fn idle(&self) -> io::Result<Vec<Case>> {
        // Each end is a descriptor of its own process; both have a few others.
        let most = if self.run.quick { 1000 } else { 10_000 };
        let connections = most.min(self.descriptors.saturating_sub(128));
        Ok(vec![Case {
            title: format!("idle: {connections} connections that have echoed a line"),
            unit: Unit::Bytes,
            servers: self.echo_servers()?,
            load: Box::new(move |server| memory::idle(server, connections)),
        }])
    }

    fn accept(&self) -> io::Result<Vec<Case>> {
        let time = self.time();
        Ok(vec![Case {
            title: "accept: connections of one line, 64 at a time".into(),
            unit: Unit::ConnectionsPerSecond,
            servers: self.servers(
                Mode::Echo,
                Mode::Echo,
                &[Way::ReadUntil, Way::Codec],
                &[Way::ReadUntil],
            )?,
            load: Box::new(move |server| stream::accept(server, time)),
        }])
    }

    fn tls(&self) -> io::Result<Vec<Case>> {
        tls::cases(&Plan {
            runtimes: self.runtimes().collect(),
            quick: self.run.quick,
            descriptors: self.descriptors,
            out: self.run.out.clone(),
        })
    }
}
