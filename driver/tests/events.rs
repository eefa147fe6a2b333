//! What the driver says through `tracing`.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use asyncnet::net::pipe;
use asyncnet::{Config, Connection, Error, LineStream, Transport};
use futures_lite::StreamExt as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps the messages.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl Subscriber for Said {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The answer of a future that has nothing to wait for.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

/// How often a line is said to be dropped while `receive` meets one that is too long, and the good one behind it.
fn dropped<S: Transport>(
    mut conn: Connection<S>,
    receive: impl FnOnce(&mut Connection<S>) -> Result<(), Error>,
) -> usize {
    let said = Said::default();
    tracing::subscriber::with_default(said.clone(), || {
        assert!(matches!(receive(&mut conn), Err(Error::Line(_))));
    });
    said.0.lock().unwrap().iter().filter(|message| *message == "line dropped").count()
}

fn with_a_bad_line(shared: bool) -> Connection<impl Transport> {
    let (near, far) = pipe(1024);
    let mut peer = Connection::new(far, Config::default());
    peer.feed("far too long\r\ngood\r\n").unwrap();
    now(peer.flush()).unwrap();
    let mut conn = Connection::new(near, Config::default().max_line(4));
    if shared {
        drop(conn.writer());
    }
    // What the peer sent is all that it will send.
    now(peer.shutdown_write()).unwrap();
    conn
}

#[test]
fn l4_every_call_says_once_that_a_line_was_dropped() {
    for shared in [false, true] {
        let conn = || with_a_bad_line(shared);
        assert_eq!(dropped(conn(), |conn| now(conn.next_line()).map(drop)), 1);
        assert_eq!(dropped(conn(), |conn| now(conn.expect_line()).map(drop)), 1);
        assert_eq!(dropped(conn(), |conn| now(conn.recv_line()).map(drop)), 1);
        assert_eq!(
            dropped(conn(), |conn| now(conn.next_with(|it| it.line().map(drop))).map(drop)),
            1
        );
        let in_batch = |conn: &mut Connection<_>| {
            let mut batch = now(conn.next_batch())?.expect("a batch");
            batch.next_line().map(drop)
        };
        assert_eq!(dropped(conn(), in_batch), 1);
        let with_in_batch = |conn: &mut Connection<_>| {
            let mut batch = now(conn.next_batch())?.expect("a batch");
            batch.next_with(|it| it.line().map(drop)).map(drop)
        };
        assert_eq!(dropped(conn(), with_in_batch), 1);
        let at_once = |conn: &mut Connection<_>| {
            now(conn.peek(1))?;
            conn.try_next_line().map(drop)
        };
        assert_eq!(dropped(conn(), at_once), 1);
        let streamed = |conn: &mut Connection<_>| match now(LineStream::new(conn).next()) {
            Some(line) => line.map(drop),
            None => Ok(()),
        };
        assert_eq!(dropped(conn(), streamed), 1);
    }
}
