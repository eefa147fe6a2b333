//! A terminal at which a person types while the room is printed: what is typed stays in the last row, and the
//! lines of the room appear above it.
//!
//! One lock orders what is written. The terminal gives every key to us, so ^C and ^Z are no signals but keys.

use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};
use std::{env, thread};

use async_channel::Sender;
use rustix::process::{Signal, getpgrp, kill_current_process_group};
use rustix::stdio;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp,
    tcgetwinsize, tcsetattr,
};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;
use signal_hook::low_level;
use tui_input::InputRequest;

use crate::keys::{Key, Keys};
use crate::log::Log;
use crate::prompt::Prompt;
use crate::typed::{Leaving, QUIT};

/// Makes the terminal mark what is pasted, and no more.
const MARKS_PASTES: (&str, &str) = ("\x1b[?2004h", "\x1b[?2004l");

/// Moves to the top of an empty screen.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// How long the end of the program waits for somebody who writes to the terminal.
const A_MOMENT: Duration = Duration::from_millis(250);

/// What a terminal is taken for that does not say how wide it is.
const WIDTH: usize = 80;

/// The terminal of this process, with a row to type in. It is as it was before once this is dropped, at a panic, and at
/// a signal that ends the process.
pub(crate) struct Terminal(Arc<Shared>);

/// Prints above the row in which a person types.
#[derive(Clone)]
pub(crate) struct Printer(Arc<Shared>);

struct Shared {
    row: Mutex<Row>,
    before: Termios,
    /// The program ends: the terminal is not taken over again.
    ends: AtomicBool,
}

#[derive(Default)]
struct Row {
    prompt: Prompt,
    /// The terminal is ours, and shows the prompt.
    is_shown: bool,
    /// The person has left.
    is_over: bool,
}

/// Whether this process can give a person at a terminal a row to type in.
pub(crate) fn is_there() -> bool {
    let name = env::var_os("TERM").unwrap_or_default();
    io::stdin().is_terminal() && io::stdout().is_terminal() && !name.is_empty() && name != "dumb"
}

impl Terminal {
    /// Takes the terminal over. Lines that are typed go to `lines`; a key with which the person leaves
    /// raises a flag of `leaving`.
    pub(crate) fn start(lines: Sender<Vec<u8>>, leaving: Leaving, log: &Log) -> io::Result<Self> {
        let before = tcgetattr(stdio::stdin())?;
        let ends = AtomicBool::new(false);
        let shared = Arc::new(Shared { row: Mutex::default(), before, ends });
        watch_signals(&shared)?;
        leave_at_panic(Arc::clone(&shared));
        if io::stderr().is_terminal() {
            log.write_to(Printer(Arc::clone(&shared)));
        }
        let terminal = Self(Arc::clone(&shared));
        shared.enter()?;
        thread::Builder::new().name("keys".into()).spawn(move || {
            read_keys(&shared, &lines, &leaving);
            leaving.quit.raise();
        })?;
        Ok(terminal)
    }

    pub(crate) fn printer(&self) -> Printer {
        Printer(Arc::clone(&self.0))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.0.ends.store(true, Ordering::SeqCst);
        // If it cannot be written, it is gone.
        let _ = self.0.leave(&mut self.0.row());
    }
}

impl Printer {
    /// Prints lines. It waits for a terminal that is not read.
    pub(crate) fn print(&self, text: &[u8]) -> io::Result<()> {
        self.0.row().print(text)
    }
}

/// What is logged goes to standard error.
impl Write for Printer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.row().log(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn row(&self) -> MutexGuard<'_, Row> {
        self.row.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The row, unless another thread keeps it for long.
    fn row_soon(&self) -> Option<MutexGuard<'_, Row>> {
        let until = Instant::now() + A_MOMENT;
        loop {
            match self.row.try_lock() {
                Ok(row) => return Some(row),
                Err(TryLockError::Poisoned(row)) => return Some(row.into_inner()),
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    thread::sleep(A_MOMENT / 50);
                }
                Err(TryLockError::WouldBlock) => return None,
            }
        }
    }

    /// Takes the terminal over, or does it again after a stop. In the background it is not ours to take: the system
    /// would stop the program, also one that is about to end.
    fn enter(&self) -> io::Result<()> {
        let mut row = self.row();
        if self.ends.load(Ordering::SeqCst) || !is_in_foreground() {
            return Ok(());
        }
        let mut modes = self.before.clone();
        modes.local_modes &=
            !(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN);
        // CR and LF arrive as they are, and ^S and ^Q do not stop the output.
        modes.input_modes &= !(InputModes::ICRNL | InputModes::INLCR | InputModes::IXON);
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdio::stdin(), OptionalActions::Now, &modes)?;
        row.is_shown = true;
        row.redraw(MARKS_PASTES.0)
    }

    /// Gives the terminal back. What was typed and not entered stays to be seen.
    fn leave(&self, row: &mut Row) -> io::Result<()> {
        if !row.is_shown {
            return Ok(());
        }
        tcsetattr(stdio::stdin(), OptionalActions::Now, &self.before)?;
        let mut out = Vec::new();
        if row.prompt.is_empty() || row.is_over {
            row.prompt.erase(width(), &mut out);
        } else {
            out.extend_from_slice(b"\r\n");
        }
        row.is_shown = false;
        out.extend_from_slice(MARKS_PASTES.1.as_bytes());
        write(&mut io::stdout(), &out)
    }

    /// Does what ^Z does.
    fn stop(&self) {
        // One that cannot be written is gone.
        let _ = self.leave(&mut self.row());
        // All that were started together with us stop too. Where no shell could continue them, the system stops none.
        let _ = kill_current_process_group(Signal::TSTP);
        // Another thread may be the one that stops. In the background nothing may be read either.
        thread::sleep(A_MOMENT);
        while !is_in_foreground() {
            thread::sleep(A_MOMENT);
        }
        let _ = self.enter();
    }

    /// Gives the terminal back in the middle of anything.
    fn leave_at_once(&self) {
        self.ends.store(true, Ordering::SeqCst);
        let left = match self.row_soon() {
            Some(mut row) => self.leave(&mut row),
            // The thread that has the lock waits for the terminal, or is the one that panics.
            None => tcsetattr(stdio::stdin(), OptionalActions::Now, &self.before)
                .map_err(io::Error::from),
        };
        // One that cannot be written is gone.
        let _ = left;
    }
}

impl Row {
    /// Prints lines of the room.
    fn print(&mut self, text: &[u8]) -> io::Result<()> {
        if !self.is_shown {
            return write(&mut io::stdout(), text);
        }
        let mut out = Vec::with_capacity(text.len() + 256);
        let width = width();
        self.prompt.erase(width, &mut out);
        out.extend_from_slice(text);
        self.draw(width, &mut out);
        // In one write, so that the row does not flicker.
        write(&mut io::stdout(), &out)
    }

    /// Prints lines of the log, which goes to standard error.
    fn log(&mut self, text: &[u8]) -> io::Result<()> {
        let mut out = Vec::new();
        if self.is_shown {
            self.prompt.erase(width(), &mut out);
            write(&mut io::stdout(), &out)?;
        }
        write(&mut io::stderr(), text)?;
        self.redraw("")
    }

    /// Shows the row anew, behind `first`.
    fn redraw(&mut self, first: &str) -> io::Result<()> {
        if !self.is_shown {
            return Ok(());
        }
        let mut out = Vec::new();
        let width = width();
        self.prompt.erase(width, &mut out);
        out.extend_from_slice(first.as_bytes());
        self.draw(width, &mut out);
        write(&mut io::stdout(), &out)
    }

    fn draw(&mut self, width: usize, out: &mut Vec<u8>) {
        if !self.is_over {
            self.prompt.draw(width, out);
        }
    }

    /// What a key does to the row.
    fn press(&mut self, key: Key) -> Pressed {
        match key {
            Key::Interrupt => return Pressed::Interrupt,
            Key::Suspend => return Pressed::Suspend,
            Key::Clear => return Pressed::Clear,
            Key::End if self.is_over || self.prompt.is_empty() => return Pressed::Quit,
            _ if self.is_over => {}
            Key::Text(c) => self.prompt.insert(c),
            Key::Edit(edit) => self.prompt.edit(edit),
            Key::Older => self.prompt.older(),
            Key::Newer => self.prompt.newer(),
            Key::Enter => {
                let line = self.prompt.enter().into_bytes();
                return if line == QUIT { Pressed::Quit } else { Pressed::Line(line) };
            }
            Key::End => self.prompt.edit(InputRequest::DeleteNextChar),
        }
        Pressed::Nothing
    }
}

/// What comes of a key beside the row.
enum Pressed {
    Nothing,
    Line(Vec<u8>),
    Quit,
    Interrupt,
    Suspend,
    Clear,
}

/// Reads keys until the person has left for good, or the terminal is gone.
fn read_keys(shared: &Shared, lines: &Sender<Vec<u8>>, leaving: &Leaving) {
    let (mut keys, mut bytes) = (Keys::new(), [0; 4096]);
    loop {
        let read = match io::stdin().read(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Ok(n) if n > 0 => &bytes[..n],
            _ => return,
        };
        let mut row = shared.row();
        let mut first = "";
        let mut stops = false;
        for key in keys.read(read) {
            match row.press(key) {
                Pressed::Nothing => {}
                // The channel is closed once the person has left.
                Pressed::Line(line) => drop(lines.try_send(line)),
                Pressed::Quit if row.is_over => return leaving.at_once.raise(),
                Pressed::Quit => {
                    row.is_over = true;
                    lines.close();
                    leaving.quit.raise();
                }
                Pressed::Interrupt => return leaving.at_once.raise(),
                Pressed::Suspend => stops = true,
                Pressed::Clear => first = CLEAR,
            }
        }
        // One that cannot be written is gone: the next read says so.
        let _ = row.redraw(first);
        drop(row);
        if stops {
            shared.stop();
        }
    }
}

/// Gives the terminal back at a signal that ends the process, and shows the row anew where it has to be.
fn watch_signals(shared: &Arc<Shared>) -> io::Result<()> {
    let (ended, changed) = (Arc::clone(shared), Arc::clone(shared));
    on_signals("ends", &[SIGHUP, SIGINT, SIGQUIT, SIGTERM], move |signal| {
        ended.leave_at_once();
        let _ = low_level::emulate_default_handler(signal);
    })?;
    // In another thread: it may have to wait for a terminal that is not read.
    on_signals("changes", &[SIGCONT, SIGWINCH], move |signal| {
        let _ = if signal == SIGCONT { changed.enter() } else { changed.row().redraw("") };
    })
}

fn on_signals(thread: &str, signals: &[i32], act: impl Fn(i32) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new(signals)?;
    let act = move || signals.forever().for_each(act);
    thread::Builder::new().name(thread.into()).spawn(act)?;
    Ok(())
}

/// What a panic says stays to be read.
fn leave_at_panic(shared: Arc<Shared>) {
    let say = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        shared.leave_at_once();
        say(info);
    }));
}

fn write(to: &mut impl Write, text: &[u8]) -> io::Result<()> {
    to.write_all(text)?;
    to.flush()
}

/// Whether the terminal listens to us, and not to another job of a shell. One that is not the controlling terminal of
/// this process does.
fn is_in_foreground() -> bool {
    tcgetpgrp(stdio::stdin()).map_or(true, |group| group == getpgrp())
}

/// How many columns the terminal has.
fn width() -> usize {
    let columns = tcgetwinsize(stdio::stdout()).map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { WIDTH } else { columns }
}
