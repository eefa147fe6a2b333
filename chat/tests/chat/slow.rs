//! A client that does not read never slows the others, and is not waited for without end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

#[cfg(unix)]
use crate::harness::Signal;
use crate::harness::{Client, Server};

on_every_runtime! {
    who_is_past_the_hard_limit_is_disconnected
    who_is_over_the_soft_limit_for_too_long_is_disconnected
    who_drops_the_newest_misses_what_was_said_while_it_did_not_read
    who_drops_the_oldest_gets_the_latest
    who_lags_under_the_limits_loses_nothing
    who_joins_during_a_broadcast_gets_every_line_from_there_on
    #[cfg(unix)]
    a_client_that_lags_when_the_server_stops_still_gets_all_that_was_said
}

const LINE: usize = 60_000;

/// A long line with a number.
fn text(number: usize) -> Vec<u8> {
    format!("{number:0LINE$}").into_bytes()
}

/// The speaker says the line of that number; it and `other` get it.
fn exchange(number: usize, speaker: &mut Client, other: &mut Client) {
    let text = text(number);
    speaker.say(&text);
    speaker.expect(&text);
    other.expect(&text);
}

/// Talks until the client that does not read is disconnected. The others miss nothing.
fn disconnects_the_stalled(server: &Server, pause: Duration) {
    let (mut speaker, mut other) = (server.client(), server.client());
    let mut stalled = server.client();
    let mut number = 0;
    while !server.program.has_told(&stalled.name, "disconnected") {
        exchange(number, &mut speaker, &mut other);
        number += 1;
        thread::sleep(pause);
    }
    stalled.wait_for_any_end();
    exchange(number, &mut speaker, &mut other);
}

fn who_is_past_the_hard_limit_is_disconnected(runtime: &str) {
    let limits = ["--slow", "disconnect", "--max-line", "65536", "--hard-limit", "262144"];
    disconnects_the_stalled(&Server::start(runtime, &limits), Duration::ZERO);
}

fn who_is_over_the_soft_limit_for_too_long_is_disconnected(runtime: &str) {
    let hard = (1_u64 << 40).to_string();
    let limits = [["--hard-limit", &hard], ["--soft-limit", "262144"], ["--soft-seconds", "1"]];
    let server = Server::start(runtime, limits.as_flattened());
    // The pause keeps what is queued for a second small.
    disconnects_the_stalled(&server, Duration::from_millis(5));
}

/// More than fits into the sockets and the queue of a client that does not read.
const MANY: usize = 400;

/// Says `MANY` lines while a client does not read, and then, again and again, a last one, until `stalled`
/// has heard that. The numbers of the lines that it heard, and of all that it may have.
fn talks_past_the_stalled(server: &Server) -> (Client, Vec<usize>, usize) {
    let (mut speaker, mut other) = (server.client(), server.client());
    let mut stalled = server.client();
    for number in 0..MANY {
        exchange(number, &mut speaker, &mut other);
    }
    let heard_end = AtomicBool::new(false);
    thread::scope(|scope| {
        let speaking = scope.spawn(|| {
            let mut said = MANY;
            while !heard_end.load(Ordering::Relaxed) {
                exchange(MANY, &mut speaker, &mut other);
                said += 1;
            }
            said
        });
        let mut heard = Vec::new();
        while heard.last() != Some(&MANY) {
            let line = stalled.line().expect("the connection ended");
            let number = String::from_utf8_lossy(&line).parse().unwrap();
            assert!(line == text(number), "{number} is torn");
            heard.push(number);
        }
        heard_end.store(true, Ordering::Relaxed);
        let said = speaking.join().unwrap();
        (stalled, heard, said)
    })
}

fn who_drops_the_newest_misses_what_was_said_while_it_did_not_read(runtime: &str) {
    let limits = ["--slow", "drop-newest", "--max-line", "65536", "--hard-limit", "262144"];
    let server = Server::start(runtime, &limits);
    let (mut stalled, heard, _) = talks_past_the_stalled(&server);
    assert!(heard.is_sorted() && heard[..5] == [0, 1, 2, 3, 4], "{heard:?}");
    assert!(!heard.contains(&(MANY - 1)), "it missed nothing");
    leaves_as_slow(&server, &mut stalled);
}

fn who_drops_the_oldest_gets_the_latest(runtime: &str) {
    let limits = ["--slow", "drop-oldest", "--max-line", "65536", "--hard-limit", "1048576"];
    let server = Server::start(runtime, &limits);
    let (mut stalled, heard, said) = talks_past_the_stalled(&server);
    assert!(heard.is_sorted() && heard[..5] == [0, 1, 2, 3, 4], "{heard:?}");
    // While it reads, so much more may be said that the end of those lines is dropped too.
    let latest = heard.contains(&(MANY - 1)) || said > MANY + 5;
    assert!(heard.len() < MANY && latest, "{heard:?}");
    leaves_as_slow(&server, &mut stalled);
}

/// The log tells that it missed something.
fn leaves_as_slow(server: &Server, stalled: &mut Client) {
    stalled.end_sending();
    stalled.wait_for_any_end();
    server.program.wait_for(&stalled.name, "it read too slowly");
}

fn who_lags_under_the_limits_loses_nothing(runtime: &str) {
    const LINES: usize = 400;
    let server = Server::start(runtime, &["--soft-seconds", "3600"]);
    let (mut speaker, mut other) = (server.client(), server.client());
    let mut lagging = server.client();
    for number in 0..LINES {
        exchange(number, &mut speaker, &mut other);
    }
    for number in 0..LINES {
        lagging.expect(&text(number));
    }
}

#[cfg(unix)]
fn a_client_that_lags_when_the_server_stops_still_gets_all_that_was_said(runtime: &str) {
    let mut server = Server::start(runtime, &["--soft-seconds", "3600"]);
    let (mut speaker, mut other) = (server.client(), server.client());
    let mut lagging = server.client();
    for number in 0..MANY {
        exchange(number, &mut speaker, &mut other);
    }
    server.program.signal(Signal::TERM);
    speaker.expect_end();
    for number in 0..MANY {
        lagging.expect(&text(number));
    }
    lagging.expect_end();
    let (_, status) = server.program.end();
    assert_eq!(status.code(), Some(0));
}

fn who_joins_during_a_broadcast_gets_every_line_from_there_on(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let mut speaker = server.client();
    let joined = AtomicBool::new(false);
    let (mut late, said) = thread::scope(|scope| {
        let broadcast = scope.spawn(|| {
            let mut number = 0_usize;
            while !joined.load(Ordering::Relaxed) {
                let text = number.to_string().into_bytes();
                speaker.say(&text);
                speaker.expect(&text);
                number += 1;
            }
            number
        });
        let late: Vec<_> = (0..50).map(|_| server.client()).collect();
        joined.store(true, Ordering::Relaxed);
        (late, broadcast.join().unwrap())
    });
    speaker.say(b"end");
    for client in &mut late {
        let mut next = None;
        while let Some(line) = client.line().filter(|line| line != b"end") {
            let number: usize = String::from_utf8(line).unwrap().parse().unwrap();
            assert_eq!(next.unwrap_or(number), number);
            next = Some(number + 1);
        }
        assert_eq!(next.unwrap_or(said), said);
    }
}
