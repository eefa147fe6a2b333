//! Listening sockets that the supervisor of this process opened and passed in (`LISTEN_FDS`).

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{env, fs};

use listenfd::ListenFd;

use super::{SockOpt, SystemSocket};
use crate::runtime::Socket as _;

/// More descriptors than any supervisor passes.
const MOST: usize = 1024;

/// What was passed in, and not taken yet.
struct Inherited {
    sockets: ListenFd,
    /// How many the supervisor says there are.
    count: usize,
    /// The number of the first descriptor.
    first: usize,
    names: Vec<String>,
    /// What was taken, and what was refused and why.
    seen: BTreeMap<usize, Result<(), String>>,
}

/// Takes the listening socket of this name: one of `LISTEN_FDNAMES`, or the number of a descriptor.
pub(super) fn take(name: &str) -> io::Result<SystemSocket> {
    static INHERITED: OnceLock<Mutex<Inherited>> = OnceLock::new();

    let inherited = INHERITED.get_or_init(|| Mutex::new(Inherited::from_env()));
    inherited.lock().unwrap_or_else(PoisonError::into_inner).take(name)
}

fn wrong(why: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why.into())
}

impl Inherited {
    /// Empties the variables, so that no child takes them for its own.
    fn from_env() -> Self {
        let number = |name| env::var(name).ok().and_then(|text| text.parse().ok());
        let count: usize = number("LISTEN_FDS").unwrap_or(0);
        let first = number("LISTEN_FDS_FIRST_FD").unwrap_or(3);
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names = names.split(':').map(str::to_owned).collect();
        let sockets = if count > MOST { ListenFd::empty() } else { ListenFd::from_env() };
        Self { sockets, count, first, names, seen: BTreeMap::new() }
    }

    fn take(&mut self, name: &str) -> io::Result<SystemSocket> {
        if self.count > MOST {
            return Err(wrong(format!(
                "LISTEN_FDS is {}, and at most {MOST} are accepted",
                self.count
            )));
        }
        if self.sockets.len() == 0 {
            let why = "no socket was passed in: LISTEN_FDS is not set, or LISTEN_PID is of another process";
            return Err(io::Error::new(ErrorKind::NotFound, why));
        }
        let called: Vec<_> =
            (0..self.sockets.len()).filter(|index| self.is_called(*index, name)).collect();
        if called.is_empty() {
            let names = self.names.join(", ");
            return Err(wrong(format!("no socket of that name was passed in, only: {names}")));
        }
        // Of several with one name, each is taken once.
        for index in called {
            if let Some(socket) = self.take_at(index)? {
                return Ok(socket);
            }
        }
        Err(wrong("the socket was taken already"))
    }

    fn is_called(&self, index: usize, name: &str) -> bool {
        let number = self.first + index;
        self.names.get(index).is_some_and(|it| it == name) || name.parse() == Ok(number)
    }

    /// None if it was taken before. What is refused once is refused for ever, and for the same reason.
    fn take_at(&mut self, index: usize) -> io::Result<Option<SystemSocket>> {
        match self.seen.get(&index) {
            Some(Ok(())) => return Ok(None),
            Some(Err(why)) => return Err(wrong(why.clone())),
            None => {}
        }
        self.check_passed_in(self.first + index)?;
        let socket = self.open(index);
        self.seen.insert(index, socket.as_ref().map(drop).map_err(ToString::to_string));
        socket
    }

    fn open(&mut self, index: usize) -> io::Result<Option<SystemSocket>> {
        let socket: Option<SystemSocket> = match self.sockets.take_tcp_listener(index) {
            Ok(socket) => socket.map(Into::into),
            Err(_) => self.sockets.take_unix_listener(index)?.map(Into::into),
        };
        // Not every system can be asked.
        let listens = |socket: &SystemSocket| socket.get(SockOpt::AcceptConn).unwrap_or(true);
        if socket.as_ref().is_some_and(|socket| !listens(socket)) {
            return Err(wrong("the socket that was passed in does not listen"));
        }
        Ok(socket)
    }

    /// Refuses a descriptor that is not open, and one that this process opened itself: the supervisor promised more
    /// than it passed in then. Those that come from outside are not closed at an exec.
    fn check_passed_in(&self, number: usize) -> io::Result<()> {
        let folder = Path::new("/proc/self/fdinfo");
        if cfg!(not(target_os = "linux")) || !folder.exists() {
            return Ok(());
        }
        let info = fs::read_to_string(folder.join(number.to_string())).ok();
        let flags =
            info.iter().flat_map(|info| info.lines()).find_map(|it| it.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok());
        let what = match flags {
            None => "is not open",
            Some(flags) if flags & libc::O_CLOEXEC != 0 => "was opened by this process",
            Some(_) => return Ok(()),
        };
        let (count, first) = (self.count, self.first);
        Err(wrong(format!(
            "LISTEN_FDS announces {count} sockets from descriptor {first} on, but descriptor {number} {what}"
        )))
    }
}
