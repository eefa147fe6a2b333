//! The SMTP client and server with each other, and each with peers that misbehave.

mod bed;
#[expect(dead_code, reason = "the program's own start")]
#[path = "../smtp_client.rs"]
mod smtp_client;
#[expect(dead_code, reason = "the program's own start")]
#[path = "../smtp_server.rs"]
mod smtp_server;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use asyncnet::tls::UpgradeRefused;
use asyncnet::{Cause, Connection, Error, Timeout, Transport};
use asyncnet_examples::Platform;
use bed::{NAME, pair, scripted, tcp_pair, tls};
use futures_lite::future::zip;
use smtp_client::Client;
use smtp_server::{Envelope, Settings};

on_every_runtime! {
    a_mail_arrives_in_plain_and_over_starttls_with_a_login
    a_mail_that_is_too_large_is_refused_and_the_next_one_is_taken
    the_client_answers_bad_replies_with_typed_errors
    the_client_sends_no_password_in_plain_and_no_line_break_in_an_address
    the_client_takes_no_reply_for_one_that_was_injected_in_plain
    the_server_takes_no_mail_that_is_smuggled_behind_a_bare_line_end
    the_server_ends_clients_that_are_slow_or_wrong_and_keeps_no_half_mail
    the_server_takes_no_command_that_was_injected_in_plain
}

const TEXT: &[u8] = b"Subject: x\n\n.\n..\nMAIL FROM:<c@d>\nlast";
const WIRE: &[u8] = b"Subject: x\r\n\r\n.\r\n..\r\nMAIL FROM:<c@d>\r\nlast\r\n";

fn settings(user: Option<&str>) -> Settings {
    Settings { max_size: 1000, user: user.map(String::from), tls: Some(tls()) }
}

type Mails = Mutex<Vec<(Envelope, Vec<u8>)>>;

/// Serves one client, and keeps its mails.
async fn serve<S: Transport>(
    conn: Connection<S>,
    user: Option<&str>,
    mails: &Mails,
) -> Result<(), Error> {
    let deliver = |mail: &Envelope, text: &[u8]| {
        mails.lock().unwrap_or_else(PoisonError::into_inner).push((mail.clone(), text.to_vec()));
        true
    };
    smtp_server::serve(conn, &settings(user), deliver).await
}

fn texts(mails: Mails) -> Vec<Vec<u8>> {
    let mails = mails.into_inner().unwrap_or_else(PoisonError::into_inner);
    mails.into_iter().map(|(_, text)| text).collect()
}

fn to(addresses: &[&str]) -> Vec<String> {
    addresses.iter().map(|address| (*address).to_owned()).collect()
}

async fn a_mail_arrives_in_plain_and_over_starttls_with_a_login<P: Platform>() -> Result<(), Error>
{
    for user in [None, Some("ann:secret")] {
        let (client, server) = tcp_pair::<P>(smtp_client::config(), smtp_server::config()).await?;
        let mails = Mails::default();
        let session = async {
            let mut client = Client::greet(client).await?;
            if user.is_some() {
                let refused = client.send("a@b", &to(&["c@d"]), TEXT).await;
                assert!(matches!(refused, Err(Error::Protocol(_))), "log in first: {refused:?}");
                client.starttls(&tls(), NAME).await?;
                let wrong = client.log_in("ann", "guess").await;
                assert_eq!(
                    wrong,
                    Err(Error::protocol("the server said 535 wrong name or password"))
                );
                client.log_in("ann", "secret").await?;
            }
            let refused = client.send("a@b", &to(&["c@d", "e@f"]), TEXT).await?;
            assert!(refused.is_empty());
            client.quit().await
        };
        let (served, sent) = zip(serve(server, user, &mails), session).await;
        served.and(sent)?;
        let mails = mails.into_inner().unwrap_or_else(PoisonError::into_inner);
        let envelope = Envelope { from: "a@b".into(), to: to(&["c@d", "e@f"]) };
        assert_eq!(mails, [(envelope, WIRE.to_vec())]);
    }
    Ok(())
}

async fn a_mail_that_is_too_large_is_refused_and_the_next_one_is_taken<P: Platform>()
-> Result<(), Error> {
    let (client, server) = tcp_pair::<P>(smtp_client::config(), smtp_server::config()).await?;
    let mails = Mails::default();
    let session = async {
        let mut client = Client::greet(client).await?;
        let large = b"NOOP\r\n".repeat(100_000);
        let refused = client.send("a@b", &to(&["c@d"]), &large[..]).await;
        let why = "the server said 554 the mail is too large or has a bad line";
        assert!(
            matches!(&refused, Err(Error::Protocol(said)) if said.to_string() == why),
            "{refused:?}"
        );
        assert_eq!(client.send("a@b", &to(&["c@d"]), TEXT).await?.len(), 0);
        client.quit().await
    };
    let (served, sent) = zip(serve(server, None, &mails), session).await;
    served.and(sent)?;
    assert_eq!(texts(mails), [WIRE]);
    Ok(())
}

async fn the_client_answers_bad_replies_with_typed_errors<P: Platform>() -> Result<(), Error> {
    let no_reply = "the server sent a line that is no reply";
    let many = b"220-x\r\n".repeat(101);
    for (script, why) in [
        (&b"SSH-2.0-OpenSSH\r\n"[..], no_reply),
        (b"22\r\n", no_reply),
        (b"+20 x\r\n", no_reply),
        (b"220\xff\r\n", no_reply),
        (b"554 go away\r\n", "the server said 554 go away"),
        (&many, "the reply of the server has too many lines"),
    ] {
        let (conn, _server) = scripted::<P>(smtp_client::config(), script).await?;
        let error = Client::greet(conn).await.map(drop);
        assert_eq!(error, Err(Error::protocol(why)), "{}", String::from_utf8_lossy(script));
    }
    // A line that is too long, and a server that closes in the middle of a reply.
    let (conn, _server) = scripted::<P>(smtp_client::config(), &[b'2'; 5000]).await?;
    assert!(matches!(Client::greet(conn).await.map(drop), Err(Error::Line(_))));
    for (script, partial) in [(&b""[..], 0), (b"220-x\r\n220", 10)] {
        let (conn, _server) = scripted::<P>(smtp_client::config(), script).await?;
        let Err(Error::Disconnected(end)) = Client::greet(conn).await.map(drop) else {
            panic!("an end")
        };
        assert_eq!((end.cause, end.partial), (Cause::Eof, partial));
    }
    // One that says nothing, or half a reply.
    let short = smtp_client::config().receive_timeout(Duration::from_millis(20));
    let (conn, mut server) = tcp_pair::<P>(short, smtp_server::config()).await?;
    server.send_all("220-x\r\n22").await?;
    let error = Client::greet(conn).await.map(drop);
    assert!(matches!(error, Err(Error::TimedOut(Timeout::Receive { .. }))), "{error:?}");
    Ok(())
}

async fn the_client_sends_no_password_in_plain_and_no_line_break_in_an_address<P: Platform>()
-> Result<(), Error> {
    let (client, server) = tcp_pair::<P>(smtp_client::config(), smtp_server::config()).await?;
    let mails = Mails::default();
    let session = async {
        let mut client = Client::greet(client).await?;
        let plain = client.log_in("ann", "secret").await;
        assert_eq!(plain, Err(Error::protocol("a password is only sent over TLS")));
        let injected = client.send("a@b", &to(&["c@d>\r\nRSET"]), TEXT).await;
        assert_eq!(injected.map(drop), Err(Error::LineBreak));
        drop(client);
        Ok(())
    };
    let (_, sent) = zip(serve(server, None, &mails), session).await;
    assert!(texts(mails).is_empty());
    sent
}

async fn the_client_takes_no_reply_for_one_that_was_injected_in_plain<P: Platform>()
-> Result<(), Error> {
    let script = b"220 x\r\n250 STARTTLS\r\n220 go ahead\r\n250 injected\r\n";
    // All of it comes in one read.
    let (conn, mut server) = pair::<P>(smtp_client::config(), 100);
    server.send_all(script).await?;
    let mut client = Client::greet(conn).await?;
    let refused = client.starttls(&tls(), NAME).await;
    assert_eq!(refused, Err(Error::Upgrade(UpgradeRefused::BufferedPlaintext(14))));
    Ok(())
}

/// Says `script` to the server, and ends. Returns what the server said, what came of it, and the mails.
async fn said_to_server<P: Platform>(
    script: &[u8],
) -> Result<(String, Result<(), Error>, Vec<Vec<u8>>), Error> {
    let (mut client, server) = tcp_pair::<P>(smtp_client::config(), smtp_server::config()).await?;
    let mails = Mails::default();
    let session = async {
        client.send_all(script).await?;
        client.shutdown_write().await?;
        let mut said = String::new();
        while let Ok(Some(line)) = client.next_line().await {
            said += &String::from_utf8_lossy(&line[..3]);
            said += " ";
        }
        Ok::<_, Error>(said)
    };
    let (served, said) = zip(serve(server, None, &mails), session).await;
    Ok((said?, served, texts(mails)))
}

const ENVELOPE: &str = "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n";

async fn the_server_takes_no_mail_that_is_smuggled_behind_a_bare_line_end<P: Platform>()
-> Result<(), Error> {
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r\n", "\r\n.\r\r\n"] {
        let script =
            format!("{ENVELOPE}x{end}MAIL FROM:<evil@x>\r\nRCPT TO:<c@d>\r\n.\r\nQUIT\r\n");
        let (said, served, mails) = said_to_server::<P>(script.as_bytes()).await?;
        assert_eq!((&*said, served), ("220 250 250 354 554 221 ", Ok(())), "{end:?}");
        assert!(mails.is_empty());
    }
    Ok(())
}

async fn the_server_ends_clients_that_are_slow_or_wrong_and_keeps_no_half_mail<P: Platform>()
-> Result<(), Error> {
    let (said, served, _) = said_to_server::<P>(&b"GET / HTTP/1.1\r\n".repeat(20)).await?;
    assert_eq!((&*said, served), (&*("220 ".to_owned() + &"500 ".repeat(11) + "421 "), Ok(())));

    let half = format!("{ENVELOPE}half a mail\r\n");
    let (said, served, mails) = said_to_server::<P>(half.as_bytes()).await?;
    assert_eq!(said, "220 250 250 354 ");
    assert!(matches!(served, Err(Error::Disconnected(_))) && mails.is_empty());

    // A client that says nothing more, between commands and in a mail.
    for script in [String::new(), half] {
        let short = smtp_server::config().receive_timeout(Duration::from_millis(20));
        let (mut client, server) = tcp_pair::<P>(smtp_client::config(), short).await?;
        let mails = Mails::default();
        let session = async {
            client.send_all(script).await?;
            let mut last = Vec::new();
            while let Some(line) = client.next_line().await? {
                last = line.to_vec();
            }
            client.close().await?;
            Ok::<_, Error>(last)
        };
        let (served, last) = zip(serve(server, None, &mails), session).await;
        assert_eq!((served, last?), (Ok(()), b"421 too slow".to_vec()));
        assert!(texts(mails).is_empty());
    }
    Ok(())
}

async fn the_server_takes_no_command_that_was_injected_in_plain<P: Platform>() -> Result<(), Error>
{
    let (_, served, mails) = said_to_server::<P>(b"STARTTLS\r\nMAIL FROM:<a@b>\r\n").await?;
    assert_eq!(served, Err(Error::Upgrade(UpgradeRefused::BufferedPlaintext(17))));
    assert!(mails.is_empty());
    Ok(())
}
