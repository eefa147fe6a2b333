//! The lines of the output.

use std::io::{Write, stdout};

use serde_json::{Value, json};

/// Writes one event. Who reads it may be gone, which is the reader's affair.
fn tell(event: &Value) {
    let mut out = stdout().lock();
    let _ = writeln!(out, "{event}").and_then(|()| out.flush());
}

pub(crate) fn hello(before: usize, runtime: &str) {
    tell(&json!({ "ev": "hello", "prelude": before, "runtime": runtime, "ssl": true }));
}

pub(crate) fn port(name: &str, port: u16) {
    tell(&json!({ "ev": "port", "port": port, "name": name }));
}

pub(crate) fn start(k: i64) {
    tell(&json!({ "ev": "start", "k": k }));
}

pub(crate) fn done(k: i64, answer: &Value, ms: u128) {
    let ms = u64::try_from(ms).unwrap_or(u64::MAX);
    tell(&json!({ "ev": "done", "k": k, "res": answer, "ms": ms }));
}

pub(crate) fn end() {
    tell(&json!({ "ev": "end" }));
}
