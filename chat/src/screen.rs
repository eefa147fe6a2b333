//! Standard output: as it is for a pipe, made safe for a terminal.

use std::io::{self, IsTerminal};

use futures_lite::AsyncWriteExt;
use smol::Unblock;
use tracing::warn;

use crate::shown::shown;

/// Where the room is printed. A pipe that is not read stops the printing, and nothing else.
pub(crate) struct Screen {
    out: Unblock<io::Stdout>,
    is_terminal: bool,
    notes: Notes,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let out = io::stdout();
        let is_terminal = out.is_terminal();
        Self { out: Unblock::new(out), is_terminal, notes: Notes }
    }

    /// Appends a line to `text`, as it is to be printed.
    pub(crate) fn add(&self, line: &[u8], text: &mut Vec<u8>) {
        if self.is_terminal {
            text.extend_from_slice(shown(line).as_bytes());
        } else {
            text.extend_from_slice(line);
        }
        text.push(b'\n');
    }

    pub(crate) async fn print(&mut self, text: &[u8]) -> io::Result<()> {
        self.out.write_all(text).await?;
        self.out.flush().await
    }

    pub(crate) fn notes(&self) -> Notes {
        self.notes.clone()
    }

    /// Tells the person something that is not from the room.
    pub(crate) fn notice(&self, text: &str) {
        self.notes.notice(text);
    }
}

/// What is told to the person beside the room's text.
#[derive(Clone)]
pub(crate) struct Notes;

impl Notes {
    pub(crate) fn notice(&self, text: &str) {
        warn!("{}", shown(text.as_bytes()));
    }
}
