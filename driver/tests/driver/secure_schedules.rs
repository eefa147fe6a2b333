//! Two connections over a secure layer talk to each other in many orders, from somewhere in their handshake
//! on, with calls dropped midway and closes at any time. Each schedule follows from its seed. Whatever
//! happens, no message is torn, doubled or out of order; behind a good end nothing is missing; and everybody
//! comes to an end.

use std::collections::HashMap;

use asyncnet::tls;
use asyncnet::{Cause, Config, Connection, Error, Writer};
use futures_lite::io::{AsyncReadExt, AsyncWriteExt, split};

use crate::layer::Layer;
use crate::pipe::{End, duplex};
use crate::schedules::{
    Blame, EVER, Ending, Id, Record, SENDERS, Said, end, message, parse, patience, receive,
    send_some,
};
use crate::tasks::{Random, Tasks, turn, within};
use crate::{clock, poll_once, with_writer};

const SCHEDULES: u64 = 1000;

/// How one end is used.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Use {
    /// By many tasks, and closed by the last of those that send, or earlier.
    Split,
    /// By many tasks, and closed when the other end has ended.
    Passive,
    /// By two tasks through the `futures` traits.
    Traits,
    /// By one task, through a receive and what sends without waiting.
    Whole,
}

/// One end: what was said of its messages, and how its input ended.
struct Side {
    used: Use,
    record: Record,
    end: std::cell::Cell<Option<Cause>>,
}

impl Side {
    fn new(used: Use) -> Self {
        Self { used, record: Record::new(), end: std::cell::Cell::new(None) }
    }

    fn say(&self, id: Id, said: Said) {
        self.record.said.borrow_mut().insert(id, said);
    }

    /// All that was queued is out.
    fn is_flushed(&self) {
        let mut said = self.record.said.borrow_mut();
        said.values_mut().filter(|said| **said == Said::Queued).for_each(|said| *said = Said::Out);
    }

    /// Whether it receives no more, and `other` may wait for that.
    fn is_deaf_to(&self, other: &Self) -> bool {
        // A connection that is whole reads from nobody who does not read, and a close flushes before it reads.
        let closed = |side: &Self| side.end.get() == Some(Cause::Closed);
        let whole = matches!(other.used, Use::Traits | Use::Whole);
        self.record.stalled.get() || closed(self) && (whole || closed(other))
    }

    fn hear(&self, line: &[u8]) {
        self.record.lines.borrow_mut().push(String::from_utf8_lossy(line).into());
    }
}

fn spawn_split<'a>(
    tasks: &mut Tasks<'a>,
    conn: Connection<End>,
    side: &'a Side,
    mut random: Random,
) -> Writer<End> {
    let (mut receiver, sender) = with_writer(conn);
    let record = &side.record;
    let mut fork = || Random(random.next());
    let passive = side.used == Use::Passive;
    let ending = fork().pick(&[Ending::Close, Ending::Close, Ending::ShutDown, Ending::Abort]);
    let calls = if !passive && fork().one_in(8) { 10 } else { EVER };
    let (random_of_receiver, closer) = (fork(), sender.clone());
    tasks.spawn("receiver", async move {
        loop {
            receive(&mut receiver, calls, random_of_receiver.clone(), record).await;
            side.end.set(receiver.end().map(|end| end.cause));
            if side.end.get().is_some() || calls != EVER {
                break;
            }
        }
        record.stalled.set(side.end.get().is_none());
        if passive {
            record.closed.set(Some(closer.close().await.is_ok()));
        }
    });
    for me in 0..SENDERS {
        let (sender, ends_early) = (sender.clone(), fork().one_in(10));
        let (random, random_of_end) = (fork(), fork());
        tasks.spawn("sender", async move {
            send_some(me, &sender, random, record).await;
            record.senders_left.set(record.senders_left.get() - 1);
            if !passive && (ends_early || record.senders_left.get() == 0) {
                end(ending, &sender, random_of_end, record).await;
            }
        });
    }
    if fork().one_in(3) {
        let sender = sender.clone();
        tasks.spawn("driver", async move {
            let _ = sender.drive().await;
        });
    }
    sender
}

fn spawn_traits<'a>(
    tasks: &mut Tasks<'a>,
    conn: Connection<End>,
    side: &'a Side,
    mut random: Random,
) {
    let (mut reader, mut writer) = split(conn);
    let mut random_of_writer = Random(random.next());
    tasks.spawn("reader", async move {
        let mut line = Vec::new();
        let mut buf = [0; 70];
        loop {
            let n = 1 + random.below(buf.len());
            let Some(read) = within(patience(&mut random), reader.read(&mut buf[..n])).await else {
                continue;
            };
            let Ok(n) = read else { return };
            if n == 0 {
                return side.end.set(Some(Cause::Eof));
            }
            for &byte in &buf[..n] {
                line.push(byte);
                if byte == b'\n' {
                    side.hear(&std::mem::take(&mut line)[..]);
                }
            }
        }
    });
    tasks.spawn("writer", async move {
        let random = &mut random_of_writer;
        for number in 0..=random.below(20) {
            let id = (0, number);
            let bytes = message(id, random.pick(&[0, 5, 40, 90, 400]));
            // What is given up midway tears: so nothing is.
            if writer.write_all(&bytes).await.is_err() {
                return side.say(id, Said::Unknown);
            }
            side.say(id, Said::Queued);
            if random.one_in(4)
                && matches!(within(patience(random), writer.flush()).await, Some(Ok(())))
            {
                side.is_flushed();
            }
        }
        while within(patience(random), writer.close()).await.is_none() {
            turn().await;
        }
    });
}

/// Queues `message` and writes what goes at once.
fn feed_and_flush(conn: &mut Connection<End>, message: &[u8]) -> Result<(), Error> {
    conn.feed(message)?;
    let _ = conn.try_flush();
    Ok(())
}

async fn use_whole(mut conn: Connection<End>, side: &Side, mut random: Random) {
    let mut number = 0;
    let mut ended = false;
    while !ended || number < 20 {
        number += 1;
        let id = (0, number);
        let bytes = message(id, random.pick(&[0, 5, 40]));
        let queued = |answer: Result<(), Error>| match answer {
            Ok(()) => Said::Queued,
            Err(_) => Said::Refused,
        };
        match random.below(5) {
            0 if number < 20 => side.say(id, queued(feed_and_flush(&mut conn, &bytes))),
            1 if number < 20 => side.say(id, queued(conn.feed(&bytes))),
            2 if number < 20 => {
                let wait = random.below(3);
                let sent = within(wait, conn.send_all(&bytes)).await;
                side.say(id, if sent == Some(Ok(())) { Said::Out } else { Said::Unknown });
            }
            3 => {
                let wait = random.below(3);
                let _ = within(wait, conn.handshake()).await;
            }
            _ => {
                match within(patience(&mut random), conn.next_line()).await {
                    None => {}
                    Some(Ok(Some(line))) => side.hear(&[line, b"\r\n"].concat()),
                    Some(_) => ended = true,
                }
                side.end.set(conn.end().map(|end| end.cause));
            }
        }
    }
    side.record.closed.set(Some(conn.close().await.is_ok()));
}

fn play(seed: u64) {
    let mut random = Random(seed);
    let (end, other_end) = duplex(random.pick(&[1, 3, 16, 200]));
    let chunk = random.pick(&[1, 2, 7, 1000]);
    for wire in [&end.input, &end.output] {
        let hiccups = random.one_in(2).then(|| Random(random.next()));
        let mut state = wire.state();
        (state.chunk, state.hiccups) = (chunk, hiccups);
    }
    let has_clock = random.one_in(2);
    let mut make = |end: End| {
        let config = Config::default().max_queue(random.pick(&[1, 64, 100, 300, 5000]));
        if has_clock {
            Connection::new(end.with_clock(), config)
        } else {
            Connection::new(end, config)
        }
    };
    let (mut conn, mut other_conn) = (make(end), make(other_end));
    let round_trips = 1 + random.below(3) as u8;
    // The handshake goes on from anywhere.
    let side = tls::Side::custom(Layer::client(round_trips));
    let mut first = poll_once(conn.upgrade_tls(side));
    let side = tls::Side::custom(Layer::server(round_trips));
    let mut second = poll_once(other_conn.upgrade_tls(side));
    for _ in 1..random.pick(&[1, 2, 3, 10, 50]) {
        if first.is_ready() && second.is_ready() {
            break;
        }
        first = poll_once(conn.handshake());
        second = poll_once(other_conn.handshake());
    }
    if random.one_in(2) {
        std::mem::swap(&mut conn, &mut other_conn);
    }
    let uses = [Use::Split, Use::Passive, Use::Traits, Use::Whole];
    let side = &Side::new(random.pick(&[Use::Split, Use::Split, Use::Traits]));
    let other = &Side::new(match side.used {
        // Two that read only behind what they have written may wait for each other.
        Use::Traits => random.pick(&uses[..2]),
        _ => random.pick(&uses),
    });

    let mut tasks = if random.one_in(4) { Tasks::in_order() } else { Tasks::shuffled(seed) };
    let mut senders = Vec::new();
    for (conn, side) in [(conn, side), (other_conn, other)] {
        let random = Random(random.next());
        match side.used {
            Use::Split | Use::Passive => {
                senders.push((spawn_split(&mut tasks, conn, side, random), side));
            }
            Use::Traits => spawn_traits(&mut tasks, conn, side, random),
            Use::Whole => tasks.spawn("whole", use_whole(conn, side, random)),
        }
    }

    run(&mut tasks, has_clock, &senders, [side, other]);
    drop(tasks);
    check(side, other);
    check(other, side);
}

/// Runs to the end. Only an end that receives no more may make a clock or an abort necessary.
fn run(
    tasks: &mut Tasks<'_>,
    has_clock: bool,
    senders: &[(Writer<End>, &Side)],
    sides: [&Side; 2],
) {
    let mut waiting = tasks.run();
    let [side, other] = sides;
    if (side.is_deaf_to(other) || other.is_deaf_to(side)) && !waiting.is_empty() {
        if has_clock {
            clock::strike();
            tasks.run();
        }
        for (sender, side) in senders {
            side.record.aborted.set(true);
            sender.abort();
        }
        waiting = tasks.run();
    }
    assert!(waiting.is_empty(), "nobody wakes {waiting:?} of {:?}", sides.map(|side| side.used));
}

/// What went from one end to the other.
fn check(from: &Side, to: &Side) {
    let said = from.record.said.borrow();
    let mut last = [None; SENDERS];
    let mut seen = HashMap::new();
    for (at, line) in to.record.lines.borrow().iter().enumerate() {
        // Some calls answer the line without its end.
        let line = format!("{}\r\n", line.trim_end());
        let id = parse(&line).unwrap_or_else(|| panic!("{line:?} is torn"));
        assert_eq!(seen.insert(id, at), None, "{id:?} is doubled");
        assert!(last[id.0].replace(id.1) < Some(id.1), "{id:?} is out of order");
        assert_ne!(said.get(&id), Some(&Said::Refused), "{id:?} was refused and is there");
    }
    let promised = |said: Said| matches!(said, Said::Out | Said::Queued);
    if to.end.get() == Some(Cause::Eof) {
        for (id, said) in &*said {
            assert!(!promised(*said) || seen.contains_key(id), "{id:?} is lost: {said:?}");
        }
    }
    let closed_well = from.record.closed.get() == Some(true) && !from.record.aborted.get();
    if closed_well && to.used == Use::Passive && said.values().any(|said| promised(*said)) {
        // A reset, if it has written behind that close.
        let end = to.end.get();
        assert!(matches!(end, Some(Cause::Eof | Cause::Lost(_))), "{end:?} after a good close");
    }
}

#[test]
fn every_schedule_over_tls_keeps_its_promises() {
    for seed in 0..SCHEDULES {
        let blame = Blame(seed);
        play(seed);
        drop(blame);
    }
}
