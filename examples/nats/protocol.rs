//! The protocol: what a server sends, and how a client greets it. It knows nothing of tasks and reconnects.

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use asyncnet::{Config, Connection, Error, Framing, TlsContext, Transport, Unread};
use serde_json::Value;

/// Payloads of up to 8 MiB. A server that says nothing for 10 s is asked whether it is there.
pub(crate) fn config() -> Config {
    let config = Config::default().framing(Framing::CrLf).max_line(64 << 10).max_block(8 << 20);
    config.receive_timeout(Duration::from_secs(10)).send_timeout(Duration::from_secs(20))
}

/// What a server sends.
#[derive(Debug, PartialEq)]
pub(crate) enum Event<'a> {
    Message(Message<'a>),
    Ping,
    Pong,
    /// `+OK`, and what the server tells of itself.
    Other,
    Error(&'a str),
}

/// A message of a subscription.
#[derive(Debug, PartialEq)]
pub(crate) struct Message<'a> {
    pub(crate) subject: &'a str,
    pub(crate) reply_to: Option<&'a str>,
    /// Empty, or `NATS/1.0`, lines and an empty line.
    pub(crate) headers: &'a [u8],
    pub(crate) payload: &'a [u8],
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        write!(f, "{}: {}", self.subject, text(self.payload))?;
        let headers = text(self.headers);
        headers
            .lines()
            .skip(1)
            .filter(|line| !line.is_empty())
            .try_for_each(|it| write!(f, " [{it}]"))
    }
}

/// Parses what a server sends: for `next_with`.
pub(crate) fn event<'a>(unread: &mut Unread<'a>) -> Result<Event<'a>, Error> {
    let line = std::str::from_utf8(unread.line()?).map_err(Error::protocol)?;
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    Ok(match verb {
        "MSG" | "HMSG" => Event::Message(message(unread, verb == "HMSG", rest)?),
        "PING" => Event::Ping,
        "PONG" => Event::Pong,
        "INFO" | "+OK" => Event::Other,
        "-ERR" => Event::Error(rest.trim_matches('\'')),
        _ => return Err(Error::protocol("the server sent a line that is no NATS")),
    })
}

/// `SUBJECT SID [REPLY-TO] [HEADER-BYTES] BYTES`, and so many bytes behind the line.
fn message<'a>(
    unread: &mut Unread<'a>,
    has_headers: bool,
    head: &'a str,
) -> Result<Message<'a>, Error> {
    let words: Vec<&str> = head.split_ascii_whitespace().collect();
    let number = |word: &str| word.parse::<usize>().map_err(Error::protocol);
    let (words, headers, total) = match (has_headers, words.as_slice()) {
        (false, [words @ .., total]) => (words, 0, number(total)?),
        (true, [words @ .., headers, total]) => (words, number(headers)?, number(total)?),
        _ => return Err(Error::protocol("a message without a length")),
    };
    let (subject, reply_to) = match words {
        [subject, _sid] => (*subject, None),
        [subject, _sid, reply_to] => (*subject, Some(*reply_to)),
        _ => return Err(Error::protocol("a message without a subject")),
    };
    let block = unread.block(total.saturating_add(2))?;
    let block = block.strip_suffix(b"\r\n");
    let block = block.ok_or_else(|| Error::protocol("a payload is longer than its length"))?;
    let parts = block.split_at_checked(headers);
    let (headers, payload) =
        parts.ok_or_else(|| Error::protocol("the headers are longer than the message"))?;
    Ok(Message { subject, reply_to, headers, payload })
}

/// Greets the server: its first line, TLS, and who we are. Ready when the server has taken it.
pub(crate) async fn greet<S: Transport>(
    conn: &mut Connection<S>,
    tls: Option<(&TlsContext, &str)>,
) -> Result<(), Error> {
    let line = conn.expect_line().await?;
    let info = line.strip_prefix(b"INFO ").ok_or_else(|| Error::protocol("no server of NATS"))?;
    let info: Value = serde_json::from_slice(info).map_err(Error::protocol)?;
    match tls {
        Some((context, host)) => conn.upgrade_tls(context.as_client(host)).await?,
        None if info["tls_required"] == true => {
            return Err(Error::protocol("the server wants TLS"));
        }
        None => {}
    }
    let options = r#"{"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"lang":"rust","version":"0"}"#;
    conn.feed_fmt(format_args!("CONNECT {options}"))?;
    conn.feed_line("PING")?;
    loop {
        let line = conn.expect_line().await?;
        match line {
            b"PONG" => return Ok(()),
            b"+OK" => {}
            _ => return Err(Error::protocol(String::from_utf8_lossy(line).into_owned())),
        }
    }
}

/// The bytes that publish a message. `headers` are whole lines.
pub(crate) fn publication(subject: &str, headers: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(64 + subject.len() + headers.len() + payload.len());
    let written = if headers.is_empty() {
        write!(message, "PUB {subject} {}\r\n", payload.len())
    } else {
        let len = "NATS/1.0\r\n".len() + headers.len() + 2;
        let total = len + payload.len();
        write!(message, "HPUB {subject} {len} {total}\r\nNATS/1.0\r\n{headers}\r\n")
    };
    written.expect("a vector takes every byte");
    message.extend_from_slice(payload);
    message.extend_from_slice(b"\r\n");
    message
}
