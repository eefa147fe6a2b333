//! Random operations on a sending half: what was accepted leaves once and in order, within the limit.

use asyncnet_core::{Config, Error, Sender};
use proptest::collection::vec;
use proptest::prelude::*;

/// What a queued piece is charged beside its length.
const PIECE: usize = 64;

#[derive(Clone, Copy, Debug)]
enum Op {
    Feed(usize),
    FeedBytes(usize),
    FeedLine(usize),
    /// A message larger than the outbox, all of it, in as many parts as it takes.
    Large(usize),
    Transmit(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let size = || prop_oneof![4 => 0..50usize, 1 => 1000..1100usize];
    prop_oneof![
        2 => size().prop_map(Op::Feed),
        2 => size().prop_map(Op::FeedBytes),
        1 => size().prop_map(Op::FeedLine),
        1 => size().prop_map(Op::Large),
        3 => size().prop_map(Op::Transmit),
    ]
}

struct World {
    sender: Sender,
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
                assert_eq!(queued, self.sender.queued());
                assert!(more > max || queued > 0 && queued + more + PIECE > max);
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Feed(n) => {
                let message = self.message(n);
                let fed = self.sender.feed(&message);
                self.note(fed, &message, b"");
            }
            Op::FeedBytes(n) => {
                let message = self.message(n);
                let fed = self.sender.feed_bytes(message.clone().into());
                self.note(fed, &message, b"");
            }
            Op::FeedLine(n) => {
                let text = self.message(n);
                let fed = self.sender.feed_line(&text);
                self.note(fed, &text, b"\r\n");
            }
            Op::Large(n) => {
                let message = self.message(n);
                assert_eq!(self.sender.begin_large(), Ok(()));
                let mut rest = message.as_slice();
                while !rest.is_empty() {
                    let taken = self.sender.feed_part(rest).expect("open");
                    self.accepted.extend(&rest[..taken]);
                    rest = &rest[taken..];
                    assert!(self.sender.feed(b"between").is_err(), "S3");
                    self.transmit(n / 3 + 1);
                }
                self.sender.end_large();
            }
            Op::Transmit(n) => self.transmit(n),
        }
    }

    fn transmit(&mut self, n: usize) {
        let n = n.min(self.sender.unsent());
        self.wire.extend(self.sender.outgoing().flatten().take(n));
        self.sender.transmitted(n);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn s2_s3_s6_what_is_accepted_leaves_once_in_order_and_within_the_limit(
        max in prop_oneof![0..300usize, 1000..3000usize],
        ops in vec(op(), 0..60),
    ) {
        let sender = Sender::new(&Config::default().max_outbox(max));
        let mut world = World { sender, accepted: Vec::new(), wire: Vec::new() };
        for op in ops {
            world.apply(op);
            let World { sender, accepted, wire } = &mut world;
            let outgoing: Vec<&[u8]> = sender.outgoing().collect();
            let pieces = outgoing.len();
            prop_assert_eq!(&[wire, outgoing.concat().as_slice()].concat(), accepted);
            prop_assert_eq!(sender.queued(), sender.unsent() + PIECE * pieces);
            // A message of `max_outbox` bytes goes into an empty outbox, with its charge.
            prop_assert!(sender.queued() <= sender.max_outbox() + PIECE);
            prop_assert!(pieces <= 1 || sender.queued() <= sender.max_outbox());
        }
    }
}
