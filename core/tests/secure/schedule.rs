//! Two connections in memory, and a random schedule of what they and the wire between them do. Whatever it
//! is, each end receives a front part of what the other has sent, and all of it if nothing was done to the
//! wire.

use std::sync::OnceLock;

use asyncnet_core::driver::{Inbound, Link};
use asyncnet_core::{Config, Connection, Error, SecureLayer, Step};

pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % n.max(1)
    }
}

/// Decides what happens next: a number below another one.
pub(crate) type Choice<'a> = &'a mut dyn FnMut(usize) -> usize;

/// Mostly a small number, at times one of up to 40 000.
fn size(below: Choice<'_>) -> usize {
    let most = [4, 40, 400, 4000, 40_000][below(5)];
    1 + below(most)
}

/// What may be done to the wire. Changed bytes are for layers that notice them.
#[allow(
    dead_code,
    reason = "several binaries have this file, and not each of them does everything"
)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Harm {
    None,
    /// It ends somewhere.
    Cut,
    /// A bit of it changes, or bytes come in between, or get lost.
    Change,
}

/// What side `side` sends from this position on, at least 100 000 bytes of it.
fn stream(side: usize, at: usize) -> &'static [u8] {
    const PERIOD: usize = 65_521;
    static STREAMS: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let streams = STREAMS.get_or_init(|| {
        [1, 2].map(|seed| {
            let mut rng = Rng::new(seed);
            let period: Vec<u8> = (0..PERIOD).map(|_| rng.below(256) as u8).collect();
            period.repeat(3)
        })
    });
    &streams[side][at % PERIOD..]
}

/// One end of the connection, in parts: while its handshake is under way, bytes come in without the inbound half
/// too, as they do where another task drives the handshake.
struct Side {
    inbound: Inbound,
    link: Link,
    /// What is on its way to it.
    wire: Vec<u8>,
    sent: usize,
    got: usize,
    /// Nothing more comes to it.
    cut: bool,
    error: Option<Error>,
    ended: bool,
}

struct World {
    sides: [Side; 2],
    harm: Harm,
    harmed: bool,
}

impl World {
    fn feed(&mut self, i: usize, n: usize) {
        let side = &mut self.sides[i];
        if side.link.feed(&stream(i, side.sent)[..n]).is_ok() {
            side.sent += n;
        }
    }

    fn transmit(&mut self, i: usize, n: usize) {
        let [a, b] = &mut self.sides;
        let (from, to) = if i == 0 { (a, b) } else { (b, a) };
        let out = from.link.outgoing().next().unwrap_or_default();
        assert!(out.len() < 80 << 10, "{} bytes of records at once", out.len());
        let n = n.min(out.len());
        if !to.cut {
            to.wire.extend(&out[..n]);
        }
        from.link.transmitted(n);
    }

    fn deliver(&mut self, i: usize, n: usize, by_space: bool) {
        let alone = n % 3 == 0;
        self.deliver_to(i, n, by_space, alone);
    }

    /// `alone`: without the inbound half, if the handshake is still under way.
    fn deliver_to(&mut self, i: usize, n: usize, by_space: bool, alone: bool) {
        let side = &mut self.sides[i];
        let Side { inbound, link, wire, .. } = side;
        let alone = alone && link.is_handshaking();
        let mut inbound = Some(inbound).filter(|_| !alone);
        let n = n.min(wire.len());
        if by_space {
            let space = link.space(inbound.as_deref_mut());
            let n = n.min(space.len());
            space[..n].copy_from_slice(&wire[..n]);
            link.handle_read(inbound, n);
            wire.drain(..n);
        } else {
            // What it does not take comes behind an end.
            link.handle_input(inbound, &wire[..n]);
            wire.drain(..n);
        }
    }

    fn receive(&mut self, i: usize, n: usize) {
        let side = &mut self.sides[i];
        match side.link.receive(&mut side.inbound, |inbound| inbound.poll_bytes(n)) {
            Ok(Step::Ready(Some(span))) => {
                let bytes = side.inbound.bytes(span);
                assert!(side.error.is_none() && !side.ended, "bytes behind an end");
                let sent = &stream(1 - i, side.got)[..bytes.len()];
                assert!(bytes == sent, "not what was sent");
                side.got += bytes.len();
                assert!(side.got <= self.sides[1 - i].sent, "more than was sent");
            }
            Ok(Step::Ready(None)) => {
                assert_eq!(side.error, None);
                assert!(side.ended || side.got == self.sides[1 - i].sent, "a clean end too early");
                self.sides[i].ended = true;
            }
            Ok(Step::NeedInput) => assert!(side.error.is_none() && !side.ended),
            Err(error) => {
                assert!(self.harmed, "{error:?}");
                let first = side.error.take();
                assert!(first.is_none_or(|first| first == error), "the first error stays");
                side.error = Some(error);
            }
        }
    }

    fn harm(&mut self, i: usize, below: Choice<'_>) {
        let side = &mut self.sides[i];
        if self.harm == Harm::None || side.cut || side.wire.is_empty() {
            return;
        }
        self.harmed = true;
        let at = below(side.wire.len());
        match self.harm {
            Harm::Change => match below(4) {
                0 => side.wire.insert(at, below(256) as u8),
                1 => drop(side.wire.remove(at)),
                _ => side.wire[at] ^= 1 << below(8),
            },
            _ => {
                side.wire.truncate(at);
                side.cut = true;
            }
        }
    }

    fn one(&mut self, below: Choice<'_>) {
        let (i, n) = (below(2), size(below));
        match below(100) {
            0..=24 => self.feed(i, n),
            25..=49 => self.transmit(i, n),
            50..=74 => self.deliver(i, n, n % 2 == 0),
            75..=95 => self.receive(i, n),
            // A notice in the handshake ends that.
            96 if !self.sides[i].link.is_handshaking() => self.sides[i].link.close_write(),
            _ => self.harm(i, below),
        }
    }

    /// The end that has done with the handshake first says all that it has to say, and the other one hears it
    /// before it knows that the handshake is over.
    fn rush(&mut self, n: usize) {
        for i in [0, 1].repeat(8) {
            self.transmit(i, usize::MAX);
            if !self.sides[i].link.is_handshaking() {
                self.feed(i, n);
                self.transmit(i, usize::MAX);
                self.sides[i].link.close_write();
                self.transmit(i, usize::MAX);
                self.deliver_to(1 - i, usize::MAX, false, true);
                break;
            }
            self.deliver_to(1 - i, usize::MAX, false, true);
        }
    }

    /// Everything moves until nothing does any more.
    fn settle(&mut self) {
        loop {
            for i in [0, 1] {
                self.transmit(i, usize::MAX);
            }
            for i in [0, 1] {
                self.deliver(i, 40_000, true);
                self.receive(i, 100_000);
            }
            let idle =
                |side: &mut Side| side.wire.is_empty() && side.link.outgoing().next().is_none();
            if self.sides.iter_mut().all(idle) {
                break;
            }
        }
    }

    fn finish(mut self) {
        self.settle();
        self.sides.iter_mut().for_each(|side| side.link.close_write());
        self.settle();
        for i in [0, 1] {
            let Side { inbound, link, .. } = &mut self.sides[i];
            link.handle_eof(Some(inbound));
            while self.sides[i].error.is_none() && !self.sides[i].ended {
                self.receive(i, 100_000);
            }
            self.receive(i, 1);
            let side = &self.sides[i];
            assert_eq!(side.link.unsent(), 0);
            if !self.harmed {
                assert!(side.ended && side.got == self.sides[1 - i].sent, "not all has come");
            }
        }
    }
}

/// Runs one schedule of so many steps. Returns how many bytes came.
pub(crate) fn run(
    below: Choice<'_>,
    steps: usize,
    layers: [Box<dyn SecureLayer>; 2],
    harm: Harm,
) -> usize {
    let sides = layers.map(|layer| {
        let mut conn = Connection::new(Config::default().max_queue(100_000));
        assert_eq!(conn.start_tls(layer), Ok(()));
        let (inbound, link) = conn.into_halves();
        let wire = Vec::new();
        Side { inbound, link, wire, sent: 0, got: 0, cut: false, error: None, ended: false }
    });
    let mut world = World { sides, harm, harmed: false };
    // A harm in the handshake is a short story: mostly it is over first.
    match below(4) {
        0 => {}
        1 => {
            let n = 1 + below(1000);
            world.rush(n);
        }
        _ => world.settle(),
    }
    for _ in 0..steps {
        world.one(below);
    }
    let came = world.sides.iter().map(|side| side.got).sum();
    world.finish();
    came
}
