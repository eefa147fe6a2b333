//! Redis: greetings, and events in any chunking.

use asyncnet::net::pipe;
use asyncnet::{Config, Connection, Error};
use futures_lite::future::{block_on, zip};

use super::super::broker::{Broker, Event, MAX_MESSAGE, config};
use super::super::place::Credentials;
use super::super::redis::Redis;
use super::bed::tls;

fn redis(credentials: Option<(Option<&str>, &str)>) -> Redis {
    let credentials = credentials.map(|(user, secret)| Credentials {
        user: user.map(str::to_owned),
        secret: secret.to_owned(),
    });
    Redis { channel: "a".into(), credentials, tls: tls() }
}

/// What a greeting comes to with a broker that answers this, and what the broker gets.
fn greet(redis: &Redis, answer: &str) -> (Result<usize, Error>, String) {
    let (near, far) = pipe(1);
    let mut near = Connection::new(near, config());
    let mut far = Connection::new(far, Config::default());
    block_on(async {
        far.feed(answer).expect("there is room");
        let serving = async {
            far.shutdown_write().await.expect("it is sent");
            let mut got = Vec::new();
            while let Ok(byte) = far.next_bytes(1).await {
                got.extend_from_slice(byte);
            }
            String::from_utf8_lossy(&got).into_owned()
        };
        let greeting = async {
            let outcome = redis.greet(&mut near).await;
            let _ = near.close().await;
            outcome
        };
        zip(greeting, serving).await
    })
}

const HELLO: &str =
    "%3\r\n+server\r\n$5\r\nredis\r\n+proto\r\n:3\r\n+modules\r\n*2\r\n%1\r\n+a\r\n#t\r\n_\r\n";

#[test]
fn who_we_are_is_said_first() {
    let (max, got) = greet(&redis(None), HELLO);
    assert_eq!(max, Ok(MAX_MESSAGE));
    assert_eq!(got, "*4\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$7\r\nSETNAME\r\n$13\r\nasyncnet-chat\r\n");
    let (_, got) = greet(&redis(Some((Some("ann"), "a b\r\n"))), HELLO);
    assert!(got.contains("$4\r\nAUTH\r\n$3\r\nann\r\n$5\r\na b\r\n\r\n"), "{got}");
    // `redis://:x@HOST` is how most programs write a password alone.
    for user in [None, Some("")] {
        let (_, got) = greet(&redis(Some((user, "x"))), HELLO);
        assert!(got.contains("$4\r\nAUTH\r\n$7\r\ndefault\r\n$1\r\nx\r\n"), "{got}");
    }
}

#[test]
fn a_broker_that_cannot_be_spoken_to_says_what_to_do() {
    let old =
        "-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `ann`, `geheim`\r\n";
    let deep = "*1\r\n".repeat(100);
    let long = format!("*2000\r\n{}", "_\r\n".repeat(2000));
    for (answer, says) in [
        (old, "version 6 or later"),
        ("-NOPROTO geheim\r\n", "version 6 or later"),
        ("-WRONGPASS geheim\r\n", "does not take the credentials"),
        ("-NOAUTH geheim\r\n", "--relay-credentials"),
        ("-ODD geheim\r\n", "does not let us in"),
        ("+OK\r\n", "no Redis server"),
        ("\r\n", "no Redis server"),
        ("HTTP/1.1 400 Bad Request\r\n", "no Redis server"),
        ("\x15\x03\x01\x00\x02\r\n", "rediss://"),
        ("%99999999999999999999\r\n", "no Redis server"),
        ("%9223372036854775807\r\n", "no Redis server"),
        ("%1\r\n$99999999\r\n", "no Redis server"),
        ("%1\r\n\r\n", "no Redis server"),
        (&format!("%1\r\n{deep}"), "no Redis server"),
        (&format!("%1\r\n{long}"), "no Redis server"),
    ] {
        let (outcome, _) = greet(&redis(Some((Some("ann"), "geheim"))), answer);
        let Err(Error::Protocol(why)) = outcome else { panic!("{answer:?}: {outcome:?}") };
        assert!(why.to_string().contains(says), "{answer:?}: {why}");
        assert!(!why.to_string().contains("geheim"), "{why}");
    }
    for end in 0..HELLO.len() {
        let (outcome, _) = greet(&redis(None), &HELLO[..end]);
        assert!(matches!(outcome, Err(Error::Disconnected(_))), "{outcome:?}");
    }
}

/// What a broker sends, as it is understood; and the error, if it ends in one.
fn events(script: &[u8], max: usize) -> (Vec<String>, Error) {
    let (near, far) = pipe(1);
    let mut conn = Connection::new(near, config());
    let mut broker = Connection::new(far, Config::default());
    let redis = redis(None);
    block_on(async {
        broker.send_all(script).await.expect("it fits");
        drop(broker);
        let mut events = Vec::new();
        loop {
            let event = conn.expect_with(|unread| {
                Ok(match redis.event(unread, max)? {
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

#[test]
fn events_are_whole_in_any_chunking() {
    let script = b">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n+PONG\r\n:2\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$4\r\nh\r\ni\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$0\r\n\r\n";
    let (events, _) = events(script, 4);
    assert_eq!(events, ["Other", "Answer", "Answer", "h\r\ni", ""]);
}

#[test]
fn bad_events_are_errors() {
    for (script, says) in [
        (&b"\r\n"[..], "no Redis server"),
        (b"hello\r\n", "no Redis server"),
        (b"*1\r\n", "no Redis server"),
        (b">2\r\n", "no Redis server"),
        (b">3\r\n:1\r\n", "no Redis server"),
        (b">3\r\n$1\r\nxyz\r\n", "no Redis server"),
        (b">3\r\n$-1\r\n", "no Redis server"),
        (b">3\r\n$1\r\nx\r\n$1\r\nx\r\n$1\r\nx\r\n", "no Redis server"),
        (b">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$5\r\n", "at most 4 are taken"),
        (b">3\r\n$18446744073709551615\r\n", "at most 65536 are taken"),
        (b"-NOPERM x\r\n", "allowed to publish"),
        (b"-OOM x\r\n", "the broker says: OOM x"),
    ] {
        let (events, error) = events(script, 4);
        assert!(events.is_empty() && !error.is_disconnect(), "{events:?} {error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}
