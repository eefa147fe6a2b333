//! A connection is made of a stream and early bytes, and taken apart into them.

use std::task::Poll;

use asyncnet::tls::Side;
use asyncnet::{Config, Connection};

use crate::layer::Layer;
use crate::pipe::{End, duplex};
use crate::{WIDE, open, poll_once};

fn lines(conn: &mut Connection<End>, expected: &[&[u8]]) {
    for line in expected {
        assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(*line))));
    }
}

#[test]
fn a_from_parts_receives_the_early_bytes_first() {
    for shared in [false, true] {
        let (end, peer) = duplex(WIDE);
        let mut conn = Connection::from_parts(end, b"a\nb\nc".to_vec(), Config::default());
        if shared {
            drop(conn.writer());
        }
        peer.say(b"c\nd\n");
        lines(&mut conn, &[b"a", b"b", b"cc", b"d"]);
    }
}

#[test]
fn a_from_parts_takes_early_bytes_of_any_size_and_hands_back_what_is_left() {
    for buffered in [true, false] {
        for size in [0, 1, 10, 70_000, 200_000] {
            let (end, peer) = duplex(WIDE);
            let early: Vec<u8> = (0..size).map(|i| i as u8 | 1).collect();
            let config = Config::default().buffered(buffered);
            let mut conn = Connection::from_parts(end, early.clone(), config);
            peer.say(b"later");
            let mut seen = Vec::new();
            if size > 0 {
                let taken = poll_once(conn.next_bytes(size / 3 + 1));
                let Poll::Ready(Ok(bytes)) = taken else { panic!("{taken:?}") };
                seen.extend_from_slice(bytes);
            }
            let (end, rest) = conn.into_parts().expect("it can be taken apart");
            let mut conn = Connection::from_parts(end, rest, config);
            while seen.len() < size + 5 {
                let taken = poll_once(conn.next_bytes(1000));
                let Poll::Ready(Ok(bytes)) = taken else { panic!("{taken:?}") };
                seen.extend_from_slice(bytes);
            }
            assert_eq!(seen, [&early[..], b"later"].concat(), "{buffered} {size}");
        }
    }
}

#[test]
fn a_into_parts_is_refused_while_a_writer_exists() {
    let (mut conn, peer) = open(WIDE, Config::default());
    let writer = conn.writer();
    let mut conn = conn.into_parts().map(drop).expect_err("a writer exists");
    peer.say(b"a\nb");
    lines(&mut conn, &[b"a"]);
    assert!(conn.get_ref().is_none());
    drop(writer);
    let (_end, rest) = conn.into_parts().expect("the writer is gone");
    assert_eq!(rest, b"b");
    assert!(!peer.hears_end(), "the stream lives on");
}

#[test]
fn a_into_parts_is_refused_with_queued_bytes_and_works_once_they_are_out() {
    let (mut conn, peer) = open(8, Config::default());
    conn.feed([b'x'; 10]).unwrap();
    assert!(poll_once(conn.flush()).is_pending());
    let mut conn = conn.into_parts().map(drop).expect_err("bytes are queued");
    peer.hear();
    assert_eq!(poll_once(conn.flush()), Poll::Ready(Ok(())));
    assert!(conn.into_parts().is_ok());
    assert!(peer.hears_end() && !peer.hears_reset(), "the stream was dropped here");
}

#[test]
fn a_into_parts_hands_out_no_stream_of_a_message_that_was_leaked() {
    let (mut conn, peer) = open(4, Config::default().max_queue(4));
    let mut leaked = Box::pin(conn.send_all([b'x'; 100]));
    assert!(poll_once(leaked.as_mut()).is_pending());
    std::mem::forget(leaked);
    peer.hear();
    assert!(poll_once(conn.next_line()).is_pending());
    assert_eq!(conn.stats().queued, 0, "its first part is out");
    let mut conn = conn.into_parts().map(drop).expect_err("it is torn");
    assert_eq!(conn.feed(b"x"), Err(asyncnet::Error::Interrupted));
}

#[test]
fn a_into_parts_is_refused_while_a_bad_line_is_discarded() {
    let (mut conn, peer) = open(WIDE, Config::default().max_line(3));
    peer.say(b"too long");
    assert!(poll_once(conn.next_line()).is_ready());
    let mut conn = conn.into_parts().map(drop).expect_err("its rest is still to come");
    peer.say(b"!\nb\n");
    lines(&mut conn, &[b"b"]);
    assert!(conn.into_parts().is_ok());
}

#[test]
fn a_into_parts_is_refused_under_tls_and_after_a_close() {
    let (mut conn, _peer) = open(WIDE, Config::default());
    assert!(poll_once(conn.upgrade_tls(Side::custom(Layer::client(1)))).is_pending());
    assert!(conn.into_parts().is_err());
    let (mut conn, _peer) = open(WIDE, Config::default());
    assert_eq!(poll_once(conn.close()), Poll::Ready(Ok(())));
    assert!(conn.into_parts().is_err());
}
