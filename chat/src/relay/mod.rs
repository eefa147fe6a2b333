//! One room on many servers: what is said on one reaches the clients of all, through a broker (NATS or Redis).
//!
//! The room knows nothing of it. What a client of this server says goes to the room, and into the [`outbox`]; what the
//! broker sends goes to the room alone, so that nothing can go round in circles. Lines have numbers, and
//! [`heard`] drops those that come again and counts those that do not come. A [`session`] runs on the protocol
//! of any [`broker`]; [`link`] makes one after the other.

mod bell;
mod broker;
mod counts;
mod envelope;
mod heard;
mod link;
mod nats;
mod outbox;
mod place;
mod redis;
mod session;
mod told;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use asyncnet::net::{ConnectOptions, connect};
use asyncnet::{Connection, Room, SendRuntime, Transport};
use futures_lite::future;
use ring::rand::{SecureRandom, SystemRandom};
use tracing::warn;

use crate::stop::Flag;
use broker::Broker;
use counts::Counts;
use envelope::Origin;
use nats::Nats;
use outbox::{Outbox, Said};
use place::{Kind, Place};
use redis::Redis;

pub(crate) use counts::Figures;
pub(crate) use place::Url;

/// How long one try to connect may take.
const CONNECT: Duration = Duration::from_secs(5);

/// What the command line says about the relay.
pub(crate) struct Options<'a> {
    pub(crate) url: &'a Url,
    pub(crate) credentials: Option<&'a Path>,
    pub(crate) ca: Option<&'a Path>,
    /// How much is kept that the broker has not confirmed, in bytes.
    pub(crate) buffer: usize,
    /// The longest line that the room says.
    pub(crate) max_line: usize,
    /// Whether the room is not told what is lost.
    pub(crate) quiet: bool,
}

/// The relay of a server, for everyone who says or asks something. Clones are the same relay.
#[derive(Clone)]
pub(crate) struct Relay {
    shared: Arc<Shared>,
}

/// What the relay's task and the clients' tasks share.
struct Shared {
    place: Place,
    outbox: Outbox,
    counts: Counts,
    max_line: usize,
    quiet: bool,
    /// The server stops: once everything is confirmed, the connection is closed.
    finishing: Flag,
    /// That has happened.
    finished: Flag,
}

impl Shared {
    fn figures(&self) -> Figures {
        self.counts.figures(self.outbox.figures())
    }
}

/// A relay that has not begun: what is wrong with its settings was said before.
pub(crate) struct Prepared {
    relay: Relay,
    protocol: Protocol,
}

enum Protocol {
    Nats(Nats),
    Redis(Redis),
}

/// Reads the settings, and the files that they name.
pub(crate) fn prepare(options: &Options<'_>) -> io::Result<Prepared> {
    let mut place = Place::new(options.url, options.credentials)?;
    let tls = place.tls(options.ca)?;
    let (subject, credentials) = (place.subject.clone(), place.credentials.take());
    let protocol = match place.kind {
        Kind::Nats => Protocol::Nats(Nats { subject, credentials, tls }),
        Kind::Redis => Protocol::Redis(Redis { channel: subject, credentials, tls }),
    };
    let mut random = [0; 16];
    let made = SystemRandom::new().fill(&mut random);
    made.map_err(|_| io::Error::other("the system has no random numbers"))?;
    let origin = Origin(u128::from_ne_bytes(random));
    let Options { buffer, max_line, quiet, .. } = *options;
    let shared = Shared::new(place, Outbox::new(origin, buffer), max_line, quiet);
    Ok(Prepared { relay: Relay { shared: Arc::new(shared) }, protocol })
}

impl Shared {
    fn new(place: Place, outbox: Outbox, max_line: usize, quiet: bool) -> Self {
        Self {
            place,
            outbox,
            counts: Counts::new(),
            max_line,
            quiet,
            finishing: Flag::new(),
            finished: Flag::new(),
        }
    }
}

impl Prepared {
    pub(crate) fn relay(&self) -> Relay {
        self.relay.clone()
    }

    /// Relays between this room and those of other servers, until [`Relay::finish`].
    pub(crate) async fn run<R: SendRuntime>(self, room: Room<R::Stream>) {
        let Self { relay, protocol } = self;
        match &protocol {
            Protocol::Nats(nats) => relay.run::<R>(nats, &room).await,
            Protocol::Redis(redis) => relay.run::<R>(redis, &room).await,
        }
    }
}

impl Relay {
    async fn run<R: SendRuntime>(&self, broker: &impl Broker, room: &Room<R::Stream>) {
        let dial = || {
            let options = ConnectOptions::new().config(broker::config()).timeout(CONNECT);
            connect::<R>(&self.shared.place.address, options)
        };
        self.run_over::<R, _, _, _>(broker, room, dial).await;
    }

    /// The same over any connections.
    async fn run_over<R, S, T, F>(&self, broker: &impl Broker, room: &Room<S>, dial: impl Fn() -> F)
    where
        R: SendRuntime,
        S: Transport + Send + Sync,
        T: Transport + Send,
        F: Future<Output = io::Result<Connection<T>>>,
    {
        let shared = &*self.shared;
        let linking = link::run::<R, _, _, _, _>(shared, broker, room, dial);
        future::or(linking, told::tell::<R, _>(shared, room)).await;
        shared.finished.raise();
    }

    /// Takes a line that a client of this server said in the room. It never waits. Answers whether the line fits in a
    /// message; whether there is room for it is said to all.
    pub(crate) fn say(&self, line: &[u8]) -> bool {
        let said = self.shared.outbox.say(line);
        if said == Said::Full {
            self.shared.counts.news.ring();
        }
        said != Said::TooLong
    }

    /// The server stops: waits until what was said is confirmed and the connection is closed, at most for `limit`. What
    /// is not confirmed then is counted, and said in the log.
    pub(crate) async fn finish<R: SendRuntime>(&self, limit: Duration) {
        let Shared { outbox, finishing, finished, .. } = &*self.shared;
        finishing.raise();
        outbox.moved.ring();
        let is_connected = self.figures().connected;
        if is_connected || !outbox.is_empty() {
            future::or(finished.raised(), R::sleep(limit)).await;
        }
        let lines = outbox.give_up();
        if lines > 0 {
            warn!(
                lines,
                "the relay lost lines that were said here: the broker has not confirmed them"
            );
        }
    }

    pub(crate) fn figures(&self) -> Figures {
        self.shared.figures()
    }
}
