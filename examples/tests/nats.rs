//! NATS: messages in any chunking, servers that misbehave, and servers that are killed.

mod bed;
#[allow(dead_code, reason = "its `main` does not run here")]
#[path = "../nats/main.rs"]
mod nats;

use std::time::Duration;

use asyncnet::{Connection, Error, Listener, Timeout, TlsContext, Transport};
use asyncnet_examples::Platform;
use bed::{cut_off, pair, scripted};
use clap::Parser as _;
use futures_lite::future::try_zip;

use nats::protocol::{config, greet, publication};
use nats::{Options, Tally, persist, publish, receive};

on_every_runtime! {
    n1_messages_are_whole_in_any_chunking
    pings_are_answered_and_messages_go_on
    bad_events_are_typed_errors
    d1_a_silent_server_is_asked_and_then_given_up
    t5_what_is_smuggled_in_behind_the_first_line_refuses_tls
    a_server_that_is_none_is_refused
    what_no_pong_stands_for_counts_as_lost
    a_client_comes_back_when_its_server_is_killed
}

const INFO: &str = "INFO {\"server_id\":\"x\",\"max_payload\":1048576}\r\n";

async fn n1_messages_are_whole_in_any_chunking<P: Platform>() -> Result<(), Error> {
    let script = b"MSG a.b 1 5\r\nh\r\ni!\r\nHMSG a 1 re.ply 18 20\r\nNATS/1.0\r\nA: b\r\n\r\nhi\r\nMSG c 2 0\r\n\r\n";
    let (mut client, _server) = scripted::<P>(config(), script).await?;
    let (tally, mut said) = (Tally::default(), Vec::new());
    let ended = receive(&mut client, &tally, |message, _| {
        let message = message.expect("no PONG came");
        let headers = String::from_utf8_lossy(message.headers).into_owned();
        let payload = String::from_utf8_lossy(message.payload).into_owned();
        said.push((
            message.subject.to_owned(),
            message.reply_to.map(str::to_owned),
            headers,
            payload,
        ));
        false
    });
    assert_eq!(cut_off(ended.await), 0);
    let own = |text: &str| text.to_owned();
    assert_eq!(
        said,
        [
            (own("a.b"), None, own(""), own("h\r\ni!")),
            (own("a"), Some(own("re.ply")), own("NATS/1.0\r\nA: b\r\n\r\n"), own("hi")),
            (own("c"), None, own(""), own("")),
        ]
    );
    Ok(())
}

#[test]
fn what_we_publish_is_what_a_server_reads() {
    assert_eq!(publication("a.b", "", b"h\r\ni"), b"PUB a.b 4\r\nh\r\ni\r\n");
    let with_headers = publication("a", "A: b\r\n", b"hi");
    assert_eq!(with_headers, b"HPUB a 18 20\r\nNATS/1.0\r\nA: b\r\n\r\nhi\r\n");
}

async fn pings_are_answered_and_messages_go_on<P: Platform>() -> Result<(), Error> {
    let (mut client, mut server) = pair::<P>(config(), 1);
    let served = async {
        server.send_all("PING\r\nMSG a 1 1\r\n").await?;
        assert_eq!(server.expect_line().await?, b"PONG");
        server.send_all("x\r\n").await
    };
    let tally = Tally::default();
    let received = receive(&mut client, &tally, |message, _| message.is_some());
    try_zip(served, received).await.map(drop)
}

async fn bad_events_are_typed_errors<P: Platform>() -> Result<(), Error> {
    let first = |script: &'static [u8]| async move {
        let (mut client, _server) = scripted::<P>(config(), script).await?;
        let ended = receive(&mut client, &Tally::default(), |_, _| true).await;
        // The state: nothing of a message that was never whole was handed out, and the connection can be closed.
        client.close().await?;
        ended
    };
    for (script, says) in [
        (&b"HTTP/1.1 400 Bad Request\r\n"[..], "the server sent a line that is no NATS"),
        (b"\r\n", "the server sent a line that is no NATS"),
        (b"MSG\r\n", "a message without a length"),
        (b"MSG 5\r\n", "a message without a subject"),
        (b"MSG a b c d 5\r\n", "a message without a subject"),
        (b"MSG a 1 x\r\n", "invalid digit found in string"),
        (b"MSG a 1 2\r\nabcd\r\n", "a payload is longer than its length"),
        (b"HMSG a 1 9 2\r\nab\r\n", "the headers are longer than the message"),
        (b"-ERR 'Authorization Violation'\r\n", "Authorization Violation"),
    ] {
        assert_eq!(first(script).await, Err(Error::protocol(says)));
    }
    for script in [&b"MSG a 1 8388609\r\n"[..], b"MSG a 1 18446744073709551615\r\n"] {
        let error = first(script).await;
        assert!(matches!(error, Err(Error::TooLarge { max, .. }) if max == 8 << 20), "{error:?}");
    }
    for (script, partial) in [(&b"MSG a 1 9\r\nab"[..], 13), (b"PIN", 3), (b"", 0)] {
        assert_eq!(cut_off(first(script).await), partial);
    }
    Ok(())
}

async fn d1_a_silent_server_is_asked_and_then_given_up<P: Platform>() -> Result<(), Error> {
    let (mut client, mut server) = pair::<P>(config(), 64);
    client.configure(|config| config.receive_timeout(Duration::from_millis(5)));
    let tally = Tally::default();
    let ended = receive(&mut client, &tally, |_, _| false).await;
    assert_eq!(ended, Err(Error::TimedOut(Timeout::Receive { partial: 0 })));
    drop(client);
    assert_eq!(server.next_line().await?, Some(&b"PING"[..]));
    assert_eq!(server.next_line().await?, None);
    Ok(())
}

async fn t5_what_is_smuggled_in_behind_the_first_line_refuses_tls<P: Platform>() -> Result<(), Error>
{
    let script = format!("{INFO}MSG a 1 2\r\nhi\r\n");
    let (mut client, mut server) = pair::<P>(config(), 4096);
    server.send_all(script).await?;
    let context = TlsContext::client().build()?;
    let greeted = greet(&mut client, Some((&context, "localhost"))).await;
    assert!(matches!(greeted, Err(Error::Upgrade(_))), "{greeted:?}");
    Ok(())
}

async fn a_server_that_is_none_is_refused<P: Platform>() -> Result<(), Error> {
    let greeted = |script: &'static str| async move {
        let (mut client, _server) = scripted::<P>(config(), script.as_bytes()).await?;
        greet(&mut client, None).await
    };
    assert_eq!(greeted("220 mail\r\n").await, Err(Error::protocol("no server of NATS")));
    assert!(matches!(greeted("INFO {\r\n").await, Err(Error::Protocol(_))));
    let wants_tls = greeted("INFO {\"tls_required\":true}\r\n").await;
    assert_eq!(wants_tls, Err(Error::protocol("the server wants TLS")));
    let refused = greeted("INFO {}\r\n-ERR 'Authorization Violation'\r\n").await;
    assert_eq!(refused, Err(Error::protocol("-ERR 'Authorization Violation'")));
    assert_eq!(cut_off(greeted("INFO {").await), 6);

    let (mut client, _server) = pair::<P>(config(), 1);
    client.configure(|config| config.receive_timeout(Duration::from_millis(1)));
    let silent = greet(&mut client, None).await;
    assert_eq!(silent, Err(Error::TimedOut(Timeout::Receive { partial: 0 })));
    Ok(())
}

async fn what_no_pong_stands_for_counts_as_lost<P: Platform>() -> Result<(), Error> {
    let (mut client, mut server) = pair::<P>(config(), 4096);
    let (writer, tally) = (client.writer(), Tally::default());
    for confirm in [false, true, false, true, false] {
        publish(&writer, &tally, publication("a", "", b"x"), confirm).await?;
    }
    // The server has taken two of five, and dies.
    server.send_all("PONG\r\n").await?;
    server.shutdown_write().await?;
    assert_eq!(cut_off(receive(&mut client, &tally, |_, _| false).await), 0);
    assert_eq!(tally.broke(), 3);
    // They are counted once.
    assert_eq!(tally.broke(), 0);
    assert_eq!(tally.with(|it| (it.published, it.confirmed, it.uncertain)), (5, 5, 3));
    Ok(())
}

/// The server's side of a greeting.
async fn welcome<S: Transport>(server: &mut Connection<S>) -> Result<(), Error> {
    server.send_all(INFO).await?;
    assert!(server.expect_line().await?.starts_with(b"CONNECT {"));
    assert_eq!(server.expect_line().await?, b"PING");
    server.send_line("PONG").await
}

/// The server's side of a message that is to be confirmed.
async fn take<S: Transport>(server: &mut Connection<S>) -> Result<String, Error> {
    assert!(server.expect_line().await?.starts_with(b"PUB a "));
    let payload = String::from_utf8_lossy(server.expect_line().await?).into_owned();
    assert_eq!(server.expect_line().await?, b"PING");
    Ok(payload)
}

async fn a_client_comes_back_when_its_server_is_killed<P: Platform>() -> Result<(), Error> {
    let listener = Listener::<P::Runtime>::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let options = ["nats", "--connect", &address, "persist", "a", "--count", "4"];
    let options = Options::try_parse_from(options).map_err(Error::protocol)?;
    let served = async {
        // It confirms the first message, takes the second, and is killed.
        let mut server = listener.accept().await?;
        welcome(&mut server).await?;
        assert_eq!(take(&mut server).await?, "0");
        server.send_line("PONG").await?;
        assert_eq!(take(&mut server).await?, "1");
        server.abort();
        // It is killed in the middle of a greeting.
        let mut server = listener.accept().await?;
        server.send_all(&INFO[..9]).await?;
        server.abort();
        // It is back. What was lost is not sent twice.
        let mut server = listener.accept().await?;
        welcome(&mut server).await?;
        loop {
            let last = take(&mut server).await? == "3";
            server.send_line("PONG").await?;
            if last {
                assert_eq!(server.next_line().await?, None);
                return server.close().await;
            }
        }
    };
    try_zip(served, persist::<P>(&options, "a", 4)).await.map(drop)
}
