//! A broker that says what a test has written down, for the protocols alone.

use asyncnet::net::pipe;
use asyncnet::{Config, Connection, Error};
use futures_lite::future::{block_on, zip};

use super::super::broker::{Broker, Event, config};
use super::super::place::Credentials;

/// A user and a secret, or a secret alone.
pub(super) fn credentials(user: Option<&str>, secret: &str) -> Credentials {
    Credentials { user: user.map(str::to_owned), secret: secret.to_owned() }
}

/// What a greeting comes to with a broker that says this at once and then ends, and what the broker gets.
pub(super) fn greet(broker: &impl Broker, says: &str) -> (Result<usize, Error>, String) {
    let (near, far) = pipe(1);
    let mut near = Connection::new(near, config());
    let mut far = Connection::new(far, Config::default());
    block_on(async {
        far.feed(says).expect("there is room");
        let serving = async {
            far.shutdown_write().await.expect("it is sent");
            let mut got = Vec::new();
            while let Ok(byte) = far.next_bytes(1).await {
                got.extend_from_slice(byte);
            }
            String::from_utf8_lossy(&got).into_owned()
        };
        let greeting = async {
            let outcome = broker.greet(&mut near).await;
            let _ = near.close().await;
            outcome
        };
        zip(greeting, serving).await
    })
}

/// What a broker sends, as it is understood; and the error, if it ends in one.
pub(super) fn events(protocol: &impl Broker, script: &[u8], max: usize) -> (Vec<String>, Error) {
    let (near, far) = pipe(1);
    let mut conn = Connection::new(near, config());
    let mut broker = Connection::new(far, Config::default());
    block_on(async {
        broker.send_all(script).await.expect("it fits");
        drop(broker);
        let mut events = Vec::new();
        loop {
            let event = conn.expect_with(|unread| {
                Ok(match protocol.event(unread, max)? {
                    Event::Message(message) => String::from_utf8_lossy(message).into_owned(),
                    event => format!("{event:?}"),
                })
            });
            match event.await {
                Ok(event) => events.push(event),
                Err(error) => return (events, error),
            }
        }
    })
}
