//! A client that leaves, in whatever way, is removed at once, and no other client notices.

use std::thread;
use std::time::Duration;

use crate::harness::{Client, Server};

on_every_runtime! {
    who_ends_its_side_gets_its_last_line_back_and_then_the_end
    half_a_line_at_the_end_reaches_nobody_and_is_logged
    who_departs_is_removed_at_once_and_nobody_loses_a_line
    who_only_connects_costs_nobody_a_line
}

fn who_ends_its_side_gets_its_last_line_back_and_then_the_end(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let mut other = server.client();
    let mut leaver = server.client();
    leaver.say(b"my last");
    leaver.end_sending();
    leaver.expect(b"my last");
    leaver.expect_end();
    other.expect(b"my last");
    server.program.wait_for(&leaver.name, "left");
}

fn half_a_line_at_the_end_reaches_nobody_and_is_logged(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let (mut leaver, mut other) = (server.client(), server.client());
    leaver.write(b"whole\nhalf");
    leaver.end_sending();
    leaver.expect(b"whole");
    leaver.expect_end();
    other.say(b"next");
    other.expect(b"whole");
    other.expect(b"next");
    server.program.wait_for(&leaver.name, "lost");
}

/// A way to go, and what the log may say then.
type Way = (fn(Client), &'static [&'static str]);

/// wine ends a socket in good order before it resets it, and either may be read first.
const LOST: &[&str] = if cfg!(windows) { &["lost", "left"] } else { &["lost"] };

const WAYS: [Way; 3] = [
    // What is said behind it may meet the closed socket before its end is read, and is answered by a reset.
    (drop, &["left", "lost"]),
    (|client| client.reset(b""), LOST),
    (|client| client.reset(b"half a line"), LOST),
];

fn who_departs_is_removed_at_once_and_nobody_loses_a_line(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let (mut speaker, mut other) = (server.client(), server.client());
    let descriptors = server.program.descriptors();
    for round in 0..20 {
        for (way, (depart, logged)) in WAYS.into_iter().enumerate() {
            let mut client = server.client();
            let name = client.name.clone();
            let texts = [1, 2].map(|i| format!("{round} {way} {i}"));
            speaker.say(texts[0].as_bytes());
            client.expect(texts[0].as_bytes());
            depart(client);
            speaker.say(texts[1].as_bytes());
            for text in texts {
                speaker.expect(text.as_bytes());
                other.expect(text.as_bytes());
            }
            // Nobody said anything after it left that would have shown that it is gone.
            server.program.wait_for_any(&name, logged);
        }
    }
    wait_for_descriptors(&server, descriptors);
}

fn who_only_connects_costs_nobody_a_line(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let descriptors = server.program.descriptors().map(|n| n + 2);
    let (mut speaker, mut silent) = (server.client(), server.client());
    for scan in 0..100 {
        drop(server.connect());
        let text = format!("after scan {scan}");
        speaker.say(text.as_bytes());
        speaker.expect(text.as_bytes());
    }
    for scan in 0..100 {
        silent.expect(format!("after scan {scan}").as_bytes());
    }
    wait_for_descriptors(&server, descriptors);
}

/// Waits until the server has as many descriptors open as it had. One that never has is killed in the
/// end, and then has none.
fn wait_for_descriptors(server: &Server, wanted: Option<usize>) {
    if wanted.is_none() {
        println!("skipped: no /proc to ask for the descriptors");
    }
    loop {
        let open = server.program.descriptors();
        if open == wanted {
            return;
        }
        assert!(open > Some(0), "it never gave its descriptors back");
        thread::sleep(Duration::from_millis(10));
    }
}
