//! The sending half: what was accepted leaves exactly once, in order and in whole messages, and never more
//! than `max_outbox` is queued (S2, S3, S6).

use arbitrary::{Result, Unstructured};
use asyncnet_core::{Config, Error, Loss, Sender};

use crate::input;

/// What a queued piece is charged beside its length.
const PIECE: usize = 64;

/// How many operations a case has at most.
const MOST_OPS: usize = 150;

#[derive(Clone, Copy, Debug)]
enum Op {
    Feed(usize),
    FeedBytes(usize),
    FeedLine(usize),
    FeedBrokenLine(usize),
    /// Large messages; a part goes in only where one was begun.
    BeginLarge,
    FeedPart(usize),
    EndLarge,
    GiveUpLarge,
    Transmit(usize),
    TransmitAll,
    SetMaxOutbox(usize),
    Lost(Loss),
    Close,
}

impl Op {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match u.int_in_range(0..=127)? {
            0..=19 => Self::Feed(input::size(u)?),
            20..=49 => Self::FeedBytes(input::size(u)?),
            50..=59 => Self::FeedLine(input::size(u)?),
            60..=64 => Self::FeedBrokenLine(input::size(u)?),
            65..=69 => Self::BeginLarge,
            70..=84 => Self::FeedPart(input::size(u)?),
            85..=94 => Self::EndLarge,
            95 => Self::GiveUpLarge,
            96..=115 => Self::Transmit(input::size(u)?),
            116..=120 => Self::TransmitAll,
            121..=125 => Self::SetMaxOutbox(input::max_outbox(u)?),
            126 => Self::Lost(input::loss(u)?),
            _ => Self::Close,
        })
    }
}

/// What is known of the large message that is under way.
#[derive(Clone, Copy, PartialEq)]
enum Large {
    No,
    Begun,
    Torn,
}

struct World {
    sender: Sender,
    /// Every byte accepted, but for those that a loss dropped.
    accepted: Vec<u8>,
    /// Where in `accepted` the messages end.
    ends: Vec<usize>,
    /// Every byte that left.
    wire: Vec<u8>,
    max: usize,
    large: Large,
    /// Why nothing can be sent any more.
    loss: Option<Loss>,
    interrupted: bool,
    closed: bool,
    /// The next byte to send: no two neighbours are the same.
    next: u8,
}

impl World {
    fn new(max: usize) -> Self {
        Self {
            sender: Sender::new(&Config::default().max_outbox(max)),
            accepted: Vec::new(),
            ends: Vec::new(),
            wire: Vec::new(),
            max: max.max(1),
            large: Large::No,
            loss: None,
            interrupted: false,
            closed: false,
            next: 0,
        }
    }

    fn message(&mut self, n: usize) -> Vec<u8> {
        let byte = |_| {
            self.next = (self.next + 1) % 251;
            // Neither a CR nor an LF.
            if matches!(self.next, b'\r' | b'\n') { 255 } else { self.next }
        };
        (0..n).map(byte).collect()
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Feed(n) => {
                let message = self.message(n);
                let room = self.sender.has_room(n);
                let fed = self.sender.feed(&message);
                assert_eq!(room && self.check().is_ok(), fed.is_ok(), "has_room tells");
                self.queued(fed, &message);
            }
            Op::FeedBytes(n) => {
                let message = self.message(n);
                let fed = self.sender.feed_bytes(message.clone().into());
                self.queued(fed, &message);
            }
            Op::FeedLine(n) => {
                let text = self.message(n);
                let fed = self.sender.feed_line(&text);
                self.queued(fed, &[&text[..], b"\r\n"].concat());
            }
            Op::FeedBrokenLine(n) => {
                let mut text = self.message(n);
                text.insert(n / 2, if n % 2 == 0 { b'\r' } else { b'\n' });
                assert_eq!(self.sender.feed_line(&text), Err(Error::LineBreak), "S4");
            }
            Op::BeginLarge => match self.sender.begin_large() {
                Ok(()) => {
                    assert!(self.check().is_ok() && self.large == Large::No, "S3");
                    self.large = Large::Begun;
                }
                Err(Error::Full { .. }) => assert!(self.large != Large::No),
                error => assert_eq!(error, self.check()),
            },
            Op::FeedPart(n) if self.large != Large::No => self.part(n),
            Op::FeedPart(_) => {}
            Op::EndLarge => {
                self.sender.end_large();
                if self.large == Large::Torn {
                    self.ends.push(self.accepted.len());
                }
                self.large = Large::No;
            }
            Op::GiveUpLarge => {
                self.sender.give_up_large();
                self.tear();
            }
            Op::Transmit(n) => self.transmit(n),
            Op::TransmitAll => self.transmit(usize::MAX),
            Op::SetMaxOutbox(max) => {
                self.sender.set_max_outbox(max);
                self.max = max.max(1);
            }
            Op::Lost(loss) => {
                self.sender.handle_lost(loss);
                self.loss.get_or_insert(loss);
                self.accepted.truncate(self.wire.len());
            }
            Op::Close => {
                self.sender.close();
                self.tear();
                self.closed = true;
            }
        }
        self.compare();
    }

    /// The error that every send has to give.
    fn check(&self) -> Result<(), Error> {
        match self.loss {
            _ if self.closed => Err(Error::Closed),
            _ if self.interrupted => Err(Error::Interrupted),
            Some(loss) => Err(Error::Disconnected(loss.into())),
            None => Ok(()),
        }
    }

    /// Takes note of what a feed answered.
    fn queued(&mut self, fed: Result<(), Error>, message: &[u8]) {
        let unsent = self.accepted.len() - self.wire.len();
        // What this would be charged as a piece of its own. `sender` is already behind the feed.
        let charge = self.sender.queued() + message.len() + PIECE;
        match fed {
            Ok(()) => {
                assert_eq!((self.check(), self.large == Large::No), (Ok(()), true), "S3");
                // A message of up to `max_outbox` bytes goes into an empty outbox whatever it is charged.
                let size = if unsent == 0 { message.len() } else { self.sender.queued() };
                assert!(size <= self.max, "S6: {size} of {}", self.max);
                self.accepted.extend(message);
                self.ends.push(self.accepted.len());
            }
            Err(Error::Full { queued, max }) => {
                assert_eq!((queued, max), (self.sender.queued(), self.max));
                assert!(self.check().is_ok());
                let full = if unsent == 0 { message.len() > self.max } else { charge > self.max };
                assert!(full || self.large != Large::No, "S6: full too early");
            }
            error => assert_eq!(error, self.check()),
        }
    }

    fn part(&mut self, n: usize) {
        let message = self.message(n);
        let unsent = self.accepted.len() - self.wire.len();
        match self.sender.feed_part(&message) {
            Ok(taken) => {
                assert!(self.check().is_ok());
                assert_eq!(taken, if unsent == 0 { n.min(self.max) } else { 0 });
                if taken > 0 {
                    self.accepted.extend(&message[..taken]);
                    self.large = Large::Torn;
                }
            }
            error => assert_eq!(error.map(|_| ()), self.check()),
        }
    }

    /// A large message is given up. If a part of it was queued, nothing may follow that part.
    fn tear(&mut self) {
        if self.large == Large::Torn && self.loss.is_none() {
            self.interrupted = true;
            self.accepted.truncate(self.wire.len());
        }
        self.large = Large::No;
    }

    /// Puts up to `n` bytes on the wire, as a vectored write would.
    fn transmit(&mut self, n: usize) {
        let n = n.min(self.sender.unsent());
        let at = self.wire.len();
        let leaving = &self.accepted[at..at + n];
        assert!(self.sender.outgoing().flatten().take(n).eq(leaving), "once and in order");
        self.wire.extend(leaving);
        self.sender.transmitted(n);
    }

    fn compare(&mut self) {
        let Self { sender, accepted, wire, .. } = self;
        let unsent = &accepted[wire.len()..];
        assert!(input::is_all_of(sender.outgoing(), unsent), "once and in order");
        let slices = sender.outgoing().count();
        assert_eq!(sender.unsent(), unsent.len());
        assert_eq!(sender.queued(), sender.unsent() + PIECE * slices, "S6: the charge");
        assert_eq!(sender.accepted_total(), accepted.len() as u64);
        assert_eq!(sender.transmitted_total(), wire.len() as u64);
        let sender = &self.sender;
        assert_eq!(sender.check(), self.check());
        assert_eq!((sender.loss(), sender.max_outbox()), (self.loss, self.max));
        assert_eq!(sender.is_interrupted(), self.interrupted);
        assert_eq!(sender.is_closed(), self.closed);
        let congested = sender.unsent() > 0 && sender.queued() > self.max / 2;
        assert_eq!(sender.is_congested(), congested);
    }

    /// S2: all that was accepted leaves, and the wire then ends with a whole message, unless the end was
    /// told.
    fn finish(mut self) {
        self.apply(Op::Close);
        self.apply(Op::TransmitAll);
        assert_eq!(self.sender.queued(), 0);
        let whole = self.ends.last().is_none_or(|end| self.wire.len() == *end);
        assert!(whole || self.interrupted || self.loss.is_some(), "S2: a torn message");
    }
}

fn case(mut u: Unstructured<'_>) -> Result<()> {
    let mut world = World::new(input::max_outbox(&mut u)?);
    for _ in 0..MOST_OPS {
        if u.is_empty() {
            break;
        }
        world.apply(Op::new(&mut u)?);
    }
    world.finish();
    Ok(())
}

/// The body of the target.
pub fn run(data: &[u8]) {
    // An input that is too short is no case.
    let _ = case(Unstructured::new(data));
}
