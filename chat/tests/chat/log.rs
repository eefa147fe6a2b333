//! The log never stops the room, whatever a client does and whether or not somebody reads it.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;

use crate::harness::{CHAT, Server, Signal};

on_every_runtime! {
    a_flood_of_bad_lines_and_a_log_that_nobody_reads_stop_nothing
    what_does_not_fit_into_the_log_is_counted
    a_flood_of_bad_lines_is_a_few_lines_in_the_log
    the_log_can_be_json
}

/// A standard error that is full already, and its reader.
fn full() -> (OwnedFd, UnixStream) {
    let (mut stderr, reader) = UnixStream::pair().unwrap();
    stderr.set_nonblocking(true).unwrap();
    let error = loop {
        if let Err(error) = stderr.write_all(b"full\n") {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    stderr.set_nonblocking(false).unwrap();
    (stderr.into(), reader)
}

const BAD: &[u8] = b"a\rb\n";

fn a_flood_of_bad_lines_and_a_log_that_nobody_reads_stop_nothing(runtime: &str) {
    let (stderr, _reader) = full();
    let mut server = Server::run(Command::new(CHAT).stderr(stderr), runtime, &[]);
    let (mut speaker, mut other) = (server.client(), server.client());
    let mut flood = server.client();
    let flooding = thread::spawn(move || {
        flood.write(&BAD.repeat(1 << 18));
        flood
    });
    for number in 0..100 {
        let text = format!("meanwhile {number}");
        speaker.say(text.as_bytes());
        speaker.expect(text.as_bytes());
        other.expect(text.as_bytes());
    }
    flooding.join().unwrap();
    server.program.signal(Signal::TERM);
    let (_, status) = server.program.end();
    assert_eq!(status.code(), Some(0));
}

fn what_does_not_fit_into_the_log_is_counted(runtime: &str) {
    let (stderr, reader) = full();
    let mut server = Server::run(Command::new(CHAT).stderr(stderr), runtime, &[]);
    // Two lines each.
    for _ in 0..600 {
        let mut client = server.client();
        client.end_sending();
        client.expect_end();
    }
    let mut lines = BufReader::new(reader).lines().map_while(Result::ok);
    lines.find(|line| line.contains("lines of this log were dropped")).unwrap();
    server.program.signal(Signal::TERM);
    let (_, status) = server.program.end();
    assert_eq!(status.code(), Some(0));
}

fn a_flood_of_bad_lines_is_a_few_lines_in_the_log(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let mut flood = server.client();
    flood.write(&BAD.repeat(1 << 15));
    flood.end_sending();
    flood.wait_for_any_end();
    let mut count = 0;
    while server.program.wait_for_any(&flood.name, &["dropped", "left"]).contains("dropped") {
        count += 1;
    }
    // At most one a second.
    assert!((1..200).contains(&count), "{count}");
}

fn the_log_can_be_json(runtime: &str) {
    let server = Server::start(runtime, &["--log", "json"]);
    let client = server.client();
    let joined = format!(r#""message":"joined","address":"{}""#, client.name);
    let line = server.program.log.iter().find(|line| line.contains(&joined)).unwrap();
    assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
}
