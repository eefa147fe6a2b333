//! RESP, the protocol of Redis: counted strings, arrays of them, and thousands of commands in flight.
//!
//! The server leans on `next_batch` with `batch.next_with(command)`: one wait answers all that has arrived, the words
//! of a command are borrowed from the buffer, and the answers leave in one write. The client leans on `writer` (the
//! commands go out in another task, so that neither side waits for the other) and on `next_with(value)`, whose
//! parser is a plain recursive function. Server and client took LINES lines.

use std::collections::HashMap;

use asyncnet::{Batch, Bytes, Config, Connection, Error, Framing, Transport, Unread};

/// The most words of a command, and the deepest array in an array. A peer chooses both.
const MAX_WORDS: usize = 1024;
const MAX_DEPTH: usize = 32;

/// Bulks of up to 64 MiB in both directions; a value may not hold up more than itself.
fn config() -> Config {
    let config = Config::default().framing(Framing::CrLf).max_line(64 << 10);
    config.max_block(64 << 20).max_queue(65 << 20)
}

/// The number behind the mark of a line; `None` for -1.
fn number(line: &[u8], mark: u8) -> Result<Option<usize>, Error> {
    let digits = line.strip_prefix(&[mark]).ok_or_else(|| Error::protocol("an unexpected mark"))?;
    let number = std::str::from_utf8(digits).map_err(Error::protocol)?;
    if number == "-1" { Ok(None) } else { number.parse().map(Some).map_err(Error::protocol) }
}

/// The string whose length is in `header`, borrowed.
fn bulk<'a>(unread: &mut Unread<'a>, header: &[u8]) -> Result<Option<&'a [u8]>, Error> {
    let Some(len) = number(header, b'$')? else { return Ok(None) };
    let block = unread.block(len.saturating_add(2))?;
    match block.strip_suffix(b"\r\n") {
        Some(bulk) => Ok(Some(bulk)),
        None => Err(Error::protocol("a string is longer than its length")),
    }
}

/// A command: an array of strings, all borrowed.
fn command<'a>(unread: &mut Unread<'a>) -> Result<Vec<&'a [u8]>, Error> {
    let n = number(unread.line()?, b'*')?.filter(|n| *n <= MAX_WORDS);
    let n = n.ok_or_else(|| Error::protocol("a command of too many words"))?;
    let word = |_| {
        let header = unread.line()?;
        bulk(unread, header)?.ok_or_else(|| Error::protocol("a word is missing"))
    };
    (0..n).map(word).collect()
}

/// Answers one command.
fn answer<S: Transport>(
    batch: &mut Batch<'_, S>,
    store: &mut HashMap<Vec<u8>, Bytes>,
    words: &[&[u8]],
) -> Result<(), Error> {
    match words {
        [b"PING"] => batch.reply_line("+PONG"),
        [b"SET", key, value] => {
            store.insert(key.to_vec(), Bytes::copy_from_slice(value));
            batch.reply_line("+OK")
        }
        [b"GET", key] => match store.get(*key) {
            // Not as a line: a value may hold line breaks.
            Some(value) => {
                batch.reply_fmt(format_args!("${}", value.len()))?;
                batch.reply_shared(value.clone())?;
                batch.reply("\r\n")
            }
            None => batch.reply_line("$-1"),
        },
        _ => batch.reply_line("-ERR unknown command"),
    }
}

async fn answer_all<S: Transport>(conn: &mut Connection<S>) -> Result<(), Error> {
    let mut store = HashMap::new();
    while let Some(mut batch) = conn.next_batch().await? {
        while let Some(words) = batch.next_with(command)? {
            answer(&mut batch, &mut store, &words)?;
        }
    }
    Ok(())
}

/// Serves a client; the first command that breaks the protocol is answered, and the last.
async fn serve<S: Transport>(mut conn: Connection<S>) -> Result<(), Error> {
    let served = answer_all(&mut conn).await;
    if let Err(error) = &served {
        // The client may be gone: that is in `served` already.
        drop(conn.feed_fmt(format_args!("-ERR {error}")));
    }
    conn.close().await?;
    served
}

#[derive(Debug, PartialEq)]
enum Value {
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Option<Vec<u8>>),
    Array(Vec<Self>),
}

/// A reply: recursive, and a plain function.
fn value(unread: &mut Unread<'_>, depth: usize) -> Result<Value, Error> {
    let line = unread.line()?;
    let text = || std::str::from_utf8(&line[1..]).map_err(Error::protocol);
    Ok(match line.first() {
        Some(b'+') => Value::Simple(text()?.to_owned()),
        Some(b'-') => Value::Error(text()?.to_owned()),
        Some(b':') => Value::Int(text()?.parse().map_err(Error::protocol)?),
        Some(b'$') => Value::Bulk(bulk(unread, line)?.map(<[u8]>::to_vec)),
        Some(b'*') if depth < MAX_DEPTH => {
            let n = number(line, b'*')?.unwrap_or(0);
            let values = (0..n).map(|_| value(unread, depth + 1));
            Value::Array(values.collect::<Result<_, _>>()?)
        }
        _ => return Err(Error::protocol("the server sent a line that is no reply")),
    })
}

/// The next reply; an end is an error.
async fn reply<S: Transport>(conn: &mut Connection<S>) -> Result<Value, Error> {
    match conn.next_with(|unread| value(unread, 0)).await? {
        Some(value) => Ok(value),
        None => Err(conn.end().map_or(Error::Closed, Error::Disconnected)),
    }
}

/// Adds a command to those that are to be sent.
fn add(commands: &mut Vec<u8>, words: &[&[u8]]) {
    commands.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        commands.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        commands.extend_from_slice(word);
        commands.extend_from_slice(b"\r\n");
    }
}

async fn call<S: Transport>(conn: &mut Connection<S>, words: &[&[u8]]) -> Result<Value, Error> {
    let mut commands = Vec::new();
    add(&mut commands, words);
    conn.send_all(commands).await?;
    reply(conn).await
}

mod tests {
    use asyncnet::Cause;
    use asyncnet_conformance::Platform;

    use super::*;
    use crate::{on_every_runtime, pair, scripted};

    on_every_runtime! {
        ten_thousand_commands_are_in_flight
        a_value_of_32_mib_goes_there_and_back
        arrays_are_nested_so_deep_and_no_deeper
        bad_replies_are_typed_errors
        bad_commands_are_answered_and_end_the_connection
    }

    fn ok() -> Value {
        Value::Simple("OK".into())
    }

    async fn ten_thousand_commands_are_in_flight<P: Platform>() -> Result<(), Error> {
        const N: usize = 10_000;
        let (mut client, server) = pair::<P>(config(), config()).await?;
        let served = P::spawn(serve(server));
        let mut commands = Vec::new();
        for n in 0..N {
            let (key, value) = (format!("key {n}"), format!("value\r\n{n}"));
            add(&mut commands, &[b"SET", key.as_bytes(), value.as_bytes()]);
            add(&mut commands, &[b"GET", key.as_bytes()]);
        }
        let writer = client.writer();
        let sent = P::spawn(async move { writer.send_all(commands).await });
        for n in 0..N {
            assert_eq!(reply(&mut client).await?, ok());
            let value = format!("value\r\n{n}").into();
            assert_eq!(reply(&mut client).await?, Value::Bulk(Some(value)));
        }
        sent.await?;
        assert_eq!(call(&mut client, &[b"GET", b"key"]).await?, Value::Bulk(None));
        client.close().await?;
        served.await
    }

    async fn a_value_of_32_mib_goes_there_and_back<P: Platform>() -> Result<(), Error> {
        let (mut client, server) = pair::<P>(config(), config()).await?;
        let served = P::spawn(serve(server));
        let big = b"0123456789abcde\n".repeat(2 << 20);
        assert_eq!(call(&mut client, &[b"SET", b"big", &big]).await?, ok());
        let back = call(&mut client, &[b"GET", b"big"]).await?;
        assert!(back == Value::Bulk(Some(big)));
        assert_eq!(call(&mut client, &[b"PING"]).await?, Value::Simple("PONG".into()));
        client.close().await?;
        served.await
    }

    async fn arrays_are_nested_so_deep_and_no_deeper<P: Platform>() -> Result<(), Error> {
        let script = b"*4\r\n:-1\r\n*2\r\n$4\r\nh\r\ni\r\n$-1\r\n*0\r\n-ERR no\r\n";
        let (mut client, _server) = scripted::<P>(config(), script).await?;
        let inner = Value::Array(vec![Value::Bulk(Some(b"h\r\ni".into())), Value::Bulk(None)]);
        let values =
            vec![Value::Int(-1), inner, Value::Array(vec![]), Value::Error("ERR no".into())];
        assert_eq!(reply(&mut client).await?, Value::Array(values));

        let script =
            [&b"*1\r\n".repeat(MAX_DEPTH)[..], b":7\r\n", &b"*1\r\n".repeat(9_000)].concat();
        let (mut client, _server) = scripted::<P>(config(), &script).await?;
        let mut value = reply(&mut client).await?;
        while let Value::Array(mut values) = value {
            value = values.remove(0);
        }
        assert_eq!(value, Value::Int(7));
        let too_deep = Error::protocol("the server sent a line that is no reply");
        assert_eq!(reply(&mut client).await, Err(too_deep));
        Ok(())
    }

    async fn bad_replies_are_typed_errors<P: Platform>() -> Result<(), Error> {
        let first = |script: &'static [u8]| async {
            let (mut client, _server) = scripted::<P>(config(), script).await?;
            reply(&mut client).await
        };
        for (script, says) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], "the server sent a line that is no reply"),
            (b"\r\n", "the server sent a line that is no reply"),
            (b"$x\r\n", "invalid digit found in string"),
            (b":9999999999999999999\r\n", "number too large to fit in target type"),
            (b"$2\r\nabc\r\n", "a string is longer than its length"),
        ] {
            assert_eq!(first(script).await, Err(Error::protocol(says)));
        }
        for script in [&b"$67108864\r\n"[..], b"*2\r\n$1\r\na\r\n$18446744073709551615\r\n"] {
            assert!(
                matches!(first(script).await, Err(Error::TooLarge { max, .. }) if max == 64 << 20)
            );
        }
        for script in [&b"+O"[..], b"$4\r\nab", b"*2\r\n:1\r\n", b""] {
            let Err(Error::Disconnected(end)) = first(script).await else { panic!("an end") };
            assert_eq!((end.cause, end.partial), (Cause::Eof, script.len()));
        }
        Ok(())
    }

    async fn bad_commands_are_answered_and_end_the_connection<P: Platform>() -> Result<(), Error> {
        for (bad, says) in [
            ("GET / HTTP/1.1\r\n\r\n", "ERR an unexpected mark"),
            ("*2000\r\n", "ERR a command of too many words"),
            ("*1\r\n$-1\r\n", "ERR a word is missing"),
            ("*1\n", "ERR the peer sent a line with an LF that no CR precedes"),
            (
                "*1\r\n$99999999999\r\n",
                "ERR a message or block of 100000000001 bytes is larger than the limit of 67108864",
            ),
        ] {
            let (mut client, server) = pair::<P>(config(), config()).await?;
            let served = P::spawn(serve(server));
            client.send_all(format!("*1\r\n$4\r\nPING\r\n{bad}")).await?;
            assert_eq!(reply(&mut client).await?, Value::Simple("PONG".into()));
            assert_eq!(reply(&mut client).await?, Value::Error(says.into()));
            assert!(
                matches!(reply(&mut client).await, Err(Error::Disconnected(end)) if end.cause == Cause::Eof)
            );
            client.close().await?;
            assert!(served.await.is_err());
        }
        Ok(())
    }
}
