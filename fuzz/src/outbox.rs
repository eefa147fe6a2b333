//! The sending side of a connection: what was accepted leaves exactly once, in order and in whole messages, and
//! no more than `max_queue` is queued, but for one answer (S2, S3, S5, S6). Messages larger than that are a
//! driver's affair, so this drives the `Link` of a `Connection`.

use arbitrary::{Result, Unstructured};
use std::collections::VecDeque;
use std::sync::Arc;

use asyncnet_core::driver::Link;
use asyncnet_core::{Config, Connection, Error, Loss};

use crate::input;

/// What a queued piece is charged beside its length.
const PIECE: usize = 64;

/// How many operations a case has at most.
const MOST_OPS: usize = 150;

#[derive(Clone, Copy, Debug)]
enum Op {
    Feed(usize),
    FeedShared(usize),
    FeedLine(usize),
    FeedBrokenLine(usize),
    /// Large messages; a part goes in only where one was begun.
    BeginLarge,
    FeedPart(usize),
    /// Answers of the task that receives.
    Reply(usize),
    ReplyShared(usize),
    ReplyLine(usize),
    EndLarge,
    GiveUpLarge,
    Transmit(usize),
    TransmitAll,
    SetMaxQueue(usize),
    Lost(Loss),
    Close,
}

impl Op {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match u.int_in_range(0..=127)? {
            0..=13 => Self::Feed(input::size(u)?),
            14..=19 => Self::Reply(input::size(u)?),
            20..=25 => Self::ReplyShared(input::size(u)?),
            26..=29 => Self::ReplyLine(input::size(u)?),
            30..=49 => Self::FeedShared(input::size(u)?),
            50..=59 => Self::FeedLine(input::size(u)?),
            60..=64 => Self::FeedBrokenLine(input::size(u)?),
            65..=69 => Self::BeginLarge,
            70..=84 => Self::FeedPart(input::size(u)?),
            85..=94 => Self::EndLarge,
            95 => Self::GiveUpLarge,
            96..=115 => Self::Transmit(input::size(u)?),
            116..=120 => Self::TransmitAll,
            121..=125 => Self::SetMaxQueue(input::max_queue(u)?),
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
    link: Link,
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
    /// Where in `accepted` the answers are, and how long.
    replies: VecDeque<(usize, usize)>,
    /// What is queued, as it was charged before the operation.
    charge: usize,
    /// The next byte to send: no two neighbours are the same.
    next: u8,
}

impl World {
    fn new(max: usize) -> Self {
        Self {
            link: Connection::new(Self::config(max)).into_halves().1,
            accepted: Vec::new(),
            ends: Vec::new(),
            wire: Vec::new(),
            max: max.max(1),
            large: Large::No,
            loss: None,
            interrupted: false,
            closed: false,
            replies: VecDeque::new(),
            charge: 0,
            next: 0,
        }
    }

    fn config(max: usize) -> Config {
        Config::default().max_queue(max).high_water(max / 2)
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
        self.charge = self.link.queued();
        match op {
            Op::Feed(n) => {
                let message = self.message(n);
                let room = self.link.has_room(n);
                let fed = self.link.feed(&message);
                assert_eq!(room && self.check().is_ok(), fed.is_ok(), "has_room tells");
                self.queued(fed, &message, false);
            }
            Op::Reply(n) => {
                let message = self.message(n);
                let fed = self.link.reply(&message);
                self.queued(fed, &message, true);
            }
            Op::ReplyShared(n) => {
                let message = self.message(n);
                let fed = self.link.reply_shared(message.clone().into());
                self.queued(fed, &message, true);
            }
            Op::ReplyLine(n) => {
                let text = self.message(n);
                let fed = self.link.reply_line(&text);
                self.queued(fed, &[&text[..], b"\r\n"].concat(), true);
            }
            Op::FeedShared(n) => {
                let message = self.message(n);
                let fed = self.link.feed_shared(message.clone().into());
                self.queued(fed, &message, false);
            }
            Op::FeedLine(n) => {
                let text = self.message(n);
                let fed = self.link.feed_line(&text);
                self.queued(fed, &[&text[..], b"\r\n"].concat(), false);
            }
            Op::FeedBrokenLine(n) => {
                let mut text = self.message(n);
                text.insert(n / 2, if n % 2 == 0 { b'\r' } else { b'\n' });
                assert_eq!(self.link.feed_line(&text), Err(Error::LineBreak), "S4");
            }
            Op::BeginLarge => match self.link.begin_large() {
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
                self.link.end_large();
                if self.large == Large::Torn {
                    self.ends.push(self.accepted.len());
                }
                self.large = Large::No;
            }
            Op::GiveUpLarge => {
                self.link.give_up_large();
                self.tear();
            }
            Op::Transmit(n) => self.transmit(n),
            Op::TransmitAll => self.transmit(usize::MAX),
            Op::SetMaxQueue(max) => {
                self.link.configure(Arc::new(Self::config(max)));
                self.max = max.max(1);
            }
            Op::Lost(loss) => {
                self.link.handle_write_lost(loss);
                self.loss.get_or_insert(loss);
                self.accepted.truncate(self.wire.len());
            }
            Op::Close => {
                self.link.close();
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

    /// Takes note of what a feed, or an answer (`reply`), came to.
    fn queued(&mut self, fed: Result<(), Error>, message: &[u8], reply: bool) {
        let unsent = self.accepted.len() - self.wire.len();
        let n = message.len();
        // What this would be charged as a piece of its own.
        let charge = self.link.queued() + n + PIECE;
        match fed {
            Ok(()) => {
                assert_eq!((self.check(), self.large == Large::No), (Ok(()), true), "S3");
                // A message of up to `max_queue` bytes goes into an empty queue whatever it is charged, and
                // an answer wherever the limit is not exceeded yet.
                let size = if unsent == 0 || reply { n } else { self.link.queued() };
                assert!(size <= self.max, "S6: {size} of {}", self.max);
                if reply {
                    let answers = self.unsent_replies() + n;
                    let fits = self.charge <= self.max || answers <= self.max;
                    assert!(fits, "S6: a second answer over the limit");
                    self.replies.push_back((self.accepted.len(), n));
                }
                self.accepted.extend(message);
                self.ends.push(self.accepted.len());
            }
            Err(Error::TooLarge { len, max }) => {
                assert_eq!((len, max), (n, self.max));
                assert!(self.check().is_ok() && len > max, "S6: too large too early");
            }
            Err(Error::Full { queued, max }) => {
                assert_eq!((queued, max), (self.link.queued(), self.max));
                assert!(self.check().is_ok() && n <= max);
                let answers = self.unsent_replies() + n;
                let full =
                    if reply { queued > max && answers > max } else { unsent > 0 && charge > max };
                assert!(full || self.large != Large::No, "S6: full too early");
            }
            error => assert_eq!(error, self.check()),
        }
    }

    /// How many bytes of answers are unsent.
    fn unsent_replies(&mut self) -> usize {
        let (sent, accepted) = (self.wire.len(), self.accepted.len());
        // A loss drops what is queued.
        self.replies.retain(|(at, n)| at + n > sent && at + n <= accepted);
        self.replies.iter().map(|(at, n)| at + n - (*at).max(sent)).sum()
    }

    fn part(&mut self, n: usize) {
        let message = self.message(n);
        let unsent = self.accepted.len() - self.wire.len();
        match self.link.feed_part(&message) {
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
        let n = n.min(self.link.unsent());
        let at = self.wire.len();
        let leaving = &self.accepted[at..at + n];
        assert!(self.link.outgoing().flatten().take(n).eq(leaving), "once and in order");
        self.wire.extend(leaving);
        self.link.transmitted(n);
    }

    fn compare(&mut self) {
        let Self { link, accepted, wire, .. } = self;
        let unsent = &accepted[wire.len()..];
        assert!(input::is_all_of(link.outgoing(), unsent), "once and in order");
        let slices = link.outgoing().count();
        assert_eq!(link.unsent(), unsent.len());
        assert_eq!(link.queued(), link.unsent() + PIECE * slices, "S6: the charge");
        assert_eq!(link.accepted_total(), accepted.len() as u64);
        assert_eq!(link.transmitted_total(), wire.len() as u64);
        let link = &self.link;
        assert_eq!(link.check(), self.check());
        assert_eq!((link.loss(), link.max_queue()), (self.loss, self.max));
        assert_eq!(link.is_interrupted(), self.interrupted);
        assert_eq!(link.is_closed(), self.closed);
        let (replies, queued) = (self.unsent_replies(), self.link.queued());
        // Above the limit the next answer would be refused.
        let congested = replies > self.link.config().high_water || replies > 0 && queued > self.max;
        assert_eq!(self.link.is_congested(), congested, "S5");
    }

    /// S2: all that was accepted leaves, and the wire then ends with a whole message, unless the end was
    /// told.
    fn finish(mut self) {
        self.apply(Op::Close);
        self.apply(Op::TransmitAll);
        assert_eq!(self.link.queued(), 0);
        let whole = self.ends.last().is_none_or(|end| self.wire.len() == *end);
        assert!(whole || self.interrupted || self.loss.is_some(), "S2: a torn message");
    }
}

fn case(mut u: Unstructured<'_>) -> Result<()> {
    let mut world = World::new(input::max_queue(&mut u)?);
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
