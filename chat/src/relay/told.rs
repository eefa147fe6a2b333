//! What was lost, said in the log and in the room.

use std::time::Duration;

use asyncnet::{Room, SendRuntime, Transport};
use tracing::warn;

use super::Shared;
use super::counts::Figures;
use crate::rules::PREFIX;

/// What was lost is said no more often than this.
const PAUSE: Duration = Duration::from_secs(1);

/// Says what is lost as it happens, for ever.
pub(super) async fn tell<R: SendRuntime, S: Transport>(shared: &Shared, room: &Room<S>) {
    let mut before = shared.figures();
    loop {
        shared.counts.news.rung().await;
        let now = shared.figures();
        let news = News::between(&before, &now);
        before = now;
        news.log();
        if !shared.quiet {
            for line in news.lines() {
                // A closed room passes nothing on.
                let _ = room.send_line(line).await;
            }
        }
        R::sleep(PAUSE).await;
    }
}

/// What was lost since the last time.
#[derive(Default)]
struct News {
    own: u64,
    others: u64,
    unreadable: u64,
}

impl News {
    fn between(before: &Figures, now: &Figures) -> Self {
        Self {
            // A line that is too long is reported to its speaker alone.
            own: now.outbox.lost.full - before.outbox.lost.full,
            others: now.lost - before.lost,
            unreadable: now.unreadable - before.unreadable,
        }
    }

    fn log(&self) {
        let Self { own, others, unreadable } = *self;
        if own > 0 {
            warn!(
                lines = own,
                "the relay lost lines that were said here: --relay-buffer has no room for them"
            );
        }
        if others > 0 {
            warn!(lines = others, "the relay lost lines that were said on other servers");
        }
        if unreadable > 0 {
            let what = "the relay ignored messages that did not come from servers of this version";
            warn!(messages = unreadable, "{what}");
        }
    }

    /// The lines that report it to the room.
    fn lines(&self) -> impl Iterator<Item = String> + use<> {
        let lines = |n: u64| if n == 1 { "1 line".to_owned() } else { format!("{n} lines") };
        let own = (self.own > 0).then(|| {
            format!("{PREFIX}Lost: {} that clients of other servers do not get.", lines(self.own))
        });
        let others = (self.others > 0).then(|| {
            format!("{PREFIX}Lost: {} from clients of other servers.", lines(self.others))
        });
        own.into_iter().chain(others)
    }
}
