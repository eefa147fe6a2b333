//! Any operations on a whole `Connection`, beside a model written from the contract: every answer, every
//! getter and every byte on the wire is what the model says, whatever happened before.

mod call;
mod model;

use std::time::Duration;

use allocation_counter::measure;
use arbitrary::{Result, Unstructured};
use asyncnet_core::{Cause, Config, Connection, Error, Flags, Loss, Time};

use crate::input;
use call::Call;
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
    /// The settings change.
    Configure(Config),
    /// So many microseconds pass, and the connection is told the time.
    Wait(u64),
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
        Ok(match u.int_in_range(0..=39)? {
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
            31 => Self::Close,
            32..=34 => Self::Configure(input::config(u)?),
            _ => Self::Wait([0, 1, 400, 999, 1000, 5_000_000][u.choose_index(6)?]),
        })
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
    now: Time,
    /// Since when a receive waits, if one does; its clock starts when the time is told next.
    waits: Option<Option<Time>>,
    /// It has waited too long.
    late: bool,
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
            Op::Call(call) => self.call(call),
            Op::Configure(to) => self.configure(to),
            Op::Wait(micros) => self.wait(micros),
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

    fn call(&mut self, call: Call) {
        let Self { conn, model, .. } = self;
        let mut expected = call.expected(model);
        let waits = match &mut expected {
            Answer::Skipped(_, answer) => &mut **answer,
            answer => answer,
        };
        if *waits != Answer::Wait {
            if !matches!(call, Call::TryNextLine) {
                (self.waits, self.late) = (None, false);
            }
        } else if self.late {
            (self.waits, self.late) = (None, false);
            *waits = Answer::TimedOut(model.here());
        } else {
            self.waits.get_or_insert(None);
        }
        assert_eq!(call.run(conn), expected);
    }

    fn configure(&mut self, to: Config) {
        let to = to.buffered(self.config.buffered);
        if self.config.receive_timeout.is_none() {
            self.waits = self.waits.map(|_| None);
        }
        self.config = to;
        self.model.configure(to);
        self.conn.configure(|_| to);
    }

    /// D1: a receive that waits answers in time, and none answers before.
    fn wait(&mut self, micros: u64) {
        self.now = self.now + Duration::from_micros(micros);
        let now = self.now;
        let deadline = self.conn.poll_timeout(now);
        self.waits = self.waits.map(|since| Some(since.unwrap_or(now)));
        // Behind our close there are bounds of their own.
        if !self.model.is_closed() {
            let since = self.waits.flatten().filter(|_| !self.late);
            let end = since.zip(self.config.receive_timeout).map(|(since, time)| since + time);
            assert_eq!(deadline, end, "D1, D4");
            self.late |= end.is_some_and(|end| end <= now);
        }
        self.conn.handle_timeout(now);
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
            Feed::Shared => self.conn.feed_shared(message.clone().into()),
            Feed::Line => self.conn.feed_line(&message),
            Feed::BrokenLine => {
                message.extend(self.config.framing.terminator());
                self.conn.feed_line(&message)
            }
            Feed::Send => self.conn.send(&message),
        };
        let hidden =
            matches!(feed, Feed::Send) && self.config.nim_flags.contains(Flags::SAFE_DISCONN);
        let (loss, closed) = (self.model.loss, self.write_closed);
        let (framing, max) = (self.config.framing, self.config.max_queue.max(1));
        let broken = framing.holds_line_break(&message);
        let line = if matches!(feed, Feed::Line) { framing.terminator() } else { b"" };
        match fed {
            Err(Error::LineBreak) => {
                assert!(matches!(feed, Feed::Line | Feed::BrokenLine) && broken, "S4");
            }
            Err(Error::Closed) => assert!(closed),
            Err(Error::Disconnected(told)) => {
                assert!(!hidden && !closed, "E3");
                assert_eq!(Some(told), loss.map(Into::into));
            }
            Err(Error::TooLarge { len, .. }) => {
                assert!(!closed && loss.is_none());
                assert_eq!(len, message.len() + line.len());
                assert!(len > max, "S6: too large too early");
            }
            Err(Error::Full { .. }) => {
                assert!(!closed && loss.is_none());
                // 64 for each piece, and no more pieces than bytes.
                let charge = 65 * before + message.len() + line.len() + 64;
                assert!(before > 0 && charge > max, "S6: full too early");
                assert!(message.len() + line.len() <= max, "S6: it never fits");
            }
            Ok(()) if loss.is_some() => assert!(hidden && !closed, "E3"),
            Ok(()) => {
                assert!(!(closed || matches!(feed, Feed::Line | Feed::BrokenLine) && broken), "S4");
                message.extend(line);
                self.queued.extend(message);
                self.peak = self.peak.max(self.queued.len());
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
        let stats = conn.stats();
        assert_eq!(stats.bytes_received, model.arrived as u64);
        assert_eq!(stats.lines_received, model.lines);
        assert_eq!(stats.too_long + stats.bare + stats.not_utf8, model.bad);
        assert_eq!(stats.bytes_sent, self.transmitted);
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
        now: Time::START,
        waits: None,
        late: false,
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
