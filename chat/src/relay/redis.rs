//! Redis, or what speaks its protocol in version 3: there a connection that has subscribed may publish too. The answer
//! to PUBLISH is the confirmation.

use asyncnet::{Connection, Error, Transport, Unread};

use super::broker::{Broker, Event, MAX_MESSAGE, Tls};
use super::place::Credentials;

/// The deepest array in the answer to HELLO, and the most values of it.
const MAX_DEPTH: usize = 4;
const MAX_VALUES: usize = 1024;

/// The longest name of anything that a broker pushes.
const MAX_NAME: usize = 64 << 10;

pub(super) struct Redis {
    pub(super) channel: String,
    pub(super) credentials: Option<Credentials>,
    pub(super) tls: Tls,
}

impl Broker for Redis {
    async fn greet<S: Transport + Send>(&self, conn: &mut Connection<S>) -> Result<usize, Error> {
        if self.tls.is_wanted {
            self.tls.upgrade(conn).await?;
        }
        let hello = match &self.credentials {
            Some(Credentials { user, secret }) => {
                let user = user.as_deref().filter(|user| !user.is_empty()).unwrap_or("default");
                command(&["HELLO", "3", "AUTH", user, secret, "SETNAME", "asyncnet-chat"])
            }
            None => command(&["HELLO", "3", "SETNAME", "asyncnet-chat"]),
        };
        conn.feed(hello)?;
        conn.expect_with(|unread| {
            let line = unread.line()?;
            match line.first() {
                Some(b'-') => Err(not_let_in(line)),
                Some(b'%') => skip(unread, line, &mut 0, 0),
                _ => Err(not_redis()),
            }
        })
        .await?;
        Ok(MAX_MESSAGE)
    }

    fn subscription(&self) -> Vec<u8> {
        // What a SUBSCRIBE comes to is pushed. The answer is that to the PING.
        [command(&["SUBSCRIBE", &self.channel]).as_slice(), self.ping()].concat()
    }

    fn publication(&self, message: &[u8]) -> Vec<u8> {
        command::<&[u8]>(&[b"PUBLISH", self.channel.as_bytes(), message])
    }

    fn ping(&self) -> &'static [u8] {
        b"PING\r\n"
    }

    fn event<'a>(&self, unread: &mut Unread<'a>, max: usize) -> Result<Event<'a>, Error> {
        let line = unread.line()?;
        match line.split_first() {
            Some((b'+' | b':', _)) => Ok(Event::Answer),
            Some((b'-', text)) => Err(refused(text)),
            Some((b'>', b"3")) => push(unread, max),
            _ => Err(not_redis()),
        }
    }
}

/// What comes unasked: what it is, of which channel, and a message or a number.
fn push<'a>(unread: &mut Unread<'a>, max: usize) -> Result<Event<'a>, Error> {
    let kind = bulk(unread, MAX_NAME)?;
    bulk(unread, MAX_NAME)?;
    if kind == b"message" {
        return Ok(Event::Message(bulk(unread, max)?));
    }
    match unread.line()?.first() {
        Some(b':') => Ok(Event::Other),
        _ => Err(not_redis()),
    }
}

/// A string of at most `max` bytes.
fn bulk<'a>(unread: &mut Unread<'a>, max: usize) -> Result<&'a [u8], Error> {
    let len = number(unread.line()?, b'$')?;
    if len > max {
        let why = format!("the broker sent a message of {len} bytes, and at most {max} are taken");
        return Err(Error::protocol(why));
    }
    unread.block(len + 2)?.strip_suffix(b"\r\n").ok_or_else(not_redis)
}

/// The number behind `mark`.
fn number(line: &[u8], mark: u8) -> Result<usize, Error> {
    let digits = line.strip_prefix(&[mark]).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(not_redis)
}

/// Reads a value to its end, with all that is in it. `line` is its first.
fn skip(
    unread: &mut Unread<'_>,
    line: &[u8],
    values: &mut usize,
    depth: usize,
) -> Result<(), Error> {
    let mark = line.first().copied().ok_or_else(not_redis)?;
    let parts = match mark {
        b'+' | b':' | b'_' | b'#' | b',' | b'(' => return Ok(()),
        b'$' | b'=' if line[1..] == *b"-1" => return Ok(()),
        b'$' | b'=' => {
            let len = number(line, mark)?;
            if len > MAX_NAME {
                return Err(not_redis());
            }
            return unread.block(len + 2).map(drop);
        }
        b'%' => number(line, mark)?.saturating_mul(2),
        b'*' | b'~' => number(line, mark)?,
        _ => return Err(not_redis()),
    };
    *values = values.saturating_add(parts);
    if *values > MAX_VALUES || depth == MAX_DEPTH {
        return Err(not_redis());
    }
    for _ in 0..parts {
        let line = unread.line()?;
        skip(unread, line, values, depth + 1)?;
    }
    Ok(())
}

fn not_redis() -> Error {
    Error::protocol("this is not a Redis server, or it speaks TLS and needs rediss://")
}

/// An error in answer to HELLO. An old server repeats the command in it, and so the password: only the name of
/// the error is shown.
fn not_let_in(line: &[u8]) -> Error {
    Error::protocol(match line.split(|byte| *byte == b' ').next().unwrap_or_default() {
        b"-NOAUTH" => "the broker asks for credentials; give them with --relay-credentials",
        b"-WRONGPASS" => "the broker does not take the credentials",
        b"-NOPROTO" | b"-ERR" => {
            "the broker does not let us in: Redis has to be version 6 or later, and the password right"
        }
        b"-NOPERM" => "the broker does not let us in: its user may not use HELLO",
        _ => "the broker does not let us in",
    })
}

/// An error in answer to what we do with a channel, with what to do about it.
fn refused(text: &[u8]) -> Error {
    let text = String::from_utf8_lossy(text);
    let hint = if text.starts_with("NOPERM") {
        "; its user must be allowed to publish and to subscribe to the channel"
    } else {
        ""
    };
    Error::protocol(format!("the broker says: {text}{hint}"))
}

/// A command: an array of strings, which may hold any bytes.
fn command<T: AsRef<[u8]>>(words: &[T]) -> Vec<u8> {
    let mut command = format!("*{}\r\n", words.len()).into_bytes();
    for word in words.iter().map(AsRef::as_ref) {
        command.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        command.extend_from_slice(word);
        command.extend_from_slice(b"\r\n");
    }
    command
}
