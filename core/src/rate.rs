//! Rate limits on what is received, as data: token buckets that the caller's time fills.

use alloc::boxed::Box;
use core::time::Duration;

use memchr::memchr_iter;

use crate::{Config, Framing, Time};

/// How many parts a token has: buckets fill by the nanosecond, and lose nothing to rounding.
const TOKEN: i128 = 1_000_000_000;

/// One bucket. It begins full.
struct Bucket {
    /// How many tokens come in a second; so many parts come in a nanosecond.
    rate: u32,
    /// How many parts it has room for.
    capacity: i128,
    /// How many parts it had at the last look at the clock. Fewer than none: what was taken is paid back first.
    level: i128,
    /// What was taken since then, in parts.
    taken: i128,
}

impl Bucket {
    fn new(rate: u32, burst: Duration) -> Self {
        let rate = rate.max(1);
        let nanos = i128::try_from(burst.as_nanos()).unwrap_or(i128::MAX);
        let capacity = nanos.saturating_mul(rate.into()).max(TOKEN);
        Self { rate, capacity, level: capacity, taken: 0 }
    }

    /// Takes over what `old` holds.
    fn take_over(mut self, old: Option<&Self>) -> Self {
        if let Some(old) = old {
            self.level = self.capacity.min(old.level);
            self.taken = old.taken;
        }
        self
    }

    /// So much time has passed. What was taken meanwhile counts as taken at its end, when a wait begins: a bucket
    /// does not run over before.
    fn pass(&mut self, time: Duration) {
        let nanos = i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
        let filled = self.level.saturating_add(nanos.saturating_mul(self.rate.into()));
        self.level = filled.min(self.capacity) - self.taken;
        self.taken = 0;
    }

    fn take(&mut self, tokens: u64) {
        self.taken += i128::from(tokens) * TOKEN;
    }

    /// How many whole tokens there are.
    fn tokens(&self) -> usize {
        let tokens = (self.level - self.taken).max(0) / TOKEN;
        usize::try_from(tokens).unwrap_or(usize::MAX)
    }

    /// How many tokens are worth a wake-up: those of a sixteenth of a second, if it has room for them.
    fn share(&self) -> usize {
        let most = self.capacity / TOKEN;
        usize::try_from(most.min((self.rate / 16).max(1).into())).unwrap_or(usize::MAX)
    }

    /// How long it takes until there are so many tokens.
    fn time_for(&self, tokens: usize) -> Duration {
        let missing = (tokens as i128) * TOKEN - (self.level - self.taken);
        let Ok(missing) = u128::try_from(missing) else { return Duration::ZERO };
        let nanos = missing.div_ceil(self.rate.into());
        let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
        Duration::new(seconds, (nanos % 1_000_000_000) as u32)
    }
}

/// What a receive lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lacks {
    /// The end of a line, or anything at all. There is no line end among what it has.
    Line,
    /// The end of a line that is not the first of its message.
    LineOfMessage,
    /// So many bytes, behind so many.
    Bytes { missing: usize, have: usize },
}

/// What the bytes that are held back wait for, in tokens.
#[derive(Clone, Copy)]
struct Need {
    lines: usize,
    bytes: usize,
    /// Whether the receive that waits was woken for it.
    told: bool,
}

/// The rate limits of one connection.
pub(crate) struct Rates {
    lines: Option<Bucket>,
    bytes: Option<Bucket>,
    /// How many lines had been received when they were last counted. What was received before the first rate was
    /// set does not count.
    counted: Option<u64>,
    /// When the clock was last looked at.
    looked: Option<Time>,
    /// Bytes are held back for it.
    need: Option<Need>,
    /// They were already when the clock was last looked at.
    was_held: bool,
}

impl Rates {
    /// The limits that `config` sets, if it sets any. Buckets that `old` has go on.
    pub(crate) fn new(config: &Config, old: Option<Box<Self>>) -> Option<Box<Self>> {
        let bucket = |rate: Option<u32>| rate.map(|rate| Bucket::new(rate, config.rate_burst));
        let (lines, bytes) =
            (bucket(config.max_lines_per_second), bucket(config.max_bytes_per_second));
        if lines.is_none() && bytes.is_none() {
            return None;
        }
        let Some(old) = old else {
            let (counted, looked, need, was_held) = (None, None, None, false);
            return Some(Box::new(Self { lines, bytes, counted, looked, need, was_held }));
        };
        let lines = lines.map(|bucket| bucket.take_over(old.lines.as_ref()));
        let bytes = bytes.map(|bucket| bucket.take_over(old.bytes.as_ref()));
        Some(Box::new(Self { lines, bytes, need: None, was_held: false, ..*old }))
    }

    /// Whether the time has to be known: something was taken, or is held back.
    pub(crate) fn is_counting(&self) -> bool {
        let was_taken = |bucket: &Option<Bucket>| bucket.as_ref().is_some_and(|b| b.taken > 0);
        self.need.is_some() || was_taken(&self.lines) || was_taken(&self.bytes)
    }

    /// Whether what is held back waits no more.
    pub(crate) fn is_told(&self) -> bool {
        self.need.is_some_and(|need| need.told)
    }

    /// Counts lines that were received since the last call, `received` in all.
    pub(crate) fn count_lines(&mut self, received: u64) {
        if let Some(lines) = &mut self.lines {
            lines.take(received.saturating_sub(self.counted.unwrap_or(received)));
        }
        self.counted = Some(received);
    }

    /// How many of the bytes that are `held` back may go on to a receive that `lacks` something.
    pub(crate) fn admit(&mut self, held: &[u8], lacks: Lacks, framing: Framing) -> usize {
        self.need = None;
        let most = self.admit_lines(held, lacks, framing);
        let n = match &mut self.bytes {
            _ if most == 0 => 0,
            None => most,
            Some(bucket) => {
                let n = bucket.tokens().min(most);
                bucket.take(n as u64);
                if n == 0 {
                    let bytes = most.min(bucket.share());
                    self.need = Some(Need { lines: 0, bytes, told: false });
                }
                n
            }
        };
        self.was_held &= n == 0;
        n
    }

    /// The same, as far as the lines go. A block is not to wait for the lines' rate, whatever its bytes are; a
    /// message whose first line may go on is let through, and paid back behind it.
    fn admit_lines(&mut self, held: &[u8], lacks: Lacks, framing: Framing) -> usize {
        let Some(bucket) = self.lines.as_ref().filter(|_| !held.is_empty()) else {
            return held.len();
        };
        let mut ends = memchr_iter(framing.last_byte(), held);
        let tokens = bucket.tokens();
        let through = |end: Option<usize>| end.map_or(held.len(), |end| end + 1);
        match lacks {
            Lacks::Line | Lacks::LineOfMessage if tokens == 0 => {
                let lines = ends.take(bucket.share()).count().max(1);
                self.need = Some(Need { lines, bytes: 0, told: false });
                0
            }
            Lacks::Line => through(ends.nth(tokens - 1)),
            Lacks::LineOfMessage => through(ends.next()),
            // A little more, so that a parser which asks for one byte after the other is not called for each.
            Lacks::Bytes { missing, have } => missing.max(have / 8).min(held.len()),
        }
    }

    /// It is `now`. Returns for how long bytes were held back since the last look.
    pub(crate) fn look(&mut self, now: Time) -> Duration {
        let passed = self.looked.map_or(Duration::ZERO, |looked| now.since(looked));
        self.looked = Some(now);
        for bucket in [&mut self.lines, &mut self.bytes].into_iter().flatten() {
            bucket.pass(passed);
        }
        let held = if self.was_held { passed } else { Duration::ZERO };
        self.was_held = self.need.is_some();
        held
    }

    /// When what is held back may go on, as of the last look; `None` if the receive was woken for it already.
    pub(crate) fn end(&self) -> Option<Time> {
        let need = self.need.filter(|need| !need.told)?;
        Some(self.looked.unwrap_or_default() + self.time_for(need))
    }

    fn time_for(&self, need: Need) -> Duration {
        let time = |bucket: &Option<Bucket>, tokens: usize| {
            bucket.as_ref().map_or(Duration::ZERO, |bucket| bucket.time_for(tokens))
        };
        time(&self.lines, need.lines).max(time(&self.bytes, need.bytes))
    }

    /// Notes whether what is held back may go on, as of the last look.
    pub(crate) fn tell(&mut self) {
        let Some(need) = self.need else { return };
        let is_there = self.time_for(need).is_zero();
        self.need = Some(Need { told: need.told || is_there, ..need });
    }
}
