//! Lines that break the rules: they are dropped, and counted for each client. So are those that the relay cannot take.

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
    /// Said in the room, and too long for the relay.
    not_relayed: u64,
    reported: Option<Instant>,
}

impl Dropped {
    pub(crate) const fn new(max_line: usize) -> Self {
        Self { max_line, too_long: 0, with_cr: 0, not_relayed: 0, reported: None }
    }

    pub(crate) const fn too_long(&mut self) {
        self.too_long += 1;
    }

    pub(crate) const fn with_cr(&mut self) {
        self.with_cr += 1;
    }

    pub(crate) const fn too_long_to_relay(&mut self) {
        self.not_relayed += 1;
    }

    const fn is_empty(&self) -> bool {
        self.too_long + self.with_cr + self.not_relayed == 0
    }

    /// How long it is until they may be reported, if there are any.
    pub(crate) fn due_in(&self) -> Option<Duration> {
        if self.is_empty() {
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
        if self.is_empty() {
            return;
        }
        let Self { max_line, too_long, with_cr, not_relayed, .. } = *self;
        *self = Self { reported: Some(Instant::now()), ..Self::new(max_line) };
        let mut notices = Vec::new();
        if too_long + with_cr > 0 {
            warn!(too_long, with_cr, %address, "lines dropped");
            notices.push(notice(max_line, too_long, with_cr));
        }
        if not_relayed > 0 {
            warn!(lines = not_relayed, %address, "lines are too long for the relay's broker");
            notices.push(not_relayed_notice(not_relayed));
        }
        for notice in notices.into_iter().filter(|_| !quiet) {
            // A closed room passes nothing on.
            let _ = member.tell_line(notice).await;
        }
    }
}

fn lines(n: u64) -> String {
    if n == 1 { "a line".to_owned() } else { format!("{n} lines") }
}

fn not_relayed_notice(n: u64) -> String {
    format!(
        "{PREFIX}Not passed on to other servers: {} of yours, too long for the relay.",
        lines(n)
    )
}

fn notice(max_line: usize, too_long: u64, with_cr: u64) -> String {
    let long = (too_long > 0)
        .then(|| format!("{} of yours with more than {max_line} bytes", lines(too_long)));
    let cr = (with_cr > 0).then(|| format!("{} of yours with a CR inside", lines(with_cr)));
    let what: Vec<_> = long.into_iter().chain(cr).collect();
    format!("{PREFIX}Dropped: {}.", what.join(", and "))
}

#[cfg(test)]
mod tests {
    use super::{not_relayed_notice, notice};

    #[test]
    fn a_notice_is_one_line_that_says_how_many_and_why() {
        let one = "[server] Dropped: a line of yours with more than 64 bytes.";
        assert_eq!(notice(64, 1, 0), one);
        let both = "[server] Dropped: 2 lines of yours with more than 64 bytes, and a line of yours with a CR inside.";
        assert_eq!(notice(64, 2, 1), both);
        let here =
            "[server] Not passed on to other servers: a line of yours, too long for the relay.";
        assert_eq!(not_relayed_notice(1), here);
    }
}
