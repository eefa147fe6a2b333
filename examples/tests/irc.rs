//! The IRC client and server with each other, and each with peers that misbehave.

mod bed;
#[expect(dead_code, reason = "the program's own start")]
#[path = "../irc_client.rs"]
mod irc_client;
#[expect(dead_code, reason = "the program's own start")]
#[path = "../irc_server.rs"]
mod irc_server;

use std::sync::Arc;
use std::time::Duration;

use asyncnet::{Cause, Config, Connection, Error, Timeout, Transport};
use asyncnet_examples::{Conn, Platform};
use bed::{scripted, tcp_pair};
use futures_lite::future::zip;
use irc_client::{Message, listen, register};
use irc_server::Server;

on_every_runtime! {
    what_one_says_reaches_everyone_else_in_order
    two_tasks_share_the_client_and_every_ping_is_answered
    the_client_answers_bad_messages_with_typed_errors
    the_server_answers_wrong_commands_and_goes_on
    the_server_welcomes_nick_and_user_in_any_order
    who_joins_is_told_who_is_there
    the_server_asks_the_silent_and_ends_those_that_stay_so
    the_server_ends_a_client_whose_line_trickles_in
    a_client_that_leaves_without_a_word_is_said_to_have_left
}

const PATIENCE: Duration = Duration::from_secs(3600);

/// A client of `server`, not registered yet.
async fn client<P: Platform>(server: &Arc<Server<P>>) -> Result<Conn<P>, Error> {
    let (client, conn) = tcp_pair::<P>(irc_client::config(), irc_server::config()).await?;
    let server = Arc::clone(server);
    P::spawn(async move { drop(irc_server::serve::<P>(conn, server).await) });
    Ok(client)
}

async fn joined<P: Platform>(server: &Arc<Server<P>>, nick: &str) -> Result<Conn<P>, Error> {
    let mut conn = client(server).await?;
    register(&mut conn, nick, "#room").await?;
    Ok(conn)
}

/// The next message with this command.
async fn hear<S: Transport>(conn: &mut Connection<S>, command: &str) -> Result<Message, Error> {
    let mut heard = None;
    listen(conn, |message| {
        let is_it = message.command == command;
        heard = Some(message);
        Ok(!is_it)
    })
    .await?;
    heard.filter(|message| message.command == command).ok_or_else(|| Error::protocol("an end"))
}

async fn what_one_says_reaches_everyone_else_in_order<P: Platform>() -> Result<(), Error> {
    let server = Server::<P>::new(PATIENCE);
    let mut ann = joined(&server, "ann").await?;
    let mut bob = joined(&server, "bob").await?;
    let mut eve = joined(&server, "eve").await?;
    assert_eq!(hear(&mut ann, "JOIN").await?.from, "bob");
    for n in 0..10 {
        ann.send_line(format!("PRIVMSG #room :{n}")).await?;
    }
    for conn in [&mut bob, &mut eve] {
        for n in 0..10 {
            let message = hear(conn, "PRIVMSG").await?;
            assert_eq!((&*message.from, message.text), ("ann", n.to_string()));
        }
    }
    bob.send_line("PRIVMSG ann :to you alone").await?;
    // Ann has not heard herself.
    let message = hear(&mut ann, "PRIVMSG").await?;
    assert_eq!((&*message.from, &*message.text), ("bob", "to you alone"));
    bob.send_line("QUIT").await?;
    assert_eq!(hear(&mut eve, "QUIT").await?.from, "bob");
    Ok(())
}

async fn two_tasks_share_the_client_and_every_ping_is_answered<P: Platform>() -> Result<(), Error> {
    let (mut conn, mut server) = tcp_pair::<P>(irc_client::config(), Config::default()).await?;
    let (typed, lines) = async_channel::unbounded();
    for n in 0..4 {
        typed.try_send(n.to_string()).map_err(Error::protocol)?;
    }
    drop(typed);
    let writer = conn.writer();
    let talk = irc_client::talk::<P::Runtime>(writer, lines, "#room".into(), Duration::ZERO);
    let script = async {
        server
            .send_all("PING :one\r\nPING two\r\n@tag=1 :x!y@z PRIVMSG #room :PING no\r\n")
            .await?;
        let mut heard = Vec::new();
        while heard.len() < 7 {
            heard.push(String::from_utf8_lossy(server.expect_line().await?).into_owned());
        }
        heard.sort();
        assert_eq!(heard[..2], ["PONG :one", "PONG :two"]);
        assert_eq!(heard[2], "PRIVMSG #room :0");
        assert_eq!(heard[6], "QUIT :bye");
        server.close().await
    };
    let mut texts = Vec::new();
    let listening = listen(&mut conn, |message| {
        texts.push(message.text);
        Ok(true)
    });
    let (sent, (listened, scripted)) = zip(talk, zip(listening, script)).await;
    assert_eq!((sent, listened, scripted), (Ok(()), Ok(false), Ok(())));
    assert_eq!(texts, ["PING no"]);
    Ok(())
}

async fn the_client_answers_bad_messages_with_typed_errors<P: Platform>() -> Result<(), Error> {
    for (script, why) in [
        (&b"HTTP/1.1 400 Bad Request\r\n"[..], "the server sent a line that is no message"),
        (b":prefix\r\n", "the server sent a line that is no message"),
        (b":s 433 * ann :in use\r\n", "the server said 433 in use"),
        (b":s 001 ann :hi\r\nERROR :go away\r\n", "the server said go away"),
    ] {
        let (mut conn, _server) = scripted::<P>(irc_client::config(), script).await?;
        let error = register(&mut conn, "ann", "#room").await;
        assert_eq!(error, Err(Error::protocol(why)), "{}", String::from_utf8_lossy(script));
    }
    // A line that is too long is left out; an end in the middle of one, or between two, is an error.
    let long = [&[b'x'; 10_000][..], b"\r\n:s 001 ann :hi\r\n"].concat();
    for (script, partial) in [(&long[..], 0), (b":s 001 ann", 10)] {
        let (mut conn, _server) = scripted::<P>(irc_client::config(), script).await?;
        let Err(Error::Disconnected(end)) = register(&mut conn, "ann", "#room").await else {
            panic!("an end")
        };
        assert_eq!((end.cause, end.partial), (Cause::Eof, partial));
    }
    // One that says half a line.
    let (mut conn, mut server) = tcp_pair::<P>(irc_client::config(), Config::default()).await?;
    server.send_all(":s 00").await?;
    conn.peek(5).await?;
    conn.configure(|config| config.receive_timeout(Duration::from_millis(20)));
    let error = register(&mut conn, "ann", "#room").await;
    assert_eq!(error, Err(Error::TimedOut(Timeout::Receive { partial: 5 })));
    // A line break in a name is refused before anything is sent.
    assert_eq!(register(&mut conn, "ann\r\nQUIT", "#room").await, Err(Error::LineBreak));
    Ok(())
}

async fn the_server_answers_wrong_commands_and_goes_on<P: Platform>() -> Result<(), Error> {
    let server = Server::<P>::new(PATIENCE);
    let _ann = joined(&server, "ann").await?;
    let mut conn = client(&server).await?;
    for (command, number) in [
        ("JOIN #room", "451"),
        ("NICK a!b", "432"),
        ("NICK ann", "433"),
        ("NICK bob\r\nUSER bob", "001"),
        ("NICK eve", "484"),
        ("JOIN room", "403"),
        ("PART #room", "442"),
        ("PRIVMSG #room", "461"),
        ("PRIVMSG nobody :x", "401"),
        ("FOO", "421"),
        (&*"x".repeat(1000), "417"),
        ("JOIN #room", "366"),
    ] {
        conn.send_all(format!("{command}\r\n")).await?;
        hear(&mut conn, number).await?;
    }
    Ok(())
}

async fn the_server_welcomes_nick_and_user_in_any_order<P: Platform>() -> Result<(), Error> {
    let server = Server::<P>::new(PATIENCE);
    let _ann = joined(&server, "ann").await?;
    // Clients send both without waiting for an answer, and a second NICK when they hear that the first is in use.
    let mut conn = client(&server).await?;
    conn.send_all("CAP LS 302\r\nNICK ann\r\nUSER bob 0 * :Bob\r\n").await?;
    assert_eq!(conn.expect_line().await?, b":server 421 * CAP :unknown command");
    assert_eq!(conn.expect_line().await?, b":server 433 * ann :the nick is in use");
    conn.send_line("NICK bob").await?;
    assert_eq!(conn.expect_line().await?, b":server 001 bob :welcome");
    let mut conn = client(&server).await?;
    conn.send_all("USER eve 0 * :Eve\r\nNICK eve\r\n").await?;
    assert_eq!(conn.expect_line().await?, b":server 001 eve :welcome");
    Ok(())
}

async fn who_joins_is_told_who_is_there<P: Platform>() -> Result<(), Error> {
    let server = Server::<P>::new(PATIENCE);
    // More names than one line holds.
    let mut names: Vec<_> = (0..20).map(|n| format!("{n:030}")).collect();
    let mut others = Vec::new();
    for name in &names {
        others.push(joined(&server, name).await?);
    }
    let mut bob = client(&server).await?;
    bob.send_all("NICK bob\r\nUSER bob 0 * :Bob\r\nJOIN #room,#new\r\n").await?;
    // He is in both.
    names.extend(["bob".into(), "bob".into()]);
    assert_eq!(names_heard(&mut bob, 2).await?, names);
    // Nobody is told the name of one that has left.
    for (command, other) in ["PART #none,#room", "QUIT"].iter().zip(&mut others) {
        other.send_line(command).await?;
        hear(&mut bob, command.split(' ').next().unwrap_or_default()).await?;
    }
    let mut eve = client(&server).await?;
    eve.send_all("NICK eve\r\nUSER eve 0 * :Eve\r\nJOIN #room\r\n").await?;
    names.drain(..2);
    names.pop();
    names.push("eve".into());
    assert_eq!(names_heard(&mut eve, 1).await?, names);
    Ok(())
}

/// The names in so many channels that were joined, sorted.
async fn names_heard<S: Transport>(
    conn: &mut Connection<S>,
    channels: usize,
) -> Result<Vec<String>, Error> {
    let (mut names, mut ends) = (Vec::new(), 0);
    listen(conn, |message| {
        match &*message.command {
            "353" => names.extend(message.text.split(' ').map(str::to_owned)),
            "366" => ends += 1,
            _ => {}
        }
        Ok(ends < channels)
    })
    .await?;
    names.sort();
    Ok(names)
}

async fn the_server_asks_the_silent_and_ends_those_that_stay_so<P: Platform>() -> Result<(), Error>
{
    let server = Server::<P>::new(Duration::from_millis(20));
    let mut conn = client(&server).await?;
    assert_eq!(conn.expect_line().await?, b"PING :server");
    conn.send_line("PONG :server").await?;
    let mut last = Vec::new();
    while let Some(line) = conn.next_line().await? {
        last = line.to_vec();
    }
    assert!(last.starts_with(b"ERROR :"), "{}", String::from_utf8_lossy(&last));
    Ok(())
}

async fn the_server_ends_a_client_whose_line_trickles_in<P: Platform>() -> Result<(), Error> {
    let (mut client, conn) = tcp_pair::<P>(irc_client::config(), irc_server::config()).await?;
    let server = Server::<P>::new(Duration::from_millis(20));
    client.send_all("NICK an").await?;
    let ended = irc_server::serve::<P>(conn, server);
    let (served, said) = zip(ended, async {
        let mut last = Vec::new();
        while let Some(line) = client.next_line().await? {
            last = line.to_vec();
        }
        client.close().await?;
        Ok::<_, Error>(last)
    })
    .await;
    assert!(matches!(served, Err(Error::TimedOut(Timeout::Receive { partial: 7 }))), "{served:?}");
    assert!(said?.starts_with(b"ERROR :"));
    Ok(())
}

async fn a_client_that_leaves_without_a_word_is_said_to_have_left<P: Platform>() -> Result<(), Error>
{
    let server = Server::<P>::new(PATIENCE);
    let mut ann = joined(&server, "ann").await?;
    let mut bob = joined(&server, "bob").await?;
    bob.abort();
    assert_eq!(hear(&mut ann, "QUIT").await?.from, "bob");
    // The name is free again, and the room is as it was.
    let mut bob = joined(&server, "bob").await?;
    ann.send_line("PRIVMSG #room :again").await?;
    assert_eq!(hear(&mut bob, "PRIVMSG").await?.text, "again");
    Ok(())
}
