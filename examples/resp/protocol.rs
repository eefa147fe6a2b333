//! The protocol: replies, of which the server chooses how deep they nest, and commands. It knows nothing of tasks.

use std::time::Duration;

use asyncnet::{Bytes, Config, Error, Framing, Unread};

/// The deepest array in an array, and the most bytes of a reply with all that it nests. The server chooses both.
pub(crate) const MAX_DEPTH: usize = 32;
pub(crate) const MAX_REPLY: usize = 64 << 20;

/// Values of up to 64 MiB in both directions, and half a minute for a reply.
pub(crate) fn config() -> Config {
    let config = Config::default().framing(Framing::CrLf).max_line(64 << 10);
    let config = config.max_block(MAX_REPLY).max_queue(MAX_REPLY + 1024);
    config.receive_timeout(Duration::from_secs(30))
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Option<Bytes>),
    Array(Option<Vec<Self>>),
}

/// Parses replies. It keeps the parts of a nested reply that have come, and goes on behind them when more has come: it
/// belongs to one connection, as long as that.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    /// The arrays that are not complete yet, the innermost last, and how many values each still lacks.
    open: Vec<(Vec<Value>, usize)>,
    /// The bytes of the reply so far.
    len: usize,
}

impl Replies {
    /// The next reply: for `next_with`.
    pub(crate) fn reply(&mut self, unread: &mut Unread<'_>) -> Result<Value, Error> {
        loop {
            let Some(mut value) = self.value(unread)? else { continue };
            loop {
                let Some((values, lacking)) = self.open.last_mut() else {
                    self.len = 0;
                    return Ok(value);
                };
                values.push(value);
                *lacking -= 1;
                if *lacking > 0 {
                    unread.checkpoint();
                    break;
                }
                let (values, _) = self.open.pop().expect("it is the last one");
                value = Value::Array(Some(values));
            }
        }
    }

    /// One value, or `None` for the head of an array.
    fn value(&mut self, unread: &mut Unread<'_>) -> Result<Option<Value>, Error> {
        let line = unread.line()?;
        let (mark, text) = line.split_first().ok_or_else(|| Error::protocol("an empty reply"))?;
        let text = std::str::from_utf8(text).map_err(Error::protocol)?;
        let value = match mark {
            b'+' => Value::Simple(text.to_owned()),
            b'-' => Value::Error(text.to_owned()),
            b':' => Value::Int(text.parse().map_err(Error::protocol)?),
            b'$' => Value::Bulk(match length(text)? {
                Some(len) => Some(bulk(unread, len)?),
                None => None,
            }),
            b'*' => match length(text)? {
                None => Value::Array(None),
                Some(0) => Value::Array(Some(Vec::new())),
                Some(_) if self.open.len() == MAX_DEPTH => {
                    return Err(Error::protocol("the server nests arrays too deeply"));
                }
                Some(n) => {
                    self.grow(line.len())?;
                    self.open.push((Vec::new(), n));
                    unread.checkpoint();
                    return Ok(None);
                }
            },
            _ => return Err(Error::protocol("the server sent a line that is no reply")),
        };
        let len = if let Value::Bulk(Some(bulk)) = &value { bulk.len() } else { line.len() };
        self.grow(len)?;
        Ok(Some(value))
    }

    /// Checkpoints take the bound of the connection off a reply as a whole: here it is again.
    fn grow(&mut self, len: usize) -> Result<(), Error> {
        self.len = self.len.saturating_add(len.saturating_add(size_of::<Value>()));
        let max = MAX_REPLY + (64 << 10);
        if self.len > max { Err(Error::TooLarge { len: self.len, max }) } else { Ok(()) }
    }
}

/// A length; `None` for -1.
fn length(text: &str) -> Result<Option<usize>, Error> {
    if text == "-1" { Ok(None) } else { text.parse().map(Some).map_err(Error::protocol) }
}

fn bulk(unread: &mut Unread<'_>, len: usize) -> Result<Bytes, Error> {
    let block = unread.block(len.saturating_add(2))?;
    let bulk = block.strip_suffix(b"\r\n").map(Bytes::copy_from_slice);
    bulk.ok_or_else(|| Error::protocol("a string is longer than its length"))
}

/// A command: an array of strings, which may hold any bytes.
pub(crate) fn command<T: AsRef<[u8]>>(words: &[T]) -> Vec<u8> {
    let mut command = Vec::with_capacity(words.iter().map(|it| it.as_ref().len() + 16).sum());
    let head = |command: &mut Vec<u8>, mark, n: usize| {
        command.push(mark);
        command.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
        command.extend_from_slice(b"\r\n");
    };
    head(&mut command, b'*', words.len());
    for word in words {
        let word = word.as_ref();
        head(&mut command, b'$', word.len());
        command.extend_from_slice(word);
        command.extend_from_slice(b"\r\n");
    }
    command
}
