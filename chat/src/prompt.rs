//! The row in which a person types: its text, the lines typed before, and how a terminal shows it.
//!
//! It is one row, however long its text: a part of it is shown, the one around the cursor. So there is one row to
//! remove before anything else is printed.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::mem;

use tui_input::{Input, InputRequest};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::shown::shown;

/// In front of what is typed.
const MARK: &str = "> ";

/// How many lines up and down go through, and how long one of them may be, in bytes.
const HISTORY: (usize, usize) = (500, 4096);

/// Back to the first column, and remove the row with all that is below.
const ERASE: &str = "\r\x1b[J";

/// What a person types.
#[derive(Default)]
pub(crate) struct Prompt {
    input: Input,
    /// Typed in a row, and not in `input` yet.
    more: String,
    history: History,
    /// Where the part begins that is shown, in bytes.
    first: usize,
    /// What the terminal shows of it now.
    drawn: Option<Drawn>,
}

struct Drawn {
    /// How many columns the terminal had.
    width: usize,
    /// Where its cursor is.
    cursor: usize,
}

/// The lines typed before.
#[derive(Default)]
struct History {
    /// The oldest first.
    lines: VecDeque<String>,
    /// How far up the person has gone.
    back: usize,
    /// What was typed before that.
    draft: String,
}

impl Prompt {
    pub(crate) fn is_empty(&self) -> bool {
        self.input.value().is_empty() && self.more.is_empty()
    }

    /// Inserts text at the cursor. It costs little for each character of a long paste.
    pub(crate) fn insert(&mut self, c: char) {
        self.more.push(c);
    }

    pub(crate) fn edit(&mut self, edit: InputRequest) {
        self.settle();
        self.input.handle(edit);
    }

    /// The whole line, which is typed no more.
    pub(crate) fn enter(&mut self) -> String {
        self.settle();
        let line = self.input.value_and_reset();
        self.history.add(&line);
        line
    }

    /// Goes to the line typed before.
    pub(crate) fn older(&mut self) {
        self.settle();
        let line = self.history.older(self.input.value());
        self.replace(line);
    }

    /// Goes back to the line typed after it.
    pub(crate) fn newer(&mut self) {
        self.settle();
        let line = self.history.newer();
        self.replace(line);
    }

    fn replace(&mut self, line: Option<String>) {
        if let Some(line) = line {
            self.input = mem::take(&mut self.input).with_value(line);
        }
    }

    /// Puts into the input what was typed in a row.
    fn settle(&mut self) {
        if self.more.is_empty() {
            return;
        }
        let more = mem::take(&mut self.more);
        let cursor = self.input.cursor() + more.chars().count();
        let mut text = self.input.value().to_owned();
        text.insert_str(self.cursor(), &more);
        self.input = mem::take(&mut self.input).with_value(text).with_cursor(cursor);
    }

    /// Where the cursor is, in bytes.
    fn cursor(&self) -> usize {
        let text = self.input.value();
        text.char_indices().nth(self.input.cursor()).map_or(text.len(), |(place, _)| place)
    }

    /// Appends to `out` what removes the row from a terminal of so many columns.
    pub(crate) fn erase(&mut self, width: usize, out: &mut Vec<u8>) {
        let Some(Drawn { width: before, cursor }) = self.drawn.take() else { return };
        if width < before {
            // A terminal that became narrower has wrapped the row.
            let rows = cursor / width.max(1);
            if rows > 0 {
                out.extend_from_slice(format!("\x1b[{rows}A").as_bytes());
            }
        }
        out.extend_from_slice(ERASE.as_bytes());
    }

    /// Appends to `out` what shows the row on a terminal of so many columns, on which it is not shown.
    pub(crate) fn draw(&mut self, width: usize, out: &mut Vec<u8>) {
        self.settle();
        // The cursor may stand behind the text. In a very narrow terminal there is no mark.
        let mark = if width > 2 * MARK.len() { MARK } else { "" };
        let room = width.saturating_sub(mark.len() + 1).max(1);
        let cursor = self.cursor();
        let text = self.input.value();
        self.first = first_shown(text, self.first, cursor, room);
        let (before, after) = (&text[self.first..cursor], &text[cursor..]);
        let mut row = mark.to_owned();
        before.graphemes(true).for_each(|grapheme| row.push_str(&cell(grapheme)));
        let column = mark.len() + columns(before);
        let mut left = room.saturating_sub(columns(before));
        for grapheme in after.graphemes(true) {
            let cell = cell(grapheme);
            let Some(rest) = left.checked_sub(cell.width()) else { break };
            row.push_str(&cell);
            left = rest;
        }
        // Not counted back from the end of the text: terminals differ in how wide they take some characters for.
        row.push('\r');
        if column > 0 {
            row += &format!("\x1b[{column}C");
        }
        out.extend_from_slice(row.as_bytes());
        self.drawn = Some(Drawn { width, cursor: column });
    }
}

/// From where on `text` is shown, so that its cursor is: from where it was, if it may stay.
fn first_shown(text: &str, first: usize, cursor: usize, room: usize) -> usize {
    let may_stay = first <= cursor
        && text.is_char_boundary(first)
        && is_within(text[first..cursor].graphemes(true), room);
    // What is in front of the cursor, and space for something behind it.
    let first = if may_stay { first } else { back(text, cursor, room * 2 / 3) };
    // No space is left empty.
    first.min(back(text, text.len(), room))
}

/// So many columns in front of `place`.
fn back(text: &str, place: usize, columns: usize) -> usize {
    let mut left = columns;
    let mut first = place;
    for grapheme in text[..place].graphemes(true).rev() {
        let Some(rest) = left.checked_sub(cell(grapheme).width()) else { break };
        left = rest;
        first -= grapheme.len();
    }
    first
}

/// Whether these have room. It does not look at all of a long text.
fn is_within<'a>(mut graphemes: impl Iterator<Item = &'a str>, room: usize) -> bool {
    graphemes.try_fold(room, |left, grapheme| left.checked_sub(cell(grapheme).width())).is_some()
}

fn columns(text: &str) -> usize {
    text.graphemes(true).map(|grapheme| cell(grapheme).width()).sum()
}

/// How one character of the text is shown in the row.
fn cell(grapheme: &str) -> Cow<'_, str> {
    if grapheme == "\t" { " ".into() } else { shown(grapheme.as_bytes()) }
}

impl History {
    fn add(&mut self, line: &str) {
        self.back = 0;
        let is_new = self.lines.back().is_none_or(|last| last != line);
        if line.is_empty() || line.len() > HISTORY.1 || !is_new {
            return;
        }
        if self.lines.len() == HISTORY.0 {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    fn older(&mut self, now: &str) -> Option<String> {
        let place = self.lines.len().checked_sub(self.back + 1)?;
        if self.back == 0 {
            now.clone_into(&mut self.draft);
        }
        self.back += 1;
        self.lines.get(place).cloned()
    }

    fn newer(&mut self) -> Option<String> {
        self.back = self.back.checked_sub(1)?;
        if self.back == 0 {
            return Some(mem::take(&mut self.draft));
        }
        self.lines.get(self.lines.len() - self.back).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Prompt {
        let mut prompt = Prompt::default();
        text.chars().for_each(|c| prompt.insert(c));
        prompt
    }

    fn drawn(prompt: &mut Prompt, width: usize) -> String {
        let mut out = Vec::new();
        prompt.draw(width, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn erased(prompt: &mut Prompt, width: usize) -> String {
        let mut out = Vec::new();
        prompt.erase(width, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_row_that_a_narrower_terminal_has_wrapped_is_removed_whole() {
        let mut prompt = typed(&"x".repeat(45));
        assert_eq!(erased(&mut prompt, 60), "", "it is not shown");
        assert_eq!(drawn(&mut prompt, 60), format!("> {}\r\x1b[47C", "x".repeat(45)));
        assert_eq!(erased(&mut prompt, 20), "\x1b[2A\r\x1b[J");
        drawn(&mut prompt, 20);
        assert_eq!(erased(&mut prompt, 20), "\r\x1b[J");
    }

    #[test]
    fn as_much_of_a_long_line_is_shown_as_there_is_room_for() {
        let mut prompt = typed("0123456789");
        for (edit, row) in [
            (InputRequest::GoToEnd, "> 456789\r\x1b[8C"),
            (InputRequest::GoToPrevChar, "> 456789\r\x1b[7C"),
            (InputRequest::DeletePrevChar, "> 345679\r\x1b[7C"),
            (InputRequest::SetCursor(1), "> 012345\r\x1b[3C"),
            (InputRequest::SetCursor(7), "> 345679\r\x1b[6C"),
            (InputRequest::DeleteFromStart, "> 79\r\x1b[2C"),
        ] {
            prompt.edit(edit);
            assert_eq!(drawn(&mut prompt, 9), row, "{edit:?}");
        }
    }

    #[test]
    fn control_characters_of_a_paste_are_shown_and_not_obeyed() {
        let mut prompt = typed("\u{9b}2J\t\u{202e}");
        assert_eq!(drawn(&mut prompt, 60), "> \\u{9b}2J \\u{202e}\r\x1b[19C");
        assert_eq!(prompt.enter(), "\u{9b}2J\t\u{202e}");
    }

    #[test]
    fn the_oldest_lines_and_very_long_ones_are_forgotten() {
        let mut prompt = Prompt::default();
        for number in 0..=HISTORY.0 {
            number.to_string().chars().for_each(|c| prompt.insert(c));
            prompt.enter();
        }
        "x".repeat(HISTORY.1 + 1).chars().for_each(|c| prompt.insert(c));
        prompt.enter();
        for number in (1..=HISTORY.0).rev() {
            prompt.older();
            assert_eq!(prompt.input.value(), number.to_string());
        }
        prompt.older();
        assert_eq!(prompt.input.value(), "1");
    }
}
