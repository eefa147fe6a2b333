//! Brokers in memory: one speaks NATS, the other Redis.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use asyncnet::net::{Pipe, pipe};
use asyncnet::{Connection, Error, Framing, Io, Runtime as _, Unread, Writer};
use asyncnet_tokio::{Tokio, TokioClock};
use futures_io::{AsyncRead, AsyncWrite};

use super::super::broker::config;
use super::super::place::Kind;

/// A broker. Clones are the same broker.
#[derive(Clone)]
pub(super) struct Hub(Arc<Mutex<State>>);

pub(super) struct State {
    pub(super) kind: Kind,
    /// What it says first.
    pub(super) info: String,
    /// It refuses connections.
    pub(super) is_down: bool,
    /// It takes connections and does nothing at all.
    pub(super) is_frozen: bool,
    /// Every message comes twice.
    pub(super) doubles: bool,
    /// It answers so late.
    pub(super) delay: Duration,
    /// It takes messages and confirms none.
    pub(super) confirms_none: bool,
    /// What it answers to a publication, if that is not a confirmation.
    pub(super) refuses: Option<&'static str>,
    /// How many bytes a read of the relay's gives.
    pub(super) chunk: usize,
    /// What befalls the next connections, the last first.
    pub(super) faults: Vec<Fault>,
    /// How often somebody connected.
    pub(super) dials: usize,
    subscribers: Vec<(usize, Writer<Pipe>)>,
}

/// What befalls a connection after so many bytes in both directions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) after: usize,
    pub(super) kind: FaultKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    Reset,
    /// The broker closes in good order.
    End,
    /// Nothing moves any more.
    Stall,
    /// The broker sends what is no protocol.
    Garbage,
}

pub(super) const INFO: &str =
    r#"{"server_id":"x","version":"2","max_payload":1048576,"headers":true}"#;

pub(super) type Link = Io<Faulty, TokioClock>;

impl Hub {
    pub(super) fn new(kind: Kind) -> Self {
        Self(Arc::new(Mutex::new(State {
            kind,
            info: INFO.into(),
            is_down: false,
            is_frozen: false,
            doubles: false,
            delay: Duration::ZERO,
            confirms_none: false,
            refuses: None,
            chunk: usize::MAX,
            faults: Vec::new(),
            dials: 0,
            subscribers: Vec::new(),
        })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panicked")
    }

    /// The broker was killed: every connection breaks, and none is taken.
    pub(super) fn kill(&self) {
        let mut state = self.state();
        state.is_down = true;
        for (_, subscriber) in state.subscribers.drain(..) {
            subscriber.abort();
        }
    }

    /// A connection to this broker.
    pub(super) fn dial(&self) -> io::Result<Connection<Link>> {
        let mut state = self.state();
        state.dials += 1;
        if state.is_down {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (ours, theirs) = pipe(state.chunk);
        let fault = state.faults.pop();
        let id = state.dials;
        let server = config().receive_timeout(None).send_timeout(None).max_queue(64 << 20);
        let hub = self.clone();
        drop(state);
        tokio::spawn(async move {
            let mut conn = Connection::new(theirs, server.framing(Framing::CrLf));
            let writer = conn.writer();
            let served = hub.serve(id, &mut conn, &writer).await;
            hub.state().subscribers.retain(|(other, _)| *other != id);
            drop(served);
        });
        let stream = Faulty { pipe: ours, moved: 0, fault, has_sent_garbage: false };
        Ok(Connection::new(Io::new(stream).with_clock(Tokio::clock()), config()))
    }

    async fn serve(
        &self,
        id: usize,
        conn: &mut Connection<Pipe>,
        writer: &Writer<Pipe>,
    ) -> Result<(), Error> {
        self.thawed().await;
        let (kind, info) = {
            let state = self.state();
            (state.kind, state.info.clone())
        };
        if kind == Kind::Nats {
            conn.send_line(format!("INFO {info}")).await?;
        }
        loop {
            let words = match kind {
                Kind::Nats => conn.next_with(nats_command).await?,
                Kind::Redis => conn.next_with(redis_command).await?,
            };
            let Some(words) = words else { return Ok(()) };
            self.thawed().await;
            let delay = self.state().delay;
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            let answer = self.obey(id, writer, &words);
            writer.feed(answer)?;
            writer.try_flush()?;
        }
    }

    async fn thawed(&self) {
        while self.state().is_frozen {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Does what a command says, and returns the answer to it.
    fn obey(&self, id: usize, writer: &Writer<Pipe>, words: &[Vec<u8>]) -> Vec<u8> {
        let mut state = self.state();
        let is_nats = state.kind == Kind::Nats;
        match words[0].as_slice() {
            b"PING" if state.confirms_none && state.dials > 0 && !state.subscribers.is_empty() => {
                Vec::new()
            }
            b"PING" if is_nats => b"PONG\r\n".to_vec(),
            b"PING" => b"+PONG\r\n".to_vec(),
            b"HELLO" => {
                b"%3\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n$7\r\nmodules\r\n*0\r\n"
                    .to_vec()
            }
            b"SUB" | b"SUBSCRIBE" => {
                state.subscribers.push((id, writer.clone()));
                let subscribed = b">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n";
                if is_nats { Vec::new() } else { subscribed.to_vec() }
            }
            b"PUB" | b"PUBLISH" => {
                if let Some(refuses) = state.refuses {
                    return refuses.into();
                }
                let message = &words[2];
                state.deliver(id, message);
                match (is_nats, state.confirms_none) {
                    (false, false) => b":1\r\n".to_vec(),
                    _ => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    /// Tells every subscriber this line.
    pub(super) fn tell(&self, line: &str) {
        for (_, subscriber) in &self.state().subscribers {
            // A subscriber that is gone hears nothing.
            let _ = subscriber.feed_line(line);
            let _ = subscriber.try_flush();
        }
    }

    /// Publishes a message that comes from nobody.
    pub(super) fn publish(&self, message: &[u8]) {
        self.state().deliver(0, message);
    }
}

impl State {
    fn deliver(&mut self, from: usize, message: &[u8]) {
        let head = match self.kind {
            Kind::Nats => format!("MSG x 1 {}\r\n", message.len()),
            Kind::Redis => {
                format!(">3\r\n$7\r\nmessage\r\n$1\r\nx\r\n${}\r\n", message.len())
            }
        };
        let message = [head.as_bytes(), message, b"\r\n"].concat();
        for (to, subscriber) in &self.subscribers {
            // A server asks NATS not to send it its own messages.
            if *to != from || self.kind == Kind::Redis {
                for _ in 0..=usize::from(self.doubles) {
                    // A subscriber that is gone gets nothing.
                    let _ = subscriber.feed(&message);
                }
                let _ = subscriber.try_flush();
            }
        }
    }
}

fn nats_command(unread: &mut Unread<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let line = unread.line()?;
    let mut words: Vec<_> = line.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect();
    if words[0] == b"PUB" {
        let len = number(&words[2]);
        words[2] = unread.block(len + 2)?[..len].to_vec();
    }
    Ok(words)
}

fn redis_command(unread: &mut Unread<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let line = unread.line()?;
    if !line.starts_with(b"*") {
        return Ok(vec![line.to_vec()]);
    }
    (0..number(&line[1..]))
        .map(|_| {
            let len = number(&unread.line()?[1..]);
            Ok(unread.block(len + 2)?[..len].to_vec())
        })
        .collect()
}

fn number(digits: &[u8]) -> usize {
    std::str::from_utf8(digits).expect("text").parse().expect("a number")
}

/// A stream that a fault befalls.
pub(super) struct Faulty {
    pipe: Pipe,
    moved: usize,
    fault: Option<Fault>,
    has_sent_garbage: bool,
}

impl Faulty {
    /// How many bytes may move still, or what happened.
    fn left(&self) -> Result<usize, FaultKind> {
        match self.fault {
            Some(Fault { after, kind }) if self.moved >= after => Err(kind),
            Some(Fault { after, .. }) => Ok(after - self.moved),
            None => Ok(usize::MAX),
        }
    }
}

impl AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.left() {
            Ok(left) => {
                let len = buf.len().min(left);
                let read = Pin::new(&mut self.pipe).poll_read(cx, &mut buf[..len]);
                if let Poll::Ready(Ok(n)) = read {
                    self.moved += n;
                }
                read
            }
            Err(FaultKind::Reset) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Err(FaultKind::End) => Poll::Ready(Ok(0)),
            Err(FaultKind::Garbage) if !self.has_sent_garbage => {
                self.has_sent_garbage = true;
                let garbage = b"\r\n\0\xff garbage\r\n";
                buf[..garbage.len()].copy_from_slice(garbage);
                Poll::Ready(Ok(garbage.len()))
            }
            Err(_) => Poll::Pending,
        }
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.left() {
            Ok(left) => {
                let written = Pin::new(&mut self.pipe).poll_write(cx, &buf[..buf.len().min(left)]);
                if let Poll::Ready(Ok(n)) = written {
                    self.moved += n;
                }
                written
            }
            Err(FaultKind::Reset | FaultKind::End) => {
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }
            Err(FaultKind::Stall | FaultKind::Garbage) => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_close(cx)
    }
}
