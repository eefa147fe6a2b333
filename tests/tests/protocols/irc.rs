//! IRC: one task receives and answers PING, while others talk; then the same connection goes over to TLS.
//!
//! The client leans on `next_batch` (a PING is answered while its line is borrowed), on `writer` (senders for other
//! tasks, which stay good while the connection goes over to TLS), on `receive_timeout` (a line that trickles in is
//! cut off on time) and on `upgrade_tls`. The client took LINES lines.

use std::ops::Range;
use std::time::Duration;

use asyncnet::{Config, Connection, Error, TlsContext, Transport, Writer};

/// Lines with tags, and a server that sends PING every two minutes.
fn config() -> Config {
    Config::default().max_line(8191 + 510).receive_timeout(Duration::from_secs(240))
}

/// The command or number of a line, behind the name of its sender.
fn command(line: &[u8]) -> &[u8] {
    let mut words = line.split(|byte| *byte == b' ');
    let first = words.next().unwrap_or_default();
    if first.starts_with(b":") { words.next().unwrap_or_default() } else { first }
}

/// Receives as long as `hear` asks for more, and answers PING. An end is an error; a bad line is left out.
async fn listen<S: Transport>(
    conn: &mut Connection<S>,
    mut hear: impl FnMut(&[u8]) -> Result<bool, Error>,
) -> Result<(), Error> {
    while let Some(mut batch) = conn.next_batch().await? {
        loop {
            match batch.next_line() {
                Ok(None) | Err(Error::Line(_)) => break,
                Ok(Some(line)) => match line.strip_prefix(b"PING ") {
                    Some(token) => batch.reply([b"PONG ", token, b"\r\n"].concat())?,
                    None if hear(line)? => {}
                    // The rest of the batch stays for the next one.
                    None => return Ok(()),
                },
                Err(error) => return Err(error),
            }
        }
    }
    Err(conn.end().map_or(Error::Closed, Error::Disconnected))
}

/// Receives until the server sends the command `good`; a number of 400 and above is an error.
async fn wait_for<S: Transport>(conn: &mut Connection<S>, good: &str) -> Result<(), Error> {
    listen(conn, |line| match command(line) {
        it if it == good.as_bytes() => Ok(false),
        [b'4'..=b'9', _, _] => Err(Error::protocol(String::from_utf8_lossy(line))),
        _ => Ok(true),
    })
    .await
}

async fn register<S: Transport>(conn: &mut Connection<S>, nick: &str) -> Result<(), Error> {
    conn.feed_fmt(format_args!("NICK {nick}"))?;
    conn.feed_fmt(format_args!("USER {nick} 0 * :{nick}"))?;
    wait_for(conn, "001").await
}

/// Talks from a task of its own.
async fn talk<S: Transport>(writer: Writer<S>, messages: Range<u32>) -> Result<(), Error> {
    for n in messages {
        writer.send_line(format!("PRIVMSG #room :{n}")).await?;
    }
    Ok(())
}

/// Goes over to TLS. No other task may talk between the question and the answer: that would be in plain.
async fn starttls<S: Transport>(
    conn: &mut Connection<S>,
    context: &TlsContext,
    name: &str,
) -> Result<(), Error> {
    conn.send_line("STARTTLS").await?;
    wait_for(conn, "670").await?;
    // The answer to a PING may be queued.
    conn.flush().await?;
    conn.upgrade_tls(context.as_client(name)).await
}

/// What a server heard.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    messages: Vec<String>,
    pongs: u32,
}

/// A server of one client, whose messages it repeats; it sends a PING behind every tenth.
async fn serve<S: Transport>(mut conn: Connection<S>, context: TlsContext) -> Result<Heard, Error> {
    let mut heard = Heard::default();
    while let Some(line) = conn.next_line().await? {
        let line = String::from_utf8_lossy(line).into_owned();
        match line.split(' ').next() {
            Some("USER") => conn.feed_line(":server 001 ann :welcome")?,
            Some("TIME") => conn.feed_line(":server 391 ann :now")?,
            Some("PRIVMSG") => {
                heard.messages.push(line.split_once(" :").map_or("", |it| it.1).to_owned());
                conn.feed_fmt(format_args!(":ann!ann@client {line}"))?;
                if heard.messages.len() % 10 == 0 {
                    conn.feed_fmt(format_args!("PING {}", heard.messages.len()))?;
                }
            }
            Some("PONG") => heard.pongs += 1,
            Some("STARTTLS") => {
                conn.send_line(":server 670 ann :go over to TLS").await?;
                conn.upgrade_tls(context.as_server()).await?;
            }
            _ => {}
        }
    }
    conn.close().await?;
    Ok(heard)
}

mod tests {
    use asyncnet::tls::UpgradeRefused;
    use asyncnet::{Cause, Timeout};
    use asyncnet_conformance::Platform;
    use futures_lite::future::zip;

    use super::*;
    use crate::{NAME, on_every_runtime, pair, scripted, tls};

    on_every_runtime! {
        one_task_listens_while_another_talks_in_plain_and_in_tls
        what_writers_send_during_the_handshake_waits_behind_it
        what_a_writer_has_queued_in_plain_refuses_the_upgrade
        half_a_line_is_cut_off_and_not_lost
        bad_lines_are_left_out_and_bad_answers_are_typed_errors
    }

    const TALK: Range<u32> = 0..500;

    fn texts(messages: Range<u32>) -> Vec<String> {
        messages.map(|n| n.to_string()).collect()
    }

    /// Receives `n` messages.
    async fn hear<S: Transport>(conn: &mut Connection<S>, mut n: u32) -> Result<(), Error> {
        listen(conn, |line| {
            n -= u32::from(command(line) == b"PRIVMSG");
            Ok(n > 0)
        })
        .await
    }

    /// Answers what the server has asked, ends our side, and receives to the end.
    async fn quit<S: Transport>(mut conn: Connection<S>) -> Result<(), Error> {
        conn.send_line("TIME").await?;
        wait_for(&mut conn, "391").await?;
        conn.shutdown_write().await?;
        let end = listen(&mut conn, |_| Ok(true)).await;
        assert!(matches!(end, Err(Error::Disconnected(end)) if end.cause == Cause::Eof));
        conn.close().await
    }

    async fn one_task_listens_while_another_talks_in_plain_and_in_tls<P: Platform>()
    -> Result<(), Error> {
        for secure in [false, true] {
            let (mut conn, server) = pair::<P>(config(), config()).await?;
            let served = P::spawn(serve(server, tls()));
            register(&mut conn, "ann").await?;
            if secure {
                starttls(&mut conn, &tls(), NAME).await?;
            }
            let talked = P::spawn(talk(conn.writer(), TALK));
            hear(&mut conn, 500).await?;
            talked.await?;
            assert_eq!(conn.tls().is_some(), secure);
            quit(conn).await?;
            assert_eq!(served.await?, Heard { messages: texts(TALK), pongs: 50 });
        }
        Ok(())
    }

    async fn what_writers_send_during_the_handshake_waits_behind_it<P: Platform>()
    -> Result<(), Error> {
        let (mut conn, server) = pair::<P>(config(), config()).await?;
        let served = P::spawn(serve(server, tls()));
        register(&mut conn, "ann").await?;
        let writer = conn.writer();
        conn.send_line("STARTTLS").await?;
        wait_for(&mut conn, "670").await?;
        // The upgrade is polled first, and answers only when the server has: the handshake has begun by then.
        let (upgraded, talked) = zip(conn.upgrade_tls(tls().as_client(NAME)), async {
            writer.feed_line("PRIVMSG #room :0")?;
            writer.send_line("PRIVMSG #room :1").await?;
            P::spawn(talk(writer.clone(), 2..500)).await
        })
        .await;
        upgraded?;
        talked?;
        hear(&mut conn, 500).await?;
        assert!(conn.tls().is_some());
        quit(conn).await?;
        assert_eq!(served.await?, Heard { messages: texts(TALK), pongs: 50 });
        writer.send_line("PRIVMSG #room :late").await.expect_err("the connection is closed");
        Ok(())
    }

    async fn what_a_writer_has_queued_in_plain_refuses_the_upgrade<P: Platform>()
    -> Result<(), Error> {
        let (mut conn, server) = pair::<P>(config(), config()).await?;
        let served = P::spawn(serve(server, tls()));
        register(&mut conn, "ann").await?;
        let writer = conn.writer();
        writer.feed_line("PRIVMSG #room :0")?;
        let refused = conn.upgrade_tls(tls().as_client(NAME)).await;
        assert_eq!(refused, Err(Error::Upgrade(UpgradeRefused::UnsentPlaintext(18))));
        // It leaves in front of the question.
        starttls(&mut conn, &tls(), NAME).await?;
        quit(conn).await?;
        assert_eq!(served.await?.messages, ["0"]);
        Ok(())
    }

    async fn half_a_line_is_cut_off_and_not_lost<P: Platform>() -> Result<(), Error> {
        let (mut conn, mut server) = pair::<P>(config(), Config::default()).await?;
        server.send_all("PING ha").await?;
        conn.peek(7).await?;
        conn.configure(|config| config.receive_timeout(Duration::from_millis(1)));
        for _ in 0..2 {
            let cut = wait_for(&mut conn, "001").await;
            assert_eq!(cut, Err(Error::TimedOut(Timeout::Receive { partial: 7 })));
        }
        conn.configure(|config| config.receive_timeout(None));
        server.send_all("lf\r\n:server 001 ann :welcome\r\n").await?;
        wait_for(&mut conn, "001").await?;
        conn.flush().await?;
        assert_eq!(server.expect_line().await?, b"PONG half");
        Ok(())
    }

    async fn bad_lines_are_left_out_and_bad_answers_are_typed_errors<P: Platform>()
    -> Result<(), Error> {
        let long = "x".repeat(10_000);
        let script = format!("{long}\r\nPING a\rb\r\n\r\n: \r\n:s 691 ann :no TLS here\r\n:s 67");
        let (mut conn, mut server) = scripted::<P>(config(), script.as_bytes()).await?;
        let refused = starttls(&mut conn, &tls(), NAME).await;
        assert_eq!(refused, Err(Error::protocol(":s 691 ann :no TLS here")));
        assert_eq!(conn.stats().too_long, 1);
        let ended = starttls(&mut conn, &tls(), NAME).await;
        let Err(Error::Disconnected(end)) = ended else { panic!("{ended:?}") };
        assert_eq!((end.cause, end.partial), (Cause::Eof, 5));
        for line in ["STARTTLS", "PONG a\rb", "STARTTLS"] {
            assert_eq!(server.expect_line().await?, line.as_bytes());
        }
        Ok(())
    }
}
