//! A bar chart, drawn by hand.

use std::fmt::{self, Write};

use crate::model::Role;
use crate::report::short;
use crate::rounds::{Comparison, Row};

const WIDTH: f64 = 760.0;
/// Where the bars begin, and how long the longest is.
const LEFT: f64 = 190.0;
const LONGEST: f64 = 470.0;
const BAR: f64 = 16.0;
const STEP: f64 = 22.0;
const HEAD: f64 = 44.0;

/// One panel for each comparison, one bar for each server: the median, and a line from the smallest value
/// to the largest.
pub(crate) fn draw(comparisons: &[Comparison]) -> String {
    let mut svg = String::new();
    // Writing to a string does not fail.
    let _ = try_draw(comparisons, &mut svg);
    svg
}

fn try_draw(comparisons: &[Comparison], svg: &mut String) -> fmt::Result {
    let height: f64 = comparisons.iter().map(panel_height).sum();
    writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">"#
    )?;
    writeln!(svg, r#"<rect width="100%" height="100%" fill="white"/>"#)?;
    let mut top = 0.0;
    for comparison in comparisons {
        panel(comparison, top, svg)?;
        top += panel_height(comparison);
    }
    writeln!(svg, "</svg>")
}

fn panel_height(comparison: &Comparison) -> f64 {
    HEAD + STEP * comparison.rows.len() as f64 + 12.0
}

fn panel(comparison: &Comparison, top: f64, svg: &mut String) -> fmt::Result {
    let better = if comparison.unit.less_is_better() { "less is better" } else { "more is better" };
    let (title, unit) = (escape(&comparison.title), comparison.unit.name());
    let noise = if comparison.noise().is_some() { "; too noisy to judge" } else { "" };
    writeln!(
        svg,
        r#"<text x="10" y="{}" font-size="14" font-weight="bold">{title}</text>"#,
        top + 18.0
    )?;
    writeln!(
        svg,
        r##"<text x="10" y="{}" fill="#666">{unit}, {better}{noise}</text>"##,
        top + 34.0
    )?;
    let most = comparison.rows.iter().filter_map(Row::max).fold(f64::MIN_POSITIVE, f64::max);
    for (number, row) in comparison.rows.iter().enumerate() {
        bar(row, top + HEAD + STEP * number as f64, LONGEST / most, svg)?;
    }
    Ok(())
}

fn bar(row: &Row, top: f64, scale: f64, svg: &mut String) -> fmt::Result {
    let (text, middle) = (top + 12.5, top + BAR / 2.0);
    let name = escape(&row.name);
    writeln!(svg, r#"<text x="{}" y="{text}" text-anchor="end">{name}</text>"#, LEFT - 8.0)?;
    let (Some(median), Some(min), Some(max)) = (row.median(), row.min(), row.max()) else {
        return writeln!(svg, r#"<text x="{LEFT}" y="{text}">{}</text>"#, escape(&row.note));
    };
    let colour = match row.role {
        Role::Ours => "#2a9d6f",
        Role::Peer => "#7a9cc6",
        Role::Floor => "#b0b0b0",
    };
    let width = median * scale;
    writeln!(
        svg,
        r#"<rect x="{LEFT}" y="{top}" width="{width:.1}" height="{BAR}" fill="{colour}"/>"#
    )?;
    let (from, to) = (LEFT + min * scale, LEFT + max * scale);
    writeln!(svg, r##"<path d="M{from:.1} {middle}H{to:.1}" stroke="#333" stroke-width="1.5"/>"##)?;
    writeln!(svg, r#"<text x="{:.1}" y="{text}">{}</text>"#, to + 6.0, short(median))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
