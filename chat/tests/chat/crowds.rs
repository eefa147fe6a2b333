//! Many clients, and more than the system has descriptors for.

use std::env;
use std::process::{Command, Stdio};

use crate::harness::{CHAT, Client, Server};

on_every_runtime! {
    a_thousand_clients_at_once_each_get_a_line
    who_finds_no_descriptor_is_served_when_another_leaves
}

/// How many files the thousand need here, should all three runtimes be tried at once.
const FILES: u32 = 4096;

fn a_thousand_clients_at_once_each_get_a_line(runtime: &str) {
    if open_files() < FILES {
        return again_with_more_files(runtime);
    }
    let server = Server::start(runtime, &[]);
    let mut clients: Vec<_> = (0..1000).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(Client::greet);
    clients.iter_mut().for_each(Client::wait_for_greeting);
    clients[0].say(b"to a thousand");
    for client in &mut clients {
        client.expect(b"to a thousand");
    }
}

/// How many files this process may have open.
fn open_files() -> u32 {
    let limit = Command::new("sh").args(["-c", "ulimit -n"]).output();
    let limit = String::from_utf8(limit.unwrap().stdout).unwrap();
    limit.trim().parse().unwrap_or(u32::MAX)
}

/// The same test in a process that may have enough files open, if the system lets it.
fn again_with_more_files(runtime: &str) {
    const REFUSED: i32 = 42;
    let script = format!("ulimit -n {FILES} || exit {REFUSED}; exec \"$0\" --exact \"$1\"");
    let runtime = runtime.replace('-', "_");
    let test = format!("crowds::{runtime}::a_thousand_clients_at_once_each_get_a_line");
    let status = Command::new("sh")
        .args(["-c", &script])
        .arg(env::current_exe().unwrap())
        .arg(test)
        .status()
        .unwrap();
    if status.code() == Some(REFUSED) {
        println!("skipped: the system does not let us open {FILES} files");
    } else {
        assert!(status.success());
    }
}

fn who_finds_no_descriptor_is_served_when_another_leaves(runtime: &str) {
    let mut short = Command::new("sh");
    short.args(["-c", "ulimit -n 32; exec \"$0\" \"$@\"", CHAT]);
    let server = Server::run(short.stderr(Stdio::piped()), runtime, &[]);
    let mut clients: Vec<_> = (0..60).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(Client::greet);
    // The system has a queue for those that wait: the first in it is the first served.
    for mut client in clients {
        client.wait_for_greeting();
    }
    let mut last = server.client();
    last.say(b"and on it goes");
    last.expect(b"and on it goes");
}
