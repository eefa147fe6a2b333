//! One connection to the broker, from the subscription to its end.

use std::time::Duration;

use asyncnet::{Connection, Error, Room, SendRuntime, Timeout, Transport, Writer};
use futures_lite::future;
use tracing::info;

use super::Shared;
use super::broker::{Broker, Event};
use super::envelope;
use super::heard::{Heard, Placed};
use super::outbox::Owed;

/// How long a server waits before it publishes that did not reach the broker at its first try: until then the others
/// are back too, and hear it.
pub(super) const SETTLE: Duration = Duration::from_millis(500);

/// How long nothing is published before the number of the next line is, so that a loss at the end is noticed.
pub(super) const IDLE: Duration = Duration::from_secs(10);

/// How long the broker may owe an answer while none comes, at least. At most it is twice that.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Session<'a, B, S: Transport> {
    pub(super) shared: &'a Shared,
    pub(super) broker: &'a B,
    pub(super) room: &'a Room<S>,
    /// The most bytes that a message may have.
    pub(super) max: usize,
    /// No try was made before.
    pub(super) is_first: bool,
}

impl<B: Broker, S: Transport + Send + Sync> Session<'_, B, S> {
    /// Publishes and hears until the server stops and all is confirmed; an error is the end of the connection. Sets
    /// `worked` once the broker has confirmed a message.
    pub(super) async fn run<R: SendRuntime, T: Transport + Send>(
        &self,
        conn: &mut Connection<T>,
        heard: &mut Heard,
        worked: &mut bool,
    ) -> Result<(), Error> {
        let writer = conn.writer();
        self.shared.outbox.ping_if_nothing_is_owed();
        writer.feed(self.broker.subscription())?;
        let publishing = async {
            match self.publish::<R, T>(&writer).await {
                Ok(()) => Ok(()),
                // What has arrived is heard before the same end.
                Err(_) => future::pending().await,
            }
        };
        let hearing = self.hear(conn, heard, worked);
        future::or(publishing, future::or(hearing, self.watch::<R>())).await
    }

    /// Publishes what is said here, and now and then a number alone.
    async fn publish<R: SendRuntime, T: Transport + Send>(
        &self,
        writer: &Writer<T>,
    ) -> Result<(), Error> {
        let Shared { outbox, finishing, .. } = self.shared;
        while outbox.progress().1 {
            outbox.moved.rung().await;
        }
        self.shared.counts.set_connected(true);
        info!(broker = %self.shared.place, "the relay is connected");
        if !self.is_first {
            future::or(R::sleep(SETTLE), finishing.raised()).await;
        }
        let mut tells_number = true;
        let mut idle = R::sleep(IDLE);
        loop {
            // Where lines wait, they tell their number themselves.
            let message = outbox.take().or_else(|| tells_number.then(|| outbox.number()).flatten());
            if let Some(message) = message {
                writer.feed_wait(self.broker.publication(&message)).await?;
                (tells_number, idle) = (false, R::sleep(IDLE));
                continue;
            }
            if finishing.is_raised() && outbox.is_empty() {
                return Ok(());
            }
            let moved = async {
                outbox.moved.rung().await;
                false
            };
            let waited = async {
                (&mut idle).await;
                true
            };
            tells_number = future::or(moved, waited).await;
            if tells_number {
                idle = R::sleep(IDLE);
            }
        }
    }

    /// Takes what the broker sends. A broker that is silent is asked whether it is there, and then given up.
    async fn hear<T: Transport>(
        &self,
        conn: &mut Connection<T>,
        heard: &mut Heard,
        worked: &mut bool,
    ) -> Result<(), Error> {
        let outbox = &self.shared.outbox;
        let mut was_asked = false;
        loop {
            let mut batch = match conn.next_batch().await {
                Ok(Some(batch)) => batch,
                Ok(None) => return Err(conn.end().map_or(Error::Closed, Error::Disconnected)),
                Err(Error::TimedOut(Timeout::Receive { .. })) if !was_asked => {
                    was_asked = true;
                    if outbox.ping_if_nothing_is_owed() {
                        conn.feed(self.broker.ping())?;
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            was_asked = false;
            while let Some(event) = batch.next_with(|unread| self.broker.event(unread, self.max))? {
                match event {
                    Event::Message(message) => self.pass_on(message, heard).await,
                    Event::Ping(answer) => batch.reply(answer)?,
                    Event::Answer => match outbox.answered() {
                        Some(owed) => *worked |= owed != Owed::Ping,
                        None => {
                            let why = "the broker sent an unexpected answer";
                            return Err(Error::protocol(why));
                        }
                    },
                    Event::Other => {}
                }
            }
        }
    }

    /// Says in the room what another server's clients said.
    async fn pass_on(&self, message: &[u8], heard: &mut Heard) {
        let Shared { counts, max_line, .. } = self.shared;
        let Ok(envelope) = envelope::read(message) else {
            counts.unreadable.add(1);
            return counts.news.ring();
        };
        let Some(Placed { next, doubles, lost }) = heard.place(&envelope) else { return };
        counts.doubles.add(doubles);
        counts.lose(lost);
        for line in envelope.lines().skip(usize::try_from(doubles).unwrap_or(usize::MAX)) {
            if line.len() > *max_line {
                counts.lose(1);
            } else if self.room.send_line(line).await.is_ok() {
                counts.received.add(1);
            } else {
                // The room is closed: the server stops.
                return;
            }
            *next += 1;
        }
    }

    /// Ends with an error when the broker owes answers and gives none, whatever else it sends.
    async fn watch<R: SendRuntime>(&self) -> Result<(), Error> {
        let mut before = None;
        loop {
            let (answers, is_owed) = self.shared.outbox.progress();
            if before.replace((answers, is_owed)) == Some((answers, true)) && is_owed {
                return Err(Error::Io(std::io::Error::new(
                    std::io::ErrorKind::TimedOut,
                    "the broker did not confirm what it was sent in time",
                )));
            }
            R::sleep(PATIENCE).await;
        }
    }
}
