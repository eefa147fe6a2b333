//! What an operation answers: an object, `{"ok": ..}` or `{"err": ..}`.

use std::fmt::Display;
use std::io;

use asyncnet::net::SocketError;
use asyncnet::tls::{TlsErrorKind, UpgradeRefused};
use asyncnet::{Error, LineError};
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

    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0[key] = value.into();
        self
    }

    /// Why a send failed: it has no partial.
    pub(super) fn of_send(error: Error) -> Self {
        let Self(mut value) = error.into();
        if let Some(members) = value.as_object_mut() {
            members.remove("partial");
        }
        Self(value)
    }

    pub(super) fn into_value(self) -> Value {
        self.0
    }
}

pub(super) fn ok(value: impl Into<Value>) -> Answer {
    Ok(json!({ "ok": value.into() }))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = match &error {
            Error::Line(line) => {
                let failure = Self::new(line_error(line), line);
                match line {
                    LineError::Utf8(bytes) => failure.with("bytes", escape(bytes)),
                    _ => failure,
                }
            }
            Error::TooLarge { .. } => Self::new("BlockTooLarge", &error),
            Error::Disconnected(end) => Self::new("Disconnected", end).with("partial", end.partial),
            Error::Closed => Self::new("Closed", &error),
            Error::Tls(tls) => Self::new(tls_error(tls.kind()), tls),
            Error::Full { .. } => Self::new("Full", &error),
            Error::LineBreak => Self::new("LineBreak", &error),
            Error::Interrupted => Self::new("Interrupted", &error),
            Error::TimedOut(_) => Self::new("TimedOut", &error),
            _ => return io::Error::from(error).into(),
        };
        failure.with("kind", format!("{:?}", error.kind()))
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

/// What went wrong, as precisely as it is known: `Protocol`, `Alert(48)`, `Certificate(WrongName)`.
fn tls_error(kind: TlsErrorKind) -> String {
    format!("{kind:?}")
}

fn upgrade_error(error: &Error) -> String {
    match error {
        Error::Upgrade(UpgradeRefused::BufferedPlaintext(_)) => "BufferedPlaintext".into(),
        Error::Upgrade(UpgradeRefused::UnsentPlaintext(_)) => "UnsentPlaintext".into(),
        Error::Upgrade(UpgradeRefused::Discarding) => "Discarding".into(),
        Error::Upgrade(UpgradeRefused::AlreadyTls) => "AlreadyTls".into(),
        Error::Disconnected(_) => "Ended".into(),
        Error::Closed | Error::Interrupted => "CannotSend".into(),
        Error::Upgrade(UpgradeRefused::Settings(_)) => "Context".into(),
        Error::Tls(error) => tls_error(error.kind()),
        _ => "Upgrade".to_owned(),
    }
}

fn kind_of(error: &io::Error) -> String {
    format!("{:?}", error.kind())
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let name = kind_of(&error);
        let failed = error.get_ref().and_then(|inner| inner.downcast_ref::<SocketError>());
        // Where it was tried is known to the script, and a port is another one in every run.
        let (failure, system) = match failed {
            Some(failed) => {
                let system = failed.system_error();
                (Self::new(name, system).with("tried", failed.operation()), system)
            }
            None => (Self::new(name, &error), &error),
        };
        let upgrade = system.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match (upgrade, system.raw_os_error()) {
            (Some(upgrade), _) => {
                failure.with("err", upgrade_error(upgrade)).with("kind", kind_of(system))
            }
            (_, Some(code)) => failure.with("errno", code),
            _ => failure,
        }
    }
}
