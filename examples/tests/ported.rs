//! The two programs that were ported: what clients see, and what the originals do not withstand.

mod bed;
#[allow(dead_code, reason = "its `main` does not run here")]
#[path = "../chat_room.rs"]
mod chat_room;
#[allow(dead_code, reason = "its `main` does not run here")]
#[path = "../tinydb.rs"]
mod tinydb;

use std::time::Duration;

use asyncnet::room::Limits;
use asyncnet::{Config, Error, Room, Timeout};
use asyncnet_examples::Platform;
use bed::pair;
use futures_lite::future::try_zip;

use tinydb::{config, database, serve};

on_every_runtime! {
    chat_every_line_goes_to_everyone_else
    chat_a_client_without_a_name_was_never_there
    tinydb_answers_are_those_of_the_original
    tinydb_a_line_without_an_end_is_answered_and_the_next_one_is_served
    tinydb_a_client_that_says_nothing_is_let_go
}

async fn chat_every_line_goes_to_everyone_else<P: Platform>() -> Result<(), Error> {
    let (room, task) = Room::new(Limits::default());
    let ((mut ann, to_ann), (mut bob, to_bob)) =
        (pair::<P>(Config::default(), 100), pair::<P>(Config::default(), 100));
    let served =
        try_zip(chat_room::client(to_ann, room.clone()), chat_room::client(to_bob, room.clone()));
    let room_ends = async {
        task.await;
        Ok(())
    };
    let said = async {
        assert_eq!(ann.expect_line().await?, b"Please enter your username:");
        ann.send_line("ann").await?;
        ann.send_line("is anybody there?").await?;
        assert_eq!(bob.expect_line().await?, b"Please enter your username:");
        bob.send_line("bob").await?;
        assert_eq!(ann.expect_line().await?, b"bob has joined the chat");
        ann.send_line(b"caf\xe9").await?;
        assert_eq!(bob.expect_line().await?, b"ann: caf\xe9");
        bob.send_line("bye").await?;
        bob.close().await?;
        assert_eq!(ann.expect_line().await?, b"bob: bye");
        assert_eq!(ann.expect_line().await?, b"bob has left the chat");
        ann.close().await?;
        room.close();
        Ok::<_, Error>(())
    };
    try_zip(try_zip(served, said), room_ends).await.map(drop)
}

async fn chat_a_client_without_a_name_was_never_there<P: Platform>() -> Result<(), Error> {
    let (room, _task) = Room::new(Limits::default());
    let (mut client, server) = pair::<P>(Config::default(), 1);
    let left = async {
        assert_eq!(client.expect_line().await?, b"Please enter your username:");
        client.close().await
    };
    try_zip(left, chat_room::client(server, room.clone())).await?;
    assert_eq!(room.stats().members, 0);
    Ok(())
}

async fn tinydb_answers_are_those_of_the_original<P: Platform>() -> Result<(), Error> {
    let (db, (mut client, server)) = (database(), pair::<P>(Config::default(), 3));
    let asked = async {
        for (request, answer) in [
            ("GET foo", "foo = bar"),
            ("GET FOOBAR", "error: no key FOOBAR"),
            ("SET FOOBAR my awesome string", "set FOOBAR = `my awesome string`, previous: None"),
            ("SET foo tokio", "set foo = `tokio`, previous: Some(\"bar\")"),
            ("GET foo", "foo = tokio"),
            ("GET", "error: GET must be followed by a key"),
            ("GET a b", "error: GET's key must not be followed by anything"),
            ("SET", "error: SET must be followed by a key"),
            ("SET a", "error: SET needs a value"),
            ("", "error: unknown command: "),
            ("DROP TABLE", "error: unknown command: DROP"),
        ] {
            client.send_line(request).await?;
            assert_eq!(client.expect_line().await?, answer.as_bytes());
        }
        client.close().await
    };
    try_zip(asked, serve(server, &db)).await.map(drop)
}

async fn tinydb_a_line_without_an_end_is_answered_and_the_next_one_is_served<P: Platform>()
-> Result<(), Error> {
    let (db, (mut client, mut server)) = (database(), pair::<P>(Config::default(), 60_000));
    server.configure(|_| config());
    let asked = async {
        let piece = vec![b'x'; 10_000];
        for _ in 0..1000 {
            client.send_all(&piece).await?;
        }
        client.send_all("\nGET foo\n").await?;
        let error = b"error: the peer sent a line of more than 65536 bytes";
        assert_eq!(client.expect_line().await?, error);
        assert_eq!(client.expect_line().await?, b"foo = bar");
        client.close().await
    };
    try_zip(asked, serve(server, &db)).await.map(drop)
}

async fn tinydb_a_client_that_says_nothing_is_let_go<P: Platform>() -> Result<(), Error> {
    let (db, (mut client, mut server)) = (database(), pair::<P>(Config::default(), 1));
    server.configure(|_| config().idle_timeout(Duration::from_millis(5)));
    let served = serve(server, &db).await;
    assert_eq!(served, Err(Error::TimedOut(Timeout::Idle)));
    // The connection went with its task.
    assert_eq!(client.next_line().await?, None);
    Ok(())
}
