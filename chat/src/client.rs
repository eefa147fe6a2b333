//! A small client for people: standard input to the room, the room to standard output.

use std::io::{self, BufRead, Write};
use std::thread;

use asyncnet::net::{ConnectOptions, connect};
use asyncnet::{RecvError, RecvHalf, Runtime, SendError, SendHalf, Transport};
use futures_lite::future;

use crate::{cli, tls};

/// Joins the room of these options, until it closes. The end of standard input ends our side only: what
/// others say meanwhile is still printed.
pub(crate) async fn join<R: Runtime>(options: &cli::Join) -> io::Result<()>
where
    R::Stream: Send,
{
    let address = options.address;
    let mut settings = ConnectOptions::new();
    if let Some(context) = tls::client(options)? {
        settings = settings.tls(&context);
    }
    let conn = connect::<R>(&address.to_string(), settings)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("cannot join {address}: {error}")))?;
    let (lines, sender) = conn.split();
    // Reading standard input blocks, so it has a thread of its own.
    thread::spawn(move || {
        if let Err(error) = say(&sender) {
            // The room is gone; `print` says so.
            tracing::debug!("{error}");
        }
    });
    print(lines).await
}

/// Sends every line of standard input.
fn say<S: Transport>(sender: &SendHalf<S>) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        match future::block_on(sender.send_line(text)) {
            Err(SendError::LineBreak) => tracing::warn!("line dropped: it holds a CR"),
            sent => sent?,
        }
        line.clear();
    }
    Ok(future::block_on(sender.shutdown_write())?)
}

/// Prints every line of the room.
async fn print<S: Transport>(mut lines: RecvHalf<S>) -> io::Result<()> {
    loop {
        match lines.next_lines().await {
            Ok(Some(batch)) => {
                let mut out = io::stdout().lock();
                for line in batch {
                    out.write_all(line)?;
                    out.write_all(b"\n")?;
                }
                out.flush()?;
            }
            Ok(None) => return Ok(()),
            Err(RecvError::Line(error)) => tracing::warn!("{error}"),
            Err(error) => return Err(error.into()),
        }
    }
}
