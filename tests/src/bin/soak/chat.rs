//! Clients of a room. Those that stay hear every line of every other one that stays, once and in order.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::lines::{NOISE, send_somehow, text};
use crate::tally::{Count, Random, Tally};
use crate::wire::{Door, Wire};

/// How far those that stay go ahead of the slowest of them, in lines: a room disconnects a member that is
/// far behind, and a thread may be slow through no fault of its own.
const AHEAD: u64 = 128;
/// How much noise there may be, in bytes per second, for the same reason.
const NOISE_RATE: u64 = 40_000;

/// What those in a room know of each other without it.
pub(crate) struct Company {
    people: Vec<Person>,
    /// How many have said their last line.
    silent: Count,
    noise: Count,
    start: Instant,
}

#[derive(Default)]
struct Person {
    said: Count,
    heard: AtomicU64,
}

impl Company {
    pub(crate) fn new(people: usize) -> Self {
        let people = (0..people).map(|_| Person::default()).collect();
        let (silent, noise) = (Count::default(), Count::default());
        Self { people, silent, noise, start: Instant::now() }
    }

    fn said(&self) -> u64 {
        self.people.iter().map(|person| person.said.get()).sum()
    }

    fn heard_by_all(&self) -> u64 {
        let heard = self.people.iter().map(|person| person.heard.load(Ordering::SeqCst));
        heard.min().unwrap_or(0)
    }

    fn all_silent(&self) -> bool {
        self.silent.get() >= self.people.len() as u64
    }

    /// Whether there may be so much more noise now.
    pub(crate) fn may_shout(&self, bytes: usize) -> bool {
        let allowed = self.start.elapsed().as_millis() as u64 * NOISE_RATE / 1000;
        if self.noise.get() > allowed {
            return false;
        }
        self.noise.add(bytes as u64);
        true
    }
}

/// One that stays.
pub(crate) struct Member<'a> {
    pub(crate) wire: Wire,
    pub(crate) number: usize,
    pub(crate) company: &'a Company,
    pub(crate) tally: &'a Tally,
    pub(crate) random: Random,
}

/// Waits until it is in the room: it hears itself.
pub(crate) fn join(wire: &mut Wire) -> io::Result<()> {
    wire.send(b"noise hello end\r\n")?;
    while listen(wire)? != b"noise hello end" {}
    Ok(())
}

/// The next line.
fn listen(wire: &mut Wire) -> io::Result<&[u8]> {
    wire.line()?.ok_or_else(|| io::Error::other("the room has ended the connection"))
}

impl Member<'_> {
    /// Talks and listens until the time is up and it has heard everything, and leaves in good order.
    pub(crate) fn stay(mut self, until: Instant) -> io::Result<()> {
        let mut next = vec![0; self.company.people.len()];
        let result = self.talk(until, &mut next);
        let me = &self.company.people[self.number];
        if result.is_err() {
            // The others need not wait for it.
            me.heard.store(u64::MAX, Ordering::SeqCst);
            return result;
        }
        self.wire.half_close()?;
        while let Some(line) = self.wire.line()? {
            if heard(line, &mut next)? {
                return Err(io::Error::other("a line came twice, or behind the last one"));
            }
        }
        Ok(())
    }

    fn talk(&mut self, until: Instant, next: &mut [u64]) -> io::Result<()> {
        let (company, mut silent) = (self.company, false);
        let me = &company.people[self.number];
        loop {
            if !silent && Instant::now() >= until {
                silent = true;
                company.silent.add(1);
            }
            // In this order: once all are silent, what was said is all that ever will be.
            let all_silent = company.all_silent();
            let (said, heard) = (company.said(), me.heard.load(Ordering::SeqCst));
            let may_say = !silent && said < company.heard_by_all().saturating_add(AHEAD);
            if may_say && (heard == said || self.random.once_in(8)) {
                self.say().inspect_err(|_| self.fail(silent))?;
            } else if heard < said {
                self.hear(next).inspect_err(|_| self.fail(silent))?;
            } else if all_silent {
                return Ok(());
            } else {
                sleep(Duration::from_millis(1));
            }
        }
    }

    /// It will not say anything any more.
    fn fail(&self, silent: bool) {
        if !silent {
            self.company.silent.add(1);
        }
    }

    fn say(&mut self) -> io::Result<()> {
        let (number, people) = (self.number, &self.company.people);
        let mut lines = Vec::new();
        let count = 1 + self.random.below(4) as u64;
        for i in 0..count {
            let length = self.random.below(400);
            let text = text(&mut self.random, length);
            lines.extend(format!("stay {number} {} ", people[number].said.get() + i).into_bytes());
            lines.extend(text);
            lines.extend_from_slice(b"\r\n");
        }
        self.tally.sent.add(count);
        self.tally.due.add(count * people.len() as u64);
        people[number].said.add(count);
        send_somehow(&mut self.wire, &lines, &mut self.random)
    }

    fn hear(&mut self, next: &mut [u64]) -> io::Result<()> {
        if heard(listen(&mut self.wire)?, next)? {
            self.tally.delivered.add(1);
            self.company.people[self.number].heard.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Whether `line` is of one who stays: then it is the next of theirs. All else is whole noise.
fn heard(line: &[u8], next: &mut [u64]) -> io::Result<bool> {
    if line.starts_with(NOISE.0) && line.ends_with(NOISE.1) {
        return Ok(false);
    }
    let wrong = || io::Error::other(format!("{} is torn or out of turn", line.escape_ascii()));
    let text = std::str::from_utf8(line).map_err(|_| wrong())?;
    let mut words = text.strip_prefix("stay ").ok_or_else(wrong)?.split(' ');
    let mut number = || words.next()?.parse::<u64>().ok();
    let (who, which) = number().zip(number()).ok_or_else(wrong)?;
    let next = next.get_mut(who as usize).ok_or_else(wrong)?;
    if *next != which {
        return Err(io::Error::other(format!("{} came where {next} was due", line.escape_ascii())));
    }
    *next += 1;
    Ok(true)
}

/// Comes, says some lines, hears each of them, and leaves in good order.
pub(crate) fn visit(
    door: &Door,
    random: &mut Random,
    tally: &Tally,
    company: &Company,
) -> io::Result<()> {
    let mut wire = door.enter()?;
    let tag = text(random, 12);
    let line = |i: usize| [NOISE.0, &tag, format!(" {i}").as_bytes(), NOISE.1].concat();
    let count = if company.may_shout(400) { random.below(10) } else { 1 };
    tally.sent.add(count as u64);
    tally.due.add(count as u64);
    let lines: Vec<_> = (0..count).flat_map(|i| [line(i), b"\n".into()].concat()).collect();
    send_somehow(&mut wire, &lines, random)?;
    let mut next = 0;
    while next < count {
        let heard = listen(&mut wire)?;
        if heard == line(next) {
            tally.delivered.add(1);
            next += 1;
        } else if heard.starts_with(&line(0)[..NOISE.0.len() + tag.len()]) {
            let heard = heard.escape_ascii();
            return Err(io::Error::other(format!("{heard} came where line {next} was due")));
        }
    }
    wire.half_close()?;
    while wire.line()?.is_some() {}
    Ok(())
}
