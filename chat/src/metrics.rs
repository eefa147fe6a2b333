//! The figures over HTTP, for Prometheus. HTTP/1.0 is lines, so it is a line socket of ours that speaks it.

use std::io;
use std::time::Duration;

use asyncnet::net::ListenOptions;
use asyncnet::{Config, Connection, Error, Listener, SendRuntime, Transport};
use futures_lite::future;
use tracing::warn;

use crate::figures::Source;
use crate::server::Job;

/// How long one request and its answer may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// The longest line of a request, and how many it may have.
const LINE: usize = 8192;
const LINES: usize = 100;

/// How many connections may be open at once. Others wait in the queue of the system.
const CONNECTIONS: usize = 16;

pub(crate) async fn listen<R: SendRuntime>(at: &str) -> io::Result<Listener<R>> {
    let config = Config::default().max_line(LINE);
    Listener::bind_with(at, ListenOptions::new().config(config).max_open(CONNECTIONS)).await
}

/// Answers requests for `/metrics`, each in a job of its own, for ever.
pub(crate) async fn serve<R: SendRuntime>(
    listener: &Listener<R>,
    source: &Source<'_, R>,
    spawn: &impl Fn(Job),
) {
    loop {
        match listener.accept().await {
            Ok(mut conn) => {
                let figures = source.figures().prometheus();
                spawn(Box::pin(async move {
                    // A scraper that goes, or takes too long, gets nothing.
                    let _ = future::or(answer(&mut conn, &figures), async {
                        R::sleep(DEADLINE).await;
                        Ok(())
                    })
                    .await;
                }));
            }
            Err(error) => {
                warn!("metrics are no longer served: {error}");
                return future::pending().await;
            }
        }
    }
}

async fn answer<S: Transport>(conn: &mut Connection<S>, figures: &str) -> Result<(), Error> {
    let (status, body) = match request(conn).await {
        Ok(path) if path == "/metrics" => ("200 OK", figures),
        Ok(_) => ("404 Not Found", "The figures are at /metrics.\n"),
        Err(Error::Protocol(_) | Error::Line(_)) => ("400 Bad Request", "Send GET /metrics.\n"),
        Err(error) => return Err(error),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.0 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    conn.send_all([head.as_bytes(), body.as_bytes()].concat()).await?;
    conn.close().await
}

/// Reads a request to its end; what it asks for, without the query.
async fn request<S: Transport>(conn: &mut Connection<S>) -> Result<String, Error> {
    let line = conn.expect_line().await?;
    let line = std::str::from_utf8(line).map_err(Error::protocol)?;
    let words: Vec<_> = line.split(' ').collect();
    let ["GET", target, version] = words[..] else {
        return Err(Error::protocol("it is no GET"));
    };
    if !version.starts_with("HTTP/1.") {
        return Err(Error::protocol("it is no HTTP/1"));
    }
    let path = target.split('?').next().unwrap_or_default().to_owned();
    for _ in 0..LINES {
        if conn.expect_line().await?.is_empty() {
            return Ok(path);
        }
    }
    Err(Error::protocol("it has too many lines"))
}
