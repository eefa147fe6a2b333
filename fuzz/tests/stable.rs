//! Every target without a fuzzer: its seeds, and random inputs that are the same in every run.

use std::panic::catch_unwind;
use std::path::Path;

use asyncnet_fuzz::{TARGETS, Target};

const RANDOM_INPUTS: usize = 10_000;

/// What random bytes would seldom come to.
const WORDS: [&[u8]; 6] = [b"\r\n", b"\n", b"\r", b"aaaaaaaaaaaaaaaa", b"\xff", b"\0"];

struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % n
    }

    /// Random bytes, and behind them more and more words.
    fn input(&mut self) -> Vec<u8> {
        let longest = [20, 60, 200, 1000][self.below(4)];
        let len = 1 + self.below(longest);
        let mut input = Vec::new();
        while input.len() < len {
            if self.below(len) < input.len() {
                input.extend(WORDS[self.below(WORDS.len())]);
            } else {
                input.push(self.below(256) as u8);
            }
        }
        input
    }
}

fn target(name: &str) -> Target {
    *TARGETS.iter().find(|target| target.0 == name).expect("a target")
}

fn random(target: Target) {
    random_inputs(target, RANDOM_INPUTS);
}

fn random_inputs((name, body): Target, number: usize) {
    let mut rng = Xorshift(0x2545_f491_4f6c_dd1d);
    for i in 0..number {
        let input = rng.input();
        let held = catch_unwind(|| body(&input)).is_ok();
        assert!(held, "{name}: random input {i} fails: b\"{}\"", input.escape_ascii());
    }
}

#[test]
fn every_seed() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for (name, body) in TARGETS {
        let folder = seeds.join(name).read_dir().expect("a folder of seeds");
        let mut count = 0;
        for seed in folder {
            let path = seed.expect("an entry").path();
            let input = std::fs::read(&path).expect("a file");
            assert!(catch_unwind(|| body(&input)).is_ok(), "{} fails", path.display());
            count += 1;
        }
        assert!(count > 0, "{name} has no seed");
    }
}

#[test]
fn random_chunking() {
    random(target("chunking"));
}

#[test]
fn random_ops() {
    random(target("ops"));
}

#[test]
fn random_outbox() {
    random(target("outbox"));
}

/// Each of them is a handshake.
#[test]
fn random_secure_layer() {
    random_inputs(target("secure_layer"), RANDOM_INPUTS / 5);
}

#[test]
fn random_upgrade() {
    random(target("upgrade"));
}
