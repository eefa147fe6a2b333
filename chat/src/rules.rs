//! Lines that break the rules: they are dropped, and counted for each client.

use std::time::{Duration, Instant};

use asyncnet::room::Member;
use asyncnet::{Address, Transport};
use tracing::warn;

/// Begins every line that the server itself says to a client.
pub(crate) const PREFIX: &str = "[server] ";

/// The log and the client get a notice no more often than this.
const PAUSE: Duration = Duration::from_secs(1);

/// The lines of one client that were dropped and not reported yet.
pub(crate) struct Dropped {
    max_line: usize,
    too_long: u64,
    with_cr: u64,
    reported: Option<Instant>,
}

impl Dropped {
    pub(crate) const fn new(max_line: usize) -> Self {
        Self { max_line, too_long: 0, with_cr: 0, reported: None }
    }

    pub(crate) const fn too_long(&mut self) {
        self.too_long += 1;
    }

    pub(crate) const fn with_cr(&mut self) {
        self.with_cr += 1;
    }

    /// How long it is until they may be reported, if there are any.
    pub(crate) fn due_in(&self) -> Option<Duration> {
        if self.too_long + self.with_cr == 0 {
            return None;
        }
        let passed = self.reported.map_or(PAUSE, |reported| reported.elapsed());
        Some(PAUSE.saturating_sub(passed))
    }

    /// Says them in the log, and to the client unless `quiet`.
    pub(crate) async fn report<S: Transport>(
        &mut self,
        address: &Address,
        member: &Member<S>,
        quiet: bool,
    ) {
        let Self { max_line, too_long, with_cr, .. } = *self;
        if too_long + with_cr == 0 {
            return;
        }
        *self = Self { reported: Some(Instant::now()), ..Self::new(max_line) };
        warn!(too_long, with_cr, %address, "lines dropped");
        if !quiet {
            // A closed room passes nothing on.
            let _ = member.tell_line(notice(max_line, too_long, with_cr)).await;
        }
    }
}

fn notice(max_line: usize, too_long: u64, with_cr: u64) -> String {
    let lines = |n: u64| if n == 1 { "a line".to_owned() } else { format!("{n} lines") };
    let long = (too_long > 0)
        .then(|| format!("{} of yours with more than {max_line} bytes", lines(too_long)));
    let cr = (with_cr > 0).then(|| format!("{} of yours with a CR inside", lines(with_cr)));
    let what: Vec<_> = long.into_iter().chain(cr).collect();
    format!("{PREFIX}Dropped: {}.", what.join(", and "))
}

#[cfg(test)]
mod tests {
    use super::notice;

    #[test]
    fn a_notice_is_one_line_that_says_how_many_and_why() {
        let one = "[server] Dropped: a line of yours with more than 64 bytes.";
        assert_eq!(notice(64, 1, 0), one);
        let both = "[server] Dropped: 2 lines of yours with more than 64 bytes, and a line of yours with a CR inside.";
        assert_eq!(notice(64, 2, 1), both);
    }
}
