//! Random operations on a sending side: what was accepted leaves once and in order, within the limit.

use asyncnet_core::driver::Link;
use asyncnet_core::{Config, Connection, Error};
use proptest::collection::vec;
use proptest::prelude::*;

/// What a queued piece is charged beside its length.
const PIECE: usize = 64;

#[derive(Clone, Copy, Debug)]
enum Op {
    Feed(usize),
    FeedShared(usize),
    FeedLine(usize),
    /// A message larger than the outbox, all of it, in as many parts as it takes.
    Large(usize),
    Transmit(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let size = || prop_oneof![4 => 0..50usize, 1 => 1000..1100usize];
    prop_oneof![
        2 => size().prop_map(Op::Feed),
        2 => size().prop_map(Op::FeedShared),
        1 => size().prop_map(Op::FeedLine),
        1 => size().prop_map(Op::Large),
        3 => size().prop_map(Op::Transmit),
    ]
}

struct World {
    link: Link,
    accepted: Vec<u8>,
    wire: Vec<u8>,
}

impl World {
    /// The next `n` bytes to send; no two neighbours are the same.
    fn message(&self, n: usize) -> Vec<u8> {
        (self.accepted.len()..).map(|i| b'a' + (i % 23) as u8).take(n).collect()
    }

    fn note(&mut self, fed: Result<(), Error>, message: &[u8], end: &[u8]) {
        match fed {
            Ok(()) => self.accepted.extend([message, end].concat()),
            Err(Error::Full { queued, max }) => {
                let more = message.len() + end.len();
                assert_eq!(queued, self.link.queued());
                assert!(more <= max && queued > 0 && queued + more + PIECE > max);
            }
            Err(Error::TooLarge { len, max }) => {
                assert_eq!((len, max), (message.len() + end.len(), self.link.max_queue()));
                assert!(len > max);
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Feed(n) => {
                let message = self.message(n);
                let fed = self.link.feed(&message);
                self.note(fed, &message, b"");
            }
            Op::FeedShared(n) => {
                let message = self.message(n);
                let fed = self.link.feed_shared(message.clone().into());
                self.note(fed, &message, b"");
            }
            Op::FeedLine(n) => {
                let text = self.message(n);
                let fed = self.link.feed_line(&text);
                self.note(fed, &text, b"\r\n");
            }
            Op::Large(n) => {
                let message = self.message(n);
                assert_eq!(self.link.begin_large(), Ok(()));
                let mut rest = message.as_slice();
                while !rest.is_empty() {
                    let taken = self.link.feed_part(rest).expect("open");
                    self.accepted.extend(&rest[..taken]);
                    rest = &rest[taken..];
                    assert!(self.link.feed(b"between").is_err(), "S3");
                    self.transmit(n / 3 + 1);
                }
                self.link.end_large();
            }
            Op::Transmit(n) => self.transmit(n),
        }
    }

    fn transmit(&mut self, n: usize) {
        let n = n.min(self.link.unsent());
        self.wire.extend(self.link.outgoing().flatten().take(n));
        self.link.transmitted(n);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn s2_s3_s6_what_is_accepted_leaves_once_in_order_and_within_the_limit(
        max in prop_oneof![0..300usize, 1000..3000usize],
        ops in vec(op(), 0..60),
    ) {
        let link = Connection::new(Config::default().max_queue(max)).into_halves().1;
        let mut world = World { link, accepted: Vec::new(), wire: Vec::new() };
        for op in ops {
            world.apply(op);
            let World { link, accepted, wire } = &mut world;
            let outgoing: Vec<&[u8]> = link.outgoing().collect();
            let pieces = outgoing.len();
            prop_assert_eq!(&[wire, outgoing.concat().as_slice()].concat(), accepted);
            prop_assert_eq!(link.queued(), link.unsent() + PIECE * pieces);
            // A message of `max_queue` bytes goes into an empty outbox, with its charge.
            prop_assert!(link.queued() <= link.max_queue() + PIECE);
            prop_assert!(pieces <= 1 || link.queued() <= link.max_queue());
        }
    }
}
