//! `join` on a terminal, which is the test's end of a pseudo-terminal.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::harness::{CHAT, Program, Server};
use crate::person::type_in;

on_every_runtime! {
    control_bytes_of_others_never_reach_the_terminal
    a_pipe_gets_the_bytes_as_they_are
    what_is_typed_appears_once_and_slash_quit_leaves
}

/// A pseudo-terminal: the end that shows, and the end that a program has.
pub(crate) fn terminal() -> (BufReader<File>, File) {
    let shows = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&shows).unwrap();
    unlockpt(&shows).unwrap();
    let path = ptsname(&shows, Vec::new()).unwrap();
    let has = File::options().read(true).write(true).open(path.to_str().unwrap()).unwrap();
    (BufReader::new(File::from(shows)), has)
}

/// Somebody at a terminal.
struct Person {
    program: Program,
    terminal: BufReader<File>,
    seen: String,
    modes: LocalModes,
    /// Another handle, so that the terminal stays when the program ends.
    of_program: File,
}

impl Person {
    fn join(server: &Server) -> Self {
        let (terminal, of_program) = terminal();
        let modes = tcgetattr(&of_program).unwrap().local_modes;
        let [stdin, stdout] = [(); 2].map(|()| Stdio::from(of_program.try_clone().unwrap()));
        let mut command = Command::new(CHAT);
        command.args(["join", &server.address.to_string()]);
        let program = Program::spawn_from(command.stderr(Stdio::piped()), stdin, stdout);
        Self { program, terminal, seen: String::new(), modes, of_program }
    }

    fn types(&mut self, text: &str) {
        self.terminal.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// Reads on until the terminal has shown this.
    fn sees(&mut self, text: &str) {
        while !self.seen.contains(text) {
            let shown = self.terminal.fill_buf().unwrap();
            assert!(!shown.is_empty());
            self.seen += &String::from_utf8_lossy(shown);
            let length = shown.len();
            self.terminal.consume(length);
        }
    }

    /// Waits for the end; its status. The terminal has to be as it was.
    fn end(&mut self) -> Option<i32> {
        let (_, status) = self.program.end();
        assert_eq!(tcgetattr(&self.of_program).unwrap().local_modes, self.modes);
        status.code()
    }
}

fn what_is_typed_appears_once_and_slash_quit_leaves(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let mut other = server.client();
    let mut person = Person::join(&server);
    person.types("here\n");
    other.expect(b"here");
    other.say(b"heard");
    person.sees("heard\r\n");
    person.types("/quit\n");
    assert_eq!(person.end(), Some(0));
    assert_eq!(person.seen.matches("here").count(), 1, "{:?}", person.seen);
}

const ATTACK: &[u8] = b"\x1b[2J\x1b]0;title\x07 \xc2\x9b1A \xe2\x80\xae txet\xff";

fn control_bytes_of_others_never_reach_the_terminal(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let mut attacker = server.client();
    let (mut terminal, of_program) = terminal();
    let mut command = Command::new(CHAT);
    command.args(["join", &server.address.to_string()]).stderr(Stdio::piped());
    let mut person = Program::spawn_with(&mut command, of_program.into());
    type_in(&mut person, b"here\n");
    attacker.expect(b"here");
    attacker.say(ATTACK);
    attacker.say(b"end");
    let mut seen = String::new();
    while !seen.ends_with("end\r\n") {
        assert_ne!(terminal.read_line(&mut seen).unwrap(), 0);
    }
    assert!(seen.chars().all(|c| !c.is_control() || "\r\n".contains(c)), "{seen:?}");
    assert!(
        seen.contains("\\x1b[2J\\x1b]0;title\\x07 \\u{9b}1A \\u{202e} txet\\xff\r\n"),
        "{seen:?}"
    );
}

fn a_pipe_gets_the_bytes_as_they_are(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let mut attacker = server.client();
    let mut person = crate::person::join_with(&server, &[]);
    type_in(&mut person, b"here\n");
    attacker.expect(b"here");
    assert_eq!(person.line(), "here");
    attacker.say(ATTACK);
    let mut line = Vec::new();
    person.stdout.as_mut().unwrap().read_until(b'\n', &mut line).unwrap();
    assert_eq!(line, [ATTACK, b"\n"].concat());
}
