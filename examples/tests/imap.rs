//! The IMAP client with a small server, and with servers that misbehave.

mod bed;
#[expect(dead_code, reason = "the program's own start")]
#[path = "../imap_client/main.rs"]
mod imap_client;

use std::time::Duration;

use asyncnet::tls::UpgradeRefused;
use asyncnet::{Cause, Config, Connection, Error, Timeout, TlsContext, Transport};
use asyncnet_examples::Platform;
use bed::{NAME, pair, scripted, tcp_pair, tls};
use futures_lite::future::zip;
use imap_client::Client;
use imap_client::protocol::{Response, config};

on_every_runtime! {
    literals_go_both_ways_in_the_middle_of_a_line
    idle_ends_with_news_or_with_its_time_and_loses_no_half_response
    a_literal_above_the_limit_is_streamed_or_skipped
    bad_responses_are_typed_errors
    a_mail_that_is_shorter_than_it_was_announced_ends_the_connection
    no_response_is_taken_that_was_injected_in_plain
}

/// A command with its literals, which the server asks for.
async fn command<S: Transport>(
    conn: &mut Connection<S>,
) -> Result<Option<(String, Vec<Vec<u8>>)>, Error> {
    let (mut text, mut literals) = (String::new(), Vec::new());
    while let Some(line) = conn.next_line().await? {
        let line = String::from_utf8_lossy(line).into_owned();
        text += &line;
        let size = line.strip_suffix('}').and_then(|line| line.rsplit_once('{'));
        let Some(size) = size.and_then(|(_, size)| size.parse().ok()) else {
            return Ok(Some((text, literals)));
        };
        conn.feed_line("+ go on")?;
        literals.push(conn.next_block(size).await?.to_vec());
    }
    Ok(None)
}

/// A server of one mailbox. In IDLE it says at once what is new.
async fn serve<S: Transport>(mut conn: Connection<S>, context: TlsContext) -> Result<(), Error> {
    let mut mails: Vec<Vec<u8>> = Vec::new();
    conn.feed_line("* OK ready {5}")?;
    while let Some((line, mut literals)) = command(&mut conn).await? {
        let mut words = line.split(' ');
        let tag = words.next().unwrap_or_default();
        match words.next() {
            Some("STARTTLS") => {
                conn.send_line(format!("{tag} OK go ahead")).await?;
                conn.upgrade_tls(context.as_server()).await?;
                continue;
            }
            Some("LOGIN") if literals != [&b"ann"[..], b"{3}\r\n\0"] => {
                conn.feed_fmt(format_args!("{tag} NO wrong"))?;
                continue;
            }
            Some("APPEND") => mails.append(&mut literals),
            Some("FETCH") => {
                let mail = mails.first().map_or(&b""[..], Vec::as_slice);
                conn.feed_fmt(format_args!("* 1 FETCH (X {{2}}"))?;
                conn.feed(b"\r\n")?;
                conn.feed_fmt(format_args!(" BODY[] {{{}}}", mail.len()))?;
                conn.send_all(mail).await?;
                conn.feed_line(")")?;
            }
            Some("IDLE") => {
                conn.feed_line("+ idling")?;
                if !mails.is_empty() {
                    conn.feed_fmt(format_args!("* {} EXISTS", mails.len()))?;
                }
                conn.expect_line().await?;
            }
            _ => {}
        }
        conn.feed_fmt(format_args!("{tag} OK done"))?;
    }
    conn.close().await
}

async fn literals_go_both_ways_in_the_middle_of_a_line<P: Platform>() -> Result<(), Error> {
    for secure in [false, true] {
        let (client, server) = tcp_pair::<P>(config(), Config::default()).await?;
        let session = async {
            let mut client = Client::greet(client).await?;
            if secure {
                client.starttls(&tls(), NAME).await?;
            }
            assert_eq!(client.conn.tls().is_some(), secure);
            let refused = client.call("LOGIN {} {}", &[b"ann", b"guess"]).await.map(drop);
            assert!(
                matches!(refused, Err(Error::Protocol(why)) if why.to_string().ends_with("NO wrong"))
            );
            client.call("LOGIN {} {}", &[b"ann", b"{3}\r\n\0"]).await?;
            let mail = b"Subject: x\r\n\r\na9 OK {5}\r\n".repeat(10_000);
            client.append("INBOX", mail.len() as u64, &mail[..]).await?;
            let fetched = client.call("FETCH 1 BODY[]", &[]).await?;
            let text = format!("* 1 FETCH (X {{2}} BODY[] {{{}}})", mail.len());
            assert_eq!(
                fetched,
                [Response { text, literals: vec![b"\r\n".to_vec(), mail.clone()] }]
            );
            let mut file = Vec::new();
            client.fetch(1, u64::MAX, &mut file).await?;
            assert!(file[2..] == mail);
            client.conn.close().await
        };
        let (served, done) = zip(serve(server, tls()), session).await;
        served.and(done)?;
    }
    Ok(())
}

async fn idle_ends_with_news_or_with_its_time_and_loses_no_half_response<P: Platform>()
-> Result<(), Error> {
    let (client, mut server) = tcp_pair::<P>(config(), Config::default()).await?;
    let session = async {
        let mut client = Client::greet(client).await?;
        // Cut off in the middle of a literal, which comes with the rest.
        let news = client.idle(Duration::from_millis(20)).await?;
        assert_eq!(news.len(), 1);
        assert_eq!(news[0].literals, [b"a1\r\n12"]);
        let news = client.idle(Duration::from_secs(3600)).await?;
        assert_eq!(news, [Response { text: "* 7 EXISTS".into(), literals: Vec::new() }]);
        client.conn.close().await
    };
    let serving = async {
        server.feed_line("* OK ready")?;
        server.expect_line().await?;
        server.send_all("+ idling\r\n* 1 FETCH (X {6}\r\na1\r\n").await?;
        assert_eq!(server.expect_line().await?, b"DONE");
        server.send_all("12)\r\na1 OK done\r\n").await?;
        server.expect_line().await?;
        server.send_all("+ idling\r\n* 7 EXISTS\r\n").await?;
        assert_eq!(server.expect_line().await?, b"DONE");
        server.send_line("a2 OK done").await?;
        server.close().await
    };
    let (served, done) = zip(serving, session).await;
    served.and(done)
}

async fn a_literal_above_the_limit_is_streamed_or_skipped<P: Platform>() -> Result<(), Error> {
    let answer = "* 1 FETCH (BODY[] {9}\r\na1 OK\r\n67)\r\n";
    let script = format!("* OK\r\n{answer}a1 OK x\r\n{answer}a2 OK x\r\n{answer}a3 OK x\r\n");
    let (conn, _server) = scripted::<P>(config().max_block(8), script.as_bytes()).await?;
    let (mut client, mut file) = (Client::greet(conn).await?, Vec::new());
    assert_eq!(client.fetch(1, 8, &mut file).await, Ok(9));
    assert_eq!(file, b"");
    assert_eq!(client.fetch(1, 9, &mut file).await, Ok(9));
    assert_eq!(file, b"a1 OK\r\n67");
    let in_memory = client.call("FETCH 1 BODY[]", &[]).await;
    assert_eq!(in_memory, Err(Error::TooLarge { len: 9, max: 8 }));
    Ok(())
}

async fn bad_responses_are_typed_errors<P: Platform>() -> Result<(), Error> {
    let next = |script: &'static [u8]| async move {
        let config = config().max_block(1 << 20);
        let (conn, _server) = scripted::<P>(config, script).await?;
        let mut client = Client::greet(conn).await?;
        client.call("NOOP", &[]).await
    };
    for (script, why) in [
        (&b"HTTP/1.1 400 Bad Request\r\n"[..], "the server sent a line that is no response"),
        (b"* BYE full\r\n", "the server said * BYE full"),
        (b"* OK\r\n* 1 FETCH {12x}\r\n", "invalid digit found in string"),
        (b"* OK\r\n* 1 FETCH {99999999999999999999}\r\n", "number too large to fit in target type"),
        (b"* OK\r\na1 BAD what\r\n", "the server said a1 BAD what"),
    ] {
        assert_eq!(next(script).await, Err(Error::protocol(why)));
    }
    let too_large = Error::TooLarge { len: 2 << 20, max: 1 << 20 };
    assert_eq!(next(b"* OK\r\n* 1 FETCH {2097152}\r\n....").await, Err(too_large));
    for (script, partial) in
        [(&b"* O"[..], 3), (b"* OK\r\n* 1 FETCH {4}\r\n...", 18), (b"* OK\r\n", 0)]
    {
        let Err(Error::Disconnected(end)) = next(script).await else { panic!("an end") };
        assert_eq!((end.cause, end.partial), (Cause::Eof, partial));
    }
    // One that says nothing.
    let short = config().receive_timeout(Duration::from_millis(20));
    let (conn, _server) = tcp_pair::<P>(short, Config::default()).await?;
    let error = Client::greet(conn).await.map(drop);
    assert!(matches!(error, Err(Error::TimedOut(Timeout::Receive { partial: 0 }))), "{error:?}");
    Ok(())
}

/// The server would take the next command for the rest of the mail.
async fn a_mail_that_is_shorter_than_it_was_announced_ends_the_connection<P: Platform>()
-> Result<(), Error> {
    let (client, server) = tcp_pair::<P>(config(), Config::default()).await?;
    let session = async {
        let mut client = Client::greet(client).await?;
        let short = client.append("INBOX", 10, &b"12345"[..]).await;
        assert_eq!(short, Err(Error::protocol("the mail is shorter than its size")));
        assert_eq!(client.call("NOOP", &[]).await, Err(Error::Closed));
        Ok(())
    };
    let (served, done) = zip(serve(server, tls()), session).await;
    assert!(matches!(served, Err(Error::Disconnected(_))), "{served:?}");
    done
}

async fn no_response_is_taken_that_was_injected_in_plain<P: Platform>() -> Result<(), Error> {
    let script = b"* OK\r\na1 OK go ahead\r\n* injected\r\n";
    // All of it comes in one read.
    let (conn, mut server) = pair::<P>(config(), 100);
    server.send_all(script).await?;
    let refused = Client::greet(conn).await?.starttls(&tls(), NAME).await;
    assert_eq!(refused, Err(Error::Upgrade(UpgradeRefused::BufferedPlaintext(12))));
    Ok(())
}
