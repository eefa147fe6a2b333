//! A batch hands out lines only while there is room for the answers.

use std::task::Poll;

use asyncnet::Config;

use crate::{WIDE, flush_all, open, poll_once};

const LINES: usize = 2000;
const LIMIT: usize = 2000;
const ANSWER: &[u8] = b"501 Syntax error in the line that you sent";

fn wire() -> Vec<u8> {
    (0..LINES).flat_map(|i| format!("{i}\n").into_bytes()).collect()
}

#[test]
fn s5_next_line_stops_above_high_water_and_goes_on_once_it_is_out() {
    stops_and_goes_on(Config::default().high_water(LIMIT));
}

#[test]
fn s6_next_line_stops_where_an_answer_would_not_fit_any_more() {
    stops_and_goes_on(Config::default().max_queue(LIMIT));
}

fn stops_and_goes_on(config: Config) {
    let (mut conn, peer) = open(WIDE, config);
    peer.say(&wire());
    let (mut seen, mut batches, mut polls) = (0, 0, 0);
    while seen < LINES {
        polls += 1;
        assert!(polls < 10 * LINES, "it never comes to rest");
        let Poll::Ready(batch) = poll_once(conn.next_batch()) else { continue };
        let mut batch = batch.unwrap().unwrap();
        batches += 1;
        while let Some(line) = batch.next_line().unwrap() {
            assert_eq!(line, seen.to_string().as_bytes());
            batch.reply_line(ANSWER).expect("an answer always fits");
            seen += 1;
        }
        let queued = conn.stats().queued;
        assert!(queued <= LIMIT + 64 + ANSWER.len() + 2, "{queued}");
    }
    assert!(batches > 1);
    assert_eq!(poll_once(conn.flush()), Poll::Ready(Ok(())));
    let heard = peer.hear();
    assert_eq!(heard, [ANSWER, b"\r\n"].concat().repeat(LINES));
}

#[test]
fn s5_next_line_waits_for_a_peer_that_does_not_read_and_loses_nothing() {
    waits_and_loses_nothing(Config::default().high_water(LIMIT));
    waits_and_loses_nothing(Config::default().max_queue(LIMIT));
}

fn waits_and_loses_nothing(config: Config) {
    let (mut conn, peer) = open(100, config);
    peer.say(&wire());
    let (mut seen, mut answers, mut waits) = (0, 0, 0);
    while seen < LINES {
        match poll_once(conn.next_batch()) {
            Poll::Ready(batch) => {
                let mut batch = batch.unwrap().unwrap();
                while let Some(line) = batch.next_line().unwrap() {
                    assert_eq!(line, seen.to_string().as_bytes());
                    batch.reply_line(ANSWER).unwrap();
                    seen += 1;
                }
            }
            Poll::Pending => {
                waits += 1;
                assert!(waits < 10 * LINES, "it never comes to rest");
                answers += peer.hear().len();
            }
        }
    }
    assert!(waits > 10);
    answers += flush_all(&mut conn, &peer).len();
    assert_eq!(answers, LINES * (ANSWER.len() + 2));
}

#[test]
fn a_batch_that_is_dropped_half_way_leaves_the_rest() {
    let (mut conn, peer) = open(WIDE, Config::default());
    peer.say(b"a\nb\nc\n");
    for expected in [&b"a"[..], b"b", b"c"] {
        let Poll::Ready(Ok(Some(mut batch))) = poll_once(conn.next_batch()) else {
            panic!("{expected:?} is there");
        };
        assert_eq!(batch.next_line(), Ok(Some(expected)));
    }
    assert!(poll_once(conn.next_batch()).is_pending());
}
