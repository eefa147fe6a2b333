//! Members of all policies, fast, slow, passing and broken, in many orders. Each schedule follows from its
//! seed. Whatever happens, a member gets whole messages, in order, of those said while it was there; it
//! misses only what its policy drops, and that is counted.

use std::cell::{Cell, RefCell};

use asyncnet::room::{Limits, Member, MemberStats, Policy};
use asyncnet::{Config, Connection, Error, Room};
use futures_lite::io::AsyncReadExt;

use super::run;
use crate::pipe::{End, duplex};
use crate::tasks::{Random, Tasks, turn, turns};

const SCHEDULES: u64 = 1000;
const SPEAKERS: usize = 2;
/// The longest line, with its end.
const LONGEST: usize = 50;

/// What the tasks of one schedule share.
struct Stage {
    room: Room<End>,
    /// What was said, in order, and for whom.
    said: RefCell<Vec<(String, To)>>,
    speakers_left: Cell<usize>,
    is_over: Cell<bool>,
    guests: RefCell<Vec<Guest>>,
}

/// For whom a line is.
#[derive(Clone, Copy, PartialEq)]
enum To {
    Everyone,
    EveryoneBut(usize),
    Only(usize),
}

impl To {
    fn is_for(self, guest: usize) -> bool {
        match self {
            Self::Everyone => true,
            Self::EveryoneBut(speaker) => speaker != guest,
            Self::Only(one) => one == guest,
        }
    }
}

/// What became of a member.
struct Guest {
    id: usize,
    policy: Policy,
    /// What was said before it came and before it went.
    came: usize,
    went: usize,
    /// If it waited for its numbers.
    stats: Option<MemberStats>,
    was_disconnected: bool,
    /// Its peer went away.
    broke: bool,
    heard: String,
}

/// How a member behaves.
struct Manners {
    policy: Policy,
    how_it_goes: Going,
    comes_after: usize,
    stays_for: usize,
    breaks: bool,
    naps: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Going {
    Leaves,
    Drops,
    StaysToTheEnd,
}

async fn speak(me: usize, stage: &Stage, mut random: Random) {
    for number in 0..20 + random.below(60) {
        let head = format!("{me}:{number}:");
        let text = format!("{head:x<0$}", head.len() + random.below(LONGEST - 2 - head.len()));
        if stage.room.send_line(text.as_bytes()).await.is_err() {
            break;
        }
        stage.said.borrow_mut().push((text, To::Everyone));
        turns(random.below(6) / 2).await;
    }
    stage.speakers_left.set(stage.speakers_left.get() - 1);
    if stage.speakers_left.get() == 0 {
        turns(random.below(20)).await;
        stage.room.close();
    }
}

/// Says something to the others or to itself, now and then.
async fn speak_as_guest(
    me: usize,
    number: usize,
    member: &Member<End>,
    stage: &Stage,
    random: &mut Random,
) {
    if !random.one_in(8) {
        return;
    }
    let (text, to) = if random.one_in(2) {
        (format!("guest {me} to others:{number}"), To::EveryoneBut(me))
    } else {
        (format!("to guest {me} alone:{number}"), To::Only(me))
    };
    let said = match to {
        To::Only(_) => member.tell_line(&text).await,
        _ => member.send_line(&text).await,
    };
    if said.is_ok() {
        stage.said.borrow_mut().push((text, to));
    }
}

/// Reads as slowly as the member's manners are, to the end or until it breaks. What it heard.
async fn listen(mut peer: End, manners: &Manners, mut random: Random) -> String {
    let mut heard = Vec::new();
    let mut buf = [0; 200];
    loop {
        turns(random.below(manners.naps + 1)).await;
        let n = 10 + random.below(buf.len() - 10);
        match peer.read(&mut buf[..n]).await {
            Ok(n) if n > 0 => heard.extend(&buf[..n]),
            _ => break,
        }
        if manners.breaks && random.one_in(8) {
            break;
        }
    }
    String::from_utf8(heard).unwrap()
}

async fn visit(
    id: usize,
    conn: Connection<End>,
    peer: End,
    stage: &Stage,
    manners: Manners,
    mut random: Random,
) {
    turns(manners.comes_after).await;
    let (mut receiver, sender) = crate::with_writer(conn);
    let receiving = async move { while let Ok(Some(_)) = receiver.next_line().await {} };
    let mut speaking = Random(random.next());
    let staying = async {
        let came = stage.said.borrow().len();
        let member = stage.room.join_with(sender.clone(), manners.policy);
        let stays_on = manners.how_it_goes == Going::StaysToTheEnd;
        for number in 0..manners.stays_for {
            if let Ok(member) = &member {
                speak_as_guest(id, number, member, stage, &mut speaking).await;
            }
            turn().await;
        }
        while stays_on && !stage.is_over.get() {
            turn().await;
        }
        let went = stage.said.borrow().len();
        let stats = match (manners.how_it_goes, member) {
            // The room was closed when it came.
            (_, Err(_)) => Some(MemberStats::default()),
            (Going::Leaves, Ok(member)) => Some(member.leave().await),
            (Going::StaysToTheEnd, Ok(member)) => Some(member.stats()),
            (Going::Drops, Ok(member)) => {
                drop(member);
                // Until the room knows: it may disconnect it for what was said before.
                turns(200).await;
                None
            }
        };
        let was_disconnected = sender.check() == Err(Error::Closed);
        let _ = sender.close().await;
        (came, went, stats, was_disconnected)
    };
    let listening = listen(peer, &manners, random);
    let all = futures_lite::future::zip(futures_lite::future::zip(receiving, staying), listening);
    let (((), (came, went, stats, was_disconnected)), heard) = all.await;
    let Manners { policy, breaks: broke, .. } = manners;
    let guest = Guest { id, policy, came, went, stats, was_disconnected, broke, heard };
    stage.guests.borrow_mut().push(guest);
}

/// Returns how many were disconnected, missed the newest, missed the oldest.
fn play(seed: u64) -> [usize; 3] {
    let mut random = Random(seed);
    let hard = random.pick(&[600, 1000, 3000, 1 << 20]);
    let (room, task) = Room::new(Limits::default().hard(hard));
    let stage = Stage {
        room,
        said: RefCell::default(),
        speakers_left: Cell::new(SPEAKERS),
        is_over: Cell::new(false),
        guests: RefCell::default(),
    };
    let stage = &stage;
    let mut tasks = if random.one_in(4) { Tasks::in_order() } else { Tasks::shuffled(seed) };
    tasks.spawn("room", async {
        run(task).await;
        stage.is_over.set(true);
    });
    let mut fork = || Random(random.next());
    for me in 0..SPEAKERS {
        tasks.spawn("speaker", speak(me, stage, fork()));
    }
    let guests = 1 + fork().below(6);
    for id in 0..guests {
        let mut random = fork();
        let (end, peer) = duplex(random.pick(&[20, 50, 200, 1 << 20]));
        for wire in [&peer.input, &peer.output] {
            let mut state = wire.state();
            state.chunk = random.pick(&[20, 100, 1000]);
            state.hiccups = random.one_in(3).then(|| Random(random.next()));
        }
        let manners = Manners {
            policy: random.pick(&[Policy::Disconnect, Policy::DropNewest, Policy::DropOldest]),
            how_it_goes: random.pick(&[Going::Leaves, Going::Drops, Going::StaysToTheEnd]),
            comes_after: random.pick(&[0, 0, 10, 100]),
            stays_for: random.below(150),
            breaks: random.one_in(6),
            naps: random.pick(&[0, 3, 10, 30]),
        };
        let conn = Connection::new(end.with_clock(), Config::default());
        tasks.spawn("guest", visit(id, conn, peer, stage, manners, random));
    }
    tasks.run_to_end();
    drop(tasks);

    let (said, seen) = (stage.said.borrow(), stage.guests.borrow());
    assert_eq!(seen.len(), guests);
    for guest in seen.iter() {
        let said = said[guest.came..guest.went].iter().filter(|(_, to)| to.is_for(guest.id));
        check(guest, &said.map(|(text, _)| text.as_str()).collect::<Vec<_>>());
    }
    let evicted = seen.iter().filter(|guest| guest.was_disconnected).count();
    let stats = stage.room.stats();
    assert_eq!((stats.members, stats.evicted_hard), (0, evicted as u64));
    let missed = |policy| {
        let dropped = |guest: &Guest| guest.stats.is_some_and(|stats| stats.dropped_messages > 0);
        seen.iter().filter(|guest| guest.policy == policy && dropped(guest)).count()
    };
    [evicted, missed(Policy::DropNewest), missed(Policy::DropOldest)]
}

fn check(guest: &Guest, said: &[&str]) {
    let Guest { policy, was_disconnected, broke, .. } = *guest;
    let (whole, torn) = guest.heard.split_at(guest.heard.rfind('\n').map_or(0, |at| at + 1));
    assert!(torn.is_empty() || was_disconnected || broke, "{torn:?} is torn");
    let heard: Vec<&str> = whole.split_terminator("\r\n").collect();

    // Everything it heard was said while it was there, in that order.
    let mut rest = said.iter().enumerate();
    let places: Vec<usize> = heard
        .iter()
        .map(|line| {
            let place = rest.find(|(_, said)| *said == line);
            place.unwrap_or_else(|| panic!("{line:?} was not said, or not then")).0
        })
        .collect();
    let gaps = places.iter().enumerate().any(|(i, place)| i != *place);
    assert!(policy != Policy::Disconnect || !gaps, "a gap where none may be");
    if was_disconnected {
        assert_eq!(policy, Policy::Disconnect);
    }
    if was_disconnected || broke {
        return;
    }
    let Some(stats) = guest.stats else { return };
    let lost: Vec<_> = (0..said.len()).filter(|place| !places.contains(place)).collect();
    assert_eq!((stats.messages, stats.bytes), (heard.len() as u64, whole.len() as u64));
    let bytes: usize = lost.iter().map(|place| said[*place].len() + 2).sum();
    assert_eq!((stats.dropped_messages, stats.dropped_bytes), (lost.len() as u64, bytes as u64));
    // The limit is larger than any line: a member that drops the newest has the oldest, and the other way round.
    let last = said.len().wrapping_sub(1);
    match policy {
        Policy::DropNewest => assert!(!lost.contains(&0), "the oldest is missing"),
        Policy::DropOldest => assert!(!lost.contains(&last), "the newest is missing"),
        _ => assert!(lost.is_empty(), "{lost:?} are missing"),
    }
}

/// Says which seed it was.
struct Blame(u64);

impl Drop for Blame {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the schedule of seed {}", self.0);
        }
    }
}

#[test]
fn r1_in_every_schedule_members_get_whole_messages_in_order() {
    let mut slow = [0; 3];
    for seed in 0..SCHEDULES {
        let blame = Blame(seed);
        let more = play(seed);
        slow.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        drop(blame);
    }
    // Otherwise this would show little.
    assert!(slow.iter().all(|guests| *guests > 100), "{slow:?}");
}
