//! One operation of a script, and the words in it.

use asyncnet::nim::Flags;
use serde_json::{Map, Value};

use super::text::unescape;

/// An operation: its name (`"op"`) and what it needs to know, as named values.
#[derive(Clone, Debug)]
pub struct Op(Map<String, Value>);

impl Op {
    /// The operation that a JSON object describes; `None` if the value is no object or has no `"op"`.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        map.get("op")?.as_str()?;
        Some(Self(map.clone()))
    }

    /// What is to be done.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("op").unwrap_or_default()
    }

    /// The socket that it is about.
    #[must_use]
    pub fn socket(&self) -> &str {
        self.text("s").unwrap_or("c")
    }

    /// The name of the socket that it makes.
    pub(super) fn makes(&self) -> &str {
        self.text("as").unwrap_or("c")
    }

    /// A word.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    /// A number.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<i64> {
        self.0.get(key)?.as_i64()
    }

    /// Something that is so or not. Not, if nothing is said.
    #[must_use]
    pub fn is(&self, key: &str) -> bool {
        self.flag(key).unwrap_or(false)
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.0.get(key)?.as_bool()
    }

    /// Bytes: escaped text, `{"rep": text, "n": count}`, or a list of those.
    pub(super) fn bytes(&self, key: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        collect(self.0.get(key), &mut bytes);
        bytes
    }

    /// The flags of Nim-style calls: `SAFE_DISCONN` unless `"nosafe"`, and `PEEK` with `"peek"`.
    pub(super) fn flags(&self) -> Flags {
        let mut flags = Flags::empty();
        flags.set(Flags::SAFE_DISCONN, !self.is("nosafe"));
        flags.set(Flags::PEEK, self.is("peek"));
        flags
    }
}

fn collect(value: Option<&Value>, bytes: &mut Vec<u8>) {
    match value {
        Some(Value::String(text)) => bytes.extend(unescape(text)),
        Some(Value::Array(parts)) => parts.iter().for_each(|part| collect(Some(part), bytes)),
        Some(Value::Object(repeated)) => {
            let unit = repeated.get("rep").and_then(Value::as_str).unwrap_or_default();
            let times = repeated.get("n").and_then(Value::as_u64).unwrap_or_default();
            bytes.extend(unescape(unit).repeat(usize::try_from(times).unwrap_or_default()));
        }
        _ => {}
    }
}
