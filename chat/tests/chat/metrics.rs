//! The figures, in the log and for Prometheus.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use crate::harness::Server;

on_every_runtime! {
    the_figures_are_logged
    the_figures_are_served_to_prometheus
    a_bad_request_is_answered_and_costs_nothing
}

fn the_figures_are_logged(runtime: &str) {
    let server = Server::start(runtime, &["--stats", "1"]);
    let _client = server.client();
    let told = |line: &String| line.contains("figures") && line.contains(" members=1 ");
    server.program.log.iter().find(told).unwrap();
}

/// A server, and where its figures are.
fn measured(runtime: &str) -> (Server, String) {
    let mut server = Server::start(runtime, &["--metrics", "127.0.0.1:0"]);
    server.program.line();
    let line = server.program.line();
    let address =
        line.strip_prefix("metrics at http://").and_then(|at| at.strip_suffix("/metrics"));
    let address = address.expect(&line).to_owned();
    (server, address)
}

/// Sends a request; its answer.
fn ask(at: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn the_figures_are_served_to_prometheus(runtime: &str) {
    let (server, at) = measured(runtime);
    let (mut one, mut other) = (server.client(), server.client());
    one.say(b"counted");
    one.expect(b"counted");
    other.expect(b"counted");
    // Two greetings, of which both heard the second, and the line: counted once the room has had its turn.
    let answer = loop {
        let answer = ask(&at, b"GET /metrics HTTP/1.1\r\nHost: here\r\nAccept: */*\r\n\r\n");
        if answer.contains("\nasyncnet_chat_delivered_messages_total 5\n") {
            break answer;
        }
    };
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    for line in body.lines() {
        let is_comment = line.starts_with("# HELP ") || line.starts_with("# TYPE ");
        let value = line.rsplit_once(' ').unwrap().1;
        assert!(is_comment || value.parse::<f64>().is_ok(), "{line}");
    }
    let value = |name: &str| {
        let line = body.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.expect(name).rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    assert_eq!(value("asyncnet_chat_connections"), 2.0);
    assert_eq!(value("asyncnet_chat_members"), 2.0);
    assert!(body.contains("asyncnet_chat_evicted_total{limit=\"hard\"} 0\n"));
    if cfg!(target_os = "linux") {
        assert!(value("process_resident_memory_bytes") > 0.0 && value("process_open_fds") > 2.0);
    }
}

fn a_bad_request_is_answered_and_costs_nothing(runtime: &str) {
    let (server, at) = measured(runtime);
    for (request, status) in [
        (&b"GET / HTTP/1.0\r\n\r\n"[..], "404"),
        (b"POST /metrics HTTP/1.0\r\n\r\n", "400"),
        (b"GET /metrics\r\n\r\n", "400"),
        (b"\xff\xff\n", "400"),
        (&[b"GET /", &b"a".repeat(9000)[..], b" HTTP/1.0\r\n\r\n"].concat(), "400"),
        (&[&b"GET /metrics HTTP/1.0\r\n"[..], &b"A: b\r\n".repeat(100)].concat(), "400"),
    ] {
        let answer = ask(&at, request);
        assert!(answer.starts_with(&format!("HTTP/1.0 {status} ")), "{answer}");
    }
    // More that ask nothing than may be there at once: each is gone in time, and the next one is answered.
    let silent: Vec<_> = (0..20).map(|_| TcpStream::connect(&at).unwrap()).collect();
    thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&at, b"GET /metrics HTTP/1.0\r\n\r\n"));
        let mut client = server.client();
        client.say(b"meanwhile");
        client.expect(b"meanwhile");
        assert!(asked.join().unwrap().starts_with("HTTP/1.0 200 "));
    });
    drop(silent);
}
