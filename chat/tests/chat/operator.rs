//! What an operator sets: certificates that are replaced, a proxy in front, how many may come, and where to listen.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use crate::harness::{CHAT, Program, Server, Signal};
use crate::person::{join_with, type_in};
use crate::secure::Dir;

on_every_runtime! {
    sighup_reads_the_certificate_again
    sighup_stops_a_server_without_a_certificate
    behind_a_proxy_the_log_has_the_address_of_the_client
    one_client_more_than_the_limit_waits_until_another_leaves
    a_unix_path_can_be_listened_at_and_joined
    a_name_can_be_listened_at_and_joined
    a_socket_of_the_supervisor_can_be_listened_at
    a_malformed_address_is_answered_with_an_example_and_status_2
}

pub(crate) fn new_certificate(cert: &str, key: &str) {
    let made = rcgen::generate_simple_self_signed(["room.test".to_owned()]).unwrap();
    fs::write(cert, made.cert.pem()).unwrap();
    fs::write(key, made.signing_key.serialize_pem()).unwrap();
}

fn sighup_reads_the_certificate_again(runtime: &str) {
    let dir = Dir::new("hup", runtime);
    let (cert, key) = (dir.file("cert.pem"), dir.file("key.pem"));
    new_certificate(&cert, &key);
    let server = Server::start(runtime, &["--cert", &cert, "--key", &key]);
    let options = ["--tls", "--ca", &cert, "--name", "room.test"];
    let mut before = join_with(&server, &options);
    type_in(&mut before, b"before\n");
    assert_eq!(before.line(), "before");

    // One that does not fit is refused, and the old one stays.
    let whole = fs::read(&cert).unwrap();
    fs::write(&cert, &whole[..whole.len() / 2]).unwrap();
    server.program.signal(Signal::HUP);
    server.program.log.iter().find(|line| line.contains("was not replaced")).unwrap();
    fs::write(&cert, whole).unwrap();
    let mut still = join_with(&server, &options);
    type_in(&mut still, b"still\n");
    assert_eq!(before.line(), "still");

    new_certificate(&cert, &key);
    server.program.signal(Signal::HUP);
    server.program.log.iter().find(|line| line.contains("was replaced")).unwrap();
    let mut after = join_with(&server, &options);
    type_in(&mut after, b"after\n");
    assert_eq!(after.line(), "after");
    assert_eq!(before.line(), "after");
}

fn sighup_stops_a_server_without_a_certificate(runtime: &str) {
    let mut server = Server::start(runtime, &[]);
    server.program.signal(Signal::HUP);
    let (_, status) = server.program.end();
    assert_eq!(status.code(), Some(0));
}

fn behind_a_proxy_the_log_has_the_address_of_the_client(runtime: &str) {
    let server = Server::start(runtime, &["--proxy-protocol"]);
    let mut client = server.connect();
    client.write(b"PROXY TCP4 192.0.2.7 192.0.2.1 4242 7777\r\n");
    client.greet();
    client.wait_for_greeting();
    server.program.wait_for("192.0.2.7:4242", "joined");
    let mut direct = server.connect();
    direct.greet();
    direct.wait_for_any_end();
}

fn one_client_more_than_the_limit_waits_until_another_leaves(runtime: &str) {
    let server = Server::start(runtime, &["--max-clients", "2"]);
    let (mut first, mut second) = (server.client(), server.client());
    let mut third = server.connect();
    third.greet();
    second.say(b"only we");
    first.expect(b"only we");
    assert!(!server.program.has_told(&third.name, "joined"));
    first.end_sending();
    first.expect_end();
    third.wait_for_greeting();
    server.program.wait_for(&third.name, "joined");
}

fn start_at(runtime: &str, listen: &str) -> (Program, String) {
    let mut command = Command::new(CHAT);
    command.args(["serve", "--runtime", runtime, "--listen", listen]);
    let mut program = Program::spawn(command.stderr(Stdio::piped()));
    let address = program.line().strip_prefix("listening on ").unwrap().to_owned();
    (program, address)
}

/// Somebody who joins there hears what they say.
fn is_heard_at(address: &str) {
    let mut command = Command::new(CHAT);
    let mut person = Program::spawn(command.args(["join", address]).stderr(Stdio::piped()));
    type_in(&mut person, b"here\n");
    assert_eq!(person.line(), "here");
}

fn a_unix_path_can_be_listened_at_and_joined(runtime: &str) {
    let dir = Dir::new("unix", runtime);
    let at = format!("unix:{}", dir.file("chat.sock"));
    let (killed, address) = start_at(runtime, &at);
    assert_eq!(address, at);
    is_heard_at(&at);
    // It leaves its socket file behind, and one that stops does not.
    drop(killed);
    let (mut server, _) = start_at(runtime, &at);
    is_heard_at(&at);
    server.signal(Signal::TERM);
    server.end();
    assert!(!fs::exists(dir.file("chat.sock")).unwrap());
}

fn a_name_can_be_listened_at_and_joined(runtime: &str) {
    let (_server, address) = start_at(runtime, "localhost:0");
    let (_, port) = address.rsplit_once(':').unwrap();
    is_heard_at(&format!("localhost:{port}"));
}

fn a_socket_of_the_supervisor_can_be_listened_at(runtime: &str) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let script = r#"exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_FDNAMES=chat LISTEN_PID=$$; exec "$0" "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, CHAT, "serve", "--runtime", runtime, "--listen", "fd:chat"]);
    command.stderr(Stdio::piped());
    let mut server =
        Program::spawn_from(&mut command, OwnedFd::from(socket).into(), Stdio::piped());
    assert_eq!(server.line(), format!("listening on {address}"));
    is_heard_at(&address);
}

fn a_malformed_address_is_answered_with_an_example_and_status_2(runtime: &str) {
    for arguments in
        [&["serve", "--runtime", runtime, "--listen", "example.org"][..], &["join", "example.org"]]
    {
        let mut command = Command::new(CHAT);
        let mut program = Program::spawn(command.args(arguments).stderr(Stdio::piped()));
        let (output, status) = program.end();
        assert_eq!((output.as_str(), status.code()), ("", Some(2)));
        let error: String = program.log.iter().collect();
        assert!(error.contains("example.org:6667"), "{error}");
    }
}
