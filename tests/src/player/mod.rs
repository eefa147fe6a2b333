//! Plays scripts of socket operations, and tells what each of them answered.
//!
//! A script is a list of [`Op`]s, named as in Nim's `asyncnet` or as what they help with. Each is a call
//! of the public interface, a Nim-style one where there is one. One that the interface rules out by type, so that no
//! program could contain it, answers `{"err":"ruled out by type: .."}`.
//!
//! Operations come one after the other. One that is not done in time is *pending*, and what happens to it
//! then is what would happen in a program:
//!
//! - It is given up: its future is dropped, as by a timeout.
//! - But if the script does not wait for an operation, or looks at it again later, its connection is
//!   asked for a writer first, and it goes on beside others. (Not for `wrap`.) A receive that the script
//!   waits for holds the connection, and is given up all the same; those that it does not wait for take
//!   turns, as tasks do that share a connection.

mod answer;
mod make;
mod op;
mod receive;
mod send;
mod state;
mod system;
mod table;
mod text;
mod tls;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use async_executor::{LocalExecutor, Task};
use asyncnet::{CloseLimits, Config};
use futures_lite::future::or;
use serde_json::{Value, json};

use self::answer::{Answer, Failure, ok};
use self::receive::{limit, pending};
use self::system::Aside;
use self::table::Socket;
use self::tls::new_context;
use crate::bed::System;

pub use op::Op;
pub use text::{shown, unescape};

/// How long an operation may take before it is pending.
const PROMPT: Duration = Duration::from_millis(300);
/// The same for those that wait for something of the system.
const PATIENT: Duration = Duration::from_secs(5);
/// How long a close reads what the peer still sends. The default is longer than a script waits.
const DRAIN: Duration = Duration::from_millis(100);
/// How much of it: the default.
const DRAIN_BYTES: usize = 256 << 10;

/// What a script tells beside the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The listener of that name is ready at that port.
    Port(String, u16),
    /// The peer may send now.
    Mark,
}

/// Reads the file of that name.
pub type ReadFile = Box<dyn Fn(&str) -> io::Result<Vec<u8>>>;

/// What a script is played with.
pub struct Settings {
    /// The port of the peer.
    pub peer_port: u16,
    /// Whether addresses are IPv6.
    pub v6: bool,
    /// Reads a certificate or a key: `ca.pem`, or `NAME.pem` and `NAME.key`.
    pub certs: ReadFile,
    /// Whether connections are buffered.
    pub buffered: bool,
    /// Whether connections have a writer from the start.
    pub shared: bool,
    /// The operations that the script looks at again.
    pub checked: BTreeSet<i64>,
    /// The limit of a line, if not the default.
    pub max_line: Option<usize>,
    /// The bounds of a close.
    pub close: CloseLimits,
    /// Who is told.
    pub events: Box<dyn Fn(Event)>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("peer_port", &self.peer_port).finish_non_exhaustive()
    }
}

impl Settings {
    /// What `ops` need.
    #[must_use]
    pub fn of(ops: &[Op]) -> Self {
        Self {
            peer_port: 0,
            v6: false,
            certs: Box::new(|_| Err(io::ErrorKind::NotFound.into())),
            buffered: true,
            shared: false,
            checked: ops.iter().filter_map(|op| op.number("ref")).collect(),
            max_line: limit(ops),
            close: Config::default().close.drain(DRAIN, DRAIN_BYTES),
            events: Box::new(drop),
        }
    }

    fn host(&self) -> &'static str {
        if self.v6 { "::1" } else { "127.0.0.1" }
    }
}

/// What the operations of a script share.
struct Stage<R: System> {
    settings: Settings,
    sockets: RefCell<HashMap<String, Socket<R>>>,
    /// What `recv_line_into` received into.
    lines: RefCell<HashMap<String, Vec<u8>>>,
    saved_port: Cell<u16>,
    /// Whose connections are to be TLS.
    wrapped: RefCell<HashSet<String>>,
    aside: Aside,
}

/// An operation that was begun.
struct Begun {
    task: Option<Task<Value>>,
    answer: Option<Value>,
}

/// Plays the operations of one script.
pub struct Player<R: System> {
    stage: Rc<Stage<R>>,
    executor: Rc<LocalExecutor<'static>>,
    begun: BTreeMap<i64, Begun>,
}

impl<R: System> fmt::Debug for Player<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player").field("settings", &self.stage.settings).finish_non_exhaustive()
    }
}

impl<R: System> Player<R> {
    /// A player without sockets.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let stage = Stage {
            settings,
            sockets: RefCell::default(),
            lines: RefCell::default(),
            saved_port: Cell::new(0),
            wrapped: RefCell::default(),
            aside: Aside::default(),
        };
        Self { stage: Rc::new(stage), executor: Rc::default(), begun: BTreeMap::new() }
    }

    /// Goes on with what is pending while `future` runs.
    pub async fn beside<T>(&self, future: impl Future<Output = T>) -> T {
        self.executor.run(future).await
    }

    /// Plays an operation, the `k`th, until it is done or pending.
    pub async fn play(&mut self, k: i64, op: &Op) -> Value {
        let executor = Rc::clone(&self.executor);
        executor.run(self.play_here(k, op)).await
    }

    async fn play_here(&mut self, k: i64, op: &Op) -> Value {
        let patience = op.number("wait_ms").and_then(|ms| ms.try_into().ok());
        let patience = patience.map_or_else(|| usual_patience(op), Duration::from_millis);
        if op.name() == "check" {
            let of = op.number("ref").unwrap_or_default();
            let mut answer = self.settled(of, patience).await;
            answer["of"] = of.into();
            return answer;
        }
        // Whether it may go on when it is late.
        let goes_on = op.is("bg") || self.stage.settings.checked.contains(&k);
        if (goes_on && op.name() != "wrap") || op.name() == "send_many" {
            self.stage.share(op.socket());
        }
        let (stage, task_op) = (Rc::clone(&self.stage), op.clone());
        let task = self
            .executor
            .spawn(async move { stage.run(&task_op).await.unwrap_or_else(Failure::into_value) });
        self.begun.insert(k, Begun { task: Some(task), answer: None });
        if op.is("bg") {
            let head_start = op.number("after_ms").and_then(|ms| ms.try_into().ok()).unwrap_or(10);
            R::sleep(Duration::from_millis(head_start)).await;
            return json!({ "bg": true });
        }
        let answer = self.settled(k, patience).await;
        if answer == pending() && (!goes_on || is_receive(op)) {
            self.give_up(k).await;
            return self.settled(k, Duration::ZERO).await;
        }
        answer
    }

    /// The answer of the `k`th operation, if there is one in time.
    async fn settled(&mut self, k: i64, patience: Duration) -> Value {
        let Some(begun) = self.begun.get_mut(&k) else {
            return Failure::script("that operation was not begun").into_value();
        };
        if let Some(task) = &mut begun.task {
            let late = async {
                R::sleep(patience).await;
                None
            };
            begun.answer = or(async { Some(task.await) }, late).await;
            if begun.answer.is_some() {
                begun.task = None;
            }
        }
        begun.answer.clone().unwrap_or_else(pending)
    }

    /// Gives up the `k`th operation. It may be done just now.
    async fn give_up(&mut self, k: i64) {
        if let Some(begun) = self.begun.get_mut(&k) {
            if let Some(task) = begun.task.take() {
                begun.answer = task.cancel().await;
            }
        }
    }
}

fn usual_patience(op: &Op) -> Duration {
    match op.name() {
        "wait_bytes" | "wait_state" | "sleep" => PATIENT,
        _ => PROMPT,
    }
}

/// Whether the player itself needs a descriptor for it.
fn asks_the_system(op: &Op) -> bool {
    let asks = [
        "wait_bytes",
        "wait_state",
        "fionread",
        "sndbuf",
        "rcvbuf",
        "user_timeout",
        "open_fds",
        "rss",
        "rss_over",
    ];
    asks.contains(&op.name())
}

fn is_receive(op: &Op) -> bool {
    matches!(op.name(), "recv_line" | "recv_line_into" | "recv" | "recv_into" | "recv_into_freed")
}

impl<R: System> Stage<R> {
    async fn run(&self, op: &Op) -> Answer {
        if ["send", "send_ptr", "recv", "connect"].contains(&op.name()) {
            self.settle_datagrams(op)?;
        }
        match op.name() {
            "recv_line" => self.recv_line(op).await,
            "recv_line_into" => self.recv_line_into(op).await,
            "recv" => self.recv(op).await,
            "recv_into" => self.recv_into(op).await,
            "recv_into_freed" => self.recv_into_freed(op).await,
            "has_buf" => self.has_buf(op).await,
            // A slice is a pointer and a length: one call for both of Nim's.
            "send" | "send_ptr" => self.send(op).await,
            "send_many" => self.send_many(op).await,
            "close" => self.close(op).await,
            "is_closed" => self.is_closed(op).await,
            "get_fd" => self.get_fd(op).await,
            "same_fd" => self.same_fd(op).await,
            "get_opt" => self.get_opt(op).await,
            "set_opt" => self.set_opt(op).await,
            "local_addr" => self.local_addr(op).await,
            "peer_addr" => self.peer_addr(op).await,
            "new" => self.new_socket(op),
            "connect" => self.connect(op).await,
            "bind" => self.bind(op).await,
            "listen" => self.listen(op),
            "accept" => self.accept(op).await,
            "accept_addr" => self.accept_addr(op).await,
            "announce" => self.announce(op).await,
            "wrap" => self.wrap(op).await,
            "is_ssl" => self.is_tls(op).await,
            "peer_cert_count" => self.peer_cert_count(op).await,
            "new_context" => new_context(op),
            _ => self.help(op).await,
        }
    }

    /// What a script needs and the library has nothing to do with.
    async fn help(&self, op: &Op) -> Answer {
        let _lent = asks_the_system(op).then(|| self.aside.lend());
        match op.name() {
            "nop" => ok(true),
            "sleep" => {
                let ms = op.number("ms").and_then(|ms| ms.try_into().ok()).unwrap_or_default();
                R::sleep(Duration::from_millis(ms)).await;
                ok(true)
            }
            "wait_bytes" => self.wait_bytes(op).await,
            "wait_state" => self.wait_state(op).await,
            "fionread" => self.fionread(op).await,
            "sndbuf" => self.sndbuf(op).await,
            "rcvbuf" => self.rcvbuf(op).await,
            "user_timeout" => self.user_timeout(op).await,
            "remember_port" => self.remember_port(op).await,
            "leak" => self.leak(op),
            "open_fds" => ok(system::open_descriptors()?),
            "nofile" => {
                let spare = op.number("spare").and_then(|n| n.try_into().ok()).unwrap_or_default();
                self.aside.limit_descriptors(spare)?;
                ok(true)
            }
            "rss" => Ok(json!({
                "ok": true,
                "_hwm_kib": system::memory("VmHWM")?,
                "_rss_kib": system::memory("VmRSS")?,
            })),
            "rss_over" => {
                let limit = op.number("mib").and_then(|mib| u64::try_from(mib).ok());
                let peak = system::memory("VmHWM")?;
                Ok(json!({ "ok": peak > limit.unwrap_or_default() << 10, "_hwm_kib": peak }))
            }
            other => Err(Failure::script(format!("there is no operation {other}"))),
        }
    }

    /// The answer of `call`, if there is one in time.
    async fn within(&self, time: Duration, call: impl Future<Output = Answer>) -> Option<Answer> {
        let late = async {
            R::sleep(time).await;
            None
        };
        or(async { Some(call.await) }, late).await
    }
}
