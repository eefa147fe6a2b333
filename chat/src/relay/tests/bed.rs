//! Servers in memory: a room with a client in it, and the relay.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use asyncnet::net::{Pipe, pipe};
use asyncnet::room::{Limits, Member};
use asyncnet::{Config, Connection, Room};
use asyncnet_tokio::Tokio;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::super::broker::Tls;
use super::super::envelope::Origin;
use super::super::nats::Nats;
use super::super::outbox::Outbox;
use super::super::place::{Kind, Place};
use super::super::redis::Redis;
use super::super::{Figures, Relay, Shared};
use super::hub::Hub;

/// Longer than anything takes: the made-up clock makes it a moment.
const LONG: Duration = Duration::from_secs(600);

/// Runs a test on a clock that stands still until everything waits.
pub(super) fn run<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(test)
}

/// A chat server, as far as the relay sees one.
pub(super) struct Server {
    pub(super) relay: Relay,
    pub(super) room: Room<Pipe>,
    running: JoinHandle<()>,
    client: Connection<Pipe>,
    _member: Member<Pipe>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

pub(super) struct Settings {
    pub(super) buffer: usize,
    pub(super) max_line: usize,
    pub(super) quiet: bool,
}

pub(super) const DEFAULT: Settings = Settings { buffer: 4 << 20, max_line: 1000, quiet: true };

impl Server {
    /// A server at this broker, with one client that hears everything.
    pub(super) fn start(hub: &Hub, settings: Settings) -> Self {
        static ORIGINS: AtomicU64 = AtomicU64::new(1);
        let Settings { buffer, max_line, quiet } = settings;
        let origin = Origin(ORIGINS.fetch_add(1, Ordering::Relaxed).into());
        let kind = hub.state().kind;
        let place = Place {
            kind,
            is_secure: false,
            address: "broker:1".into(),
            subject: "x".into(),
            credentials: None,
        };
        let shared = Shared::new(place, Outbox::new(origin, buffer), max_line, quiet);
        let relay = Relay { shared: Arc::new(shared) };

        let (room, task) = Room::new(Limits::default());
        tokio::spawn(task);
        let (near, far) = pipe(usize::MAX);
        let member = room.join(Connection::new(near, Config::default()).writer());
        let client = Connection::new(far, Config::default());
        let running = {
            let (relay, room, hub) = (relay.clone(), room.clone(), hub.clone());
            tokio::spawn(async move {
                let dial = || std::future::ready(hub.dial());
                match kind {
                    Kind::Nats => {
                        let nats = Nats { subject: "x".into(), credentials: None, tls: tls() };
                        relay.run_over::<Tokio, _, _, _>(&nats, &room, dial).await;
                    }
                    Kind::Redis => {
                        let redis = Redis { channel: "x".into(), credentials: None, tls: tls() };
                        relay.run_over::<Tokio, _, _, _>(&redis, &room, dial).await;
                    }
                }
            })
        };
        let member = member.expect("the room is open");
        Self { relay, room, running, client, _member: member }
    }

    /// A client of this server says a line.
    pub(super) async fn say(&self, line: &str) {
        self.room.send_line(line).await.expect("the room is open");
        self.relay.say(line.as_bytes());
    }

    /// The next line that the client hears.
    pub(super) async fn hear(&mut self) -> String {
        let line = timeout(LONG, self.client.expect_line()).await.expect("a line comes");
        String::from_utf8(line.expect("the room goes on").to_vec()).expect("text")
    }

    /// All lines that the client has heard by now.
    pub(super) async fn heard(&mut self) -> Vec<String> {
        let mut heard = Vec::new();
        // Everything that is ready has its turn before the clock moves.
        while let Ok(line) = timeout(Duration::from_millis(1), self.client.expect_line()).await {
            let line = line.expect("the room goes on").to_vec();
            heard.push(String::from_utf8(line).expect("text"));
        }
        heard
    }

    pub(super) fn figures(&self) -> Figures {
        self.relay.figures()
    }

    /// Waits until these figures are so.
    pub(super) async fn until(&self, is_so: impl Fn(&Figures) -> bool) {
        let begin = Instant::now();
        while !is_so(&self.figures()) {
            assert!(begin.elapsed() < LONG, "{:?}", self.figures());
            sleep(Duration::from_millis(50)).await;
        }
    }

    pub(super) async fn until_connected(&self) {
        self.until(|figures| figures.connected).await;
    }
}

pub(super) fn tls() -> Tls {
    Tls { is_wanted: false, context: None, host: "broker".into() }
}

pub(super) const KINDS: [Kind; 2] = [Kind::Nats, Kind::Redis];
