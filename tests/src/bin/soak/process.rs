//! A server's process, and what the system knows of it.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::certificate::Certificate;
use crate::cli::{Runtime, Server};
use crate::serve::END;

/// A server, killed when dropped.
pub(crate) struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    pub(crate) port: u16,
}

/// What a server tells of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    pub(crate) open: u64,
    pub(crate) members: u64,
    pub(crate) evicted: u64,
}

impl Process {
    pub(crate) fn start(
        runtime: Runtime,
        server: Server,
        descriptors: u64,
        certificate: &Certificate,
    ) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--runtime", runtime.name(), "--serve", server.name()])
            .args(["--descriptors", &descriptors.to_string()])
            // On two threads, as on the others.
            .env("SMOL_THREADS", "2")
            .env("ASYNC_STD_THREAD_COUNT", "2")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (stdin, stdout) = child.stdin.take().zip(child.stdout.take()).expect("both are pipes");
        let mut process = Self { child, stdin, stdout: BufReader::new(stdout), port: 0 };
        if server.is_tls() {
            writeln!(process.stdin, "{}{END}", certificate.pem)?;
        }
        process.port = process.said()?.parse().map_err(io::Error::other)?;
        Ok(process)
    }

    fn said(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            return Err(io::Error::other("the server's process has ended"));
        }
        Ok(line.trim().into())
    }

    /// Asks the server about itself.
    pub(crate) fn ask(&mut self) -> io::Result<Told> {
        self.stdin.write_all(b"?\n")?;
        let said = self.said()?;
        let mut numbers = said.split(' ').map(|number| number.parse().unwrap_or(u64::MAX));
        let mut next = || numbers.next().unwrap_or(u64::MAX);
        Ok(Told { open: next(), members: next(), evicted: next() })
    }

    pub(crate) fn id(&self) -> Id {
        Id(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The number of a process, and with it what `/proc` tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id(u32);

impl Id {
    /// What its descriptors are, one entry for each.
    pub(crate) fn descriptors(self) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(format!("/proc/{}/fd", self.0))? {
            // One that was closed since has no target any more.
            if let Ok(target) = fs::read_link(entry?.path()) {
                found.push(target.display().to_string());
            }
        }
        found.sort();
        Ok(found)
    }

    /// The most memory that was resident, in KiB.
    pub(crate) fn peak_memory(self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
        let peak = peak.and_then(|kib| kib.trim().parse().ok());
        peak.ok_or_else(|| io::Error::other("no peak of the memory in its status"))
    }

    /// The processor time it has used, in hundredths of a second.
    pub(crate) fn ticks(self) -> io::Result<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // Behind the name, which may hold anything, user and system time are the 12th and 13th.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
        Ok(fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum())
    }
}
