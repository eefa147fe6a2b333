//! A batch hands out lines only while there is room for the answers.

use std::task::Poll;

use asyncnet::Config;

use crate::{WIDE, open, poll_once};

const LINES: usize = 2000;
const MAX_OUTBOX: usize = 2000;
const ANSWER: &[u8] = b"501 Syntax error in the line that you sent";

fn wire() -> Vec<u8> {
    (0..LINES).flat_map(|i| format!("{i}\n").into_bytes()).collect()
}

#[test]
fn next_line_stops_at_half_of_max_outbox_and_goes_on_once_it_is_out() {
    let (mut conn, peer) = open(WIDE, Config::default().max_outbox(MAX_OUTBOX));
    peer.say(&wire());
    let (mut seen, mut batches) = (0, 0);
    while seen < LINES {
        let Poll::Ready(batch) = poll_once(conn.next_lines()) else { continue };
        let mut batch = batch.unwrap().unwrap();
        batches += 1;
        while let Some(line) = batch.next_line() {
            assert_eq!(line, seen.to_string().as_bytes());
            batch.outbox.feed_line(ANSWER).expect("an answer always fits");
            seen += 1;
        }
        assert!(conn.queued() <= MAX_OUTBOX / 2 + ANSWER.len() + 2, "{}", conn.queued());
    }
    assert!(batches > 1);
    assert_eq!(poll_once(conn.flush()), Poll::Ready(Ok(())));
    let heard = peer.hear();
    assert_eq!(heard, [ANSWER, b"\r\n"].concat().repeat(LINES));
}

#[test]
fn next_line_waits_for_a_peer_that_does_not_read_and_loses_nothing() {
    let (mut conn, peer) = open(100, Config::default().max_outbox(MAX_OUTBOX));
    peer.say(&wire());
    let (mut seen, mut answers, mut waits) = (0, 0, 0);
    while seen < LINES {
        match poll_once(conn.next_lines()) {
            Poll::Ready(batch) => {
                let mut batch = batch.unwrap().unwrap();
                while let Some(line) = batch.next_line() {
                    assert_eq!(line, seen.to_string().as_bytes());
                    batch.outbox.feed_line(ANSWER).unwrap();
                    seen += 1;
                }
            }
            Poll::Pending => {
                waits += 1;
                answers += peer.hear().len();
            }
        }
    }
    assert!(waits > 10);
    while poll_once(conn.flush()).is_pending() {
        answers += peer.hear().len();
    }
    assert_eq!(answers + peer.hear().len(), LINES * (ANSWER.len() + 2));
}

#[test]
fn a_batch_that_is_dropped_half_way_leaves_the_rest() {
    let (mut conn, peer) = open(WIDE, Config::default());
    peer.say(b"a\nb\nc\n");
    for expected in [&b"a"[..], b"b", b"c"] {
        let Poll::Ready(Ok(Some(mut batch))) = poll_once(conn.next_lines()) else {
            panic!("{expected:?} is there");
        };
        assert_eq!(batch.next_line(), Some(expected));
    }
    assert!(poll_once(conn.next_lines()).is_pending());
}
