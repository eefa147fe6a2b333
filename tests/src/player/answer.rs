//! What an operation answers: an object, `{"ok": ..}` or `{"err": ..}`.

use std::fmt::Display;
use std::io;

use asyncnet::{LineError, RecvError, SendError, SocketError};
use serde_json::{Value, json};

use super::text::escape;

/// The answer of an operation, or what went wrong.
pub(super) type Answer = Result<Value, Failure>;

/// `{"err": ..}`, and all that is known about it.
#[derive(Debug)]
pub(super) struct Failure(Value);

impl Failure {
    fn new(name: impl Display, message: impl Display) -> Self {
        Self(json!({ "err": name.to_string(), "msg": escape(message.to_string().as_bytes()) }))
    }

    /// The interface has no such call, so that no program can make this mistake.
    pub(super) fn by_type(why: impl Display) -> Self {
        Self(json!({ "err": format!("ruled out by type: {why}") }))
    }

    /// The script cannot be played.
    pub(super) fn script(why: impl Display) -> Self {
        Self(json!({ "err": format!("script: {why}") }))
    }

    /// What there will be one day.
    pub(super) fn missing(what: impl Display) -> Self {
        Self(json!({ "err": what.to_string() }))
    }

    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0[key] = value.into();
        self
    }

    pub(super) fn into_value(self) -> Value {
        self.0
    }
}

pub(super) fn ok(value: impl Into<Value>) -> Answer {
    Ok(json!({ "ok": value.into() }))
}

impl From<RecvError> for Failure {
    fn from(error: RecvError) -> Self {
        let failure = match &error {
            RecvError::Line(line) => {
                let failure = Self::new(line_error(line), line);
                match line {
                    LineError::Utf8(bytes) => failure.with("bytes", escape(bytes)),
                    _ => failure,
                }
            }
            RecvError::BlockTooLarge(block) => Self::new("BlockTooLarge", block),
            RecvError::Disconnected(end) => {
                Self::new("Disconnected", end).with("partial", end.partial)
            }
            RecvError::Closed => Self::new("Closed", &error),
            _ => return io::Error::from(error).into(),
        };
        failure.with("kind", format!("{:?}", io::Error::from(error).kind()))
    }
}

fn line_error(error: &LineError) -> &'static str {
    match error {
        LineError::TooLong { .. } => "TooLong",
        LineError::BareCr => "BareCr",
        LineError::BareLf => "BareLf",
        LineError::Utf8(_) => "Utf8",
        _ => "Line",
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        let name = match error {
            SendError::Full { .. } => "Full",
            SendError::LineBreak => "LineBreak",
            SendError::Interrupted => "Interrupted",
            SendError::Disconnected(_) => "Disconnected",
            SendError::Closed => "Closed",
            SendError::TimedOut => "TimedOut",
            _ => "Send",
        };
        let kind = format!("{:?}", io::Error::from(error).kind());
        Self::new(name, error).with("kind", kind)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let name = format!("{:?}", error.kind());
        let failed = error.get_ref().and_then(|inner| inner.downcast_ref::<SocketError>());
        // Where it was tried is known to the script, and a port is another one in every run.
        let (failure, system) = match failed {
            Some(failed) => {
                let system = failed.system_error();
                (Self::new(name, system).with("tried", failed.operation()), system)
            }
            None => (Self::new(name, &error), &error),
        };
        match system.raw_os_error() {
            Some(code) => failure.with("errno", code),
            None => failure,
        }
    }
}
