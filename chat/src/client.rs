//! A small client for people: standard input to the room, the room to standard output.

use std::io::{self, BufRead, IsTerminal, Write};
use std::thread;

use asyncnet_smol::{Connection, Error, Writer, connect, connect_tls};
use futures_lite::future;

use crate::shown::shown;
use crate::{cli, tls};

/// Joins the room of these options, until it closes. The end of standard input ends our side only: what
/// others say meanwhile is still printed.
pub(crate) async fn join(options: &cli::Join) -> io::Result<()> {
    let mut conn = match tls::client(options)? {
        Some(context) => connect_tls(&options.address, &context).await?,
        None => connect(&options.address).await?,
    };
    let writer = conn.writer();
    // Reading standard input blocks, so it has a thread of its own.
    thread::spawn(move || {
        if let Err(error) = say(&writer) {
            // The room is gone; `print` says so.
            tracing::debug!("{error}");
        }
    });
    print(&mut conn).await
}

/// Sends every line of standard input.
fn say(writer: &Writer) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        match future::block_on(writer.send_line(text)) {
            Err(Error::LineBreak) => tracing::warn!("line dropped: it holds a CR"),
            sent => sent?,
        }
        line.clear();
    }
    Ok(future::block_on(writer.shutdown_write())?)
}

/// Prints every line of the room: byte by byte, but a terminal never gets the control bytes of others.
async fn print(conn: &mut Connection) -> io::Result<()> {
    let is_terminal = io::stdout().is_terminal();
    while let Some(mut batch) = conn.next_batch().await? {
        let mut out = io::stdout().lock();
        loop {
            match batch.next_line() {
                Ok(Some(line)) => {
                    if is_terminal {
                        out.write_all(shown(line).as_bytes())?;
                    } else {
                        out.write_all(line)?;
                    }
                    out.write_all(b"\n")?;
                }
                Ok(None) => break,
                Err(error) => tracing::warn!("line dropped: {error}"),
            }
        }
        out.flush()?;
    }
    Ok(())
}
