//! The protocol: what a server sends, a line with literals in the middle of it.

use std::time::Duration;

use asyncnet::{Config, Error, Unread};

/// Responses in memory are at most 1 MiB; a mail is streamed, and may have any size.
pub(crate) fn config() -> Config {
    let patience = Duration::from_secs(60);
    let config = Config::default().max_line(64 << 10).max_block(1 << 20);
    config.receive_timeout(patience).send_timeout(patience)
}

/// A response of the server: its line without the literals, and the literals.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Response {
    pub(crate) text: String,
    pub(crate) literals: Vec<Vec<u8>>,
}

/// Line, literal, line, literal, and so on to a line without one.
pub(crate) fn response(unread: &mut Unread<'_>) -> Result<Response, Error> {
    let mut response = Response::default();
    loop {
        let line = unread.line()?;
        if response.text.is_empty() && !matches!(line, [b'*' | b'+' | b'a', ..]) {
            return Err(Error::protocol("the server sent a line that is no response"));
        }
        let size = literal(line)?;
        response.text += &String::from_utf8_lossy(line);
        let Some(size) = size else { return Ok(response) };
        // Above `max_block` this is `TooLarge`.
        response.literals.push(unread.block(usize::try_from(size).unwrap_or(usize::MAX))?.to_vec());
    }
}

/// The size of the literal behind `line`: the number in braces at its end. Text for people has no literal.
pub(crate) fn literal(line: &[u8]) -> Result<Option<u64>, Error> {
    let kind = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    if line.starts_with(b"+") || matches!(kind, b"OK" | b"NO" | b"BAD" | b"BYE" | b"PREAUTH") {
        return Ok(None);
    }
    let Some(line) = line.strip_suffix(b"}") else { return Ok(None) };
    let Some(open) = line.iter().rposition(|byte| *byte == b'{') else { return Ok(None) };
    let digits = std::str::from_utf8(&line[open + 1..]).map_err(Error::protocol)?;
    Ok(Some(digits.parse().map_err(Error::protocol)?))
}

/// `value`, if the line that completes a command says OK.
pub(crate) fn completed<T>(line: &str, value: T) -> Result<T, Error> {
    match line.split(' ').nth(1) {
        Some("OK") => Ok(value),
        _ => Err(Error::protocol(format!("the server said {line}"))),
    }
}
