//! `join` on a terminal: what a person sees there.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use crate::harness::{CHAT, Program, Server, Signal};
use crate::person::type_in;
use crate::tty::{Person, WIDTH, terminal};

on_every_runtime! {
    control_bytes_of_others_never_reach_the_terminal
    a_pipe_gets_the_bytes_as_they_are
    a_dumb_terminal_shows_what_is_typed_once_and_slash_quit_leaves
    what_is_typed_stays_in_the_last_row
    a_room_that_closes_leaves_the_terminal_as_it_was
}

fn a_dumb_terminal_shows_what_is_typed_once_and_slash_quit_leaves(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let mut other = server.client();
    let mut person = Person::run(&server.address.to_string(), "dumb", &[]);
    person.types("here\n");
    other.expect(b"here");
    other.say(b"heard");
    person.sees_at_the_end(&["here", "heard", ""]);
    person.types("/quit\n");
    assert_eq!(person.end().code(), Some(0));
    let seen = String::from_utf8_lossy(&person.bytes);
    assert_eq!(seen.matches("here").count(), 1, "{seen:?}");
    assert!(!seen.contains('\x1b'), "{seen:?}");
}

const ATTACK: &[u8] = b"\x1b[2J\x1b]0;title\x07 \xc2\x9b1A \xe2\x80\xae txet\xff";

const ATTACK_SHOWN: &str = "\\x1b[2J\\x1b]0;title\\x07 \\u{9b}1A \\u{202e} txet\\xff";

fn control_bytes_of_others_never_reach_the_terminal(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let mut attacker = server.client();
    let (terminal, of_program) = terminal();
    let mut terminal = BufReader::new(terminal);
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
    assert!(seen.contains(&format!("{ATTACK_SHOWN}\r\n")), "{seen:?}");
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

fn what_is_typed_stays_in_the_last_row(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let mut other = server.client();
    let mut person = Person::join(&server);
    person.types("here\r");
    other.expect(b"here");
    person.types("half a li");
    person.sees_at_the_end(&["here", "> half a li"]);
    for number in 1..=20 {
        other.say(format!("line {number}").as_bytes());
        other.expect(format!("line {number}").as_bytes());
    }
    other.say(ATTACK);
    person.sees_at_the_end(&["line 19", "line 20", ATTACK_SHOWN, "> half a li"]);
    assert_eq!(person.column(), 11);
    person.types("ne\r");
    person.sees_at_the_end(&[ATTACK_SHOWN, "half a line", ">"]);
    other.expect(ATTACK);
    other.expect(b"half a line");
    person.types("/quit\r");
    assert_eq!(person.end().code(), Some(0));
    person.sees_at_the_end(&[ATTACK_SHOWN, "half a line", "", "it is over"]);
}

fn a_room_that_closes_leaves_the_terminal_as_it_was(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let mut person = Person::join(&server);
    person.types("here\rnot entered");
    person.sees_at_the_end(&["here", "> not entered"]);
    server.program.signal(Signal::TERM);
    assert_eq!(person.end().code(), Some(3));
    let why = "asyncnet-chat: the room closed the connection";
    person.sees_at_the_end(&["> not entered", why, "", "it is over"]);
}

const RUNTIME: &str = "tokio";

#[test]
fn a_line_can_be_edited_before_it_is_entered() {
    let server = Server::start(RUNTIME, &[]);
    let mut other = server.client();
    let mut person = Person::join(&server);
    for (keys, said) in [
        // Left, left, backspace, right.
        ("helxlo\x1b[D\x1b[D\x7f\x1b[Cl\x7f!\r", "hell!o"),
        ("orl\x01w\x05d\r", "world"),
        ("orl\x1b[Hw\x1b[Fd\r", "world"),
        ("one two\x17three\r", "one three"),
        ("gone\x15here\r", "here"),
        ("here gone\x1bb\x0b\x08\r", "here"),
        ("abc\x01\x1b[3~\x04\r", "c"),
        ("你好吗\x1b[D\x7f\r", "你吗"),
        ("e\u{301}👩\u{200d}💻x\x1b[D\x7f\r", "e\u{301}x"),
        ("a\tb\r", "a\tb"),
        ("\x1b[A\r", "a\tb"),
        ("draft\x1b[A\x1b[A\x1b[B\x1b[B ends\r", "draft ends"),
        ("\x10\x10\x0e!\r", "draft ends!"),
    ] {
        person.types(keys);
        let line = other.line().unwrap();
        assert_eq!(String::from_utf8_lossy(&line), said, "{keys:?}");
    }
    person.sees_at_the_end(&["draft ends", "draft ends!", ">"]);
}

/// Marked as a paste or not, while others speak. In a marked one no byte is a key but the line ends.
#[test]
fn a_paste_of_many_lines_is_said_whole() {
    const LINES: usize = 1024;

    let text = |number: usize| format!("{number:04} {:x<58}", "pasted ");
    let pasted: String = (0..LINES).map(|number| text(number) + "\r").collect();
    for paste in [pasted.clone(), format!("\x1b[200~{pasted}\x1b[201~")] {
        let server = Server::start(RUNTIME, &[]);
        let (mut other, mut noisy) = (server.client(), server.client());
        let mut person = Person::join(&server);
        person.types("here\r");
        other.expect(b"here");
        for _ in 0..LINES {
            noisy.say(b"noise");
        }
        person.types(&paste);
        person.types("half");
        let mut heard = 0;
        while heard < LINES {
            let line = other.line().unwrap();
            if line != b"noise" {
                assert_eq!(line, text(heard).as_bytes());
                heard += 1;
            }
        }
        noisy.say(b"the end");
        person.sees(|rows| {
            let end = rows.iter().any(|row| row == "the end");
            end && rows.last().is_some_and(|row| row == "> half")
        });
        person.types("\x03");
        assert_eq!(person.end().code(), Some(0));
    }
}

#[test]
fn a_long_line_is_one_row_whatever_the_width() {
    let server = Server::start(RUNTIME, &[]);
    let mut other = server.client();
    let mut person = Person::join(&server);
    let text: String = ('a'..='z').map(|c| format!("{c}好")).collect();
    person.types(&text);
    person.sees(|rows| rows.last().is_some_and(|row| row.ends_with("y好z好")));
    for width in [WIDTH / 2, 7, 4, 2 * WIDTH, WIDTH] {
        person.resize(width);
        for said in ["this", "that"] {
            other.say(said.as_bytes());
            person.sees(|rows| {
                let [.., above, row] = rows else { return false };
                // Nothing is left over of what was shown before.
                let is_alone = rows.iter().filter(|row| row.contains('z')).count() == 1;
                is_alone && above == said && row.ends_with("z好")
            });
            assert!(person.column() < width);
        }
    }
    person.types("\x01\x1b[3~\x1b[C\x1b[C");
    person.sees(|rows| rows.last().is_some_and(|row| row.starts_with("> 好b好c好")));
    assert_eq!(person.column(), 5);
    person.types("\r");
    while other.line().unwrap() != text.as_bytes()[1..] {}
}

#[test]
fn every_way_out_leaves_the_terminal_as_it_was() {
    let server = Server::start(RUNTIME, &[]);
    for keys in ["/quit\r", "\x04", "\x03", "not entered\x03"] {
        let mut person = Person::join(&server);
        person.types("here\r");
        person.sees_at_the_end(&["here", ">"]);
        person.types(keys);
        assert_eq!(person.end().code(), Some(0), "{keys:?}");
    }
    // All that was typed before is said, but not with ^C.
    let mut other = server.client();
    let mut person = Person::join(&server);
    person.types("last words\r/quit\rtoo late\r");
    other.expect(b"last words");
    assert_eq!(person.end().code(), Some(0));
    for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT] {
        let mut person = Person::join(&server);
        person.types("here\rnot entered");
        person.sees_at_the_end(&["here", "> not entered"]);
        person.program.signal(signal);
        assert_eq!(person.end().signal(), Some(signal.as_raw()));
        person.sees_at_the_end(&["here", "> not entered", "", "it is over"]);
    }
}

/// A shell that ends a stopped program sends both signals.
#[test]
fn a_program_that_goes_on_and_ends_at_once_leaves_the_terminal_as_it_was() {
    let server = Server::start(RUNTIME, &[]);
    for _ in 0..50 {
        let mut person = Person::join(&server);
        person.program.signal(Signal::STOP);
        person.program.signal(Signal::TERM);
        person.program.signal(Signal::CONT);
        assert_eq!(person.end().signal(), Some(Signal::TERM.as_raw()));
    }
}

#[test]
fn a_person_may_leave_while_there_is_no_room() {
    let server = Server::start(RUNTIME, &[]);
    let address = server.address.to_string();
    drop(server);
    for keys in ["/quit\r", "\x04", "\x03", "not said\r\x03"] {
        let mut person = Person::join_at(&address, &["--reconnect"]);
        person.sees(|rows| rows.join(" ").contains("joining again in"));
        person.types(keys);
        assert_eq!(person.end().code(), Some(0), "{keys:?}");
    }
}

#[test]
fn a_person_may_leave_a_room_that_does_not_answer() {
    let room = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = room.local_addr().unwrap().to_string();
    for keys in ["\x03", "/quit\r\x03", "\x04\x04"] {
        let mut person = Person::join_at(&address, &[]);
        let (_silent, _) = room.accept().unwrap();
        person.types(keys);
        assert_eq!(person.end().code(), Some(0), "{keys:?}");
    }
}

#[test]
fn what_is_logged_appears_above_what_is_typed() {
    let mut server = Server::start(RUNTIME, &[]);
    let at = server.address.to_string();
    let mut person = Person::join_at(&at, &["--reconnect"]);
    person.types("here\rhalf");
    person.sees_at_the_end(&["here", "> half"]);
    server.program.signal(Signal::TERM);
    server.program.end();
    person.sees(|rows| {
        let row = |n: usize| rows.iter().rev().nth(n).map_or("", |row| row);
        row(0) == "> half" && rows.join("").contains("joining again in") && row(1).ends_with(" s")
    });
    let again = Server::start_at(RUNTIME, &at);
    person.types(" a line\r");
    person.sees_at_the_end(&["half a line", ">"]);
    drop(again);
}
