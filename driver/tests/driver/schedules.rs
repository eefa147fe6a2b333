//! Many tasks use one connection in many orders, with calls dropped midway, slow and broken peers. Each
//! schedule follows from its seed. Whatever happens, no message is doubled, reordered, or followed once
//! torn; what a success has promised is on the wire; and everybody comes to an end.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::ErrorKind;

use asyncnet::{Config, Connection, Error, Writer};
use futures_lite::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};

use crate::clock;
use crate::pipe::{End, Wire, duplex};
use crate::tasks::{Random, Tasks, turn, turns, within};
use crate::{try_send, with_writer};

const SCHEDULES: u64 = 2000;
pub(crate) const SENDERS: usize = 3;
pub(crate) const EVER: usize = usize::MAX;

/// Sender and number of a message.
pub(crate) type Id = (usize, usize);

/// What a call has said about its message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Said {
    /// On the wire.
    Out,
    /// Queued: out if a close succeeds.
    Queued,
    /// Nothing of it was queued.
    Refused,
    /// Given up midway, or an error: anything goes, in one piece.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ending {
    Close,
    ShutDown,
    Abort,
}

/// What is left behind by the tasks of one schedule.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) said: RefCell<HashMap<Id, Said>>,
    /// What the first close has answered.
    /// Whether the first close to complete said `Ok`.
    pub(crate) closed: Cell<Option<bool>>,
    /// An abort came in between: then a success of a close promises nothing.
    pub(crate) aborted: Cell<bool>,
    /// The peer reads no more.
    pub(crate) stalled: Cell<bool>,
    /// The peer broke the connection.
    pub(crate) broken: Cell<bool>,
    pub(crate) lines: RefCell<Vec<String>>,
    pub(crate) heard: RefCell<Vec<u8>>,
    pub(crate) senders_left: Cell<usize>,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            said: RefCell::default(),
            closed: Cell::new(None),
            aborted: Cell::new(false),
            stalled: Cell::new(false),
            broken: Cell::new(false),
            lines: RefCell::default(),
            heard: RefCell::default(),
            senders_left: Cell::new(SENDERS),
        }
    }
}

pub(crate) fn message((sender, number): Id, len: usize) -> Vec<u8> {
    format!("{sender}:{number}:{len}:{}\r\n", "x".repeat(len)).into_bytes()
}

/// The message that `line` is, if it is whole.
pub(crate) fn parse(line: &str) -> Option<Id> {
    let mut fields = line.strip_suffix("\r\n")?.splitn(4, ':');
    let mut number = || fields.next()?.parse().ok();
    let (sender, number, len): (_, _, usize) = (number()?, number()?, number()?);
    let text = fields.next()?;
    (text.len() == len && text.bytes().all(|byte| byte == b'x')).then_some((sender, number))
}

/// How long a call is waited for: for ever, or only a few polls.
pub(crate) fn patience(random: &mut Random) -> usize {
    if random.one_in(3) { random.below(4) } else { EVER }
}

pub(crate) async fn send_some(
    me: usize,
    sender: &Writer<End>,
    mut random: Random,
    record: &Record,
) {
    for number in 0..=random.below(16) {
        let id = (me, number);
        let bytes = message(id, random.pick(&[0, 5, 40, 90, 400]));
        let wait = patience(&mut random);
        let said = match random.below(8) {
            0 => queued(try_send(sender, bytes.into())),
            1 | 2 => queued(sender.feed(&bytes)),
            3 => {
                within(wait, sender.flush()).await;
                Said::Refused
            }
            4 => out(within(wait, sender.send_line(&bytes[..bytes.len() - 2])).await),
            _ => out(within(wait, sender.send_all(&bytes)).await),
        };
        record.said.borrow_mut().insert(id, said);
        if random.one_in(3) {
            turn().await;
        }
    }
}

fn queued(answer: Result<(), Error>) -> Said {
    match answer {
        Ok(()) => Said::Queued,
        Err(_) => Said::Refused,
    }
}

fn out(answer: Option<Result<(), Error>>) -> Said {
    match answer {
        Some(Ok(())) => Said::Out,
        _ => Said::Unknown,
    }
}

pub(crate) async fn end(how: Ending, sender: &Writer<End>, mut random: Random, record: &Record) {
    if how == Ending::Abort {
        record.aborted.set(true);
        return sender.abort();
    }
    if how == Ending::ShutDown {
        while within(patience(&mut random), sender.shutdown_write()).await.is_none() {
            turn().await;
        }
        turns(random.below(6)).await;
    }
    // A close that was dropped goes on with the next.
    let answer = loop {
        if let Some(answer) = within(patience(&mut random), sender.close()).await {
            break answer;
        }
        turn().await;
    };
    record.closed.set(record.closed.get().or(Some(answer.is_ok())));
}

/// Receives for `calls` calls at most, in all ways.
pub(crate) async fn receive(
    receiver: &mut Connection<End>,
    calls: usize,
    mut random: Random,
    record: &Record,
) {
    let keep = |line: &[u8]| record.lines.borrow_mut().push(String::from_utf8_lossy(line).into());
    for _ in 0..calls {
        let wait = patience(&mut random);
        let goes_on = match random.below(3) {
            0 => within(wait, receiver.next_batch()).await.is_none_or(|batch| match batch {
                // The rest of it comes again.
                Ok(Some(mut batch)) => {
                    for _ in 0..1 + random.below(4) {
                        batch.next_line().unwrap().into_iter().for_each(keep);
                    }
                    true
                }
                _ => false,
            }),
            1 => within(wait, receiver.recv_line()).await.is_none_or(|line| {
                let line = line.unwrap_or_default();
                if !line.is_empty() {
                    keep(line.as_bytes());
                }
                !line.is_empty()
            }),
            _ => within(wait, receiver.next_line()).await.is_none_or(|line| match line {
                Ok(Some(line)) => {
                    keep(line);
                    true
                }
                _ => false,
            }),
        };
        if !goes_on {
            return;
        }
        if random.one_in(4) {
            turn().await;
        }
    }
}

async fn peer_writes(mut peer: WriteHalf<End>, mut random: Random) {
    let mut wire = Vec::new();
    for i in 0..random.below(60) {
        wire.extend(format!("line {i} {}\r\n", "y".repeat(random.below(30))).as_bytes());
    }
    let mut rest = &wire[..];
    while !rest.is_empty() {
        let (part, behind) = rest.split_at((1 + random.below(40)).min(rest.len()));
        if peer.write_all(part).await.is_err() {
            return;
        }
        rest = behind;
        turns(random.below(3) / 2).await;
    }
    // Dropped it does not end: the other half of the peer is alive.
    if random.one_in(3) {
        peer.close().await.unwrap();
    }
}

async fn peer_reads(mut peer: ReadHalf<End>, mut random: Random, record: &Record) {
    let slow = random.one_in(2);
    let stalls_at = if random.one_in(5) { random.below(300) } else { EVER };
    let mut buf = [0; 64];
    loop {
        if record.heard.borrow().len() > stalls_at {
            record.stalled.set(true);
            std::future::pending::<()>().await;
        }
        let n = 1 + random.below(buf.len());
        match peer.read(&mut buf[..n]).await {
            Ok(0) | Err(_) => return,
            Ok(n) => record.heard.borrow_mut().extend(&buf[..n]),
        }
        if slow {
            turns(random.below(5)).await;
        }
    }
}

/// Breaks one direction of the connection, or both, at some time.
async fn break_it(there: Wire, back: Wire, mut random: Random, record: &Record) {
    turns(random.below(200)).await;
    record.broken.set(true);
    let which = random.below(3);
    if which != 1 {
        let kind = random.pick(&[ErrorKind::BrokenPipe, ErrorKind::Other]);
        there.state().write_error = Some(kind);
        there.wake_writer();
    }
    if which != 0 {
        back.state().read_error = Some(ErrorKind::ConnectionReset);
        back.wake_reader();
    }
}

fn play(seed: u64) {
    let mut random = Random(seed);
    let (end_of_ours, peer) = duplex(random.pick(&[1, 3, 16, 200]));
    let chunk = random.pick(&[1, 2, 7, 1000]);
    let (there, back) = (peer.input.clone(), peer.output.clone());
    for wire in [&there, &back] {
        let hiccups = random.one_in(2).then(|| Random(random.next()));
        let mut state = wire.state();
        (state.chunk, state.hiccups) = (chunk, hiccups);
    }
    let config = Config::default()
        .max_queue(random.pick(&[0, 1, 64, 100, 300, 5000]))
        .buffered(random.one_in(2));
    let has_clock = random.one_in(2);
    let conn = if has_clock {
        Connection::new(end_of_ours.with_clock(), config)
    } else {
        Connection::new(end_of_ours, config)
    };
    let (mut receiver, sender) = with_writer(conn);
    let ending = random.pick(&[Ending::Close, Ending::Close, Ending::ShutDown, Ending::Abort]);

    let record = &Record::new();
    let mut tasks = if random.one_in(4) { Tasks::in_order() } else { Tasks::shuffled(seed) };
    let mut fork = || Random(random.next());
    let (peer_reader, peer_writer) = split(peer);
    tasks.spawn("peer writes", peer_writes(peer_writer, fork()));
    tasks.spawn("peer reads", peer_reads(peer_reader, fork(), record));
    let calls = if fork().one_in(6) { 10 } else { EVER };
    let random_of_receiver = fork();
    tasks.spawn("receiver", async move {
        receive(&mut receiver, calls, random_of_receiver, record).await;
    });
    for me in 0..SENDERS {
        let (sender, ends_early) = (sender.clone(), fork().one_in(12));
        let (random, random_of_end) = (fork(), fork());
        tasks.spawn("sender", async move {
            send_some(me, &sender, random, record).await;
            record.senders_left.set(record.senders_left.get() - 1);
            if ends_early || record.senders_left.get() == 0 {
                end(ending, &sender, random_of_end, record).await;
            }
        });
    }
    if fork().one_in(2) {
        let sender = sender.clone();
        tasks.spawn("driver", async move {
            let _ = sender.drive().await;
        });
    }
    if fork().one_in(4) {
        tasks.spawn("peer breaks", break_it(there.clone(), back, fork(), record));
    }

    run(&mut tasks, has_clock, &sender, record);
    drop(tasks);
    record.heard.borrow_mut().extend(&there.state().bytes);
    check(record);
}

/// Runs to the end. Only a peer that reads no more may make a clock or an abort necessary.
fn run(tasks: &mut Tasks<'_>, has_clock: bool, sender: &Writer<End>, record: &Record) {
    let ours = |tasks: &mut Tasks<'_>| {
        let mut waiting = tasks.run();
        waiting.retain(|name| !name.starts_with("peer"));
        waiting
    };
    let mut waiting = ours(tasks);
    if record.stalled.get() && !waiting.is_empty() {
        if has_clock {
            clock::strike();
            ours(tasks);
        }
        record.aborted.set(true);
        sender.abort();
        waiting = ours(tasks);
    }
    assert!(waiting.is_empty(), "nobody wakes {waiting:?}");
}

fn check(record: &Record) {
    let heard = String::from_utf8(record.heard.take()).unwrap();
    let said = record.said.borrow();
    let closed_well = record.closed.get() == Some(true) && !record.aborted.get();
    let mut seen = HashMap::new();
    let mut last = [None; SENDERS];
    let mut lines = heard.split_inclusive('\n').enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        let Some(id) = parse(line) else {
            assert_eq!(lines.peek(), None, "{line:?} is torn and followed");
            // What a loss tears was not accepted whole, and its send has told.
            let torn_by_loss = record.broken.get();
            assert!(!closed_well || torn_by_loss, "{line:?} is torn, and the close said Ok");
            break;
        };
        assert_eq!(seen.insert(id, at), None, "{id:?} is doubled");
        assert!(last[id.0].replace(id.1) < Some(id.1), "{id:?} is out of order");
        let said = said.get(&id).copied().unwrap_or(Said::Unknown);
        assert_ne!(said, Said::Refused, "{id:?} was refused and is out");
    }
    for (id, said) in &*said {
        let promised = *said == Said::Out || *said == Said::Queued && closed_well;
        assert!(!promised || seen.contains_key(id), "{id:?} is lost: {said:?}, {record:?}");
    }
    for (i, line) in record.lines.borrow().iter().enumerate() {
        assert!(line.starts_with(&format!("line {i} ")), "line {i} was {line:?}");
    }
}

/// Says which seed it was.
pub(crate) struct Blame(pub(crate) u64);

impl Drop for Blame {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the schedule of seed {}", self.0);
        }
    }
}

#[test]
fn every_schedule_keeps_its_promises() {
    for seed in 0..SCHEDULES {
        let blame = Blame(seed);
        play(seed);
        drop(blame);
    }
}
