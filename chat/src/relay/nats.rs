//! NATS: a message is `PUB SUBJECT BYTES` and so many bytes; a PING behind it is answered once the broker has it.

use asyncnet::{Connection, Error, Transport, Unread};
use serde_json::{Value, json};

use super::broker::{Broker, Event, MAX_MESSAGE, Tls};
use super::place::Credentials;

/// What a broker takes that does not say how much.
const DEFAULT_MAX_PAYLOAD: usize = 1 << 20;

pub(super) struct Nats {
    pub(super) subject: String,
    pub(super) credentials: Option<Credentials>,
    pub(super) tls: Tls,
}

impl Nats {
    /// The line that says who we are.
    fn connect(&self, is_secure: bool) -> String {
        let mut options = json!({
            "verbose": false, "pedantic": false, "echo": false, "protocol": 1, "lang": "rust",
            "name": "asyncnet-chat", "version": env!("CARGO_PKG_VERSION"), "tls_required": is_secure,
        });
        match &self.credentials {
            Some(Credentials { user: Some(user), secret }) => {
                options["user"] = user.as_str().into();
                options["pass"] = secret.as_str().into();
            }
            Some(Credentials { user: None, secret }) => {
                options["auth_token"] = secret.as_str().into();
            }
            None => {}
        }
        format!("CONNECT {options}")
    }
}

impl Broker for Nats {
    async fn greet<S: Transport + Send>(&self, conn: &mut Connection<S>) -> Result<usize, Error> {
        let info = info(conn.expect_line().await?)?;
        let asks_for_tls = info["tls_required"] == true;
        let is_secure = self.tls.is_wanted || asks_for_tls;
        if is_secure {
            if !asks_for_tls && info["tls_available"] != true {
                let why = "the broker has no TLS; to connect without TLS, use nats://";
                return Err(Error::protocol(why));
            }
            self.tls.upgrade(conn).await?;
        }
        if info["auth_required"] == true && self.credentials.is_none() {
            let why = "the broker asks for credentials; give them with --relay-credentials";
            return Err(Error::protocol(why));
        }
        conn.feed_line(self.connect(is_secure))?;
        conn.feed_line("PING")?;
        loop {
            // Nothing is subscribed yet: no message can come.
            let answer = conn.expect_with(|unread| {
                Ok(match self.event(unread, 0)? {
                    Event::Ping(answer) => Some(answer),
                    Event::Answer => None,
                    Event::Message(_) | Event::Other => Some(&b""[..]),
                })
            });
            match answer.await? {
                Some(answer) => conn.feed(answer)?,
                None => break,
            }
        }
        let max = info["max_payload"].as_u64().and_then(|max| usize::try_from(max).ok());
        Ok(max.unwrap_or(DEFAULT_MAX_PAYLOAD).min(MAX_MESSAGE))
    }

    fn subscription(&self) -> Vec<u8> {
        format!("SUB {} 1\r\nPING\r\n", self.subject).into_bytes()
    }

    fn publication(&self, message: &[u8]) -> Vec<u8> {
        let head = format!("PUB {} {}\r\n", self.subject, message.len());
        [head.as_bytes(), message, b"\r\nPING\r\n"].concat()
    }

    fn ping(&self) -> &'static [u8] {
        b"PING\r\n"
    }

    fn event<'a>(&self, unread: &mut Unread<'a>, max: usize) -> Result<Event<'a>, Error> {
        let line = std::str::from_utf8(unread.line()?).map_err(|_| not_nats())?;
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        Ok(match verb {
            "MSG" | "HMSG" => Event::Message(message(unread, verb == "HMSG", rest, max)?),
            "PING" => Event::Ping(b"PONG\r\n"),
            "PONG" => Event::Answer,
            "INFO" | "+OK" => Event::Other,
            "-ERR" => return Err(refused(rest.trim_matches('\''))),
            _ => return Err(not_nats()),
        })
    }
}

/// What the broker says of itself.
fn info(line: &[u8]) -> Result<Value, Error> {
    let info = line.strip_prefix(b"INFO ").and_then(|info| serde_json::from_slice(info).ok());
    info.filter(Value::is_object).ok_or_else(not_nats)
}

fn not_nats() -> Error {
    Error::protocol("this is not a NATS server, or it speaks TLS from the first byte")
}

/// An error of the broker's, with what to do about it.
fn refused(text: &str) -> Error {
    let lower = text.to_ascii_lowercase();
    let hint = if lower.starts_with("permissions violation") {
        "; its user must be allowed to publish and to subscribe to the subject"
    } else if lower.contains("auth") {
        "; check the credentials"
    } else {
        ""
    };
    Error::protocol(format!("the broker says: {text}{hint}"))
}

/// `SUBJECT SID [REPLY-TO] [HEADER-BYTES] BYTES`, and so many bytes behind the line.
fn message<'a>(
    unread: &mut Unread<'a>,
    has_headers: bool,
    head: &str,
    max: usize,
) -> Result<&'a [u8], Error> {
    let number = |word: &str| word.parse::<usize>().map_err(|_| not_nats());
    let words: Vec<_> = head.split(' ').collect();
    let (headers, total) = match (has_headers, words.as_slice()) {
        (false, [_, _, .., total]) => (0, number(total)?),
        (true, [_, _, .., headers, total]) => (number(headers)?, number(total)?),
        _ => return Err(not_nats()),
    };
    if total > max {
        let why =
            format!("the broker sent a message of {total} bytes, and announced at most {max}");
        return Err(Error::protocol(why));
    }
    let block = unread.block(total + 2)?;
    let message = block.strip_suffix(b"\r\n").and_then(|message| message.get(headers..));
    message
        .ok_or_else(|| Error::protocol("the broker sent a message that is longer than its length"))
}
