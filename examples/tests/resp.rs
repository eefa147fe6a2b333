//! RESP: many commands in flight, callers that give up, and servers that misbehave.

mod bed;
#[allow(dead_code, reason = "its `main` does not run here")]
#[path = "../resp/main.rs"]
mod resp;

use std::pin::pin;
use std::time::Duration;

use asyncnet::{Error, LineError, Runtime as _, Timeout, Unread};
use asyncnet_examples::Platform;
use bed::{cut_off, pair, scripted};
use futures_lite::future::{or, poll_once, try_zip, yield_now, zip};

use resp::protocol::{MAX_DEPTH, MAX_REPLY, Replies, Value, command, config};
use resp::{message, pipeline};

on_every_runtime! {
    n1_ten_thousand_commands_are_in_flight_on_one_connection
    c1_the_answer_of_a_caller_that_gave_up_is_never_given_to_the_next
    n1_nested_replies_are_whole_in_any_chunking
    n4_no_part_of_a_long_array_is_parsed_twice
    n4_an_array_that_never_ends_is_too_large
    what_is_published_comes_unasked
    bad_replies_are_typed_errors_for_all_who_wait
    d1_a_server_that_owes_an_answer_and_says_nothing_is_a_timeout
    d1_a_server_that_owes_nothing_may_be_silent
}

fn bulk(text: &str) -> Value {
    Value::Bulk(Some(text.to_owned().into()))
}

/// A server's side: the word of an ECHO.
fn echo(unread: &mut Unread<'_>) -> Result<String, Error> {
    let lines = [unread.line()?, unread.line()?, unread.line()?, unread.line()?];
    assert_eq!((lines[0], lines[2]), (&b"*2"[..], &b"ECHO"[..]));
    String::from_utf8(unread.line()?.to_vec()).map_err(Error::protocol)
}

async fn n1_ten_thousand_commands_are_in_flight_on_one_connection<P: Platform>() -> Result<(), Error>
{
    const N: usize = 10_000;
    let (client, mut server) = pair::<P>(config(), 4096);
    let (redis, task) = pipeline(client);
    let served = async {
        let mut words = Vec::new();
        while words.len() < N {
            words.extend(server.next_with(echo).await?);
        }
        // Nothing was answered so far: all are in flight.
        for word in words {
            server.feed_wait(format!("${}\r\n{word}\r\n", word.len())).await?;
        }
        server.flush().await?;
        assert_eq!(server.next_line().await?, None);
        server.close().await
    };
    let asked = async {
        let mut answers = Vec::new();
        for n in 0..N {
            answers.push(redis.send(&command(&["ECHO", &n.to_string()])).await?);
        }
        for (n, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.await?, bulk(&n.to_string()));
        }
        redis.close().await
    };
    try_zip(try_zip(served, asked), task).await.map(drop)
}

async fn c1_the_answer_of_a_caller_that_gave_up_is_never_given_to_the_next<P: Platform>()
-> Result<(), Error> {
    let (client, mut server) = pair::<P>(config(), 4096);
    let (redis, task) = pipeline(client);
    let test = async {
        // One gives up before its command has left, one after it has arrived, one in the middle of the answer.
        assert!(poll_once(redis.call(&command(&["ECHO", "one"]))).await.is_none());
        let two = redis.send(&command(&["ECHO", "two"])).await?;
        assert_eq!(server.next_with(echo).await?, Some("one".into()));
        assert_eq!(server.next_with(echo).await?, Some("two".into()));
        drop(two);
        let three = redis.send(&command(&["ECHO", "three"])).await?;
        server.send_all("$3\r\none\r\n$3\r\ntwo\r\n*2\r\n$5\r\nth").await?;
        drop(three);
        let four = redis.send(&command(&["ECHO", "four"])).await?;
        server.send_all("ree\r\n:3\r\n$4\r\nfour\r\n").await?;
        assert_eq!(four.await?, bulk("four"));
        redis.close().await
    };
    try_zip(test, task).await.map(drop)
}

async fn n1_nested_replies_are_whole_in_any_chunking<P: Platform>() -> Result<(), Error> {
    let script = b"*4\r\n:-1\r\n*2\r\n$4\r\nh\r\ni\r\n$-1\r\n*0\r\n-ERR no\r\n*-1\r\n";
    let (mut client, _server) = scripted::<P>(config(), script).await?;
    let mut replies = Replies::default();
    let inner = Value::Array(Some(vec![bulk("h\r\ni"), Value::Bulk(None)]));
    let empty = Value::Array(Some(vec![]));
    let values = vec![Value::Int(-1), inner, empty, Value::Error("ERR no".into())];
    let mut drops = 0;
    let nested = loop {
        // Every call is dropped where it has to wait.
        match poll_once(message(&mut client, &mut replies)).await {
            Some(reply) => break reply?,
            None => drops += 1,
        }
        yield_now().await;
    };
    assert_eq!(nested, Value::Array(Some(values)), "after {drops} drops");
    assert_eq!(message(&mut client, &mut replies).await?, Value::Array(None));

    let deep = [&b"*1\r\n".repeat(MAX_DEPTH)[..], b":7\r\n", &b"*1\r\n".repeat(MAX_DEPTH + 1)];
    let (mut client, _server) = scripted::<P>(config(), &deep.concat()).await?;
    let mut value = message(&mut client, &mut replies).await?;
    while let Value::Array(Some(mut values)) = value {
        value = values.remove(0);
    }
    assert_eq!(value, Value::Int(7));
    let too_deep = Error::protocol("the server nests arrays too deeply");
    assert_eq!(message(&mut client, &mut replies).await, Err(too_deep));
    Ok(())
}

async fn n4_no_part_of_a_long_array_is_parsed_twice<P: Platform>() -> Result<(), Error> {
    const N: usize = 500_000;
    let (mut client, mut server) = pair::<P>(config(), 100);
    let mut replies = Replies::default();
    let array = format!("*{N}\r\n{}", ":7\r\n".repeat(N));
    let (sent, reply) = zip(server.send_all(array), message(&mut client, &mut replies)).await;
    sent?;
    let Value::Array(Some(values)) = reply? else { panic!("an array") };
    assert_eq!(values.len(), N);
    Ok(())
}

async fn n4_an_array_that_never_ends_is_too_large<P: Platform>() -> Result<(), Error> {
    let (mut client, mut server) = pair::<P>(config(), 1 << 16);
    let mut replies = Replies::default();
    let endless = async {
        server.send_all("*18446744073709551615\r\n").await?;
        loop {
            server.send_all(":1\r\n".repeat(1000)).await?;
        }
    };
    let reply = async { Ok::<_, Error>(message(&mut client, &mut replies).await) };
    let reply = or(endless, reply).await?;
    assert!(matches!(reply, Err(Error::TooLarge { .. })), "{reply:?}");
    Ok(())
}

async fn what_is_published_comes_unasked<P: Platform>() -> Result<(), Error> {
    let script = b"*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$2\r\nhi\r\n";
    let (mut client, _server) = scripted::<P>(config(), script).await?;
    let said = Value::Array(Some(vec![bulk("message"), bulk("ch"), bulk("hi")]));
    assert_eq!(message(&mut client, &mut Replies::default()).await?, said);
    // In a pipeline nobody has asked for it.
    let (client, _server) = scripted::<P>(config(), b"+OK\r\n").await?;
    let unasked = Error::protocol("the server answered a command that nobody sent");
    assert_eq!(pipeline(client).1.await, Err(unasked));
    Ok(())
}

async fn bad_replies_are_typed_errors_for_all_who_wait<P: Platform>() -> Result<(), Error> {
    let first = |script: &'static [u8]| async move {
        let (client, _server) = scripted::<P>(config(), script).await?;
        let (redis, task) = pipeline(client);
        let (one, two) = (redis.send(b"PING\r\n").await?, redis.send(b"PING\r\n").await?);
        let ended = task.await.unwrap_err();
        // All who wait get the same, and so do those who come later.
        let first = one.await;
        assert_eq!(two.await, Err(ended));
        assert_eq!(redis.call(b"PING\r\n").await.is_err(), first.is_err());
        first
    };
    for (script, says) in [
        (&b"HTTP/1.1 400 Bad Request\r\n"[..], "the server sent a line that is no reply"),
        (b"\r\n", "an empty reply"),
        (b"$x\r\n", "invalid digit found in string"),
        (b":9999999999999999999\r\n", "number too large to fit in target type"),
        (b"$2\r\nabc\r\n", "a string is longer than its length"),
    ] {
        assert_eq!(first(script).await, Err(Error::protocol(says)));
    }
    assert_eq!(first(b"+OK\n").await, Err(Error::Line(LineError::BareLf)));
    for script in [&b"$67108864\r\n"[..], b"*2\r\n$1\r\na\r\n$18446744073709551615\r\n"] {
        let reply = first(script).await;
        assert!(matches!(reply, Err(Error::TooLarge { max, .. }) if max == MAX_REPLY), "{reply:?}");
    }
    for (script, partial) in [(&b"+O"[..], 2), (b"$4\r\nab", 6), (b"*2\r\n:1\r\n:", 1), (b"", 0)] {
        assert_eq!(cut_off(first(script).await), partial);
    }
    Ok(())
}

async fn d1_a_server_that_owes_an_answer_and_says_nothing_is_a_timeout<P: Platform>()
-> Result<(), Error> {
    let (client, _server) = pair::<P>(config().receive_timeout(Duration::from_millis(5)), 1);
    let (redis, task) = pipeline(client);
    let silent = Error::TimedOut(Timeout::Receive { partial: 0 });
    let (reply, ended) = zip(redis.call(b"PING\r\n"), task).await;
    assert_eq!(reply, Err(silent));
    assert!(ended.is_err());
    Ok(())
}

async fn d1_a_server_that_owes_nothing_may_be_silent<P: Platform>() -> Result<(), Error> {
    let (client, mut server) = pair::<P>(config().receive_timeout(Duration::from_millis(1)), 1);
    let (redis, task) = pipeline(client);
    let mut task = pin!(task);
    let quiet = async {
        P::Runtime::sleep(Duration::from_millis(20)).await;
        Ok(())
    };
    or(quiet, task.as_mut()).await?;
    let test = async {
        let ping = redis.send(b"PING\r\n").await?;
        server.send_all("+PONG\r\n").await?;
        // A task without an answer would be late at the second timeout.
        assert_eq!(ping.await?, Value::Simple("PONG".into()));
        redis.close().await
    };
    try_zip(test, task).await.map(drop)
}
