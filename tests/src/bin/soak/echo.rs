//! Clients of an echo that check every answer.

use std::io;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::lines::{Line, send_somehow, text, torn};
use crate::serve::{MAX_LINE, TOO_LONG};
use crate::tally::{Random, Tally};
use crate::wire::{Door, Wire};

/// Waits until it was accepted: it gets an answer.
pub(crate) fn greet(wire: &mut Wire) -> io::Result<()> {
    wire.send(b"hello\n")?;
    answer(wire, b"hello", &Tally::default())
}

/// Talks until the time is up, and leaves in good order.
pub(crate) fn stay(
    mut wire: Wire,
    random: &mut Random,
    tally: &Tally,
    until: Instant,
) -> io::Result<()> {
    while Instant::now() < until {
        round(&mut wire, random, tally)?;
        if random.once_in(8) {
            sleep(Duration::from_millis(random.below(20) as u64));
        }
    }
    leave(wire, random)
}

/// Comes, talks a little and leaves in good order.
pub(crate) fn visit(door: &Door, random: &mut Random, tally: &Tally) -> io::Result<()> {
    let mut wire = door.enter()?;
    for _ in 0..random.below(4) {
        round(&mut wire, random, tally)?;
    }
    leave(wire, random)
}

/// Some lines at once, then their answers.
pub(crate) fn round(wire: &mut Wire, random: &mut Random, tally: &Tally) -> io::Result<()> {
    let most = if random.once_in(4) { 32 } else { 4 };
    let lines: Vec<_> = (0..1 + random.below(most)).map(|_| Line::any(random)).collect();
    let bytes: Vec<_> = lines.iter().flat_map(|line| &line.bytes).copied().collect();
    due(tally, lines.len());
    send_somehow(wire, &bytes, random)?;
    lines.iter().try_for_each(|line| answer(wire, &line.answer, tally))
}

fn due(tally: &Tally, lines: usize) {
    tally.sent.add(lines as u64);
    tally.due.add(lines as u64);
}

/// The next answer, which has to be this one.
fn answer(wire: &mut Wire, expected: &[u8], tally: &Tally) -> io::Result<()> {
    match wire.line()? {
        Some(got) if got == expected => {
            tally.delivered.add(1);
            Ok(())
        }
        got => {
            let got = got.map(<[u8]>::escape_ascii).map(|got| got.to_string());
            let expected = expected.escape_ascii();
            Err(io::Error::other(format!("the answer is {got:?} where {expected} was due")))
        }
    }
}

/// Half-closes, sometimes within a line, which nobody answers; the other side does the rest.
fn leave(mut wire: Wire, random: &mut Random) -> io::Result<()> {
    let mut expected = None;
    if random.once_in(3) {
        let torn = torn(random);
        expected = (torn.len() > MAX_LINE).then_some(TOO_LONG);
        wire.send(&torn)?;
    }
    wire.half_close()?;
    while let Some(line) = wire.line()? {
        if expected.take() != Some(line) {
            let line = line.escape_ascii();
            return Err(io::Error::other(format!("{line} came behind the last answer")));
        }
    }
    match expected {
        None => Ok(()),
        Some(_) => Err(io::Error::other("nobody said that the last line was too long")),
    }
}

/// Sends far more than anybody holds and begins to read late: no answer may be lost.
pub(crate) fn pump(door: &Door, random: &mut Random, tally: &Tally) -> io::Result<()> {
    let mut wire = door.enter()?;
    let lines: Vec<_> = (0..200 + random.below(2000)).map(|_| Line::any(random)).collect();
    due(tally, lines.len());
    let mut writer = wire.plain()?;
    scope(|scope| {
        let lines = &lines;
        let writing = scope.spawn(move || writer.send_all(lines.iter().map(|line| &line.bytes)));
        sleep(Duration::from_millis(random.below(300) as u64));
        let read = lines.iter().try_for_each(|line| answer(&mut wire, &line.answer, tally));
        if read.is_err() {
            // Otherwise the writer would wait for its own bound.
            let _ = wire.shut();
        }
        read.and(writing.join().expect("it does not panic"))
    })?;
    leave(wire, random)
}

/// A line without an end, then one that is answered.
pub(crate) fn endless(door: &Door, random: &mut Random, tally: &Tally) -> io::Result<()> {
    let mut wire = door.enter()?;
    due(tally, 2);
    for _ in 0..16 {
        let part = text(random, 4096);
        wire.send(&part)?;
    }
    wire.send(b"\r\nhere\n")?;
    answer(&mut wire, TOO_LONG, tally)?;
    answer(&mut wire, b"here", tally)?;
    leave(wire, random)
}
