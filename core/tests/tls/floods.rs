//! Peers that send much and say little: errors.

use std::sync::Arc;

use asyncnet_core::{Connection, TlsErrorKind};
use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::{
    ClientConnection, ConnectionTrafficSecrets, ContentType, ProtocolVersion, SupportedCipherSuite,
};

use asyncnet_core::SecureLayer as _;

use crate::link::{deliver, failure, line, started, transmit};
use crate::raw::Raw;
use crate::settings::{
    NAME, VERSIONS, Version, client, identity, name, pair, server, server_layer,
};

/// A server of ours and a client that is none of ours, behind their handshake.
pub(crate) fn open(version: Version) -> (Connection, Raw) {
    let mut ours = client(version, identity(), None);
    ours.enable_secret_extraction = true;
    let conn = ClientConnection::new(Arc::new(ours), name(NAME)).expect("a client");
    let mut peer = Raw::new(conn, 0);
    let mut conn = started(server_layer(&Arc::new(server(version, identity(), None))));
    let mut out = Vec::new();
    peer.start(&mut out).expect("a hello");
    while !out.is_empty() {
        deliver(&mut conn, &std::mem::take(&mut out));
        peer.received(&mut transmit(&mut conn), &mut out, &mut |_| {}).expect("a handshake");
    }
    assert!(!conn.is_handshaking());
    (conn, peer)
}

#[test]
fn key_updates_are_answered_and_too_many_of_them_are_an_error() {
    let (mut conn, mut peer) = open(VERSIONS[1]);
    // With data in between there may be any number of them.
    for _ in 0..100 {
        let mut out = Vec::new();
        peer.update_keys(&mut out);
        peer.seal(&[b"line\n"], &mut out).expect("records");
        deliver(&mut conn, &out);
        assert_eq!(line(&mut conn), b"line");
        assert_eq!(conn.feed_line(b"answer"), Ok(()));
        let mut came = Vec::<u8>::new();
        peer.received(&mut transmit(&mut conn), &mut Vec::new(), &mut |plain| came.extend(plain))
            .expect("records of the new keys");
        assert_eq!(came, b"answer\r\n");
    }
    let mut out = Vec::new();
    for n in 1..=33 {
        assert!(conn.end().is_none(), "an error at number {n}");
        out.clear();
        peer.update_keys(&mut out);
        deliver(&mut conn, &out);
    }
    assert_eq!(failure(&mut conn), TlsErrorKind::Protocol);
    assert!(transmit(&mut conn).len() < 33 * 64, "the answers are bounded");
}

/// An empty record of data: rustls sends none, so its keys are taken away from it.
fn empty_record(peer: Raw) -> impl FnMut() -> Vec<u8> {
    let suite = peer.conn.negotiated_cipher_suite().expect("a suite");
    let (mut number, secrets) = peer.conn.dangerous_extract_secrets().expect("secrets").tx;
    let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
    | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
    | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets
    else {
        panic!("another suite")
    };
    let SupportedCipherSuite::Tls13(suite) = suite else { panic!("another version") };
    let mut encrypter: Box<dyn MessageEncrypter> = suite.aead_alg.encrypter(key, iv);
    move || {
        let message = OutboundPlainMessage {
            typ: ContentType::ApplicationData,
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(&[]),
        };
        let record = encrypter.encrypt(message, number).expect("a record");
        number += 1;
        record.encode()
    }
}

#[test]
fn empty_records_are_nothing_and_too_many_of_them_are_an_error() {
    let (mut conn, peer) = open(VERSIONS[1]);
    let mut empty = empty_record(peer);
    for n in 1..=33 {
        assert!(conn.end().is_none(), "an error at number {n}");
        deliver(&mut conn, &empty());
        assert_eq!(conn.peek(), b"");
    }
    assert_eq!(failure(&mut conn), TlsErrorKind::Protocol);
}

#[test]
fn a_record_that_says_it_is_too_long_is_an_error_at_its_header() {
    let (_, theirs) = pair(VERSIONS[1]);
    let mut conn = started(server_layer(&theirs));
    deliver(&mut conn, b"\x16\x03\x01\xff\xff");
    assert_eq!(failure(&mut conn), TlsErrorKind::Protocol);
}

/// rustls has a limit of its own, below what is sealed at once.
#[test]
fn t12_a_batch_of_many_pieces_is_sealed_whole() {
    for version in VERSIONS {
        let (mut conn, mut peer) = open(version);
        let mut sent = Vec::new();
        for i in 0..40 {
            let piece = vec![i; 7000];
            assert_eq!(conn.feed_shared(piece.clone().into()), Ok(()));
            sent.extend(piece);
        }
        let mut came = Vec::<u8>::new();
        peer.received(&mut transmit(&mut conn), &mut Vec::new(), &mut |plain| came.extend(plain))
            .expect("records");
        assert!(came == sent, "{} bytes of {}", came.len(), sent.len());
    }
}
