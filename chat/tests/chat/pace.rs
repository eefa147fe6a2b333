//! How slow, how silent and how fast a client may be.

use crate::harness::Server;

on_every_runtime! {
    a_line_that_does_not_end_in_time_disconnects_its_client_and_nobody_else
    a_silent_client_is_disconnected_and_told_why
    lines_over_the_rate_wait_and_none_is_dropped
}

fn a_line_that_does_not_end_in_time_disconnects_its_client_and_nobody_else(runtime: &str) {
    let server = Server::start(runtime, &["--line-timeout", "1"]);
    let mut silent = server.client();
    // The second begins as TLS does, with the first byte of all, and gets no further.
    let cases = [(server.client(), &b"this line never en"[..]), (server.connect(), b"\x16")];
    for (mut slow, begin) in cases {
        slow.write(begin);
        slow.expect(b"[server] You are disconnected: you did not end a line in time.");
        slow.expect_end();
        server.program.wait_for(&slow.name, "disconnected: it did not end a line in time");
    }
    // That one said nothing all the time.
    silent.say(b"still here");
    silent.expect(b"still here");
    assert!(!server.program.has_told(&silent.name, "disconnected"));
}

fn a_silent_client_is_disconnected_and_told_why(runtime: &str) {
    let server = Server::start(runtime, &["--idle-timeout", "1", "--line-timeout", "60"]);
    let mut silent = server.client();
    silent.expect(b"[server] You are disconnected: you said nothing for too long.");
    silent.expect_end();
    server.program.wait_for(&silent.name, "disconnected: it said nothing for too long");
}

fn lines_over_the_rate_wait_and_none_is_dropped(runtime: &str) {
    let limits = ["--max-lines-per-second", "50", "--idle-timeout", "1", "--line-timeout", "1"];
    let server = Server::start(runtime, &limits);
    // The time that the rate takes counts for neither timeout.
    let mut flood = server.client();
    let lines: Vec<_> = (0..200).map(|number| number.to_string().into_bytes()).collect();
    flood.write(&[lines.join(&b"\n"[..]), b"\n".to_vec()].concat());
    flood.end_sending();
    for line in &lines {
        flood.expect(line);
    }
    flood.expect_end();
    server.program.wait_for(&flood.name, "left");
}
