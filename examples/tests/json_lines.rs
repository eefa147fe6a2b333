//! JSON lines: a server on its standard streams, and servers that misbehave.
#![cfg(unix)] // It starts `cat` and `sh`.

mod bed;
#[allow(dead_code, reason = "its `main` does not run here")]
#[path = "../json_lines.rs"]
mod json_lines;

use std::process::{Command, exit};
use std::time::Duration;

use asyncnet::{Cause, Error, LineError, Timeout, process};
use asyncnet_examples::Platform;
use serde_json::json;

use json_lines::{Server, config, serve};

/// Tells a test that it is the server.
const CHILD: &str = "ASYNCNET_JSON_LINES";

on_every_runtime! {
    child
    requests_are_answered
    b2_a_gibibyte_without_a_line_end_is_an_error_and_the_next_request_is_answered
    p2_to_stop_ends_the_server_at_once
    bad_answers_are_typed_errors
    d1_a_server_that_says_nothing_is_a_timeout
}

/// Not a test but the server, in the process that [`server`] starts.
async fn child<P: Platform>() -> Result<(), Error> {
    if std::env::var_os(CHILD).is_some() {
        let served = serve(process::stdio::<P::Runtime>()?.into_connection(config())).await;
        exit(served.is_err().into());
    }
    Ok(())
}

/// Starts this program as a server on the same runtime.
async fn server<P: Platform>() -> Result<Server<P::Runtime>, Error> {
    let test = std::thread::current().name().expect("a test has its name").to_owned();
    let module = test.rsplit_once("::").expect("it is in a module").0;
    let mut command = Command::new(std::env::current_exe()?);
    // With one thread, the harness writes in front of the first line.
    command.args(["--test-threads", "2", "--nocapture", "--exact", &format!("{module}::child")]);
    command.env(CHILD, "");
    let mut server = Server::<P::Runtime>::start(&mut command)?;
    // The test harness has something to say first.
    server.conn.send_line("").await?;
    while !server.conn.expect_line().await?.starts_with(b"{") {}
    Ok(server)
}

fn scripted<P: Platform>(script: &str) -> Result<Server<P::Runtime>, Error> {
    Server::start(Command::new("sh").args(["-c", script]))
}

async fn requests_are_answered<P: Platform>() -> Result<(), Error> {
    let mut server = server::<P>().await?;
    let text = "one\r\ntwo\n".repeat(50_000);
    for of in ["", "hello", &text] {
        let answer = server.call(&json!({ "id": 7, "method": "length", "of": of })).await?;
        assert_eq!(answer, json!({ "id": 7, "result": of.len() }));
    }
    let unknown = json!({ "id": null, "error": "there is no such method" });
    assert_eq!(server.call(&json!([])).await?, unknown);
    server.conn.send_line("{").await?;
    let error = "EOF while parsing an object at line 1 column 1";
    assert_eq!(server.answer().await?, json!({ "id": null, "error": error }));
    assert!(server.stop().await?);
    Ok(())
}

async fn b2_a_gibibyte_without_a_line_end_is_an_error_and_the_next_request_is_answered<
    P: Platform,
>() -> Result<(), Error> {
    let mut server = server::<P>().await?;
    let piece = vec![b'['; 1 << 20];
    for _ in 0..1024 {
        server.conn.send_all(&piece).await?;
    }
    let error = "the peer sent a line of more than 1048576 bytes";
    assert_eq!(server.answer().await?, json!({ "id": null, "error": error }));
    server.conn.send_all("]\n").await?;
    let memory = server.call(&json!({ "id": 1, "method": "memory" })).await?;
    assert!(memory["result"].as_u64().is_some_and(|peak| peak < 10 << 10), "{memory}");
    assert!(server.stop().await?);
    Ok(())
}

async fn p2_to_stop_ends_the_server_at_once<P: Platform>() -> Result<(), Error> {
    let mut cat = Server::<P::Runtime>::start(&mut Command::new("cat"))?;
    assert_eq!(cat.call(&json!({ "a": [1] })).await?, json!({ "a": [1] }));
    // A child that does not see the end of its input would hold up the close for an hour.
    let hour = config().close.drain(Duration::from_secs(3600), 1 << 20);
    cat.conn.configure(|config| config.close(hour));
    assert!(cat.stop().await?);
    Ok(())
}

async fn bad_answers_are_typed_errors<P: Platform>() -> Result<(), Error> {
    let script = "echo hello; head -c 67108864 /dev/zero; echo; echo '{}'; printf '{\"a'";
    let mut server = scripted::<P>(script)?;
    assert!(matches!(server.answer().await, Err(Error::Protocol(_))));
    let too_long = LineError::TooLong { max: 1 << 20 };
    assert_eq!(server.answer().await, Err(Error::Line(too_long)));
    assert_eq!(server.answer().await?, json!({}));
    let Err(Error::Disconnected(end)) = server.answer().await else { panic!("an end") };
    assert_eq!((end.cause, end.partial), (Cause::Eof, 3));
    assert_eq!(server.conn.partial(), b"{\"a");
    assert!(server.stop().await?);

    let mut server = scripted::<P>("exit 1")?;
    let Err(Error::Disconnected(end)) = server.answer().await else { panic!("an end") };
    assert_eq!((end.cause, end.partial), (Cause::Eof, 0));
    assert!(!server.stop().await?);
    Ok(())
}

async fn d1_a_server_that_says_nothing_is_a_timeout<P: Platform>() -> Result<(), Error> {
    let mut server = scripted::<P>("printf '{'; cat")?;
    server.conn.peek(1).await?;
    let silent = server.conn.within(Duration::from_millis(1)).next_line().await.map(drop);
    assert_eq!(silent, Err(Error::TimedOut(Timeout::Receive { partial: 1 })));
    // Nothing is lost: the rest of the answer is still an answer.
    server.conn.send_line("}").await?;
    assert_eq!(server.answer().await?, json!({}));
    assert!(server.stop().await?);
    Ok(())
}
