//! Redis: greetings, and events in any chunking.

use asyncnet::Error;

use super::super::broker::MAX_MESSAGE;
use super::super::redis::Redis;
use super::bed::tls;
use super::peer::{self, events, greet};

fn redis(credentials: Option<(Option<&str>, &str)>) -> Redis {
    let credentials = credentials.map(|(user, secret)| peer::credentials(user, secret));
    Redis { channel: "a".into(), credentials, tls: tls() }
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
        ("+OK\r\n", "not a Redis server"),
        ("\r\n", "not a Redis server"),
        ("HTTP/1.1 400 Bad Request\r\n", "not a Redis server"),
        ("\x15\x03\x01\x00\x02\r\n", "rediss://"),
        ("%99999999999999999999\r\n", "not a Redis server"),
        ("%9223372036854775807\r\n", "not a Redis server"),
        ("%1\r\n$99999999\r\n", "not a Redis server"),
        ("%1\r\n\r\n", "not a Redis server"),
        (&format!("%1\r\n{deep}"), "not a Redis server"),
        (&format!("%1\r\n{long}"), "not a Redis server"),
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

#[test]
fn events_are_whole_in_any_chunking() {
    let script = b">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n+PONG\r\n:2\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$4\r\nh\r\ni\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$0\r\n\r\n";
    let (events, _) = events(&redis(None), script, 4);
    assert_eq!(events, ["Other", "Answer", "Answer", "h\r\ni", ""]);
}

#[test]
fn bad_events_are_errors() {
    for (script, says) in [
        (&b"\r\n"[..], "not a Redis server"),
        (b"hello\r\n", "not a Redis server"),
        (b"*1\r\n", "not a Redis server"),
        (b">2\r\n", "not a Redis server"),
        (b">3\r\n:1\r\n", "not a Redis server"),
        (b">3\r\n$1\r\nxyz\r\n", "not a Redis server"),
        (b">3\r\n$-1\r\n", "not a Redis server"),
        (b">3\r\n$1\r\nx\r\n$1\r\nx\r\n$1\r\nx\r\n", "not a Redis server"),
        (b">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$5\r\n", "at most 4 are taken"),
        (b">3\r\n$18446744073709551615\r\n", "at most 65536 are taken"),
        (b"-NOPERM x\r\n", "allowed to publish"),
        (b"-OOM x\r\n", "the broker says: OOM x"),
    ] {
        let (events, error) = events(&redis(None), script, 4);
        assert!(events.is_empty() && !error.is_disconnect(), "{events:?} {error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}
