//! What only a TLS server has to bear.

use std::io::{self, Write};
use std::net::Shutdown;
use std::thread::sleep;
use std::time::Duration;

use crate::mischief::{Place, read_all, shout, unless_hanging};
use crate::tally::Random;
use crate::wire::reset;

pub(crate) fn act(place: Place<'_>, random: &mut Random) -> io::Result<()> {
    let act = match random.below(5) {
        0 => garbage,
        1 => silence,
        2 => half_a_hello,
        3 => truncate,
        _ => broken_record,
    };
    unless_hanging(act(place, random))
}

/// Bytes, sometimes in what looks like a record of a handshake.
fn junk(random: &mut Random) -> Vec<u8> {
    let length = 1 + random.below(600);
    let record = [22, 3, 1, (length >> 8) as u8, length as u8];
    let junk = (0..length).map(|_| random.byte()).collect::<Vec<_>>();
    if random.once_in(2) { [&record[..], &junk].concat() } else { junk }
}

/// No handshake; the server ends it.
fn garbage(place: Place<'_>, random: &mut Random) -> io::Result<()> {
    let mut tcp = place.door.knock()?;
    tcp.write_all(&junk(random))?;
    read_all(&tcp)
}

/// No handshake and no byte; the server ends it, unless the client leaves before that.
fn silence(place: Place<'_>, random: &mut Random) -> io::Result<()> {
    let tcp = place.door.knock()?;
    if random.once_in(4) {
        return read_all(&tcp);
    }
    sleep(Duration::from_millis(random.below(500) as u64));
    Ok(())
}

/// Leaves within the handshake.
fn half_a_hello(place: Place<'_>, random: &mut Random) -> io::Result<()> {
    let mut tcp = place.door.knock()?;
    let hello = place.door.hello()?;
    tcp.write_all(&hello[..random.below(hello.len() + 1)])?;
    match random.below(3) {
        0 => reset(&tcp),
        1 => {
            tcp.shutdown(Shutdown::Write)?;
            read_all(&tcp)
        }
        _ => Ok(()),
    }
}

/// Ends without the notice that TLS asks for.
fn truncate(place: Place<'_>, random: &mut Random) -> io::Result<()> {
    let mut wire = place.door.enter()?;
    shout(place, &mut wire, random)?;
    wire.tcp().shutdown(Shutdown::Write)?;
    while wire.line()?.is_some() {}
    Ok(())
}

/// A record that nobody sealed.
fn broken_record(place: Place<'_>, random: &mut Random) -> io::Result<()> {
    let mut wire = place.door.enter()?;
    shout(place, &mut wire, random)?;
    let length = 20 + random.below(200);
    let record = [23, 3, 3, 0, length as u8];
    wire.tcp().write_all(&record)?;
    wire.tcp().write_all(&(0..length).map(|_| random.byte()).collect::<Vec<_>>())?;
    while wire.line()?.is_some() {}
    Ok(())
}
