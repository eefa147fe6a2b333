//! What the server prints about joining is true, and so is what is said about TLS where one side does not speak it.

use std::process::{Command, Stdio};

use crate::harness::{CHAT, Program, Server};
use crate::person::{join_with, type_in};
use crate::secure::{Dir, refusal, secure};

on_every_runtime! {
    the_printed_command_joins
    the_printed_command_joins_over_tls
    another_fingerprint_is_refused
    who_joins_with_tls_where_nobody_speaks_it_is_told
    who_joins_in_plain_where_tls_is_spoken_is_told
    who_joins_in_plain_and_says_nothing_where_tls_is_spoken_is_told
}

/// Runs what the server prints behind "join with: ", in another directory.
fn joins_as_printed(runtime: &str, options: &[&str]) {
    let mut command = Command::new(CHAT);
    command.args(["serve", "--runtime", runtime]).args(options);
    let mut server = Program::spawn(command.stderr(Stdio::piped()));
    server.line();
    let line = server.line();
    let hint = line.strip_prefix("join with: ").expect(&line);
    let (hint, _) = hint.split_once("   (or: ").expect(hint);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec {hint}")]).current_dir("/").stderr(Stdio::piped());
    let mut person = Program::spawn(&mut command);
    type_in(&mut person, b"as printed\n");
    assert_eq!(person.line(), "as printed", "{hint}");
}

fn the_printed_command_joins(runtime: &str) {
    for listen in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0", ":0", "localhost:0", "unix:@chat hint"] {
        if listen.starts_with("unix:@") && !cfg!(target_os = "linux") {
            continue;
        }
        let name = format!("{listen} {runtime} {}", std::process::id());
        joins_as_printed(runtime, &["--listen", if listen.contains('@') { &name } else { listen }]);
    }
}

fn the_printed_command_joins_over_tls(runtime: &str) {
    let dir = Dir::new("printed it's", runtime);
    let (ca, socket) = (dir.file("ca.pem"), format!("unix:{}", dir.file("socket")));
    for listen in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0", &socket] {
        joins_as_printed(runtime, &["--listen", listen, "--tls-self-signed"]);
        joins_as_printed(runtime, &["--listen", listen, "--tls-self-signed", "--cert-out", &ca]);
    }
    let (cert, key) = (dir.file("cert.pem"), dir.file("key.pem"));
    crate::operator::new_certificate(&cert, &key);
    joins_as_printed(runtime, &["--listen", "127.0.0.1:0", "--cert", &cert, "--key", &key]);
}

fn another_fingerprint_is_refused(runtime: &str) {
    let server = Server::start(runtime, &["--tls-self-signed"]);
    let other = "ab".repeat(32);
    let error = refusal(&mut join_with(&server, &["--tls", "--fingerprint", &other]));
    assert!(error.contains("certificate"), "{error}");
}

fn who_joins_with_tls_where_nobody_speaks_it_is_told(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let mut other = server.client();
    let error = refusal(&mut join_with(&server, &["--tls"]));
    assert!(error.contains("join without --tls"), "{error}");
    let told = |line: &String| line.contains("This room does not use TLS: join without --tls");
    server.program.log.iter().find(told).unwrap();
    other.say(b"nobody else noticed");
    other.expect(b"nobody else noticed");
}

fn who_joins_in_plain_where_tls_is_spoken_is_told(runtime: &str) {
    let dir = Dir::new("told", runtime);
    let server = secure(runtime, &dir.file("ca.pem"), &[]);
    let mut person = join_with(&server, &[]);
    type_in(&mut person, b"hello\n");
    let error = refusal(&mut person);
    assert!(error.contains("join with --tls"), "{error}");
    server.program.log.iter().find(|line| line.contains("has to join with --tls")).unwrap();
}

fn who_joins_in_plain_and_says_nothing_where_tls_is_spoken_is_told(runtime: &str) {
    let dir = Dir::new("silent", runtime);
    let server = secure(runtime, &dir.file("ca.pem"), &[]);
    let error = refusal(&mut join_with(&server, &[]));
    assert!(error.contains("join with --tls"), "{error}");
}
