//! What is typed or piped in, line by line.

use std::io::{self, BufRead, IsTerminal};
use std::thread;

use async_channel::{Receiver, Sender};
use asyncnet::Error;
use asyncnet_smol::Writer;
use futures_lite::future;
use tracing::warn;

use crate::screen::Own;
use crate::stop::Flag;

/// How many lines are read ahead of what the room takes.
const AHEAD: usize = 64;

/// What ends the input on a terminal, beside its end.
pub(crate) const QUIT: &[u8] = b"/quit";

/// The lines of the input. It outlives a connection: what was not sent on one is sent on the next.
pub(crate) struct Typed {
    lines: Receiver<Vec<u8>>,
    /// Taken from the input, and not sent yet.
    next: Option<Vec<u8>>,
    leaving: Leaving,
}

/// How a person at a terminal leaves.
#[derive(Clone)]
pub(crate) struct Leaving {
    /// With all that was typed before.
    pub(crate) quit: Flag,
    /// Without it.
    pub(crate) at_once: Flag,
}

impl Typed {
    /// Begins to read lines.
    pub(crate) fn start() -> io::Result<Self> {
        let (read, lines) = async_channel::bounded(AHEAD);
        // Reading standard input blocks, so it has a thread of its own.
        thread::Builder::new().name("input".into()).spawn(move || read_all(&read))?;
        Ok(Self::new(lines))
    }

    fn new(lines: Receiver<Vec<u8>>) -> Self {
        let leaving = Leaving { quit: Flag::new(), at_once: Flag::new() };
        Self { lines, next: None, leaving }
    }

    /// What is typed at a terminal, which sends lines and leaves with what this returns beside it. How much that is, is
    /// up to the person: nothing of it is held back, so that the keys that leave always do.
    #[cfg(unix)]
    pub(crate) fn at_a_terminal() -> (Self, Sender<Vec<u8>>, Leaving) {
        let (typed, lines) = async_channel::unbounded();
        let it = Self::new(lines);
        let leaving = it.leaving.clone();
        (it, typed, leaving)
    }

    /// Says every line, until the input ends.
    pub(crate) async fn say(&mut self, writer: &Writer, own: &Own) -> Result<(), Error> {
        loop {
            if self.next.is_none() {
                self.next = self.lines.recv().await.ok();
            }
            let Some(line) = &self.next else { return Ok(()) };
            own.add(line);
            match writer.send_line(line).await {
                Err(Error::LineBreak) => warn!("a line was not sent: it holds a CR"),
                sent => sent?,
            }
            self.next = None;
        }
    }

    /// Waits until a person leaves and does not want to wait for the room.
    pub(crate) fn leaves_at_once(&self) -> impl Future<Output = ()> + use<> {
        let at_once = self.leaving.at_once.clone();
        async move { at_once.raised().await }
    }

    /// Waits until a person leaves who has nothing to say, while there is no room.
    pub(crate) async fn has_left(&self) {
        let quit = async {
            self.leaving.quit.raised().await;
            if self.next.is_some() || !self.lines.is_empty() {
                future::pending::<()>().await;
            }
        };
        future::or(self.leaving.at_once.raised(), quit).await;
    }
}

/// Reads standard input. An error ends it.
fn read_all(read: &Sender<Vec<u8>>) {
    let is_terminal = io::stdin().is_terminal();
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let is_over = is_terminal && text == QUIT;
        if is_over || read.send_blocking(text.to_vec()).is_err() {
            return;
        }
        line.clear();
    }
}
