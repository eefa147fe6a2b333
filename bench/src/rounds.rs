//! Servers taking turns: A B C, A B C, .. and what is said about a round is a ratio within it.

use std::io::{self, IsTerminal as _};

use crate::load::Outcome;
use crate::machine::Cores;
use crate::model::Role;
use crate::process::{Running, Server};

/// The floor may vary by this much, as a part of its median, before a comparison is worth nothing.
const NOISE: f64 = 0.3;

/// What is done to a server in a round.
pub(crate) type Load = Box<dyn Fn(&mut Running) -> io::Result<Outcome>>;

/// One comparison: the same load for several servers.
pub(crate) struct Case {
    pub(crate) title: String,
    pub(crate) unit: Unit,
    pub(crate) servers: Vec<Server>,
    pub(crate) load: Load,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    LinesPerSecond,
    DeliveriesPerSecond,
    ConnectionsPerSecond,
    BlocksPerSecond,
    HandshakesPerSecond,
    Bytes,
    Nanoseconds,
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LinesPerSecond => "lines/s",
            Self::DeliveriesPerSecond => "deliveries/s",
            Self::ConnectionsPerSecond => "connections/s",
            Self::BlocksPerSecond => "blocks/s",
            Self::HandshakesPerSecond => "handshakes/s",
            Self::Bytes => "bytes for a connection",
            Self::Nanoseconds => "ns/line",
        }
    }

    pub(crate) fn less_is_better(self) -> bool {
        matches!(self, Self::Bytes | Self::Nanoseconds)
    }
}

/// What came out of a case.
pub(crate) struct Comparison {
    pub(crate) title: String,
    pub(crate) unit: Unit,
    pub(crate) rows: Vec<Row>,
}

/// One server of a comparison.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// What was measured, round by round; nothing for a round that failed.
    pub(crate) values: Vec<Option<f64>>,
    /// Its processor time for each line, in nanoseconds.
    pub(crate) costs: Vec<Option<f64>>,
    /// What else there is to say, of the last round.
    pub(crate) note: String,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, role: Role) -> Self {
        let (values, costs) = (Vec::new(), Vec::new());
        Self { name: name.into(), role, values, costs, note: String::new() }
    }

    fn add(&mut self, outcome: io::Result<Outcome>) {
        match outcome {
            Ok(outcome) => {
                // One that stopped has no rate.
                self.values.push(Some(outcome.value).filter(|value| *value > 0.0));
                self.costs.push(Some(outcome.cost).filter(|cost| *cost > 0.0));
                self.note = outcome.note;
            }
            Err(error) => {
                self.values.push(None);
                self.costs.push(None);
                self.note = format!("failed: {error}");
            }
        }
    }

    pub(crate) fn median(&self) -> Option<f64> {
        median(self.values.iter().flatten().copied())
    }

    pub(crate) fn min(&self) -> Option<f64> {
        self.values.iter().flatten().copied().min_by(f64::total_cmp)
    }

    pub(crate) fn max(&self) -> Option<f64> {
        self.values.iter().flatten().copied().max_by(f64::total_cmp)
    }

    /// The median of the ratios to `other` in the same round: of what was measured.
    pub(crate) fn ratio_to(&self, other: &Self) -> Option<f64> {
        ratio(&self.values, &other.values)
    }

    /// The same of the processor time.
    pub(crate) fn cost_to(&self, other: &Self) -> Option<f64> {
        ratio(&self.costs, &other.costs)
    }

    pub(crate) fn median_cost(&self) -> Option<f64> {
        median(self.costs.iter().flatten().copied())
    }

    /// How far its rounds are apart, as a part of the median.
    fn spread(&self) -> Option<f64> {
        Some((self.max()? - self.min()?) / self.median()?)
    }
}

impl Comparison {
    pub(crate) fn of(&self, role: Role) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.role == role)
    }

    /// The spread of the floor, if it is so large that the rest says nothing.
    pub(crate) fn noise(&self) -> Option<f64> {
        self.of(Role::Floor).find_map(Row::spread).filter(|spread| *spread > NOISE)
    }
}

impl Case {
    /// Runs every server in turn, `rounds` times over.
    pub(crate) fn run(self, rounds: usize, cores: Cores) -> Comparison {
        let Self { title, unit, servers, load } = self;
        let mut rows: Vec<_> =
            servers.iter().map(|server| Row::new(&server.name, server.role)).collect();
        for round in 1..=rounds {
            for (server, row) in servers.iter().zip(&mut rows) {
                progress(&format!("{title}: round {round} of {rounds}, {}", server.name));
                row.add(server.start(cores).and_then(|mut running| load(&mut running)));
            }
        }
        progress("");
        Comparison { title, unit, rows }
    }
}

/// Says where we are: in one line of a terminal, which an empty text clears.
pub(crate) fn progress(text: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r{text}\x1b[K");
    } else if !text.is_empty() {
        eprintln!("{text}");
    }
}

fn ratio(own: &[Option<f64>], other: &[Option<f64>]) -> Option<f64> {
    let pairs = own.iter().zip(other);
    median(pairs.filter_map(|(own, other)| Some((*own)? / (*other)?)))
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, role: Role, values: &[f64]) -> Row {
        let mut row = Row::new(name, role);
        row.values = values.iter().copied().map(Some).collect();
        row
    }

    #[test]
    fn a_ratio_is_within_a_round() {
        let ours = row("ours", Role::Ours, &[10.0, 20.0, 30.0]);
        let mut peer = row("peer", Role::Peer, &[5.0, 10.0, 10.0]);
        assert_eq!(ours.ratio_to(&peer), Some(2.0));
        // A round that failed for one of them says nothing.
        peer.values[0] = None;
        assert_eq!(ours.ratio_to(&peer), Some(2.5));
    }

    #[test]
    fn only_a_floor_that_wavers_is_noise() {
        let compare = |floor: &[f64]| Comparison {
            title: String::new(),
            unit: Unit::LinesPerSecond,
            rows: vec![row("peer", Role::Peer, &[1.0, 9.0]), row("floor", Role::Floor, floor)],
        };
        assert_eq!(compare(&[9.0, 10.0, 11.0]).noise(), None);
        assert_eq!(compare(&[5.0, 10.0, 11.0]).noise(), Some(0.6));
    }
}
