//! What a handshake comes to: a session, or an error that says why not.

use std::sync::Arc;

use asyncnet_core::{
    CertificateFault, Config, Connection, Error, Step, TlsErrorKind, TlsLayer, TlsSession,
};
use rcgen::date_time_ymd;

use crate::link::{connect, deliver, failure, line, settle, started, transmit};
use crate::settings::{
    Identity, NAME, VERSIONS, client, identity, name, pair, server, server_layer,
};

fn session(conn: &Connection) -> TlsSession {
    conn.tls_session().expect("a secure connection")
}

#[test]
fn t9_the_session_says_what_was_agreed_on() {
    for (version, shown) in VERSIONS.into_iter().zip(["TLSv1.2", "TLSv1.3"]) {
        let of_client = Identity::new(|_| {});
        let mut ours = client(version, identity(), Some(&of_client));
        let mut theirs = server(version, identity(), Some(&of_client));
        ours.alpn_protocols = vec![b"irc".to_vec(), b"smtp".to_vec()];
        theirs.alpn_protocols = vec![b"smtp".to_vec()];
        let (ours, theirs) = (Arc::new(ours), Arc::new(theirs));
        for resumed in [false, true] {
            let (mut a, mut b) = connect(&ours, &theirs);
            assert!(!a.is_handshaking() && !b.is_handshaking());
            let (of_a, of_b) = (session(&a), session(&b));
            for session in [&of_a, &of_b] {
                assert_eq!(session.version.as_deref(), Some(shown));
                assert_eq!(session.alpn.as_deref(), Some(&b"smtp"[..]));
                assert_eq!(session.resumed, Some(resumed));
            }
            assert!(of_a.cipher_suite.as_ref().is_some_and(|suite| suite.starts_with("TLS_")));
            assert_eq!(of_a.cipher_suite, of_b.cipher_suite);
            assert_eq!((of_a.server_name, of_b.server_name.as_deref()), (None, Some(NAME)));
            assert_eq!(of_a.peer_certificates, [identity().certificate.to_vec()]);
            assert_eq!(of_b.peer_certificates, [of_client.certificate.to_vec()]);
            // The tickets of TLS 1.3 ride in front of the first data.
            assert_eq!(b.feed_line(b"hello"), Ok(()));
            settle(&mut a, &mut b);
            assert_eq!(line(&mut a), b"hello");
        }
    }
}

#[test]
fn t9_nothing_is_known_before_the_handshake() {
    let (ours, _) = pair(VERSIONS[1]);
    let conn = started(crate::settings::client_layer(&ours));
    assert_eq!(session(&conn), TlsSession::default());
    let (_, link) = conn.into_halves();
    assert!(link.export_keying_material(b"EXPORTER-test", None, &mut [0; 32]).is_err());
}

#[test]
fn t9_both_ends_export_the_same_keying_material() {
    for version in VERSIONS {
        let (ours, theirs) = pair(version);
        let export = |conn: Connection, context| {
            let mut key = [0; 32];
            let (_, link) = conn.into_halves();
            link.export_keying_material(b"EXPORTER-Channel-Binding", context, &mut key)
                .map(|()| key)
        };
        let (a, b) = connect(&ours, &theirs);
        let keys = [export(a, None).expect("a key"), export(b, None).expect("a key")];
        assert_eq!(keys[0], keys[1]);
        assert_ne!(keys[0], [0; 32]);
        let (a, b) = connect(&ours, &theirs);
        let other = export(a, Some(b"context")).expect("a key");
        assert_eq!(Ok(other), export(b, Some(b"context")));
        assert_ne!(other, keys[0], "another connection, another key");
    }
}

/// Both ends of a handshake that the client breaks off: the error there, and the alert at the server.
fn refused(ours: rustls::ClientConfig, theirs: rustls::ServerConfig) -> [TlsErrorKind; 2] {
    let (mut a, mut b) = connect(&Arc::new(ours), &Arc::new(theirs));
    [failure(&mut a), failure(&mut b)]
}

#[test]
fn t2_a_certificate_that_is_not_accepted_says_why() {
    use CertificateFault::*;
    for version in VERSIONS {
        let other =
            Identity::new(|params| params.distinguished_name = rcgen::DistinguishedName::new());
        // An authority that was made again under its old name, with another key.
        let remade = Identity::new(|_| {});
        let wrong_name = Identity::new(|params| {
            params.subject_alt_names =
                vec![rcgen::SanType::DnsName("other.test".try_into().expect("a name"))];
        });
        let expired = Identity::new(|params| params.not_after = date_time_ymd(2001, 2, 3));
        let early = Identity::new(|params| params.not_before = date_time_ymd(3999, 2, 3));
        for (shown, trusted, fault, alert) in [
            (&wrong_name, &wrong_name, WrongName, 42),
            (identity(), &other, UnknownIssuer, 48),
            (identity(), &remade, UnknownIssuer, 51),
            (&expired, &expired, Expired, 45),
            (&early, &early, NotYetValid, 45),
        ] {
            let kinds = refused(client(version, trusted, None), server(version, shown, None));
            assert_eq!(kinds[0], TlsErrorKind::Certificate(fault));
            let TlsErrorKind::Alert(told) = kinds[1] else { panic!("{kinds:?}") };
            assert!(told == alert || (40..=49).contains(&told), "{fault:?}: {kinds:?}");
        }
    }
}

/// What `openssl req -x509` makes by itself.
#[test]
fn t2_a_certificate_of_an_authority_is_told_as_one() {
    let authority = Identity::new(|params| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    for version in VERSIONS {
        let (ours, theirs) = (client(version, &authority, None), server(version, &authority, None));
        let (mut a, _b) = connect(&Arc::new(ours), &Arc::new(theirs));
        let Err(error) = a.next_line() else { panic!("it is refused") };
        assert!(error.to_string().contains("basicConstraints CA:FALSE"), "{error}");
    }
}

#[test]
fn t9_a_client_certificate_that_is_missing_or_unknown_is_told_to_both() {
    let of_client = Identity::new(|_| {});
    for version in VERSIONS {
        let theirs = || server(version, identity(), Some(&of_client));
        let [at_client, at_server] = refused(client(version, identity(), None), theirs());
        assert_eq!(at_server, TlsErrorKind::Certificate(CertificateFault::Missing));
        assert!(matches!(at_client, TlsErrorKind::Alert(116 | 40 | 42)), "{at_client:?}");

        let stranger = Identity::new(|_| {});
        let [at_client, at_server] =
            refused(client(version, identity(), Some(&stranger)), theirs());
        assert!(matches!(at_server, TlsErrorKind::Certificate(_)), "{at_server:?}");
        assert!(matches!(at_client, TlsErrorKind::Alert(_)), "{at_client:?}");
    }
}

#[test]
fn ends_with_nothing_in_common_say_so() {
    let kinds =
        refused(client(VERSIONS[0], identity(), None), server(VERSIONS[1], identity(), None));
    assert_eq!(kinds, [TlsErrorKind::Alert(70), TlsErrorKind::Incompatible]);
    for version in VERSIONS {
        let mut ours = client(version, identity(), None);
        let mut theirs = server(version, identity(), None);
        ours.alpn_protocols = vec![b"irc".to_vec()];
        theirs.alpn_protocols = vec![b"smtp".to_vec()];
        assert_eq!(refused(ours, theirs), [TlsErrorKind::Alert(120), TlsErrorKind::Incompatible]);
    }
}

#[test]
fn t7_http_on_the_tls_port_is_answered_by_an_alert() {
    for wire in [&b"GET / HTTP/1.1\r\nHost: server.test\r\n\r\n"[..], b"NICK ann\r\nUSER ann\r\n"] {
        for chunk in [1, 5, 100] {
            let (_, theirs) = pair(VERSIONS[1]);
            let mut conn = started(server_layer(&theirs));
            wire.chunks(chunk).for_each(|bytes| deliver(&mut conn, bytes));
            assert_eq!(failure(&mut conn), TlsErrorKind::Protocol);
            let alert = transmit(&mut conn);
            assert_eq!((&alert[..3], alert.len()), (&b"\x15\x03\x03"[..], 7));
            assert_eq!(transmit(&mut conn), b"");
        }
    }
}

#[test]
fn t4_a_peer_that_leaves_midway_is_an_error_at_every_byte() {
    for version in VERSIONS {
        let (ours, theirs) = pair(version);
        let hello = transmit(&mut started(crate::settings::client_layer(&ours)));
        for n in [0, 1, 4, 5, 6, hello.len() - 1, hello.len()] {
            let mut conn = started(server_layer(&theirs));
            deliver(&mut conn, &hello[..n]);
            assert_eq!(conn.next_line(), Ok(Step::NeedInput));
            conn.handle_eof();
            assert_eq!(failure(&mut conn), TlsErrorKind::LeftInHandshake);
        }
    }
}

#[test]
fn t8_a_good_line_comes_before_the_corrupt_record_behind_it() {
    for version in VERSIONS {
        let (ours, theirs) = pair(version);
        let (mut a, mut b) = connect(&ours, &theirs);
        assert_eq!(a.feed_line(b"good"), Ok(()));
        let mut wire = transmit(&mut a);
        assert_eq!(a.feed_line(b"bad"), Ok(()));
        wire.extend(transmit(&mut a));
        *wire.last_mut().expect("records") ^= 1;
        assert_eq!(b.handle_input(&wire), wire.len());
        assert_eq!(line(&mut b), b"good");
        assert_eq!(failure(&mut b), TlsErrorKind::Protocol);
        assert_eq!(b.handle_input(&wire), 0);
        // The alert reaches the other end.
        settle(&mut a, &mut b);
        assert_eq!(failure(&mut a), TlsErrorKind::Alert(20));
    }
}

/// In a debug build of rustls this would be an assertion, if its profile did not switch that off.
#[test]
fn a_corrupt_record_behind_our_close_notice_is_an_error_and_no_panic() {
    for version in VERSIONS {
        let (ours, theirs) = pair(version);
        let (mut a, mut b) = connect(&ours, &theirs);
        a.close_write();
        assert!(!transmit(&mut a).is_empty());
        assert_eq!(b.feed_line(b"text"), Ok(()));
        let mut wire = transmit(&mut b);
        *wire.last_mut().expect("records") ^= 1;
        deliver(&mut a, &wire);
        assert!(matches!(a.next_line(), Err(Error::Tls(_))));
    }
}

#[test]
fn c4_half_close_works_both_ways() {
    for version in VERSIONS {
        let (ours, theirs) = pair(version);
        let (mut a, mut b) = connect(&ours, &theirs);
        assert_eq!(a.feed_line(b"last"), Ok(()));
        a.close_write();
        settle(&mut a, &mut b);
        assert_eq!(line(&mut b), b"last");
        assert_eq!(b.next_line(), Ok(Step::Ready(None)));
        for _ in 0..3 {
            assert_eq!(b.feed_line(b"more"), Ok(()));
            settle(&mut a, &mut b);
            assert_eq!(line(&mut a), b"more");
        }
        b.close();
        settle(&mut a, &mut b);
        assert_eq!(a.next_line(), Ok(Step::Ready(None)));
    }
}

#[test]
fn debug_output_holds_no_secrets() {
    let (ours, theirs) = pair(VERSIONS[1]);
    let (mut a, _) = connect(&ours, &theirs);
    assert_eq!(a.feed_line(b"hunter2"), Ok(()));
    assert!(!format!("{a:?}").contains("hunter2"));
    let layer = TlsLayer::client(ours, name(NAME)).expect("a client");
    assert_eq!(format!("{layer:?}"), "TlsLayer { phase: Handshaking, .. }");
    assert!(Connection::new(Config::default()).tls_session().is_none());
}
