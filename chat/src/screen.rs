//! Standard output: the bytes as they are for a pipe, made safe for a terminal.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::rc::Rc;

use futures_lite::AsyncWriteExt;
use smol::Unblock;

use crate::shown::shown;
#[cfg(unix)]
use crate::terminal::Printer;

/// How many lines of our own may be on their way back.
const OWN: usize = 1024;

/// Where the room is printed.
pub(crate) struct Screen {
    out: Out,
    is_terminal: bool,
    own: Rc<Own>,
}

enum Out {
    /// A pipe that is not read stops the printing, and nothing else.
    Plain(Unblock<io::Stdout>),
    /// Above the row in which a person types.
    #[cfg(unix)]
    Above(Printer),
}

/// What a person typed at a terminal: it stands there already, and has not come back yet. `None` where nobody does.
pub(crate) struct Own(Option<RefCell<VecDeque<Vec<u8>>>>);

impl Screen {
    /// `is_echoed`: the terminal itself shows what is typed.
    pub(crate) fn plain(is_echoed: bool) -> Self {
        let out = io::stdout();
        let is_terminal = out.is_terminal();
        let own = Rc::new(Own(is_echoed.then(RefCell::default)));
        Self { out: Out::Plain(Unblock::new(out)), is_terminal, own }
    }

    /// What is typed appears when the room says it.
    #[cfg(unix)]
    pub(crate) fn above(printer: Printer) -> Self {
        Self { out: Out::Above(printer), is_terminal: true, own: Rc::new(Own(None)) }
    }

    pub(crate) fn own(&self) -> Rc<Own> {
        Rc::clone(&self.own)
    }

    /// Appends a line to `text`, as it is to be printed. One that was typed here stands there already.
    pub(crate) fn add(&self, line: &[u8], text: &mut Vec<u8>) {
        if self.own.0.as_ref().is_some_and(|own| came_back(&mut own.borrow_mut(), line)) {
            return;
        }
        if self.is_terminal {
            text.extend_from_slice(shown(line).as_bytes());
        } else {
            text.extend_from_slice(line);
        }
        text.push(b'\n');
    }

    pub(crate) async fn print(&mut self, text: &[u8]) -> io::Result<()> {
        match &mut self.out {
            Out::Plain(out) => {
                out.write_all(text).await?;
                out.flush().await
            }
            #[cfg(unix)]
            Out::Above(printer) => {
                let (printer, text) = (printer.clone(), text.to_vec());
                smol::unblock(move || printer.print(&text)).await
            }
        }
    }
}

impl Own {
    /// This line is about to be sent.
    pub(crate) fn add(&self, line: &[u8]) {
        if let Some(own) = &self.0 {
            let mut own = own.borrow_mut();
            if own.len() == OWN {
                own.pop_front();
            }
            own.push_back(line.to_vec());
        }
    }

    /// What was sent on a connection that has ended does not come back.
    pub(crate) fn clear(&self) {
        if let Some(own) = &self.0 {
            own.borrow_mut().clear();
        }
    }
}

/// Whether `line` is one of our own that has come back. Those in front of it were dropped by the room.
fn came_back(own: &mut VecDeque<Vec<u8>>, line: &[u8]) -> bool {
    let Some(place) = own.iter().position(|own| own == line) else { return false };
    own.drain(..=place);
    true
}

#[cfg(test)]
mod tests {
    use super::came_back;

    #[test]
    fn a_line_of_our_own_comes_back_once_and_tells_that_those_before_it_were_dropped() {
        let mut own = [&b"one"[..], b"dropped", b"two", b"one"].map(<[u8]>::to_vec).into();
        assert!(!came_back(&mut own, b"of another"));
        assert!(came_back(&mut own, b"one"));
        assert!(came_back(&mut own, b"two"));
        assert!(!came_back(&mut own, b"dropped"));
        assert!(came_back(&mut own, b"one"));
        assert!(own.is_empty());
    }
}
