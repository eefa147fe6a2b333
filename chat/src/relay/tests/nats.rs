//! NATS: greetings, and events in any chunking.

use asyncnet::{Error, TlsContext};

use super::super::broker::{MAX_MESSAGE, Tls};
use super::super::nats::Nats;
use super::bed::tls;
use super::peer::{self, events, greet};

fn nats(credentials: Option<(Option<&str>, &str)>, tls: Tls) -> Nats {
    let credentials = credentials.map(|(user, secret)| peer::credentials(user, secret));
    Nats { subject: "a.b".into(), credentials, tls }
}

fn wanted() -> Tls {
    Tls { is_wanted: true, ..tls() }
}

#[test]
fn who_we_are_is_said_once_the_broker_has_told_its_terms() {
    let (max, got) = greet(&nats(None, tls()), "INFO {\"max_payload\":123}\r\n+OK\r\nPONG\r\n");
    assert_eq!(max, Ok(123));
    assert!(got.starts_with("CONNECT {") && got.ends_with("}\r\nPING\r\n"), "{got}");
    assert!(got.contains("\"echo\":false") && !got.contains("\"pass\""), "{got}");

    let user = nats(Some((Some("ann"), "a\"b\\\r\n")), tls());
    let (max, got) = greet(&user, "INFO {\"auth_required\":true} \r\nINFO {}\r\nPING\r\nPONG\r\n");
    assert_eq!(max, Ok(1 << 20));
    assert!(got.contains(r#""user":"ann""#) && got.contains(r#""pass":"a\"b\\\r\n""#), "{got}");
    assert!(got.ends_with("\r\nPONG\r\n"), "a broker that asks is answered: {got}");

    let token = nats(Some((None, "geheim")), tls());
    let (max, got) = greet(&token, "INFO {\"max_payload\":99999999999}\r\nPONG\r\n");
    assert_eq!(max, Ok(MAX_MESSAGE));
    assert!(got.contains(r#""auth_token":"geheim""#), "{got}");
}

#[test]
fn a_broker_that_cannot_be_spoken_to_says_what_to_do() {
    let secret = || nats(Some((Some("ann"), "geheim")), tls());
    for (nats, says, error) in [
        (nats(None, tls()), "HTTP/1.1 400 Bad Request\r\n", "is not a NATS server"),
        (nats(None, tls()), "INFO [1]\r\n", "is not a NATS server"),
        (nats(None, tls()), "INFO {\"a\"\r\n", "is not a NATS server"),
        (nats(None, tls()), "\x15\x03\x01\x00\x02\r\n", "TLS from the first byte"),
        (nats(None, tls()), "INFO {\"auth_required\":true}\r\n", "--relay-credentials"),
        (nats(None, wanted()), "INFO {}\r\nPONG\r\n", "has no TLS; to connect without TLS"),
        (secret(), "INFO {}\r\n-ERR 'Authorization Violation'\r\n", "check the credentials"),
        (secret(), "INFO {}\r\n-ERR 'odd'\r\n", "the broker says: odd"),
        (secret(), "INFO {}\r\nMSG a 1 5\r\nabcde\r\n", "announced at most 0"),
    ] {
        let (outcome, _) = greet(&nats, says);
        let Err(Error::Protocol(why)) = outcome else { panic!("{says}: {outcome:?}") };
        assert!(why.to_string().contains(error), "{says}: {why}");
        assert!(!why.to_string().contains("geheim"), "{why}");
    }
    let (outcome, _) = greet(&secret(), "INFO {}\r\nPON");
    assert!(matches!(outcome, Err(Error::Disconnected(_))), "{outcome:?}");
}

#[test]
fn a_broker_that_asks_for_tls_gets_no_secret_in_plain() {
    let context = TlsContext::client().mozilla_roots().build().expect("it is built in");
    for is_wanted in [false, true] {
        let tls = Tls { is_wanted, context: Some(context.clone()), host: "broker".into() };
        let nats = nats(Some((None, "geheim")), tls);
        let (outcome, got) = greet(&nats, "INFO {\"tls_required\":true}\r\n");
        assert!(outcome.is_err() && !got.contains("geheim"), "{got}");
        assert!(got.starts_with('\x16'), "it speaks TLS at once: {got:?}");
        // What was smuggled in behind the first line is not taken for what came over TLS.
        let (outcome, got) = greet(&nats, "INFO {\"tls_required\":true}\r\nPONG\r\n");
        assert!(matches!(outcome, Err(Error::Upgrade(_)) | Err(Error::Tls(_))), "{outcome:?}");
        assert!(!got.contains("geheim"));
    }
}

#[test]
fn events_are_whole_in_any_chunking() {
    let script = b"INFO {}\r\n+OK\r\nPONG\r\nMSG a.b 1 5\r\nh\r\ni!\r\nHMSG a 1 re.ply 18 20\r\nNATS/1.0\r\nA: b\r\n\r\nhi\r\nMSG c 2 0\r\n\r\n";
    let (events, _) = events(&nats(None, tls()), script, 20);
    assert_eq!(events, ["Other", "Other", "Answer", "h\r\ni!", "hi", ""]);
}

#[test]
fn bad_events_are_errors() {
    for (script, says) in [
        (&b"\r\n"[..], "not a NATS server"),
        (b"\xff\r\n", "not a NATS server"),
        (b"MSG\r\n", "not a NATS server"),
        (b"MSG a 1 x\r\n", "not a NATS server"),
        (b"MSG a 1 18446744073709551616\r\n", "not a NATS server"),
        (b"HMSG a 1 5\r\n", "not a NATS server"),
        (b"MSG a 1 18446744073709551615\r\n", "announced at most 20"),
        (b"MSG a 1 21\r\n", "announced at most 20"),
        (b"MSG a 1 2\r\nabcd\r\n", "longer than its length"),
        (b"HMSG a 1 9 2\r\nab\r\n", "longer than its length"),
        (b"-ERR 'Permissions Violation for Publish to \"x\"'\r\n", "allowed to publish"),
        (b"PONG\n", "CR LF"),
    ] {
        let (events, error) = events(&nats(None, tls()), script, 20);
        assert!(events.is_empty() && !error.is_disconnect(), "{events:?} {error}");
        assert!(error.to_string().contains(says) || says == "CR LF", "{error}");
    }
}
