//! Connections that break at any byte.

use std::time::Duration;

use tokio::time::sleep;

use super::bed::{DEFAULT, KINDS, Server, run};
use super::hub::{Fault, FaultKind, Hub};
use crate::relay::place::Kind;
use crate::relay::session::IDLE;

/// What happens, and at which bytes. A stall takes long, on the made-up clock too.
const FAULTS: [(FaultKind, usize); 4] =
    [(FaultKind::Reset, 1), (FaultKind::End, 1), (FaultKind::Stall, 3), (FaultKind::Garbage, 3)];

/// How many lines are said.
const LINES: u64 = 6;

/// Says the lines, some at once and some later.
async fn say_all(speaker: &Server) {
    for n in 1..=LINES {
        speaker.say(&n.to_string()).await;
        if n % 2 == 0 {
            sleep(Duration::from_millis(40)).await;
        }
    }
}

fn numbers(lines: Vec<String>) -> Vec<u64> {
    lines.iter().map(|line| line.parse().expect("a number")).collect()
}

/// The connection of the server that publishes breaks: the others get every line once and in order, as long as they stay.
async fn speaker_breaks(kind: Kind, fault: Fault, chunk: usize) -> bool {
    let hub = Hub::new(kind);
    let mut hearer = Server::start(&hub, DEFAULT);
    hearer.until_connected().await;
    hub.state().faults = vec![fault];
    hub.state().chunk = chunk;
    let speaker = Server::start(&hub, DEFAULT);
    say_all(&speaker).await;
    speaker.until(|it| it.outbox.published == LINES).await;
    let heard = numbers(hearer.heard().await);
    assert_eq!(heard, Vec::from_iter(1..=LINES), "{kind:?} {fault:?}");
    let (figures, own) = (hearer.figures(), speaker.figures().outbox);
    assert_eq!((figures.received, figures.lost, figures.unreadable), (LINES, 0, 0));
    assert_eq!((own.kept, own.kept_bytes, own.lost.all()), (0, 0, 0));
    // It heard none of its own lines but those of its room.
    assert_eq!(speaker.figures().received, 0);
    // Whether the fault came too late.
    hub.state().dials == 2
}

/// The connection of a server that receives breaks: no line comes twice or out of order, and those that are lost are counted.
async fn hearer_breaks(kind: Kind, fault: Fault) -> bool {
    let hub = Hub::new(kind);
    let speaker = Server::start(&hub, DEFAULT);
    speaker.until_connected().await;
    hub.state().faults = vec![fault];
    let mut hearer = Server::start(&hub, DEFAULT);
    sleep(Duration::from_millis(10)).await;
    say_all(&speaker).await;
    sleep(Duration::from_millis(10)).await;
    if hearer.figures().received == LINES {
        // The fault comes later, and has nothing to take away.
        return true;
    }
    // A silent broker is given up, and the speaker's number tells what was lost at the end.
    sleep(3 * IDLE).await;
    hearer.until_connected().await;
    sleep(2 * IDLE).await;
    let heard = numbers(hearer.heard().await);
    assert!(heard.is_sorted_by(|a, b| a < b), "{kind:?} {fault:?}: {heard:?}");
    let figures = hearer.figures();
    assert_eq!(figures.received, heard.len() as u64);
    assert!(figures.connected && figures.received + figures.lost <= LINES, "{figures:?}");
    if let Some(first) = heard.first() {
        assert!(
            figures.received + figures.lost > LINES - first,
            "{fault:?}: {heard:?}, {figures:?}"
        );
    }
    false
}

/// Tries every place of a session. `breaks` answers whether the fault came too late to befall anybody.
fn everywhere(breaks: impl Fn(Kind, Fault) -> bool) {
    for kind in KINDS {
        for (fault, step) in FAULTS {
            let is_over = |after: &usize| breaks(kind, Fault { after: *after, kind: fault });
            let tried = (0..5000).step_by(step).find(is_over).expect("a session ends");
            assert!(tried > 300, "{tried}");
        }
    }
}

#[test]
fn a_connection_that_breaks_at_any_byte_loses_nothing_that_was_said_there() {
    everywhere(|kind, fault| run(speaker_breaks(kind, fault, usize::MAX)));
}

#[test]
fn a_connection_that_breaks_at_any_byte_counts_what_it_did_not_hear() {
    everywhere(|kind, fault| run(hearer_breaks(kind, fault)));
}

#[test]
fn messages_are_whole_in_any_chunking() {
    for kind in KINDS {
        let never = Fault { after: usize::MAX, kind: FaultKind::End };
        run(speaker_breaks(kind, never, 1));
    }
}
