//! What came out, as Markdown.

use std::fmt::{self, Write};
use std::fs;
use std::io;
use std::path::Path;

use crate::chart;
use crate::model::Role;
use crate::rounds::{Comparison, Unit};

/// Prints a workload, and writes it to `out` as a page with its chart.
pub(crate) fn tell(workload: &str, comparisons: &[Comparison], out: &Path) -> io::Result<()> {
    let mut text = String::new();
    for comparison in comparisons {
        page(comparison, &mut text).map_err(io::Error::other)?;
    }
    print!("{text}");
    fs::create_dir_all(out)?;
    fs::write(out.join(format!("{workload}.svg")), chart::draw(comparisons))?;
    let page = format!("# {workload}\n\n![]({workload}.svg)\n\n{text}");
    fs::write(out.join(format!("{workload}.md")), page)
}

fn page(comparison: &Comparison, text: &mut String) -> fmt::Result {
    writeln!(text, "## {}\n", comparison.title)?;
    if let Some(noise) = comparison.noise() {
        writeln!(text, "Too noisy to judge: the floor varies by {:.0} %.\n", noise * 100.0)?;
    }
    values(comparison, text)?;
    ratios(comparison, text)?;
    if comparison.unit == Unit::Bytes {
        beyond_the_floor(comparison, text)?;
    }
    Ok(())
}

/// Every server with its median, its spread, and its processor time (which tells more where the load
/// generator is the limit).
fn values(comparison: &Comparison, text: &mut String) -> fmt::Result {
    let cost = comparison.rows.iter().any(|row| row.median_cost().is_some());
    let notes = comparison.rows.iter().any(|row| !row.note.is_empty());
    let rest = [(cost, " server ns each |"), (notes, " |")];
    let rest: String = rest.iter().filter(|(has, _)| *has).map(|(_, title)| *title).collect();
    writeln!(text, "| | {} | min .. max |{rest}", comparison.unit.name())?;
    writeln!(text, "|---|---|---|{}", "---|".repeat(usize::from(cost) + usize::from(notes)))?;
    for row in &comparison.rows {
        let spread = match (row.min(), row.max()) {
            (Some(min), Some(max)) => format!("{} .. {}", short(min), short(max)),
            _ => "-".into(),
        };
        write!(text, "| {} | {} | {spread} |", row.name, or_dash(row.median(), short))?;
        if cost {
            write!(text, " {} |", or_dash(row.median_cost(), short))?;
        }
        if notes {
            write!(text, " {} |", row.note)?;
        }
        writeln!(text)?;
    }
    writeln!(text)
}

/// Ours to every peer: the median of the ratios of each round, and in brackets that of the processor time,
/// which is what counts where the load generator is the limit.
fn ratios(comparison: &Comparison, text: &mut String) -> fmt::Result {
    let better = if comparison.unit.less_is_better() { "less" } else { "more" };
    let cost = comparison.rows.iter().any(|row| row.median_cost().is_some());
    let brackets = if cost { " (of the server's time, less is better)" } else { "" };
    let ours: Vec<_> = comparison.of(Role::Ours).collect();
    write!(text, "| ratio, {better} is better{brackets} |")?;
    for row in &ours {
        write!(text, " {} |", row.name)?;
    }
    writeln!(text, "\n|---|{}", "---|".repeat(ours.len()))?;
    for peer in comparison.rows.iter().filter(|row| row.role != Role::Ours) {
        write!(text, "| to {} |", peer.name)?;
        for row in &ours {
            write!(text, " {}", or_dash(row.ratio_to(peer), |ratio| format!("{ratio:.2}")))?;
            if let Some(cost) = row.cost_to(peer) {
                write!(text, " ({cost:.2})")?;
            }
            write!(text, " |")?;
        }
        writeln!(text)?;
    }
    writeln!(text)
}

fn beyond_the_floor(comparison: &Comparison, text: &mut String) -> fmt::Result {
    let Some(floor) = comparison.of(Role::Floor).find_map(|row| row.median()) else {
        return Ok(());
    };
    writeln!(text, "| | bytes beyond the floor's |\n|---|---|")?;
    for row in comparison.rows.iter().filter(|row| row.role != Role::Floor) {
        let beyond = or_dash(row.median(), |bytes| format!("{:.0}", bytes - floor));
        writeln!(text, "| {} | {beyond} |", row.name)?;
    }
    writeln!(text)
}

fn or_dash(value: Option<f64>, text: impl FnOnce(f64) -> String) -> String {
    value.map_or_else(|| "-".into(), text)
}

/// A number with three digits or so.
pub(crate) fn short(value: f64) -> String {
    let (value, unit) = match value {
        1e6.. => (value / 1e6, " M"),
        1e4.. => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let digits = match value {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{value:.digits$}{unit}")
}
