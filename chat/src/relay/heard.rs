//! What was heard of the other servers: which line comes next from each, so that doubles are dropped and gaps counted.

use std::collections::HashMap;

use super::envelope::{Envelope, Origin};

/// How many servers are remembered. Of more, the one that was silent for the longest time is forgotten.
const MAX_ORIGINS: usize = 1024;

/// The other servers.
pub(super) struct Heard {
    own: Origin,
    origins: HashMap<Origin, Seen>,
    /// How many messages were heard.
    age: u64,
}

struct Seen {
    /// The number of the line that comes next.
    next: u64,
    /// The age when it was heard last.
    at: u64,
}

/// What to do with a message of another server.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    /// The number of the line that comes next, to be moved with each line that is taken from the message. So a task that
    /// is dropped in the middle has not heard the rest.
    pub(super) next: &'a mut u64,
    /// How many lines at its start were heard before.
    pub(super) doubles: u64,
    /// How many lines in front of it were never heard.
    pub(super) lost: u64,
}

impl Heard {
    pub(super) fn new(own: Origin) -> Self {
        Self { own, origins: HashMap::new(), age: 0 }
    }

    /// Says which lines of a message are new; `None` for one of our own. What a server said before it is heard for the
    /// first time is not lost: we were not there.
    pub(super) fn place(&mut self, message: &Envelope<'_>) -> Option<Placed<'_>> {
        let Envelope { origin, first, count, .. } = *message;
        if origin == self.own {
            return None;
        }
        self.age += 1;
        self.make_room(origin);
        let seen = self.origins.entry(origin).or_insert(Seen { next: first, at: 0 });
        seen.at = self.age;
        let (doubles, lost) =
            (seen.next.saturating_sub(first).min(count), first.saturating_sub(seen.next));
        seen.next += lost;
        Some(Placed { next: &mut seen.next, doubles, lost })
    }

    /// Forgets a server if there are too many with this one.
    fn make_room(&mut self, newcomer: Origin) {
        if self.origins.len() < MAX_ORIGINS || self.origins.contains_key(&newcomer) {
            return;
        }
        let silent = self.origins.iter().min_by_key(|(_, seen)| seen.at);
        if let Some(origin) = silent.map(|(origin, _)| *origin) {
            self.origins.remove(&origin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::envelope::{read, write};
    use super::*;

    fn place(heard: &mut Heard, origin: u128, first: u64, lines: &[u8]) -> Option<(u64, u64)> {
        let message = write(Origin(origin), first, lines);
        let message = read(&message).expect("it was written here");
        let Placed { next, doubles, lost } = heard.place(&message)?;
        *next += message.count - doubles;
        Some((doubles, lost))
    }

    #[test]
    fn our_own_lines_are_not_heard() {
        let mut heard = Heard::new(Origin(7));
        assert_eq!(place(&mut heard, 7, 1, b"a\n"), None);
    }

    #[test]
    fn doubles_are_dropped_and_gaps_are_counted_for_each_server() {
        let mut heard = Heard::new(Origin(0));
        // What was said before we came is not lost.
        assert_eq!(place(&mut heard, 1, 50, b"a\nb\n"), Some((0, 0)));
        assert_eq!(place(&mut heard, 1, 52, b"c\n"), Some((0, 0)));
        // Sent again, whole and in part.
        assert_eq!(place(&mut heard, 1, 50, b"a\nb\n"), Some((2, 0)));
        assert_eq!(place(&mut heard, 1, 52, b"c\nd\n"), Some((1, 0)));
        // A gap, and one that an empty message tells.
        assert_eq!(place(&mut heard, 1, 60, b"e\n"), Some((0, 6)));
        assert_eq!(place(&mut heard, 1, 63, b""), Some((0, 2)));
        assert_eq!(place(&mut heard, 1, 63, b"f\n"), Some((0, 0)));
        assert_eq!(place(&mut heard, 1, 3, b""), Some((0, 0)));
        // Another server has numbers of its own.
        assert_eq!(place(&mut heard, 2, 1, b"x\n"), Some((0, 0)));
        assert_eq!(place(&mut heard, 1, 64, b"g\n"), Some((0, 0)));
    }

    #[test]
    fn lines_that_were_not_taken_are_not_heard() {
        let mut heard = Heard::new(Origin(0));
        let message = write(Origin(1), 1, b"a\nb\nc\n");
        let message = read(&message).expect("it was written here");
        *heard.place(&message).expect("it is another's").next += 1;
        let again = heard.place(&message).expect("it is another's");
        assert_eq!((*again.next, again.doubles, again.lost), (2, 1, 0));
        assert_eq!(place(&mut heard, 1, 4, b"d\n"), Some((0, 2)));
    }

    #[test]
    fn the_servers_that_are_remembered_are_bounded_and_the_active_ones_stay() {
        let mut heard = Heard::new(Origin(0));
        for origin in 1..5000 {
            place(&mut heard, origin, 1, b"x\n");
            place(&mut heard, 1, 1, b"x\n");
            assert!(heard.origins.len() <= MAX_ORIGINS);
        }
        assert_eq!(place(&mut heard, 1, 3, b""), Some((0, 1)));
    }
}
