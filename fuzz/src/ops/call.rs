//! What the application asks, and what a `Connection` answers to it.

use arbitrary::{Result, Unstructured};
use asyncnet_core::{Connection, Error, Items, Step, Timeout, Unread};

use super::model::{Answer, Model};
use crate::input;

/// One receive.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    PollLine,
    NextLine,
    TryNextLine,
    NextBatch(Batch),
    NextWith,
    NextBlock(usize),
    NextBytes(usize),
    Skip(usize),
    PeekLine,
    PeekBlock(usize),
    Recv(usize),
    RecvInto(usize),
    RecvLine,
    RecvLineInto,
}

/// What is taken of a batch: at most so many items, of these kinds by turns, of this size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    most: usize,
    kinds: u8,
    size: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Item {
    Line,
    Block(usize),
    Bytes(usize),
    With,
}

impl Batch {
    pub(super) fn items(self) -> impl Iterator<Item = Item> {
        (0..self.most).map(move |at| match self.kinds >> (2 * (at % 4)) & 3 {
            0 => Item::Line,
            1 => Item::Block(self.size),
            2 => Item::Bytes(self.size),
            _ => Item::With,
        })
    }

    /// The items, up to the first that is not all here.
    fn take(self, mut batch: Items<'_>) -> Vec<Answer> {
        let own = |bytes: Option<&[u8]>| Answer::Bytes(bytes.unwrap_or_default().to_vec());
        let mut taken = Vec::new();
        for item in self.items() {
            let next = match item {
                Item::Line => batch.next_line(),
                Item::Block(n) => batch.next_block(n),
                Item::Bytes(n) => Ok(batch.next_bytes(n)),
                Item::With => batch.next_with(message),
            };
            let over = matches!(next, Ok(None));
            taken.push(if over {
                Answer::Wait
            } else {
                answer(next.map(|it| Step::Ready(own(it))))
            });
            if over {
                break;
            }
        }
        taken
    }
}

/// A line, and a block that is as long as its text: the answer.
fn message<'a>(unread: &mut Unread<'a>) -> Result<&'a [u8], Error> {
    let n = unread.line()?.len();
    unread.block(n)
}

impl Call {
    pub(super) fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        // Without a limit nothing may be allocated for what is merely asked for.
        let any_size = |u: &mut Unstructured<'_>| {
            Ok(if u.ratio(1, 16)? { usize::MAX } else { input::size(u)? })
        };
        Ok(match u.int_in_range(0..=13)? {
            0 => Self::PollLine,
            1 => Self::NextLine,
            2 => Self::NextBatch(Batch {
                most: input::size(u)?,
                kinds: u.arbitrary()?,
                size: any_size(u)?,
            }),
            3 => Self::NextBlock(any_size(u)?),
            4 => Self::NextBytes(any_size(u)?),
            5 => Self::PeekLine,
            6 => Self::Recv(any_size(u)?),
            7 => Self::RecvInto(input::size(u)?),
            8 => Self::RecvLine,
            9 => Self::RecvLineInto,
            10 => Self::NextWith,
            11 => Self::Skip(any_size(u)?),
            12 => Self::PeekBlock(any_size(u)?),
            _ => Self::TryNextLine,
        })
    }

    pub(super) fn run(self, conn: &mut Connection) -> Answer {
        answer(self.ask(conn))
    }

    fn ask(self, conn: &mut Connection) -> Result<Step<Answer>, Error> {
        let typed = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => Answer::Bytes(bytes.to_vec()),
            None => Answer::Nothing,
        };
        Ok(match self {
            Self::PollLine => conn.poll_line()?.map(|span| typed(span.map(|span| conn.line(span)))),
            Self::NextLine => conn.next_line()?.map(typed),
            Self::TryNextLine => Step::Ready(typed(conn.try_next_line()?)),
            Self::NextBatch(batch) => conn.next_batch()?.map(|items| match items {
                Some(items) => Answer::Items(batch.take(items)),
                None => Answer::Nothing,
            }),
            Self::NextWith => {
                let own = |unread: &mut Unread<'_>| Ok(message(unread)?.to_vec());
                conn.next_with(own)?.map(|block| typed(block.as_deref()))
            }
            Self::NextBlock(n) => conn.next_block(n)?.map(|block| typed(Some(block))),
            Self::NextBytes(n) => conn.next_bytes(n)?.map(typed),
            Self::Skip(n) => {
                let mut left = n as u64;
                let skipped = conn.skip(&mut left);
                let left = usize::try_from(left).expect("no more than before");
                Step::Ready(Answer::Skipped(n - left, Box::new(answer(skipped.map(done)))))
            }
            Self::PeekLine => conn.peek_line()?.map(typed),
            Self::PeekBlock(n) => conn.peek_block(n)?.map(|bytes| typed(Some(&bytes[..n]))),
            Self::Recv(n) => conn.recv(n)?.map(Answer::Bytes),
            Self::RecvInto(n) => {
                let mut buf = vec![0; n];
                conn.recv_into(&mut buf)?.map(|n| typed(Some(&buf[..n])))
            }
            Self::RecvLine => conn.recv_line()?.map(|line| Answer::Bytes(line.into())),
            Self::RecvLineInto => {
                let mut line = b"old".to_vec();
                conn.recv_line_into(&mut line)?.map(|()| Answer::Bytes(line))
            }
        })
    }

    pub(super) fn expected(self, model: &mut Model<'_>) -> Answer {
        match self {
            Self::PollLine | Self::NextLine => model.line(),
            Self::TryNextLine => model.try_line(),
            Self::NextBatch(batch) => model.batch(batch),
            Self::NextWith => model.message(),
            Self::NextBlock(n) => model.block(n),
            Self::NextBytes(n) => model.bytes(n),
            Self::Skip(n) => model.skip(n),
            Self::PeekLine => model.peek_line(),
            Self::PeekBlock(n) => model.peek_block(n),
            Self::Recv(n) | Self::RecvInto(n) => model.recv(n),
            Self::RecvLine => model.recv_line(true),
            Self::RecvLineInto => model.recv_line(false),
        }
    }
}

fn done(step: Step<()>) -> Step<Answer> {
    step.map(|()| Answer::Nothing)
}

fn answer(told: Result<Step<Answer>, Error>) -> Answer {
    match told {
        Ok(Step::NeedInput) => Answer::Wait,
        Ok(Step::Ready(answer)) => answer,
        Err(Error::Line(error)) => Answer::Bad(error),
        Err(Error::TooLarge { .. }) => Answer::TooLarge,
        Err(Error::Disconnected(end)) => Answer::Ended(end.cause, end.partial),
        Err(Error::Closed) => Answer::Closed,
        Err(Error::TimedOut(Timeout::Receive { partial })) => Answer::TimedOut(partial),
        Err(error) => panic!("{error}: not known here"),
    }
}
