//! What is a line, and what becomes of what is none.

use crate::harness::Server;

on_every_runtime! {
    a_line_goes_to_all_and_to_its_sender
    every_line_ends_with_cr_lf_whatever_came_in
    bytes_are_bytes
    a_line_that_is_too_long_is_dropped_and_logged
    a_line_that_holds_a_cr_is_dropped_and_logged
    a_sender_is_told_that_its_line_was_dropped_and_nobody_else
    bytes_without_a_newline_cost_no_memory_and_nobody_else_a_line
}

fn a_line_goes_to_all_and_to_its_sender(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let mut clients = [server.client(), server.client(), server.client()];
    for speaker in 0..3 {
        let text = format!("said by {speaker}");
        clients[speaker].say(text.as_bytes());
        for client in &mut clients {
            client.expect(text.as_bytes());
        }
    }
}

fn every_line_ends_with_cr_lf_whatever_came_in(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let (mut speaker, mut other) = (server.client(), server.client());
    speaker.write(b"with LF\nwith CR LF\r\n\n\r\nafter two empty ones\n");
    for client in [&mut speaker, &mut other] {
        for text in ["with LF", "with CR LF", "", "", "after two empty ones"] {
            client.expect(text.as_bytes());
        }
    }
}

fn bytes_are_bytes(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let (mut speaker, mut other) = (server.client(), server.client());
    for text in [&b"\0"[..], b"a\0b", b"\xff\xfe\xc0", b"\xe2\x82", b"\x1b[0m"] {
        speaker.say(text);
        speaker.expect(text);
        other.expect(text);
    }
}

fn a_line_that_is_too_long_is_dropped_and_logged(runtime: &str) {
    let server = Server::start(runtime, &["--max-line", "64", "--quiet-rules"]);
    let (mut speaker, mut other) = (server.client(), server.client());
    speaker.say(&[b'a'; 64]);
    speaker.say(&[b'b'; 65]);
    speaker.write(&[b'c'; 60]);
    speaker.say(&[b'c'; 60]);
    speaker.say(b"next");
    for client in [&mut speaker, &mut other] {
        client.expect(&[b'a'; 64]);
        client.expect(b"next");
    }
    speaker.end_sending();
    assert_eq!(dropped(&server, &speaker.name, "too_long"), 2);
}

fn a_line_that_holds_a_cr_is_dropped_and_logged(runtime: &str) {
    let server = Server::start(runtime, &["--quiet-rules"]);
    let (mut speaker, mut other) = (server.client(), server.client());
    speaker.write(b"first\na\rb\n\r\r\nnext\n");
    for client in [&mut speaker, &mut other] {
        client.expect(b"first");
        client.expect(b"next");
    }
    speaker.end_sending();
    assert_eq!(dropped(&server, &speaker.name, "with_cr"), 2);
}

/// How many lines of a client that has left were dropped, as the log has it.
fn dropped(server: &Server, client: &str, why: &str) -> usize {
    let mut count = 0;
    loop {
        let line = server.program.wait_for_any(client, &["lines dropped", "left"]);
        let Some((_, number)) = line.split_once(&format!("{why}=")) else { return count };
        count += number.split(' ').next().unwrap().parse::<usize>().unwrap();
    }
}

fn a_sender_is_told_that_its_line_was_dropped_and_nobody_else(runtime: &str) {
    let server = Server::start(runtime, &["--max-line", "64"]);
    let (mut speaker, mut other) = (server.client(), server.client());
    speaker.say(&[b'a'; 65]);
    speaker.expect(b"[server] Dropped: a line of yours with more than 64 bytes.");
    // The notice for a second one within a second comes a little later, without another line.
    speaker.say(b"a\rb");
    speaker.expect(b"[server] Dropped: a line of yours with a CR inside.");
    speaker.say(b"next");
    speaker.expect(b"next");
    other.expect(b"next");
}

fn bytes_without_a_newline_cost_no_memory_and_nobody_else_a_line(runtime: &str) {
    static GARBAGE: [u8; 1 << 20] = [b'x'; 1 << 20];
    let server = Server::start(runtime, &[]);
    let (mut flood, mut other) = (server.client(), server.client());
    for megabyte in 0..100 {
        flood.write(&GARBAGE);
        let text = format!("meanwhile {megabyte}");
        other.say(text.as_bytes());
        other.expect(text.as_bytes());
    }
    flood.say(b"");
    flood.say(b"after that");
    other.expect(b"after that");
    flood.end_sending();
    assert_eq!(dropped(&server, &flood.name, "too_long"), 1);
    match server.program.resident() {
        Some(resident) => assert!(resident < 64 << 20, "{resident} bytes of memory"),
        None => println!("skipped: no /proc to ask for the memory"),
    }
}
