//! Receiving.

use std::mem;
use std::time::Duration;

use asyncnet::Config;
use serde_json::{Value, json};

use super::answer::{Answer, Failure, ok};
use super::table::Socket;
use super::text::shown;
use super::{Op, Stage};
use crate::bed::System;

/// Receives on a connection, whether or not others use it too.
macro_rules! receiver {
    ($socket:expr, $op:expr, |$receiver:ident| $call:expr) => {
        match $socket {
            Socket::Whole(connection) => {
                let $receiver = &mut *connection.lock().await;
                $call
            }
            Socket::Shared(shared) => {
                let $receiver = &mut *shared.connection.lock().await;
                $call
            }
            other => return Err(other.has_no($op.name())),
        }
    };
}

impl<R: System> Stage<R> {
    pub(super) async fn recv_line(&self, op: &Op) -> Answer {
        let line = receiver!(self.socket(op)?, op, |receiver| {
            check_limit(receiver.config(), op)?;
            receiver.with_flags(op.flags()).recv_line().await?
        });
        ok(shown(line.as_bytes()))
    }

    /// `recv_line_into`, over what the call before left, or over what the script says.
    pub(super) async fn recv_line_into(&self, op: &Op) -> Answer {
        let name = op.text("fv").unwrap_or("_").to_owned();
        let known = op.text("fv").and_then(|name| self.lines.borrow_mut().remove(name));
        let mut line = known.unwrap_or_else(|| op.bytes("prefill"));
        if op.is("clean") {
            line.clear();
        }
        if op.text("reset_to").is_some() {
            line = op.bytes("reset_to");
        }
        let answer = self.line_into(op, &mut line).await;
        let after = shown(&line);
        self.lines.borrow_mut().insert(name, line);
        match answer {
            Ok(()) => Ok(json!({ "ok": after, "futurevar_finished": true })),
            Err(failure) => {
                Err(failure.with("string_after", after).with("futurevar_finished", true))
            }
        }
    }

    async fn line_into(&self, op: &Op, line: &mut Vec<u8>) -> Result<(), Failure> {
        receiver!(self.socket(op)?, op, |receiver| {
            check_limit(receiver.config(), op)?;
            Ok(receiver.with_flags(op.flags()).recv_line_into(line).await?)
        })
    }

    pub(super) async fn recv(&self, op: &Op) -> Answer {
        let size = size(op)?;
        if let Socket::Datagram(datagrams) = self.socket(op)? {
            let (message, _) = datagrams.socket.recv_from(size).await?;
            return ok(shown(&message));
        }
        let bytes = receiver!(self.socket(op)?, op, |receiver| {
            receiver.with_flags(op.flags()).recv(size).await?
        });
        ok(shown(&bytes))
    }

    pub(super) async fn recv_into(&self, op: &Op) -> Answer {
        let mut buf = vec![b'.'; size(op)?];
        let n = receiver!(self.socket(op)?, op, |receiver| {
            receiver.with_flags(op.flags()).recv_into(&mut buf).await?
        });
        let untouched = buf[n..].iter().all(|&byte| byte == b'.');
        Ok(json!({ "ok": shown(&buf[..n]), "n": n, "beyond_untouched": untouched }))
    }

    /// A `recv_into` that is given up, and its buffer freed: nothing may write there later. (The compiler
    /// sees to it: the future borrows the buffer.)
    pub(super) async fn recv_into_freed(&self, op: &Op) -> Answer {
        let mut buf = vec![b'.'; 64];
        let (socket, flags) = (self.socket(op)?, op.flags());
        let call = async {
            let n = receiver!(socket, op, |receiver| receiver
                .with_flags(flags)
                .recv_into(&mut buf)
                .await?);
            ok(n)
        };
        let finished = self.within(Duration::from_millis(60), call).await.is_some();
        drop(mem::take(&mut buf));
        let others = vec![vec![b'.'; 64]; 8];
        (self.settings.events)(super::Event::Mark);
        R::sleep(Duration::from_millis(200)).await;
        let hit: Vec<u8> = others.concat().into_iter().filter(|&byte| byte != b'.').collect();
        Ok(json!({
            "finished_before_free": finished,
            "someone_elses_memory_now_holds": shown(&hit),
        }))
    }

    pub(super) async fn has_buf(&self, op: &Op) -> Answer {
        ok(receiver!(self.socket(op)?, op, |receiver| receiver.has_data_buffered()))
    }
}

fn size(op: &Op) -> Result<usize, Failure> {
    let size = op.number("size").unwrap_or_default();
    size.try_into().map_err(|_| Failure::by_type(format!("{size} is no usize")))
}

/// The limit of a line belongs to the connection: a call with another one cannot be written.
fn check_limit(config: &Config, op: &Op) -> Result<(), Failure> {
    let default = Config::default().max_line;
    match op.number("max").map(usize::try_from) {
        Some(Err(_)) => Err(Failure::by_type("the limit of a line is a usize")),
        asked if config.max_line != asked.map_or(default, Result::unwrap_or_default) => {
            Err(Failure::by_type("the limit of a line is a setting of its connection"))
        }
        _ => Ok(()),
    }
}

/// The limit of lines that a script asks for, if it does.
pub(super) fn limit<'a>(ops: impl IntoIterator<Item = &'a Op>) -> Option<usize> {
    ops.into_iter().find_map(|op| op.number("max")?.try_into().ok())
}

/// The answer of something that is not done.
pub(super) fn pending() -> Value {
    json!({ "pending": true })
}
