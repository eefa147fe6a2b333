//! Any operations on a whole `Connection`, beside a model written from the contract: every answer, every
//! getter and every byte on the wire is what the model says, whatever happened before.

mod model;

use allocation_counter::measure;
use arbitrary::{Result, Unstructured};
use asyncnet_core::{Cause, Config, Connection, End, Ends, Error, Loss, Step};

use crate::input;
use model::{Answer, Model};

const BLOCK: usize = 64 << 10;

#[derive(Clone, Copy, Debug)]
enum Op {
    /// The transport brings this much, into `space` or not.
    Input(usize, bool),
    Eof,
    Lost(Loss),
    WriteLost(Loss),
    Call(Call),
    Feed(Feed, usize),
    /// This much of what is outgoing leaves.
    Transmit(usize),
    CloseWrite,
    Close,
}

#[derive(Clone, Copy, Debug)]
enum Call {
    PollLine,
    NextLine,
    NextLines(usize),
    NextBlock(usize),
    NextBytes(usize),
    PeekLine,
    Recv(usize),
    RecvInto(usize),
    RecvLine,
    RecvLineInto,
}

#[derive(Clone, Copy, Debug)]
enum Feed {
    Copy,
    Shared,
    Line,
    BrokenLine,
    Send,
}

impl Op {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match u.int_in_range(0..=31)? {
            0..=5 => Self::Input(input::size(u)?, true),
            6..=9 => Self::Input(input::size(u)?, false),
            10 => Self::Eof,
            11 => Self::Lost(input::loss(u)?),
            12 => Self::WriteLost(input::loss(u)?),
            13..=25 => Self::Call(Call::new(u)?),
            26..=27 => {
                let kinds = [Feed::Copy, Feed::Shared, Feed::Line, Feed::BrokenLine, Feed::Send];
                Self::Feed(*u.choose(&kinds)?, input::size(u)?)
            }
            28..=29 => Self::Transmit(input::size(u)?),
            30 => Self::CloseWrite,
            _ => Self::Close,
        })
    }
}

impl Call {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        // Without a limit nothing may be allocated for what is merely asked for.
        let any_size = |u: &mut Unstructured<'_>| {
            Ok(if u.ratio(1, 16)? { usize::MAX } else { input::size(u)? })
        };
        Ok(match u.int_in_range(0..=9)? {
            0 => Self::PollLine,
            1 => Self::NextLine,
            2 => Self::NextLines(input::size(u)?),
            3 => Self::NextBlock(any_size(u)?),
            4 => Self::NextBytes(any_size(u)?),
            5 => Self::PeekLine,
            6 => Self::Recv(any_size(u)?),
            7 => Self::RecvInto(input::size(u)?),
            8 => Self::RecvLine,
            _ => Self::RecvLineInto,
        })
    }

    fn run(self, conn: &mut Connection) -> Result<Step<Answer>, Error> {
        let typed = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => Answer::Bytes(bytes.to_vec()),
            None => Answer::Nothing,
        };
        Ok(match self {
            Self::PollLine => conn.poll_line()?.map(|span| typed(span.map(|span| conn.line(span)))),
            Self::NextLine => conn.next_line()?.map(typed),
            Self::NextLines(most) => conn.next_lines()?.map(|lines| match lines {
                Some(lines) => Answer::Lines(lines.take(most).map(<[u8]>::to_vec).collect()),
                None => Answer::Nothing,
            }),
            Self::NextBlock(n) => conn.next_block(n)?.map(|block| typed(Some(block))),
            Self::NextBytes(n) => conn.next_bytes(n)?.map(typed),
            Self::PeekLine => conn.peek_line()?.map(typed),
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

    fn expected(self, model: &mut Model<'_>) -> Answer {
        match self {
            Self::PollLine | Self::NextLine => model.line(),
            Self::NextLines(most) => model.lines(most),
            Self::NextBlock(n) => model.block(n),
            Self::NextBytes(n) => model.bytes(n),
            Self::PeekLine => model.peek_line(),
            Self::Recv(n) | Self::RecvInto(n) => model.recv(n),
            Self::RecvLine => model.recv_line(true),
            Self::RecvLineInto => model.recv_line(false),
        }
    }
}

fn answer(told: Result<Step<Answer>, Error>) -> Answer {
    match told {
        Ok(Step::NeedInput) => Answer::Wait,
        Ok(Step::Ready(answer)) => answer,
        Err(Error::Line(error)) => Answer::Bad(error),
        Err(Error::TooLarge { .. }) => Answer::TooLarge,
        Err(Error::Disconnected(end)) => Answer::Ended(end.cause, end.partial),
        Err(Error::Closed) => Answer::Closed,
        Err(error) => panic!("{error}: not known here"),
    }
}

struct World<'a> {
    config: Config,
    conn: Connection,
    model: Model<'a>,
    /// The bytes accepted and not transmitted.
    queued: Vec<u8>,
    /// The most that ever were.
    peak: usize,
    transmitted: u64,
    write_closed: bool,
    /// The cause that was told first: it stays.
    told: Option<Cause>,
}

impl World<'_> {
    fn apply(&mut self, op: Op) {
        let Self { conn, model, .. } = self;
        match op {
            Op::Input(size, into_space) => self.input(size, into_space),
            Op::Eof => {
                conn.handle_eof();
                model.eof();
            }
            Op::Lost(loss) => {
                conn.handle_lost(loss);
                model.lost(loss);
                self.queued.clear();
            }
            Op::WriteLost(loss) => {
                conn.handle_write_lost(loss);
                model.write_lost(loss);
                self.queued.clear();
            }
            Op::Call(call) => assert_eq!(answer(call.run(conn)), call.expected(model)),
            Op::Feed(feed, size) => self.feed(feed, size),
            Op::Transmit(size) => {
                let n = size.min(conn.unsent());
                conn.transmitted(n);
                self.queued.drain(..n);
                self.transmitted += n as u64;
            }
            Op::CloseWrite => {
                conn.close_write();
                self.write_closed = true;
            }
            Op::Close => {
                conn.close();
                model.close();
                self.write_closed = true;
            }
        }
        self.check();
    }

    fn input(&mut self, size: usize, into_space: bool) {
        let Self { conn, model, config, .. } = self;
        let wire = &model.coming()[..size.min(model.coming().len())];
        let taken = if into_space {
            let space = conn.space();
            let most = if config.buffered { BLOCK } else { model.missing };
            assert!((1..=most).contains(&space.len()), "B5: {} of {most}", space.len());
            let n = space.len().min(wire.len());
            space[..n].copy_from_slice(&wire[..n]);
            conn.handle_read(n);
            if model.wants_read() { n } else { 0 }
        } else {
            let most = if config.buffered { BLOCK } else { model.missing };
            let n = conn.handle_input(wire);
            let expected = if model.wants_read() { wire.len().min(most) } else { 0 };
            assert_eq!(n, expected, "what is taken of an input");
            n
        };
        model.arrive(taken);
    }

    fn feed(&mut self, feed: Feed, size: usize) {
        let byte = self.transmitted as u8 ^ self.queued.len() as u8;
        let mut message = vec![byte.max(b' '); size];
        let before = self.conn.unsent();
        let fed = match feed {
            Feed::Copy => self.conn.feed(&message),
            Feed::Shared => self.conn.feed_bytes(message.clone().into()),
            Feed::Line => self.conn.feed_line(&message),
            Feed::BrokenLine => {
                message.push(b'\n');
                self.conn.feed_line(&message)
            }
            Feed::Send => self.conn.send(&message),
        };
        let hidden = matches!(feed, Feed::Send) && self.config.ends == Ends::Hide;
        let (loss, closed) = (self.model.loss, self.write_closed);
        match fed {
            Err(Error::LineBreak) => assert!(matches!(feed, Feed::BrokenLine), "S4"),
            Err(Error::Closed) => assert!(closed),
            Err(Error::Disconnected(told)) => {
                assert!(!hidden && !closed, "E3");
                assert_eq!(Some(told), loss.map(End::from));
            }
            Err(Error::Full { .. }) => {
                assert!(!closed && loss.is_none());
                // 64 for each piece, and no more pieces than bytes.
                let charge = 65 * before + message.len() + 2 + 64;
                let fits = if before == 0 { message.len() + 2 } else { charge };
                assert!(fits > self.config.max_outbox.max(1), "S6: full too early");
            }
            Ok(()) if loss.is_some() => assert!(hidden && !closed, "E3"),
            Ok(()) => {
                assert!(!closed && !matches!(feed, Feed::BrokenLine), "S4");
                if matches!(feed, Feed::Line) {
                    message.extend(b"\r\n");
                }
                self.queued.extend(message);
                self.peak = self.peak.max(self.queued.len());
                let max = self.config.max_outbox.max(1);
                assert!(self.queued.len() <= max, "S6: {} of {max}", self.queued.len());
            }
            Err(error) => panic!("{error}: not known here"),
        }
    }

    /// Everything that can be seen without a call.
    fn check(&mut self) {
        let Self { conn, model, .. } = self;
        assert!(conn.peek() == model.peek(), "B3: what is unread");
        assert!(conn.partial() == model.partial(), "E2: the partial");
        let end = conn.end().map(|end| (end.cause, end.partial));
        assert_eq!(end, model.end());
        assert_eq!(conn.is_disconnected(), end.is_some());
        assert_eq!(conn.is_closed(), model.is_closed());
        assert_eq!(conn.wants_read(), model.wants_read());
        if let Some((cause, _)) = end {
            let told = *self.told.get_or_insert(cause);
            assert_eq!(cause, told, "E1: what `end` has told stays");
        }
        assert_eq!(conn.unsent(), self.queued.len());
        assert!(input::is_all_of(conn.outgoing(), &self.queued), "S1: what is outgoing");
        let (received, sent) = conn.stats();
        assert_eq!(received.bytes, model.arrived as u64);
        assert_eq!(received.lines, model.lines);
        assert_eq!(received.too_long + received.bare + received.not_utf8, model.bad);
        assert_eq!(sent.bytes, self.transmitted);
    }

    /// What the connection may hold in memory. Storage doubles as it grows, and bytes that were answered
    /// or transmitted stay until as many others came.
    fn limit(&self) -> usize {
        4 * (self.model.peak + self.peak) + 4 * BLOCK
    }
}

fn case(mut u: Unstructured<'_>) -> Result<()> {
    let config = input::config(&mut u)?;
    let ops = input::list(&mut u, 250, Op::new)?;
    let stream = input::stream(u)?;
    let mut world = World {
        config,
        conn: Connection::new(config),
        model: Model::new(config, &stream),
        queued: Vec::new(),
        peak: 0,
        transmitted: 0,
        write_closed: false,
        told: None,
    };
    for op in &ops {
        world.apply(*op);
    }
    let limit = world.limit();
    let World { conn, .. } = world;
    let freed = -measure(|| drop(conn)).bytes_current;
    assert!(freed <= limit as i64, "{freed} bytes were held, {limit} allowed");
    Ok(())
}

/// The body of the target.
pub fn run(data: &[u8]) {
    // An input that is too short is no case.
    let _ = case(Unstructured::new(data));
}
