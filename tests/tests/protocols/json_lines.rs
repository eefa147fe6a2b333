//! JSON lines over the pipes of a child process, as language servers, MCP and many tools speak it.
//!
//! It leans on `Duplex` (a reader and a writer are one stream; to end our side closes the child's standard input),
//! on `Framing::Lf`, and on `max_line`: a message without an end is an error, and the next one is answered. Pipes of
//! the standard library go through threads (`blocking::Unblock`) and so run on every runtime, tokio included; those of
//! `smol::process` do too, without the threads. Client, server and their start took LINES lines.

use std::process::{Child, Command, Stdio};

use asyncnet::{Clock, Config, Connection, Duplex, Error, Framing, Transport};
use blocking::Unblock;
use futures_io::{AsyncRead, AsyncWrite};
use serde_json::{Value, json};

use crate::peak_memory;

/// Messages of at most 1 MiB.
fn config() -> Config {
    Config::default().framing(Framing::Lf).max_line(1 << 20)
}

/// A connection over what a child says and what it hears.
fn over<R, W, C>(reader: R, writer: W, clock: C) -> Connection<Duplex<R, W, C>>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    C: Clock,
{
    Connection::new(Duplex::new(reader, writer).with_clock(clock), config())
}

/// A pipe of the standard library, read or written by a thread, at most 64 KiB ahead.
fn piped<T>(pipe: T) -> Unblock<T> {
    Unblock::with_capacity(64 << 10, pipe)
}

/// Starts a child and connects to it.
fn start<C: Clock>(
    command: &mut Command,
    clock: C,
) -> Result<(Child, Connection<impl Transport + use<C>>), Error> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    match (child.stdout.take(), child.stdin.take()) {
        (Some(stdout), Some(stdin)) => Ok((child, over(piped(stdout), piped(stdin), clock))),
        _ => Err(Error::protocol("the child has no pipes")),
    }
}

/// Sends a request, and receives its answer.
async fn call<S: Transport>(conn: &mut Connection<S>, request: Value) -> Result<Value, Error> {
    conn.send_line(request.to_string()).await?;
    answer(conn).await
}

async fn answer<S: Transport>(conn: &mut Connection<S>) -> Result<Value, Error> {
    let line = conn.expect_line().await?;
    serde_json::from_slice(line).map_err(Error::protocol)
}

/// Answers requests. A bad one is answered with an error, and the connection goes on.
async fn serve<S: Transport>(mut conn: Connection<S>) -> Result<(), Error> {
    loop {
        let answer = match conn.next_line().await {
            Ok(Some(line)) => match serde_json::from_slice::<Value>(line) {
                Ok(request) => reply(&request),
                Err(error) => json!({ "error": error.to_string() }),
            },
            Ok(None) => return conn.close().await,
            Err(error) if error.is_recoverable() => json!({ "error": error.to_string() }),
            Err(error) => return Err(error),
        };
        conn.send_line(answer.to_string()).await?;
    }
}

fn reply(request: &Value) -> Value {
    match request["method"].as_str() {
        Some("length") => json!({ "result": request["of"].as_str().map_or(0, str::len) }),
        Some("memory") => json!({ "result": peak_memory() }),
        _ => json!({ "error": "unknown method" }),
    }
}

mod tests {
    use std::io::{stdin, stdout};
    use std::process::exit;
    use std::time::Duration;

    use asyncnet::{Cause, CloseLimits, LineError, Runtime, Timeout};
    use asyncnet_conformance::Platform;
    use blocking::unblock;

    use super::*;
    use crate::on_every_runtime;

    /// Tells a test that it is the child.
    const CHILD: &str = "ASYNCNET_JSON_LINES";

    on_every_runtime! {
        child
        requests_are_answered
        a_message_without_an_end_is_an_error_and_the_next_one_is_answered
        to_close_ends_the_child_at_once
        to_end_our_side_ends_the_child_and_receiving_goes_on
        the_end_of_the_child_is_seen
        pipes_of_smol_run_on_every_runtime
        bad_answers_are_typed_errors
    }

    /// Not a test but the server, in the process that [`server`] starts.
    async fn child<P: Platform>() -> Result<(), Error> {
        if std::env::var_os(CHILD).is_some() {
            let served = serve(over(piped(stdin()), piped(stdout()), P::Runtime::clock())).await;
            exit(served.is_err().into());
        }
        Ok(())
    }

    /// Starts this program as a server on the same runtime.
    async fn server<P: Platform>() -> Result<(Child, Connection<impl Transport>), Error> {
        let test = std::thread::current().name().expect("a test has its name").to_owned();
        let module = test.rsplit_once("::").expect("it is in a module").0;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--exact", &format!("{module}::child")]).env(CHILD, "");
        let (child, mut conn) = start(&mut command, P::Runtime::clock())?;
        // The test harness has something to say first.
        conn.send_line("").await?;
        while !conn.expect_line().await?.starts_with(b"{") {}
        Ok((child, conn))
    }

    /// Waits for the end of a child, and says whether it was a good one.
    async fn ended(mut child: Child) -> Result<bool, Error> {
        Ok(unblock(move || child.wait()).await?.success())
    }

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    async fn requests_are_answered<P: Platform>() -> Result<(), Error> {
        let (child, mut conn) = server::<P>().await?;
        let text = "one\r\ntwo\n".repeat(50_000);
        for of in ["", "hello", &text] {
            let answer = call(&mut conn, json!({ "method": "length", "of": of })).await?;
            assert_eq!(answer, json!({ "result": of.len() }));
        }
        assert_eq!(call(&mut conn, json!([])).await?, json!({ "error": "unknown method" }));
        conn.send_line("{").await?;
        let error = json!({ "error": "EOF while parsing an object at line 1 column 1" });
        assert_eq!(answer(&mut conn).await?, error);
        let nothing = conn.within(Duration::from_millis(1)).next_line().await;
        assert_eq!(nothing, Err(Error::TimedOut(Timeout::Receive { partial: 0 })));
        conn.close().await?;
        assert!(ended(child).await?);
        Ok(())
    }

    async fn a_message_without_an_end_is_an_error_and_the_next_one_is_answered<P: Platform>()
    -> Result<(), Error> {
        let (child, mut conn) = server::<P>().await?;
        for _ in 0..64 {
            conn.send_all(vec![b'['; 1 << 20]).await?;
        }
        let error = json!({ "error": "the peer sent a line of more than 1048576 bytes" });
        assert_eq!(answer(&mut conn).await?, error);
        conn.send_all("]\n").await?;
        let memory = call(&mut conn, json!({ "method": "memory" })).await?;
        assert!(memory["result"].as_u64().is_some_and(|peak| peak < 40 << 10), "{memory}");
        conn.close().await?;
        assert!(ended(child).await?);
        Ok(())
    }

    async fn to_close_ends_the_child_at_once<P: Platform>() -> Result<(), Error> {
        let (child, mut conn) = start(&mut Command::new("cat"), P::Runtime::clock())?;
        assert_eq!(call(&mut conn, json!({ "a": [1] })).await?, json!({ "a": [1] }));
        // A child that does not see the end of its input would hold up the close until the test counts as hanging.
        let hour = CloseLimits::default().drain(Duration::from_secs(3600), 1 << 20);
        conn.configure(|config| config.close(hour));
        conn.close().await?;
        assert!(ended(child).await?);
        Ok(())
    }

    async fn to_end_our_side_ends_the_child_and_receiving_goes_on<P: Platform>() -> Result<(), Error>
    {
        let (child, mut conn) = start(&mut Command::new("sort"), P::Runtime::clock())?;
        conn.feed_line("2")?;
        conn.feed_line("1")?;
        conn.shutdown_write().await?;
        assert_eq!(conn.send_line("3").await, Err(Error::Closed));
        assert_eq!(conn.next_line().await?, Some(&b"1"[..]));
        assert_eq!(conn.next_line().await?, Some(&b"2"[..]));
        assert_eq!(conn.next_line().await?, None);
        assert!(ended(child).await?);
        Ok(())
    }

    async fn the_end_of_the_child_is_seen<P: Platform>() -> Result<(), Error> {
        let (mut child, mut conn) = start(&mut Command::new("cat"), P::Runtime::clock())?;
        assert_eq!(call(&mut conn, json!(1)).await?, json!(1));
        child.kill()?;
        assert_eq!(conn.next_line().await?, None);
        assert!(!ended(child).await?);
        // A pipe whose reader is gone is lost; the first write may still be accepted.
        while conn.send_line("2").await.is_ok() {}
        assert!(matches!(conn.send_line("2").await, Err(Error::Disconnected(_))));
        Ok(())
    }

    async fn pipes_of_smol_run_on_every_runtime<P: Platform>() -> Result<(), Error> {
        let mut command = ::smol::process::Command::new("cat");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (stdout, stdin) = (child.stdout.take(), child.stdin.take());
        let (stdout, stdin) = (stdout.expect("piped"), stdin.expect("piped"));
        let mut conn = over(stdout, stdin, P::Runtime::clock());
        for n in 0..1000 {
            assert_eq!(call(&mut conn, json!({ "n": n })).await?, json!({ "n": n }));
        }
        let hour = CloseLimits::default().drain(Duration::from_secs(3600), 1 << 20);
        conn.configure(|config| config.close(hour));
        conn.close().await?;
        assert!(child.status().await?.success());
        Ok(())
    }

    async fn bad_answers_are_typed_errors<P: Platform>() -> Result<(), Error> {
        let script = "echo hello; head -c 67108864 /dev/zero; echo; echo '{}'; printf '{\"a'";
        let (child, mut conn) = start(&mut sh(script), P::Runtime::clock())?;
        assert!(matches!(answer(&mut conn).await, Err(Error::Protocol(_))));
        let too_long = LineError::TooLong { max: 1 << 20 };
        assert_eq!(answer(&mut conn).await, Err(Error::Line(too_long)));
        assert_eq!(answer(&mut conn).await?, json!({}));
        let Err(Error::Disconnected(end)) = answer(&mut conn).await else { panic!("an end") };
        assert_eq!((end.cause, end.partial), (Cause::Eof, 3));
        assert_eq!(conn.partial(), b"{\"a");
        assert!(ended(child).await?);
        Ok(())
    }
}
