//! Section "Sending" of the contract, as far as it shows without a transport.

use asyncnet_core::driver::Link;
use asyncnet_core::{Bytes, Cause, Config, Connection, Error, Loss, Outgoing};

/// What a queued piece is charged beside its length.
const PIECE: usize = 64;
/// From here on a shared piece is not copied.
const SHARED: usize = 1024;

fn limited(max_queue: usize) -> Config {
    Config::default().max_queue(max_queue)
}

fn sender(max_queue: usize) -> Connection {
    Connection::new(limited(max_queue))
}

/// What only a driver does: messages larger than the queue, answers, counts.
fn link(max_queue: usize) -> Link {
    sender(max_queue).into_halves().1
}

fn roomy() -> Connection {
    sender(1 << 20)
}

fn full<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Full { .. }))
}

/// What bytes leave: a connection, or the part of it that a driver shares between tasks.
trait Output {
    fn outgoing(&mut self) -> Outgoing<'_>;
    fn transmitted(&mut self, n: usize);
}

impl Output for Connection {
    fn outgoing(&mut self) -> Outgoing<'_> {
        self.outgoing()
    }

    fn transmitted(&mut self, n: usize) {
        self.transmitted(n);
    }
}

impl Output for Link {
    fn outgoing(&mut self) -> Outgoing<'_> {
        self.outgoing()
    }

    fn transmitted(&mut self, n: usize) {
        self.transmitted(n);
    }
}

fn too_large(len: usize, max: usize) -> Result<(), Error> {
    Err(Error::TooLarge { len, max })
}

fn slices(conn: &mut Connection) -> Vec<usize> {
    conn.outgoing().map(<[u8]>::len).collect()
}

fn wire(conn: &mut impl Output) -> Vec<u8> {
    conn.outgoing().flatten().copied().collect()
}

/// Transmits everything, at most `step` bytes at a time, each time from the first slice alone.
fn transmit(conn: &mut impl Output, step: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    while let Some(first) = conn.outgoing().next() {
        let n = first.len().min(step);
        assert!(n > 0, "an empty slice would be transmitted for ever");
        wire.extend_from_slice(&first[..n]);
        conn.transmitted(n);
    }
    wire
}

#[test]
fn s2_s6_a_message_of_max_queue_is_accepted_whole_and_a_larger_one_not_at_all() {
    for max in [1, 10, 5000] {
        let mut link = link(max);
        assert!(!link.has_room(max + 1));
        assert_eq!(link.feed(&vec![b'x'; max + 1]), too_large(max + 1, max));
        assert_eq!(link.feed_shared(vec![b'x'; max + 1].into()), too_large(max + 1, max));
        assert_eq!((link.unsent(), link.queued()), (0, 0));
        assert!(link.has_room(max));
        assert_eq!(link.feed(&vec![b'x'; max]), Ok(()));
        assert_eq!(transmit(&mut link, 7).len(), max);
        assert_eq!(link.feed_shared(vec![b'y'; max].into()), Ok(()));
        assert_eq!(wire(&mut link), vec![b'y'; max]);
    }
}

#[test]
fn s2_an_interrupted_large_message_is_followed_by_nothing() {
    let mut link = link(4);
    assert_eq!(link.begin_large(), Ok(()));
    assert_eq!(link.feed_part(b"torn message"), Ok(4));
    link.transmitted(1);
    link.give_up_large();
    let interrupted = Err(Error::Interrupted);
    assert!(link.is_interrupted());
    assert_eq!((link.unsent(), link.outgoing().next()), (0, None));
    assert_eq!(link.check(), interrupted);
    assert_eq!(link.feed(b"x"), interrupted);
    assert_eq!(link.feed_shared(Bytes::from_static(b"x")), interrupted);
    assert_eq!(link.feed_line(b"x"), interrupted);
    assert_eq!(link.begin_large(), interrupted);
    assert_eq!(link.feed_part(b"x"), Err(Error::Interrupted));
    link.close();
    assert_eq!(link.check(), Err(Error::Closed));
}

#[test]
fn s2_a_close_tears_a_large_message_that_is_under_way() {
    let mut link = link(4);
    assert_eq!(link.begin_large(), Ok(()));
    assert_eq!(link.feed_part(b"torn message"), Ok(4));
    link.transmitted(1);
    link.close();
    assert!(link.is_interrupted() && link.is_closed());
    assert_eq!(link.outgoing().next(), None);
}

#[test]
fn c3_a_close_sends_what_was_queued_before_a_large_message() {
    let mut link = link(100);
    assert_eq!(link.feed(b"whole"), Ok(()));
    assert_eq!(link.begin_large(), Ok(()));
    assert_eq!(link.feed_part(&[0; 200]), Ok(0));
    link.close();
    assert_eq!(wire(&mut link), b"whole");
}

#[test]
fn s2_s3_a_large_message_goes_in_parts_with_nothing_in_between() {
    for max in [0, 1, 7, 100] {
        let mut link = link(max);
        let message: Vec<u8> = (0..=255).collect();
        let (mut rest, mut sent) = (message.as_slice(), Vec::new());
        assert_eq!(link.begin_large(), Ok(()));
        while !rest.is_empty() {
            assert!(full(link.feed(b"")) && !link.has_room(0));
            assert!(full(link.begin_large()));
            let n = link.feed_part(rest).expect("open");
            assert!(n > 0 && n <= max.max(1));
            rest = &rest[n..];
            assert_eq!(link.feed_part(rest), Ok(0), "no room before it is transmitted");
            sent.extend(transmit(&mut link, 3));
        }
        link.end_large();
        assert_eq!(sent, message);
        assert_eq!(link.feed(&[1][..max.min(1)]), Ok(()));
    }
}

#[test]
fn s4_a_line_with_a_cr_or_an_lf_inside_is_refused() {
    let mut conn = Connection::new(Config::default());
    for text in [b"\r" as &[u8], b"\n", b"a\r\n", b"a\nb", b"\rb"] {
        assert_eq!(conn.feed_line(text), Err(Error::LineBreak));
    }
    assert_eq!(conn.unsent(), 0);
    assert_eq!(conn.feed_line(b"a b"), Ok(()));
    assert_eq!(conn.feed_line(b""), Ok(()));
    assert_eq!(conn.outgoing().next(), Some(&b"a b\r\n\r\n"[..]));
}

#[test]
fn s4_the_terminator_counts() {
    let mut conn = Connection::new(limited(5));
    assert_eq!(conn.feed_line(b"1234"), too_large(6, 5));
    assert_eq!(conn.feed_line(b"123"), Ok(()));
}

#[test]
fn s6_a_piece_is_charged_its_length_and_64() {
    let mut sender = roomy();
    assert_eq!(sender.stats().queued, 0);
    assert_eq!(sender.feed(b""), Ok(()));
    assert_eq!(sender.feed_shared(Bytes::new()), Ok(()));
    assert_eq!(sender.stats().queued, 0, "nothing is no piece");
    assert_eq!(sender.feed(b"abc"), Ok(()));
    assert_eq!(sender.stats().queued, 3 + PIECE);
    assert_eq!(sender.feed_shared(vec![0; SHARED].into()), Ok(()));
    assert_eq!(sender.stats().queued, 3 + SHARED + 2 * PIECE);
    sender.transmitted(2);
    assert_eq!(sender.stats().queued, 1 + SHARED + 2 * PIECE);
    sender.transmitted(1);
    assert_eq!(sender.stats().queued, SHARED + PIECE);
    sender.transmitted(SHARED);
    assert_eq!(sender.stats().queued, 0);
}

#[test]
fn s6_what_is_over_the_limit_is_refused_and_nothing_of_it_queued() {
    let mut sender = sender(3 + PIECE + 2);
    assert_eq!(sender.feed(b"123"), Ok(()));
    assert!(full(sender.feed(b"456")));
    assert!(full(sender.feed_line(b"4")));
    assert_eq!(wire(&mut sender), b"123");
    assert!(full(sender.feed(b"456")));
    assert_eq!(sender.feed(b"45"), Ok(()));
    let error = sender.feed(b"6");
    let (queued, max) = (5 + PIECE, 5 + PIECE);
    assert_eq!(error, Err(Error::Full { queued, max }));
    sender.transmitted(1);
    assert_eq!(sender.feed(b"6"), Ok(()));
    assert_eq!(wire(&mut sender), b"23456");
}

#[test]
fn s6_a_shared_piece_is_charged_64_behind_a_copied_one_too() {
    let max = 1 + PIECE + SHARED;
    let mut tight = sender(max);
    assert_eq!(tight.feed(b"x"), Ok(()));
    assert!(full(tight.feed_shared(vec![0; SHARED].into())));
    assert!(tight.stats().queued <= max);
    let mut enough = sender(max + PIECE);
    assert_eq!(enough.feed(b"x"), Ok(()));
    assert_eq!(enough.feed_shared(vec![0; SHARED].into()), Ok(()));
    assert_eq!(enough.stats().queued, max + PIECE);
}

#[test]
fn s6_a_copied_piece_is_charged_64_behind_a_shared_one_too() {
    let mut sender = sender(SHARED + 2 * PIECE);
    assert_eq!(sender.feed_shared(vec![0; SHARED].into()), Ok(()));
    assert!(full(sender.feed(b"x")));
    sender.transmitted(1);
    assert_eq!(sender.feed(b"x"), Ok(()));
}

/// Nothing is handed out while more than `high_water` bytes of the receiving task's own answers are unsent.
#[test]
fn s5_unsent_answers_above_high_water_are_congestion_and_bytes_of_others_are_not() {
    let mut link = Connection::new(Config::default().high_water(10)).into_halves().1;
    assert_eq!(link.feed(&[b'x'; 100]), Ok(()));
    assert_eq!(link.reply(&[b'a'; 5]), Ok(()));
    assert_eq!(link.feed_shared(vec![b'x'; 2000].into()), Ok(()));
    assert_eq!(link.reply_line(b"abc"), Ok(()));
    assert!(!link.is_congested(), "10 bytes of answers");
    assert_eq!(link.feed(b"x"), Ok(()));
    assert_eq!(link.reply_shared(Bytes::from_static(b"b")), Ok(()));
    assert!(link.is_congested(), "11 bytes of answers");
    link.transmitted(100);
    assert!(link.is_congested(), "no answer has left");
    link.transmitted(1);
    assert!(!link.is_congested());
    let left = link.unsent();
    link.transmitted(left);
    assert_eq!(link.feed(&[b'x'; 11]), Ok(()));
    assert!(!link.is_congested(), "those of others alone");
    link.note_reply(11);
    assert!(link.is_congested(), "a feed of the task that receives");
}

#[test]
fn s5_nothing_is_handed_out_where_an_answer_to_it_would_be_refused() {
    let max = 2 * PIECE;
    let mut link = Connection::new(limited(max).high_water(1 << 20)).into_halves().1;
    assert_eq!(link.feed_unbounded(vec![b'x'; max].into()), Ok(()));
    assert!(full(link.feed(b"x")) && !link.is_congested(), "bytes of others alone");
    link.transmitted(max);
    assert_eq!(link.reply(&[b'a'; PIECE]), Ok(()));
    assert!(!link.is_congested());
    assert_eq!(link.feed_unbounded(vec![b'x'; PIECE].into()), Ok(()));
    assert!(link.is_congested(), "an answer, and more than the limit in all");
    link.transmitted(PIECE);
    assert!(!link.is_congested(), "the answer has left");
}

/// What others queued keeps out no answer, in however many pieces, up to `max_queue` bytes of answers.
#[test]
fn s6_answers_that_are_within_the_limit_by_themselves_are_accepted_behind_anything() {
    let max = 2 * PIECE;
    let mut link = link(max);
    assert_eq!(link.feed_unbounded(vec![b'x'; 10 * max].into()), Ok(()));
    for _ in 0..max / 2 {
        assert_eq!(link.reply(b"a"), Ok(()));
        assert_eq!(link.reply_shared(Bytes::from_static(b"b")), Ok(()));
    }
    assert!(full(link.reply(b"c")) && full(link.feed(b"x")));
    link.transmitted(10 * max);
    assert_eq!(link.unsent(), max);
    link.transmitted(1);
    assert_eq!(link.reply(b"c"), Ok(()), "an answer has left");
}

#[test]
fn s6_an_answer_may_go_over_the_limit_once_and_is_never_larger_than_it() {
    let mut link = link(PIECE + 10);
    assert_eq!(link.reply(&[b'x'; PIECE + 11]), too_large(PIECE + 11, PIECE + 10));
    assert_eq!(link.reply_line(&[b'x'; PIECE + 9]), too_large(PIECE + 11, PIECE + 10));
    assert_eq!(link.reply(&[b'x'; 10]), Ok(()));
    assert!(full(link.feed(b"y")), "the limit is hard for all else");
    assert_eq!(link.reply_shared(vec![b'z'; PIECE + 10].into()), Ok(()));
    for _ in 0..2 {
        assert!(full(link.reply(b"y")) && full(link.reply_line(b"y")));
        assert!(full(link.reply_shared(Bytes::from_static(b"y"))));
    }
    let sent = transmit(&mut link, 7);
    assert_eq!(sent, [vec![b'x'; 10], vec![b'z'; PIECE + 10]].concat());
    assert_eq!(link.reply(b"y"), Ok(()));
}

#[test]
fn s6_small_pieces_are_merged() {
    let mut sender = roomy();
    for _ in 0..1000 {
        assert_eq!(sender.feed(&[b'x'; 50]), Ok(()));
        assert_eq!(sender.feed_line(&[b'x'; 28]), Ok(()));
        assert_eq!(sender.feed_shared(Bytes::from_static(&[b'x'; 20])), Ok(()));
    }
    let slices = slices(&mut sender);
    assert_eq!(slices.iter().sum::<usize>(), 100_000);
    assert_eq!(slices.len(), 2, "64 KiB are one slice");
}

#[test]
fn s6_a_shared_piece_is_copied_below_1_kib_and_not_from_there_on() {
    let mut sender = roomy();
    let [small, large] = [SHARED - 1, SHARED].map(|len| Bytes::from(vec![b'x'; len]));
    for piece in [&small, &large, &small, &small, &large, &large] {
        assert_eq!(sender.feed_shared(piece.clone()), Ok(()));
    }
    let (s, l) = (small.len(), large.len());
    assert_eq!(slices(&mut sender), [s, l, 2 * s, l, l]);
    let is = |slice: &[u8], piece: &Bytes| slice.as_ptr() == piece.as_ptr();
    let shared: Vec<_> = sender.outgoing().map(|slice| is(slice, &large)).collect();
    assert_eq!(shared, [false, true, false, true, true]);
    assert!(!sender.outgoing().any(|slice| is(slice, &small)));
    sender.transmitted(s + 1);
    let first = sender.outgoing().next().expect("the rest of the first");
    assert_eq!(first.as_ptr(), large[1..].as_ptr());
}

#[test]
fn any_partial_steps_transmit_exactly_the_bytes_in_order() {
    let byte = |i: usize| (i % 251) as u8;
    for step in [1, 2, 63, 1023, 1024, 1025, usize::MAX] {
        let (mut sender, mut accepted, mut sent) = (roomy(), Vec::new(), Vec::new());
        for (i, len) in [1, 1500, 0, 70_000, 3, 1024, 1023, 900].into_iter().enumerate() {
            let message: Vec<u8> = (accepted.len()..).map(byte).take(len).collect();
            let fed = match i % 2 {
                0 => sender.feed(&message),
                _ => sender.feed_shared(message.clone().into()),
            };
            assert_eq!(fed, Ok(()));
            accepted.extend(message);
            if let Some(first) = sender.outgoing().next() {
                let n = first.len().min(step);
                sent.extend_from_slice(&first[..n]);
                sender.transmitted(n);
            }
            assert_eq!((sender.stats().bytes_sent + sender.unsent() as u64), accepted.len() as u64);
            assert_eq!(sender.stats().bytes_sent, sent.len() as u64);
            assert_eq!(sender.unsent(), accepted.len() - sent.len());
            assert!(wire(&mut sender) == accepted[sent.len()..], "step {step}");
        }
        sent.extend(transmit(&mut sender, step));
        assert!(sent == accepted, "step {step}");
    }
}

#[test]
fn one_step_may_cross_pieces() {
    let mut sender = roomy();
    let large = Bytes::from(vec![b'x'; SHARED]);
    for _ in 0..3 {
        assert_eq!(sender.feed_shared(large.clone()), Ok(()));
    }
    sender.transmitted(2 * SHARED + 5);
    assert_eq!(slices(&mut sender), [SHARED - 5]);
    sender.transmitted(0);
    assert_eq!(slices(&mut sender), [SHARED - 5]);
}

#[test]
fn what_a_loss_drops_does_not_count_as_transmitted() {
    let mut sender = roomy();
    assert_eq!(sender.feed(b"12345"), Ok(()));
    sender.transmitted(2);
    sender.handle_write_lost(Loss::Reset);
    assert_eq!((sender.stats().bytes_sent, sender.unsent()), (2, 0));
    assert_eq!(sender.stats().queued, 0);
    let reset = sender.end().map(|end| (end.cause, end.partial));
    assert_eq!(reset, Some((Cause::Lost(Loss::Reset), 0)));
    assert_eq!(sender.feed(b""), Err(Error::Disconnected(Loss::Reset.into())));
    sender.close();
    assert_eq!(sender.feed(b""), Err(Error::Closed));
}

#[test]
fn what_was_queued_before_a_close_still_leaves() {
    let mut conn = Connection::new(Config::default());
    assert_eq!(conn.feed(b"bye"), Ok(()));
    conn.close();
    assert_eq!(conn.feed(b"!"), Err(Error::Closed));
    assert_eq!(conn.outgoing().next(), Some(&b"bye"[..]));
    conn.transmitted(2);
    assert_eq!((conn.unsent(), conn.outgoing().next()), (1, Some(&b"e"[..])));
}
