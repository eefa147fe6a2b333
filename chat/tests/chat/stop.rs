//! A stop loses nothing that was said, and ends every connection in good order.

use std::io::{BufRead, Read};
use std::thread;

use crate::harness::{Client, Server, Signal};
use crate::person::{join_with, type_in};
use crate::secure::{Dir, secure};

on_every_runtime! {
    six_megabytes_said_reach_a_slow_member_whole
    six_megabytes_said_reach_a_slow_member_whole_over_tls
    who_reads_nothing_is_reset_when_the_time_is_over
    a_second_signal_ends_it_at_once
}

const LINES: usize = 6000;

fn text(number: usize) -> String {
    format!("{number:0998}")
}

fn six_megabytes() -> Vec<u8> {
    (0..LINES).flat_map(|number| format!("{}\n", text(number)).into_bytes()).collect()
}

fn expect_all(client: &mut Client) {
    for number in 0..LINES {
        client.expect(text(number).as_bytes());
    }
    client.expect_end();
}

/// The signal comes when the last byte has left the speaker, and perhaps not arrived in the room.
fn six_megabytes_said_reach_a_slow_member_whole(runtime: &str) {
    let mut server = Server::start(runtime, &["--stop-seconds", "60"]);
    let (mut speaker, mut slow) = (server.client(), server.client());
    speaker.write(&six_megabytes());
    server.program.signal(Signal::TERM);
    expect_all(&mut speaker);
    expect_all(&mut slow);
    let (_, status) = server.program.end();
    assert_eq!(status.code(), Some(0));
}

/// `join` takes a stream that ends without a close notice for a lost one.
fn six_megabytes_said_reach_a_slow_member_whole_over_tls(runtime: &str) {
    let dir = Dir::new("stop", runtime);
    let ca = dir.file("ca.pem");
    let mut server = secure(runtime, &ca, &["--stop-seconds", "60"]);
    let [mut speaker, mut slow] = [(); 2].map(|()| join_with(&server, &["--tls", "--ca", &ca]));
    type_in(&mut slow, b"here\n");
    assert_eq!(slow.line(), "here");
    let mut heard = speaker.stdout.take().unwrap();
    let hearing = thread::spawn(move || {
        let mut line = String::new();
        while line != format!("{}\n", text(LINES - 1)) {
            line.clear();
            assert_ne!(heard.read_line(&mut line).unwrap(), 0, "the output ended");
        }
        heard
    });
    type_in(&mut speaker, &six_megabytes());
    let mut heard = hearing.join().unwrap();
    server.program.signal(Signal::TERM);
    assert_eq!(heard.read_to_end(&mut Vec::new()).unwrap(), 0);
    for number in 0..LINES {
        assert_eq!(slow.line(), text(number));
    }
    for person in [&mut slow, &mut speaker] {
        let (rest, status) = person.end();
        assert_eq!((rest.as_str(), status.code()), ("", Some(3)));
    }
    let (_, status) = server.program.end();
    assert_eq!(status.code(), Some(0));
}

/// A client that gets no more, and 32 MB that wait for it.
fn stalled(server: &Server) -> Client {
    let (mut speaker, stalled) = (server.client(), server.client());
    for _ in 0..5 {
        speaker.write(&six_megabytes());
        for number in 0..LINES {
            speaker.expect(text(number).as_bytes());
        }
    }
    stalled
}

fn who_reads_nothing_is_reset_when_the_time_is_over(runtime: &str) {
    let mut server = Server::start(runtime, &["--stop-seconds", "1", "--soft-seconds", "3600"]);
    let mut stalled = stalled(&server);
    server.program.signal(Signal::TERM);
    let (_, status) = server.program.end();
    assert_eq!(status.code(), Some(0));
    stalled.expect_reset();
}

fn a_second_signal_ends_it_at_once(runtime: &str) {
    // Longer than the watchdog of the test lets it run.
    let mut server = Server::start(runtime, &["--stop-seconds", "3600", "--soft-seconds", "3600"]);
    let mut stalled = stalled(&server);
    server.program.signal(Signal::TERM);
    server.program.log.iter().find(|line| line.contains("stopping")).unwrap();
    server.program.signal(Signal::TERM);
    let (_, status) = server.program.end();
    assert_eq!(status.code(), Some(1));
    stalled.expect_reset();
}
