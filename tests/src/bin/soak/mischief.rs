//! Clients that come and go, most of them as they should not.

use std::io::{self, Read};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::chat::{self, Company};
use crate::lines::{noise, send_somehow, text, torn};
use crate::tally::{Random, Tally};
use crate::wire::{Door, PATIENCE, Wire, is_hang, reason, reset};
use crate::{echo, mischief_tls};

/// How many connections a storm is made of.
const STORM: usize = 24;

/// Where it happens.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) door: &'a Door,
    pub(crate) tally: &'a Tally,
    /// Who is in the room, if it is one.
    pub(crate) company: Option<&'a Company>,
    /// When it ends.
    pub(crate) until: Instant,
}

type Act = fn(Place<'_>, &mut Random) -> io::Result<()>;

/// What is done, and by which name it is reported.
const ACTS: [(&str, Act); 11] = [
    ("visit", visit),
    ("visit", visit),
    ("pump", pump),
    ("vanish", vanish),
    ("reset", reset_within_a_line),
    ("half-close", half_close),
    ("stall", stall),
    ("stall", stall),
    ("endless", endless),
    ("storm", storm),
    ("tls", tls),
];

/// Does one thing after another until the time is up.
pub(crate) fn misbehave(place: Place<'_>, random: &mut Random) {
    while Instant::now() < place.until {
        let (name, act) = ACTS[random.below(ACTS.len())];
        if let Err(error) = act(place, random) {
            place.tally.fault(format!("{name}: {}", reason(&error)));
        }
        place.tally.mischief.add(1);
        sleep(Duration::from_millis(random.below(20) as u64));
    }
}

/// Of a client that does wrong nothing is expected, but that it does not hang.
pub(crate) fn unless_hanging(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if is_hang(&error) => Err(error),
        _ => Ok(()),
    }
}

/// The one that does nothing wrong.
fn visit(place: Place<'_>, random: &mut Random) -> io::Result<()> {
    match place.company {
        Some(company) => chat::visit(place.door, random, place.tally, company),
        None => echo::visit(place.door, random, place.tally),
    }
}

/// A room would disconnect it, and a blocking client cannot do it over TLS.
fn pump(place: Place<'_>, random: &mut Random) -> io::Result<()> {
    if place.company.is_some() || place.door.is_tls() {
        return visit(place, random);
    }
    echo::pump(place.door, random, place.tally)
}

/// A line without an end.
fn endless(place: Place<'_>, random: &mut Random) -> io::Result<()> {
    if place.company.is_none() {
        return echo::endless(place.door, random, place.tally);
    }
    let mut wire = place.door.enter()?;
    for _ in 0..16 {
        let part = text(random, 4096);
        wire.send(&part)?;
    }
    wire.half_close()?;
    read_to_the_end(&mut wire)
}

/// Comes and leaves at once.
fn vanish(place: Place<'_>, random: &mut Random) -> io::Result<()> {
    let tcp = place.door.knock()?;
    if random.once_in(2) { reset(&tcp) } else { Ok(()) }
}

fn reset_within_a_line(place: Place<'_>, random: &mut Random) -> io::Result<()> {
    let mut wire = place.door.enter()?;
    let torn = torn(random);
    shout(place, &mut wire, random)?;
    wire.send(&torn)?;
    if random.once_in(2) {
        sleep(Duration::from_millis(random.below(50) as u64));
    }
    wire.reset()
}

/// Half-closes within a line and reads to the end, which comes in good order.
fn half_close(place: Place<'_>, random: &mut Random) -> io::Result<()> {
    let mut wire = place.door.enter()?;
    shout(place, &mut wire, random)?;
    wire.send(&torn(random))?;
    wire.half_close()?;
    read_to_the_end(&mut wire)
}

fn read_to_the_end(wire: &mut Wire) -> io::Result<()> {
    while wire.line()?.is_some() {}
    Ok(())
}

/// Some noise, as far as the place bears it.
pub(crate) fn shout(place: Place<'_>, wire: &mut Wire, random: &mut Random) -> io::Result<()> {
    let noise = noise(random);
    if place.company.is_none_or(|company| company.may_shout(noise.len())) {
        send_somehow(wire, &noise, random)?;
    }
    Ok(())
}

/// Sends and does not read; leaves in one way or another, after a while.
fn stall(place: Place<'_>, random: &mut Random) -> io::Result<()> {
    let mut wire = place.door.enter()?;
    SockRef::from(wire.tcp()).set_recv_buffer_size(4096)?;
    wire.tcp().set_write_timeout(Some(Duration::from_millis(50)))?;
    for _ in 0..200 {
        // It fails when the server does not read any more, as it should.
        if shout(place, &mut wire, random).is_err() {
            break;
        }
    }
    let left = place.until.saturating_duration_since(Instant::now());
    sleep(Duration::from_millis(random.below(3000) as u64).min(left));
    match random.below(3) {
        0 => wire.reset(),
        1 => {
            wire.tcp().set_write_timeout(Some(PATIENCE))?;
            unless_hanging(wire.half_close().and_then(|()| read_to_the_end(&mut wire)))
        }
        _ => Ok(()),
    }
}

/// Many connections at once, more than there are descriptors.
fn storm(place: Place<'_>, random: &mut Random) -> io::Result<()> {
    let crowd = (0..STORM).map(|_| place.door.knock()).collect::<io::Result<Vec<_>>>()?;
    sleep(Duration::from_millis(random.below(200) as u64));
    for tcp in crowd {
        if random.once_in(2) {
            reset(&tcp)?;
        }
    }
    Ok(())
}

fn tls(place: Place<'_>, random: &mut Random) -> io::Result<()> {
    if place.door.is_tls() { mischief_tls::act(place, random) } else { visit(place, random) }
}

/// Reads until there is nothing more, or an error.
pub(crate) fn read_all(mut tcp: &TcpStream) -> io::Result<()> {
    let mut block = [0; 4096];
    while tcp.read(&mut block)? > 0 {}
    Ok(())
}
