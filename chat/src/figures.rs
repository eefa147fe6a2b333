//! What the server has done, in numbers, for people (the log) and for machines (Prometheus).

use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use asyncnet::net::Failures;
use asyncnet::room::RoomStats;
use asyncnet::{Listener, Room, SendRuntime};
use tracing::info;

use crate::log::Log;
use crate::relay::{self, Relay};

/// Where the numbers come from.
pub(crate) struct Source<'a, R: SendRuntime> {
    pub(crate) listener: &'a Listener<R>,
    pub(crate) room: &'a Room<R::Stream>,
    pub(crate) relay: Option<&'a Relay>,
    pub(crate) log: &'a Log,
    pub(crate) started: Instant,
}

impl<R: SendRuntime> Source<'_, R> {
    /// The numbers of this moment.
    pub(crate) fn figures(&self) -> Figures {
        Figures {
            uptime: self.started.elapsed(),
            connections: self.listener.open_connections(),
            failures: self.listener.failures(),
            room: self.room.stats(),
            relay: self.relay.map(Relay::figures),
            log_lines_dropped: self.log.dropped(),
            process: Process::now(),
        }
    }
}

pub(crate) struct Figures {
    uptime: Duration,
    connections: usize,
    failures: Failures,
    room: RoomStats,
    relay: Option<relay::Figures>,
    log_lines_dropped: u64,
    process: Process,
}

/// What the system says of this process. What it does not say is left out.
#[derive(Default)]
struct Process {
    resident_bytes: Option<u64>,
    threads: Option<u64>,
    open_files: Option<u64>,
    cpu: Option<Duration>,
}

impl Process {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let files = fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
        Self {
            resident_bytes: field(&status, "VmRSS:").map(|kilobytes| kilobytes << 10),
            threads: field(&status, "Threads:"),
            // Not the one that lists them.
            open_files: files.and_then(|count| u64::try_from(count).ok()?.checked_sub(1)),
            cpu: cpu(),
        }
    }
}

/// The number behind `name` in `/proc/self/status`.
fn field(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(unix)]
fn cpu() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(not(unix))]
const fn cpu() -> Option<Duration> {
    None
}

impl Figures {
    /// Says them in the log.
    pub(crate) fn log(&self) {
        let RoomStats { members, total, evicted_hard, evicted_soft, .. } = &self.room;
        let refused: u64 = causes(&self.failures).iter().map(|(_, count)| count).sum();
        info!(
            connections = self.connections,
            members,
            messages = total.messages,
            bytes = total.bytes,
            dropped_messages = total.dropped_messages,
            evicted_hard,
            evicted_soft,
            refused,
            log_lines_dropped = self.log_lines_dropped,
            resident_bytes = self.process.resident_bytes,
            open_files = self.process.open_files,
            cpu_seconds = self.process.cpu.map(|time| time.as_secs_f64()),
            "figures"
        );
        if let Some(relay) = &self.relay {
            relay.log();
        }
    }

    /// The same numbers in Prometheus's text format.
    pub(crate) fn prometheus(&self) -> String {
        let RoomStats { members, total, evicted_hard, evicted_soft, .. } = &self.room;
        let mut text = Exposition::default();
        text.gauge(
            "asyncnet_chat_uptime_seconds",
            "Seconds since the start.",
            self.uptime.as_secs(),
        );
        text.gauge("asyncnet_chat_connections", "Open connections.", self.connections);
        text.gauge("asyncnet_chat_members", "Clients in the room.", members);
        let (name, help) =
            ("asyncnet_chat_delivered_messages_total", "Messages that were handed to members.");
        text.counter(name, help, total.messages);
        let (name, help) = ("asyncnet_chat_delivered_bytes_total", "Bytes of those messages.");
        text.counter(name, help, total.bytes);
        let (name, help) = (
            "asyncnet_chat_missed_messages_total",
            "Messages that members missed because they read too slowly.",
        );
        text.counter(name, help, total.dropped_messages);
        let (name, help) = ("asyncnet_chat_missed_bytes_total", "Bytes of those messages.");
        text.counter(name, help, total.dropped_bytes);
        let evicted = [("hard", *evicted_hard), ("soft", *evicted_soft)];
        let (name, help) = (
            "asyncnet_chat_evicted_total",
            "Members that were disconnected because they read too slowly.",
        );
        text.counters(name, help, "limit", &evicted);
        let (name, help) = ("asyncnet_chat_refused_total", "Connections that came to nothing.");
        text.counters(name, help, "cause", &causes(&self.failures));
        let (name, help) = (
            "asyncnet_chat_log_lines_dropped_total",
            "Lines of the log that were not read in time.",
        );
        text.counter(name, help, self.log_lines_dropped);
        if let Some(relay) = &self.relay {
            relay.prometheus(&mut text);
        }
        let Process { resident_bytes, threads, open_files, cpu } = &self.process;
        if let Some(bytes) = resident_bytes {
            text.gauge("process_resident_memory_bytes", "Resident memory.", bytes);
        }
        if let Some(files) = open_files {
            text.gauge("process_open_fds", "Open descriptors.", files);
        }
        if let Some(threads) = threads {
            text.gauge("process_threads", "Threads.", threads);
        }
        if let Some(time) = cpu {
            let help = "Processor time, of the system too.";
            text.counter("process_cpu_seconds_total", help, time.as_secs_f64());
        }
        text.0
    }
}

fn causes(failures: &Failures) -> [(&'static str, u64); 9] {
    let Failures {
        silent,
        proxy_header,
        certificate,
        alert,
        protocol,
        incompatible,
        left,
        timed_out,
        local,
        ..
    } = *failures;
    [
        ("silent", silent),
        ("proxy_header", proxy_header),
        ("certificate", certificate),
        ("alert", alert),
        ("protocol", protocol),
        ("incompatible", incompatible),
        ("left", left),
        ("timed_out", timed_out),
        ("local", local),
    ]
}

/// A text in the format of Prometheus. A String takes everything that is written to it.
#[derive(Default)]
pub(crate) struct Exposition(String);

impl Exposition {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, help, "gauge");
        let _ = writeln!(self.0, "{name} {value}");
    }

    pub(crate) fn counter(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, help, "counter");
        let _ = writeln!(self.0, "{name} {value}");
    }

    pub(crate) fn counters(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) {
        self.head(name, help, "counter");
        for (which, value) in values {
            let _ = writeln!(self.0, "{name}{{{label}=\"{which}\"}} {value}");
        }
    }
}
