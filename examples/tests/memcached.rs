//! memcached: values that look like replies, and servers that misbehave.

mod bed;
#[allow(dead_code, reason = "its `main` does not run here")]
#[path = "../memcached.rs"]
mod memcached;

use std::time::Duration;

use asyncnet::{Bytes, Error, Timeout};
use asyncnet_examples::Platform;
use bed::{cut_off, pair, scripted};
use futures_lite::future::zip;

use memcached::{Reply, config, get, pipeline, set};

on_every_runtime! {
    n1_a_value_may_hold_what_ends_a_reply
    a_refusal_is_a_reply_and_the_next_command_is_answered
    bad_replies_are_typed_errors
    d1_a_silent_server_is_a_timeout
}

async fn n1_a_value_may_hold_what_ends_a_reply<P: Platform>() -> Result<(), Error> {
    let value = b"\r\nEND\r\nVALUE k 0 1\r\nx\r\nEND\r\n\0";
    let len = value.len();
    let stored = [format!("set k 0 9 {len}\r\n").as_bytes(), value, b"\r\n"].concat();
    assert_eq!(set("k", value, 9)?, stored);
    let script = [format!("VALUE k 0 {len}\r\n").as_bytes(), value, b"\r\nEND\r\nEND\r\n"].concat();
    let (client, _server) = scripted::<P>(config(), &script).await?;
    let (cache, task) = pipeline(client);
    let (one, two) = (cache.send(&get("k")?).await?, cache.send(&get("k")?).await?);
    assert_eq!(cut_off(task.await), 0);
    assert_eq!(one.await?, Reply::Value(Some(Bytes::from_static(value))));
    assert_eq!(two.await?, Reply::Value(None));
    Ok(())
}

#[test]
fn a_key_that_would_end_its_command_is_refused() {
    for key in ["", "a b", "a\r\nflush_all", "\u{e4}", &"k".repeat(251)] {
        assert!(matches!(get(key), Err(Error::Protocol(_))));
        assert!(matches!(set(key, b"", 0), Err(Error::Protocol(_))));
    }
    assert!(get(&"k".repeat(250)).is_ok());
}

async fn a_refusal_is_a_reply_and_the_next_command_is_answered<P: Platform>() -> Result<(), Error> {
    let script = b"SERVER_ERROR object too large for cache\r\nCLIENT_ERROR bad data chunk\r\nERROR\r\nSTORED\r\n";
    let (client, _server) = scripted::<P>(config(), script).await?;
    let (cache, task) = pipeline(client);
    let mut replies = Vec::new();
    for _ in 0..4 {
        replies.push(cache.send(&set("k", b"v", 0)?).await?);
    }
    assert_eq!(cut_off(task.await), 0);
    let refused = |text: &str| Reply::Refused(text.into());
    let mut replies = replies.into_iter();
    for expected in [
        refused("SERVER_ERROR object too large for cache"),
        refused("CLIENT_ERROR bad data chunk"),
        refused("ERROR"),
        Reply::Done("STORED".into()),
    ] {
        assert_eq!(replies.next().expect("there are four").await?, expected);
    }
    Ok(())
}

async fn bad_replies_are_typed_errors<P: Platform>() -> Result<(), Error> {
    let first = |script: &'static [u8]| async move {
        let (client, _server) = scripted::<P>(config(), script).await?;
        let (cache, task) = pipeline(client);
        let got = cache.send(&get("k")?).await?;
        let ended = task.await;
        let got = got.await;
        assert_eq!(got.as_ref().err(), ended.as_ref().err());
        got
    };
    for (script, says) in [
        (&b"HTTP/1.1 400 Bad Request\r\n"[..], "the server sent a line that is no reply"),
        (b"\r\n", "the server sent a line that is no reply"),
        (b"VALUE k 0\r\n", "a value without a length"),
        (b"VALUE k 0 x\r\n", "invalid digit found in string"),
        (b"VALUE k 0 1\r\nabc\r\nEND\r\n", "a value is longer than its length"),
        (b"VALUE k 0 1\r\na\r\nVALUE l 0 1\r\n", "a value is longer than its length"),
    ] {
        assert_eq!(first(script).await, Err(Error::protocol(says)));
    }
    for script in [&b"VALUE k 0 1048577\r\n"[..], b"VALUE k 0 18446744073709551615\r\n"] {
        let error = first(script).await;
        assert!(matches!(error, Err(Error::TooLarge { .. })), "{error:?}");
    }
    for (script, partial) in [(&b"VALUE k 0 9\r\nab"[..], 15), (b"STO", 3), (b"", 0)] {
        assert_eq!(cut_off(first(script).await), partial);
    }
    Ok(())
}

async fn d1_a_silent_server_is_a_timeout<P: Platform>() -> Result<(), Error> {
    let (client, mut server) = pair::<P>(config().receive_timeout(Duration::from_millis(5)), 1);
    let (cache, task) = pipeline(client);
    server.send_all("VALUE k 0 3\r\nab").await?;
    let silent = Error::TimedOut(Timeout::Receive { partial: 15 });
    let (got, ended) = zip(async { cache.call(&get("k")?).await }, task).await;
    assert_eq!((got, ended), (Err(silent), Err(Error::TimedOut(Timeout::Receive { partial: 15 }))));
    Ok(())
}
