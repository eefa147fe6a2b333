//! `asyncnet-chat join`: a person in the room.

use std::io::Write;
use std::process::{Command, Stdio};

#[cfg(unix)]
use crate::harness::Signal;
use crate::harness::{CHAT, Program, Server};
use crate::secure::{Dir, secure};

on_every_runtime! {
    what_a_person_types_goes_to_the_room_and_back
    a_person_at_the_end_of_input_gets_the_last_line_and_leaves
    what_came_back_before_the_end_of_a_pipe_is_always_printed
    #[cfg(unix)]
    a_room_that_closes_is_said_with_status_3
    #[cfg(unix)]
    a_room_that_dies_is_said_with_status_1
    #[cfg(unix)]
    who_reconnects_is_back_when_the_room_is
    a_line_that_cannot_be_said_costs_only_itself
    #[cfg(unix)]
    a_room_that_is_not_there_is_one_clear_line_and_status_1
}

fn join(server: &Server) -> Program {
    join_with(server, &[])
}

pub(crate) fn join_with(server: &Server, options: &[&str]) -> Program {
    let mut command = Command::new(CHAT);
    command.args(["join", &server.address.to_string()]).args(options);
    Program::spawn(command.stderr(Stdio::piped()))
}

pub(crate) fn type_in(person: &mut Program, text: &[u8]) {
    person.stdin.as_mut().unwrap().write_all(text).unwrap();
}

fn what_a_person_types_goes_to_the_room_and_back(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let mut other = server.client();
    let mut person = join(&server);
    type_in(&mut person, b"I am here\n\n");
    other.expect(b"I am here");
    other.expect(b"");
    other.say(b"so am I");
    assert_eq!(person.line(), "I am here");
    assert_eq!(person.line(), "");
    assert_eq!(person.line(), "so am I");
}

fn a_person_at_the_end_of_input_gets_the_last_line_and_leaves(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let mut person = join(&server);
    type_in(&mut person, b"my last\nand no newline");
    person.stdin = None;
    let (output, status) = person.end();
    assert_eq!(output, "my last\nand no newline\n");
    assert_eq!(status.code(), Some(0));
}

/// Each says a line, ends at once, and gets that line back.
fn what_came_back_before_the_end_of_a_pipe_is_always_printed(runtime: &str) {
    let dir = Dir::new("pipe", runtime);
    let ca = dir.file("ca.pem");
    let (plain, tls) = (Server::start(runtime, &[]), secure(runtime, &ca, &[]));
    for (server, options) in [(&plain, &[][..]), (&tls, &["--tls", "--ca", &ca])] {
        for round in 0..5 {
            let mut people: Vec<_> = (0..10).map(|_| join_with(server, options)).collect();
            for (number, person) in people.iter_mut().enumerate() {
                type_in(person, format!("{round} {number}\n").as_bytes());
                person.stdin = None;
            }
            for (number, person) in people.iter_mut().enumerate() {
                let (output, status) = person.end();
                let own = format!("{round} {number}");
                assert!(output.lines().any(|line| line == own), "{own} is not in {output:?}");
                assert_eq!(status.code(), Some(0));
            }
        }
    }
}

/// Somebody who is in the room, and has heard themselves.
#[cfg(unix)]
fn present(server: &Server, options: &[&str]) -> Program {
    let mut person = join_with(server, options);
    type_in(&mut person, b"here\n");
    assert_eq!(person.line(), "here");
    person
}

#[cfg(unix)]
fn a_room_that_closes_is_said_with_status_3(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let mut person = present(&server, &[]);
    server.program.signal(Signal::TERM);
    let (output, status) = person.end();
    assert_eq!((output.as_str(), status.code()), ("", Some(3)));
    let errors: Vec<_> = person.log.iter().collect();
    assert_eq!(errors, ["asyncnet-chat: the room closed the connection"]);
}

#[cfg(unix)]
fn a_room_that_dies_is_said_with_status_1(runtime: &str) {
    let dir = Dir::new("dies", runtime);
    let ca = dir.file("ca.pem");
    let server = secure(runtime, &ca, &[]);
    // A TLS stream that was cut off differs from one that ended.
    let mut person = present(&server, &["--tls", "--ca", &ca]);
    server.program.signal(Signal::KILL);
    let (output, status) = person.end();
    assert_eq!((output.as_str(), status.code()), ("", Some(1)));
    let errors: Vec<_> = person.log.iter().collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("the connection to the room is lost"), "{errors:?}");
}

#[cfg(unix)]
fn who_reconnects_is_back_when_the_room_is(runtime: &str) {
    let mut server = Server::start(runtime, &[]);
    let mut person = present(&server, &["--reconnect"]);
    let at = server.address.to_string();
    server.program.signal(Signal::TERM);
    server.program.end();
    person.log.iter().find(|line| line.contains("joining again in")).unwrap();
    let again = Server::start_at(runtime, &at);
    again.program.log.iter().find(|line| line.contains("joined")).unwrap();
    type_in(&mut person, b"here again\n");
    assert_eq!(person.line(), "here again");
    person.stdin = None;
    let (output, status) = person.end();
    assert_eq!((output.as_str(), status.code()), ("", Some(0)));
}

fn a_line_that_cannot_be_said_costs_only_itself(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let mut person = join(&server);
    type_in(&mut person, b"one\ntwo\rhalves\nthree\n");
    person.stdin = None;
    let (output, status) = person.end();
    assert_eq!((output.as_str(), status.code()), ("one\nthree\n", Some(0)));
    assert_eq!(person.log.iter().count(), 1);
}

#[cfg(unix)]
fn a_room_that_is_not_there_is_one_clear_line_and_status_1(runtime: &str) {
    let mut server = Server::start(runtime, &[]);
    server.program.signal(Signal::TERM);
    server.program.end();
    let mut person = join(&server);
    let (output, status) = person.end();
    assert_eq!((output.as_str(), status.code()), ("", Some(1)));
    let errors: Vec<_> = person.log.iter().collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains(&server.address.to_string()));
}
