//! Servers as processes.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::machine::Cores;
use crate::model::{Kind, Role, Runtime, Task};
use crate::servers::{Mode, PeerKind, Way};

/// One server of a workload: what to call it, and what starts it.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) role: Role,
    program: PathBuf,
    arguments: Vec<String>,
}

impl Server {
    pub(crate) fn ours(runtime: Runtime, mode: Mode) -> io::Result<Self> {
        let name = runtime.name();
        Ok(Self {
            name: format!("asyncnet {name}"),
            role: Role::Ours,
            program: std::env::current_exe()?,
            arguments: ["serve", name, mode.name(), "0"].map(String::from).into(),
        })
    }

    /// An echo with all three timeouts, and the same without, twice: what the two differ by is chance.
    pub(crate) fn timeouts(runtime: Runtime) -> io::Result<Vec<Self>> {
        let echo = |title: &str, role| -> io::Result<Self> {
            let server = Self::ours(runtime, Mode::Echo)?;
            let name = format!("{}, {title}", server.name);
            Ok(Self { name, role, ..server })
        };
        let mut timed = echo("timeouts", Role::Ours)?;
        timed.arguments.push("--timeouts".into());
        Ok(vec![echo("again without", Role::Floor)?, timed, echo("without", Role::Peer)?])
    }

    pub(crate) fn peer(kind: PeerKind, way: Way, mode: Mode) -> io::Result<Self> {
        Ok(Self {
            name: format!("{} {}", kind.name(), way.title(mode)),
            role: if kind == PeerKind::Floor { Role::Floor } else { Role::Peer },
            program: std::env::current_exe()?,
            arguments: ["peer", kind.name(), way.name(), mode.name(), "0"].map(String::from).into(),
        })
    }

    /// A server over TLS. What it shows lies in `identity`.
    pub(crate) fn tls(kind: Kind, task: Task, identity: &Path) -> io::Result<Self> {
        let role = match kind {
            Kind::Blocking => Role::Floor,
            _ if kind.runtime().is_some() => Role::Ours,
            _ => Role::Peer,
        };
        let arguments = ["tls-server", kind.name(), task.name(), &identity.to_string_lossy(), "0"];
        Ok(Self {
            name: kind.title(task),
            role,
            program: std::env::current_exe()?,
            arguments: arguments.map(String::from).into(),
        })
    }

    /// An echo over TLS on a tokio with so many workers.
    pub(crate) fn with_workers(kind: Kind, workers: usize, identity: &Path) -> io::Result<Self> {
        let (workers, identity) = (workers.to_string(), identity.to_string_lossy());
        let arguments = ["tls-workers", kind.name(), &workers, &identity, "0"];
        Ok(Self {
            name: kind.name().into(),
            role: Role::Ours,
            program: std::env::current_exe()?,
            arguments: arguments.map(String::from).into(),
        })
    }

    /// Nim's asyncnet, as `program`.
    pub(crate) fn nim(program: PathBuf, mode: Mode) -> Self {
        Self {
            name: "Nim asyncnet".into(),
            role: Role::Peer,
            program,
            arguments: [mode.name(), "0"].map(String::from).into(),
        }
    }

    pub(crate) fn start(&self, cores: Cores) -> io::Result<Running> {
        let mut child = cores.on_server(|| {
            Command::new(&self.program)
                .args(&self.arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
        })?;
        let stdout = child.stdout.take().map(BufReader::new);
        let mut running = Running { child, stdout, port: 0 };
        running.port = running
            .next_port()
            .ok_or_else(|| io::Error::other(format!("{} did not start", self.name)))?;
        Ok(running)
    }
}

/// A server process, killed when dropped.
pub(crate) struct Running {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    pub(crate) port: u16,
}

impl Running {
    /// The port in the next line that it prints.
    pub(crate) fn next_port(&mut self) -> Option<u16> {
        let mut line = String::new();
        self.stdout.as_mut()?.read_line(&mut line).ok()?;
        line.trim().rsplit(':').next()?.parse().ok()
    }

    /// How much processor time it has used, in seconds; 0 where the system does not tell.
    pub(crate) fn cpu(&self) -> f64 {
        seconds(&self.proc("stat"))
    }

    /// How much each of its threads has used so far.
    pub(crate) fn threads(&self) -> Vec<Thread> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let ids = tasks.into_iter().flatten().flatten().map(|task| task.file_name());
        let mut threads: Vec<_> = ids
            .map(|id| {
                let id = id.to_string_lossy().into_owned();
                let cpu = seconds(&self.proc(&format!("task/{id}/stat")));
                Thread { name: self.proc(&format!("task/{id}/comm")).trim().into(), id, cpu }
            })
            .collect();
        threads.sort_by(|one, other| one.id.cmp(&other.id));
        threads
    }

    /// Its resident memory, in bytes. The rollup is exact; the counters of `status` lag behind.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        let rollup = self.proc("smaps_rollup");
        let kib = rollup.lines().find_map(|line| line.strip_prefix("Rss:")?.strip_suffix("kB"));
        let kib = kib.and_then(|kib| kib.trim().parse::<u64>().ok());
        kib.map(|kib| kib << 10).ok_or_else(|| io::Error::other("no resident size in smaps_rollup"))
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processor time in a `stat` file.
fn seconds(stat: &str) -> f64 {
    /// The unit of that file on every Linux.
    const TICKS_PER_SECOND: f64 = 100.0;
    // Behind the name, which may hold anything, user and system time are the 12th and 13th.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_SECOND
}

/// A thread of a server.
pub(crate) struct Thread {
    id: String,
    name: String,
    /// Its processor time, in seconds.
    cpu: f64,
}

impl Thread {
    /// What each thread has used since `before`, as text.
    pub(crate) fn since(before: &[Self], now: &[Self]) -> String {
        let used = |thread: &Self| {
            let before = before.iter().find(|other| other.id == thread.id);
            let used = thread.cpu - before.map_or(0.0, |before| before.cpu);
            format!("{} {:.0} ms", thread.name, used * 1e3)
        };
        now.iter().map(used).collect::<Vec<_>>().join(", ")
    }
}
