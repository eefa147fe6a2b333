//! A terminal, and somebody who sits at it: the test's end of a pseudo-terminal, and what a person would see there.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::harness::{CHAT, Program, Server, Signal};

/// Nothing that a test waits for takes so long.
const LIMIT: Duration = Duration::from_secs(100);

const ROWS: u16 = 10;

/// How wide a terminal is at first.
pub(crate) const WIDTH: u16 = 60;

/// A pseudo-terminal: the end that shows, and the end that a program has.
pub(crate) fn terminal() -> (File, File) {
    let shows = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&shows).unwrap();
    unlockpt(&shows).unwrap();
    let path = ptsname(&shows, Vec::new()).unwrap();
    // It does not become the terminal of the tests themselves.
    let flags = OFlags::NOCTTY.bits().try_into().unwrap();
    let mut options = File::options();
    let has =
        options.read(true).write(true).custom_flags(flags).open(path.to_str().unwrap()).unwrap();
    (File::from(shows), has)
}

/// Somebody at a terminal.
pub(crate) struct Person {
    pub(crate) program: Program,
    keyboard: File,
    shown: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    /// All bytes that were shown.
    pub(crate) bytes: Vec<u8>,
    modes: LocalModes,
    /// Another handle, so that the terminal stays when the program ends.
    of_program: File,
}

impl Person {
    /// Joins, and has a row to type in.
    pub(crate) fn join(server: &Server) -> Self {
        let person = Self::join_at(&server.address.to_string(), &[]);
        server.wait_for_guest();
        person
    }

    pub(crate) fn join_at(address: &str, options: &[&str]) -> Self {
        let mut person = Self::run(address, "xterm", options);
        person.sees(|rows| rows.last().is_some_and(|row| row == ">"));
        person
    }

    /// Joins at a terminal of that name.
    pub(crate) fn run(address: &str, term: &str, options: &[&str]) -> Self {
        let (terminal, of_program) = terminal();
        let modes = tcgetattr(&of_program).unwrap().local_modes;
        let [stdin, stdout, stderr] =
            [(); 3].map(|()| Stdio::from(of_program.try_clone().unwrap()));
        let mut command = Command::new(CHAT);
        command.args(["join", address]).args(options).env("TERM", term);
        command.stderr(stderr);
        let parser = vt100::Parser::new(size(ROWS), size(WIDTH), 0);
        let keyboard = terminal.try_clone().unwrap();
        let shown = read_all(terminal);
        set_size(&of_program, WIDTH);
        let program = Program::spawn_from(&mut command, stdin, stdout);
        Self { program, keyboard, shown, parser, bytes: Vec::new(), modes, of_program }
    }

    pub(crate) fn types(&mut self, keys: impl AsRef<[u8]>) {
        self.keyboard.write_all(keys.as_ref()).unwrap();
    }

    /// Reads on until the rows of the terminal are as they should be.
    #[track_caller]
    pub(crate) fn sees(&mut self, what: impl Fn(&[String]) -> bool) {
        while !what(&self.rows()) {
            let Ok(shown) = self.shown.recv_timeout(LIMIT) else {
                panic!("it never came to that: {:#?}", self.rows());
            };
            self.parser.process(&shown);
            self.bytes.extend(shown);
        }
    }

    /// Reads on until these are the last rows.
    #[track_caller]
    pub(crate) fn sees_at_the_end(&mut self, last: &[&str]) {
        self.sees(|rows| rows.ends_with(&last.iter().map(ToString::to_string).collect::<Vec<_>>()));
    }

    /// The rows as they are shown, up to the one with the cursor, without blanks at their ends.
    pub(crate) fn rows(&self) -> Vec<String> {
        let screen = self.parser.screen();
        let (last, _) = screen.cursor_position();
        let (_, width) = screen.size();
        let rows = screen.rows(0, width.get()).take(usize::from(last) + 1);
        rows.map(|row| row.trim_end().to_owned()).collect()
    }

    /// In which column the cursor is, from 0.
    pub(crate) fn column(&self) -> u16 {
        self.parser.screen().cursor_position().1
    }

    /// Makes the terminal so wide. What is shown is cut, not wrapped.
    pub(crate) fn resize(&mut self, width: u16) {
        self.parser.screen_mut().set_size(size(ROWS), size(width));
        set_size(&self.of_program, width);
        // It is not the controlling terminal of the program, so the system does not send it.
        self.program.signal(Signal::WINCH);
    }

    /// Waits for the end; its status. The terminal has to be as it was.
    #[track_caller]
    pub(crate) fn end(&mut self) -> ExitStatus {
        let (_, status) = self.program.end();
        assert_eq!(tcgetattr(&self.of_program).unwrap().local_modes, self.modes);
        // All that the program has written comes in front of this.
        self.of_program.write_all(b"\r\nit is over").unwrap();
        self.sees(|rows| rows.last().is_some_and(|row| row == "it is over"));
        assert!(!self.parser.screen().bracketed_paste());
        status
    }
}

fn size(size: u16) -> NonZeroU16 {
    NonZeroU16::new(size).unwrap()
}

fn set_size(terminal: &File, width: u16) {
    let size = Winsize { ws_row: ROWS, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}

/// What the program writes to the terminal. It is always read, so that the program never waits for a reader.
fn read_all(mut terminal: File) -> Receiver<Vec<u8>> {
    let (send, shown) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(n @ 1..) = terminal.read(&mut bytes) {
            if send.send(bytes[..n].to_vec()).is_err() {
                return;
            }
        }
    });
    shown
}
