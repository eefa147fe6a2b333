//! The server as a program: what it prints, when it ends, how it fails.

use std::env::consts::EXE_SUFFIX;
#[cfg(unix)]
use std::os::{fd::OwnedFd, unix::net::UnixStream};
use std::process::{Command, Stdio};

#[cfg(unix)]
use crate::harness::Signal;
use crate::harness::{CHAT, Program, Server};

on_every_runtime! {
    it_says_where_it_listens_and_then_how_to_join
    #[cfg(unix)]
    it_goes_on_when_nobody_reads_what_it_prints
    #[cfg(unix)]
    sigint_and_sigterm_end_it_in_good_order
    a_port_in_use_is_one_clear_line_and_status_1
    a_limit_that_no_line_fits_in_is_one_clear_line_and_status_1
}

fn it_says_where_it_listens_and_then_how_to_join(runtime: &str) {
    // The function that starts a server has checked the first line.
    let mut server = Server::start(runtime, &[]);
    assert_ne!(server.address.port(), 0);
    let join = server.program.line();
    let expected = format!("asyncnet-chat{EXE_SUFFIX} join {}", server.address);
    assert!(join.contains(&expected), "{join}");
}

#[cfg(unix)]
fn it_goes_on_when_nobody_reads_what_it_prints(runtime: &str) {
    let (stderr, reader) = UnixStream::pair().unwrap();
    drop(reader);
    let mut command = Command::new(CHAT);
    let mut server = Server::run(command.stderr(OwnedFd::from(stderr)), runtime, &[]);
    server.program.stdout = None;
    let (mut speaker, mut other) = (server.client(), server.client());
    speaker.say(b"still here");
    speaker.expect(b"still here");
    other.expect(b"still here");
}

#[cfg(unix)]
fn sigint_and_sigterm_end_it_in_good_order(runtime: &str) {
    for signal in [Signal::INT, Signal::TERM] {
        let mut server = Server::start(runtime, &[]);
        let mut client = server.client();
        server.program.signal(signal);
        let (_, status) = server.program.end();
        assert_eq!(status.code(), Some(0), "{signal:?}");
        client.expect_end();
    }
}

/// Starts a server that cannot serve: nothing on standard output, one line on standard error, status 1.
pub(crate) fn refusal(runtime: &str, options: &[&str]) -> String {
    let mut command = Command::new(CHAT);
    command.args(["--runtime", runtime]).args(options);
    let mut program = Program::spawn(command.stderr(Stdio::piped()));
    let (output, status) = program.end();
    assert_eq!((output.as_str(), status.code()), ("", Some(1)));
    let errors: Vec<_> = program.log.iter().collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.concat()
}

fn a_port_in_use_is_one_clear_line_and_status_1(runtime: &str) {
    let server = Server::start(runtime, &[]);
    let address = server.address.to_string();
    let error = refusal(runtime, &["--listen", &address]);
    assert!(error.contains("cannot listen on") && error.contains(&address), "{error}");
}

fn a_limit_that_no_line_fits_in_is_one_clear_line_and_status_1(runtime: &str) {
    let error = refusal(runtime, &["--listen", "127.0.0.1:0", "--hard-limit", "1000"]);
    assert!(error.contains("--hard-limit") && error.contains("--max-line"), "{error}");
}
