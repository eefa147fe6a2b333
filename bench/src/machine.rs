//! What the benchmark asks of the system: cores, descriptors, readiness.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The two cores that we run on, if there are two: one for the load generator, one for the servers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores(Option<(usize, usize)>);

impl Cores {
    /// Both sides run where the system lets them.
    pub(crate) const ANY: Self = Self(None);

    /// Takes the first two and goes to the first of them.
    pub(crate) fn take() -> io::Result<Self> {
        let ours = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| ours.is_set(core));
        let cores = Self(cores.next().zip(cores.next()));
        if cores.0.is_none() {
            eprintln!("one core for both sides: the rates say little, the ratios something");
        }
        cores.to_load()?;
        Ok(cores)
    }

    /// Calls `start` on the servers' core. What it starts stays there: a child inherits the core, and so
    /// do its threads.
    pub(crate) fn on_server<T>(self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        go_to(self.0.map(|(_, server)| server))?;
        let started = start();
        self.to_load()?;
        started
    }

    fn to_load(self) -> io::Result<()> {
        go_to(self.0.map(|(load, _)| load))
    }
}

fn go_to(core: Option<usize>) -> io::Result<()> {
    let Some(core) = core else { return Ok(()) };
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// Raises the limit of descriptors as far as it goes, here and in what we start; returns it.
pub(crate) fn raise_descriptors() -> io::Result<usize> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// Who is ready: an epoll whose sources have numbers.
pub(crate) struct Readiness {
    epoll: OwnedFd,
    events: Vec<Event>,
}

impl Readiness {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, events: Vec::with_capacity(256) })
    }

    /// Watches `source` for something to read.
    pub(crate) fn add(&self, source: impl AsFd, number: usize) -> io::Result<()> {
        let number = EventData::new_u64(number as u64);
        Ok(epoll::add(&self.epoll, source, number, EventFlags::IN)?)
    }

    /// Watches `source` for what `interest` says from here on.
    pub(crate) fn watch(
        &self,
        source: impl AsFd,
        number: usize,
        interest: EventFlags,
    ) -> io::Result<()> {
        let number = EventData::new_u64(number as u64);
        Ok(epoll::modify(&self.epoll, source, number, interest)?)
    }

    /// No longer watches `source`.
    pub(crate) fn forget(&self, source: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, source)?)
    }

    /// Waits until somebody is ready, for ever without a `timeout`, and calls `each` with the number of
    /// everybody who is. Returns how many they were.
    pub(crate) fn wait(
        &mut self,
        timeout: Option<Duration>,
        mut each: impl FnMut(usize, EventFlags) -> io::Result<()>,
    ) -> io::Result<usize> {
        let timeout = timeout.map(|time| time.try_into()).transpose().map_err(io::Error::other)?;
        self.events.clear();
        let buffer = rustix::buffer::spare_capacity(&mut self.events);
        let ready = match epoll::wait(&self.epoll, buffer, timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => 0,
            ready => ready?,
        };
        for event in &self.events {
            let (data, flags) = (event.data, event.flags);
            each(data.u64() as usize, flags)?;
        }
        Ok(ready)
    }
}
