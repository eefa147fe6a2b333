//! IMAP: a line with literals in the middle of it is one message; a literal may be larger than memory.
//!
//! The client leans on `next_with` (a response is received whole or not at all, so a deadline may cut it anywhere),
//! `within` (IDLE), `next_bytes` and `skip` (a literal above `max_block`, in pieces), `feed_wait` (a literal of
//! any size behind its command) and `upgrade_tls` (STARTTLS). The client took LINES lines.

use std::io::Write;
use std::time::Duration;

use asyncnet::{Connection, Error, TlsContext, Transport, Unread};

/// What the server says at once.
#[derive(Debug, Default, PartialEq)]
struct Response {
    /// The line, without its literals.
    text: String,
    literals: Vec<Vec<u8>>,
}

/// Line, literal, line, literal, and so on to a line without one: consumed whole or not at all.
fn response(unread: &mut Unread<'_>) -> Result<Response, Error> {
    let mut response = Response::default();
    loop {
        let line = unread.line()?;
        if response.text.is_empty() && !matches!(line, [b'*' | b'+' | b'a', ..]) {
            return Err(Error::protocol("the server sent a line that is no response"));
        }
        response.text += std::str::from_utf8(line).map_err(Error::protocol)?;
        let Some(n) = literal(line)? else { return Ok(response) };
        response.literals.push(unread.block(n)?.to_vec());
    }
}

/// How many bytes follow a line that ends in `{n}`.
fn literal(line: &[u8]) -> Result<Option<usize>, Error> {
    let Some(line) = line.strip_suffix(b"}") else { return Ok(None) };
    let Some(open) = line.iter().rposition(|byte| *byte == b'{') else { return Ok(None) };
    let digits = std::str::from_utf8(&line[open + 1..]).map_err(Error::protocol)?;
    Ok(Some(digits.parse().map_err(Error::protocol)?))
}

/// `value` if the line that completes a command says OK.
fn completed<T>(line: &[u8], value: T) -> Result<T, Error> {
    let status = String::from_utf8_lossy(line);
    if status.contains(" OK") { Ok(value) } else { Err(Error::protocol(status.into_owned())) }
}

struct Client<S: Transport> {
    conn: Connection<S>,
    commands: u32,
}

impl<S: Transport> Client<S> {
    async fn greet(conn: Connection<S>) -> Result<Self, Error> {
        let mut client = Self { conn, commands: 0 };
        client.next().await?;
        Ok(client)
    }

    fn tag(&mut self) -> String {
        self.commands += 1;
        format!("a{} ", self.commands)
    }

    async fn next(&mut self) -> Result<Response, Error> {
        match self.conn.next_with(response).await? {
            Some(response) => Ok(response),
            None => Err(self.conn.end().map_or(Error::Closed, Error::Disconnected)),
        }
    }

    /// The responses up to the one that completes the command `tag`.
    async fn completion(&mut self, tag: &str) -> Result<Vec<Response>, Error> {
        let mut responses = Vec::new();
        loop {
            let response = self.next().await?;
            if response.text.starts_with(tag) {
                return completed(response.text.as_bytes(), responses);
            }
            responses.push(response);
        }
    }

    /// A command; each `{}` in it stands for a literal, which waits until the server asks for it.
    async fn call(&mut self, command: &str, literals: &[&[u8]]) -> Result<Vec<Response>, Error> {
        let tag = self.tag();
        let mut texts = command.split("{}");
        let mut line = tag.clone() + texts.next().unwrap_or_default();
        for (literal, text) in literals.iter().zip(texts) {
            self.conn.send_line(format!("{line}{{{}}}", literal.len())).await?;
            self.asked().await?;
            self.conn.feed_wait(literal).await?;
            line = text.to_owned();
        }
        self.conn.send_line(line).await?;
        self.completion(&tag).await
    }

    /// Waits until the server asks for more of a command.
    async fn asked(&mut self) -> Result<(), Error> {
        let response = self.next().await?;
        if response.text.starts_with('+') { Ok(()) } else { Err(Error::protocol(response.text)) }
    }

    /// Waits for news of the mailbox, for as long as `time`.
    async fn idle(&mut self, time: Duration) -> Result<Vec<Response>, Error> {
        let tag = self.tag();
        self.conn.send_line(format!("{tag}IDLE")).await?;
        self.asked().await?;
        let news = match self.conn.within(time).next_with(response).await {
            // What has come of a response stays: it is received below.
            Err(Error::TimedOut(_)) => None,
            news => news?,
        };
        self.conn.send_line("DONE").await?;
        let rest = self.completion(&tag).await?;
        Ok(news.into_iter().chain(rest).collect())
    }

    /// Fetches a message into `file`, in little memory; a part above `most` bytes is skipped. Returns its size.
    async fn fetch(&mut self, n: u32, most: u64, file: &mut impl Write) -> Result<u64, Error> {
        let (tag, mut size) = (self.tag(), 0);
        self.conn.send_line(format!("{tag}FETCH {n} BODY[]")).await?;
        loop {
            let line = self.conn.expect_line().await?;
            match literal(line)? {
                None if line.starts_with(tag.as_bytes()) => return completed(line, size),
                None => {}
                Some(n) => {
                    size += n as u64;
                    self.literal(n, most, file).await?;
                }
            }
        }
    }

    async fn literal(&mut self, n: usize, most: u64, file: &mut impl Write) -> Result<(), Error> {
        if n as u64 > most {
            return self.conn.skip(n as u64).await;
        }
        let mut left = n;
        while left > 0 {
            let piece = self.conn.next_bytes(left).await?;
            file.write_all(piece)?;
            left -= piece.len();
        }
        Ok(())
    }

    async fn starttls(&mut self, context: &TlsContext, name: &str) -> Result<(), Error> {
        self.call("STARTTLS", &[]).await?;
        // Fails if anything was smuggled in behind the answer.
        self.conn.upgrade_tls(context.as_client(name)).await
    }
}

/// A command with its literals, which it asks for.
async fn command<S: Transport>(
    conn: &mut Connection<S>,
) -> Result<Option<(String, Vec<Vec<u8>>)>, Error> {
    let (mut text, mut literals) = (String::new(), Vec::new());
    while let Some(line) = conn.next_line().await? {
        text += std::str::from_utf8(line).map_err(Error::protocol)?;
        let Some(n) = literal(line)? else { return Ok(Some((text, literals))) };
        conn.feed_line("+ go on")?;
        literals.push(conn.next_block(n).await?.to_vec());
    }
    Ok(None)
}

/// A server of one mailbox. During IDLE it reports the newest message, if there is one.
async fn serve<S: Transport>(mut conn: Connection<S>, context: TlsContext) -> Result<(), Error> {
    let mut mailbox: Vec<Vec<u8>> = Vec::new();
    conn.feed_line("* OK ready")?;
    while let Some((line, literals)) = command(&mut conn).await? {
        let mut words = line.split(' ');
        let tag = words.next().unwrap_or_default();
        match words.next() {
            Some("STARTTLS") => {
                conn.send_line(format!("{tag} OK go over to TLS")).await?;
                conn.upgrade_tls(context.as_server()).await?;
                continue;
            }
            Some("LOGIN") if literals != [b"ann", &b"{3}\r\n"[..]] => {
                conn.feed_fmt(format_args!("{tag} NO wrong password"))?;
                continue;
            }
            Some("LOGIN") => {}
            Some("APPEND") => mailbox.extend(literals),
            Some("FETCH") => {
                let n = words.next().and_then(|n| n.parse().ok()).unwrap_or(1);
                let message = mailbox.get(n - 1).map_or(&b""[..], Vec::as_slice);
                conn.feed_fmt(format_args!("* {n} FETCH (BODY[] {{{}}}", message.len()))?;
                conn.send_all(message).await?;
                conn.feed_line(")")?;
            }
            Some("IDLE") => {
                conn.feed_line("+ idling")?;
                if !mailbox.is_empty() {
                    conn.feed_fmt(format_args!("* {} EXISTS", mailbox.len()))?;
                }
                conn.expect_line().await?;
            }
            _ => return Err(Error::protocol("the client sent no command")),
        }
        conn.feed_fmt(format_args!("{tag} OK done"))?;
    }
    conn.close().await
}

mod tests {
    use std::io::sink;

    use asyncnet::tls::UpgradeRefused;
    use asyncnet::{Cause, Config, Timeout};
    use asyncnet_conformance::Platform;

    use super::*;
    use crate::{NAME, is_alone, on_every_runtime, pair, peak_memory, scripted, tls};

    const MIB: usize = 1 << 20;

    on_every_runtime! {
        a_session_has_literals_in_both_directions_in_plain_and_in_tls
        idle_ends_with_news_or_with_its_time
        a_deadline_in_the_middle_of_a_response_loses_nothing
        literals_of_any_size_take_little_memory
        bad_responses_are_typed_errors
        plaintext_behind_the_answer_to_starttls_is_refused
    }

    async fn a_session_has_literals_in_both_directions_in_plain_and_in_tls<P: Platform>()
    -> Result<(), Error> {
        for secure in [false, true] {
            let (client, server) = pair::<P>(Config::default(), Config::default()).await?;
            let served = P::spawn(serve(server, tls()));
            let mut client = Client::greet(client).await?;
            if secure {
                client.starttls(&tls(), NAME).await?;
            }
            assert_eq!(client.conn.tls().is_some(), secure);

            let refused = client.call("LOGIN {} {}", &[b"ann", b"guess"]).await;
            assert_eq!(
                refused,
                Err(Error::protocol(
                    "a3 NO wrong password".replace('3', if secure { "2" } else { "1" })
                ))
            );
            client.call("LOGIN {} {}", &[b"ann", b"{3}\r\n"]).await?;
            let message = b"Subject: x\r\n\r\na1 OK {5}\r\n".repeat(3 * MIB / 28);
            client.call("APPEND inbox {}", &[&message]).await?;
            let fetched = client.call("FETCH 1 BODY[]", &[]).await?;
            assert_eq!(fetched[0].text, format!("* 1 FETCH (BODY[] {{{}}})", message.len()));
            assert!(fetched[0].literals == [message]);
            client.conn.close().await?;
            served.await?;
        }
        Ok(())
    }

    async fn idle_ends_with_news_or_with_its_time<P: Platform>() -> Result<(), Error> {
        let (client, server) = pair::<P>(Config::default(), Config::default()).await?;
        let served = P::spawn(serve(server, tls()));
        let mut client = Client::greet(client).await?;
        assert_eq!(client.idle(Duration::from_millis(5)).await?, []);
        client.call("APPEND inbox {}", &[b"hello"]).await?;
        let news = client.idle(Duration::from_secs(3600)).await?;
        assert_eq!(news, [Response { text: "* 1 EXISTS".into(), literals: vec![] }]);
        client.conn.close().await?;
        served.await
    }

    async fn a_deadline_in_the_middle_of_a_response_loses_nothing<P: Platform>() -> Result<(), Error>
    {
        const HALF: &[u8] = b"* 1 FETCH (BODY[] {6}\r\na1\r\n";
        let (client, mut server) = pair::<P>(Config::default(), Config::default()).await?;
        let mut client = Client { conn: client, commands: 0 };
        server.send_all(HALF).await?;
        client.conn.peek(HALF.len()).await?;
        for _ in 0..3 {
            let cut = client.conn.within(Duration::from_millis(1)).next_with(response).await;
            let partial = HALF.len();
            assert_eq!(cut, Err(Error::TimedOut(Timeout::Receive { partial })));
        }
        server.send_all(b"b\n)\r\n").await?;
        let whole = Response {
            text: "* 1 FETCH (BODY[] {6})".into(),
            literals: vec![b"a1\r\nb\n".to_vec()],
        };
        assert_eq!(client.next().await?, whole);
        Ok(())
    }

    async fn literals_of_any_size_take_little_memory<P: Platform>() -> Result<(), Error> {
        const SIZE: usize = 64 * MIB;
        if !is_alone() {
            return Ok(());
        }
        let (client, mut server) =
            pair::<P>(Config::default().max_block(MIB), Config::default()).await?;
        let served = P::spawn(async move {
            for n in 1..=2 {
                server.expect_line().await?;
                server.send_line(format!("* {n} FETCH (BODY[] {{{SIZE}}}")).await?;
                for _ in 0..SIZE / MIB {
                    server.send_all(vec![b'.'; MIB]).await?;
                }
                server.send_line(")").await?;
                server.send_line(format!("a{n} OK done")).await?;
            }
            server.close().await
        });
        let mut client = Client { conn: client, commands: 0 };
        assert_eq!(client.fetch(1, u64::MAX, &mut sink()).await?, SIZE as u64);
        let mut nothing = Vec::new();
        assert_eq!(client.fetch(2, MIB as u64, &mut nothing).await?, SIZE as u64);
        assert!(nothing.is_empty());
        assert!(peak_memory() < 40 << 10, "{} KiB", peak_memory());
        client.conn.close().await?;
        served.await
    }

    async fn bad_responses_are_typed_errors<P: Platform>() -> Result<(), Error> {
        let next = |script: &'static [u8]| async {
            let (conn, _server) = scripted::<P>(Config::default().max_block(MIB), script).await?;
            Client { conn, commands: 0 }.next().await
        };
        for (script, says) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], "the server sent a line that is no response"),
            (b"* 1 FETCH {12x}\r\n", "invalid digit found in string"),
            (b"* 1 FETCH {99999999999999999999}\r\n", "number too large to fit in target type"),
        ] {
            assert_eq!(next(script).await, Err(Error::protocol(says)));
        }
        let too_large = Error::TooLarge { len: 2 * MIB, max: MIB };
        assert_eq!(next(b"* 1 FETCH {2097152}\r\n....").await, Err(too_large));
        for script in [&b"* 1 FE"[..], b"* 1 FETCH {4}\r\n", b"* 1 FETCH {4}\r\n....)", b""] {
            let Err(Error::Disconnected(end)) = next(script).await else { panic!("an end") };
            assert_eq!((end.cause, end.partial), (Cause::Eof, script.len()));
        }
        Ok(())
    }

    async fn plaintext_behind_the_answer_to_starttls_is_refused<P: Platform>() -> Result<(), Error>
    {
        let script = b"* OK ready\r\na1 OK go\r\na2 OK you are in\r\n";
        let (client, _server) = scripted::<P>(Config::default(), script).await?;
        let mut client = Client::greet(client).await?;
        let refused = client.starttls(&tls(), NAME).await;
        assert_eq!(refused, Err(Error::Upgrade(UpgradeRefused::BufferedPlaintext(18))));
        Ok(())
    }
}
