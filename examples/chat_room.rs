//! The chat server of tokio's examples, on asyncnet: a name, then every line goes to everyone else.
//!
//! `cargo run --example chat_room -- --listen 127.0.0.1:6142`, then `nc 127.0.0.1 6142` from several terminals.
//!
//! tokio's `examples/chat.rs` of August 2026 has 256 lines, 128 without comments and empty lines; this one has
//! 88, 62 without. What clients see is the same, but for CR LF where the original sends LF.
//!
//! Gained: a client that does not read costs a bounded number of bytes and is disconnected (there, its channel grows for
//! ever); a line without an end is an error and the memory stays flat (there, it grows for ever); a line need not be
//! UTF-8 (there, it ends the client); a message is stored once for all; a failed accept does not end the server; TLS and
//! three runtimes. Lost: nothing that a client or an operator sees; the log is a line on standard error, not `tracing`
//! (the feature `tracing` of an adapter has the events of the connections).
//!
//! It leans on `Room` (the shared map, the channels and the `select!` of the original) and on `Member::send_line`
//! (everyone but me).

use std::process::ExitCode;
use std::time::Duration;

use asyncnet::room::{Limits, Member};
use asyncnet::{Connection, Error, Listener, Room, Transport};
use asyncnet_examples::{Platform, Server, run_on};
use clap::Parser;

/// A chat server: a name, then every line goes to everyone else
#[derive(Debug, Parser)]
struct Options {
    /// Where to listen; port 0 lets the system choose
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:6142")]
    listen: String,
    #[command(flatten)]
    server: Server,
}

/// One client, from its name to its end.
pub(crate) async fn client<S: Transport>(
    mut conn: Connection<S>,
    room: Room<S>,
) -> Result<(), Error> {
    conn.configure(|config| config.max_line(4096));
    conn.send_line("Please enter your username:").await?;
    let named = conn.within(Duration::from_secs(60)).next_line().await?;
    let Some(name) = named.map(|name| String::from_utf8_lossy(name).into_owned()) else {
        return conn.close().await;
    };
    let member = room.join(conn.writer())?;
    member.send_line(format!("{name} has joined the chat")).await?;
    let talked = talk(&mut conn, &member, &name).await;
    // Whatever ended it: the others are told.
    member.send_line(format!("{name} has left the chat")).await?;
    member.leave().await;
    talked?;
    conn.close().await
}

async fn talk<S: Transport>(
    conn: &mut Connection<S>,
    member: &Member<S>,
    name: &str,
) -> Result<(), Error> {
    while let Some(line) = conn.next_line().await? {
        member.send_line([name.as_bytes(), b": ", line].concat()).await?;
    }
    Ok(())
}

async fn run<P: Platform>(options: Options) -> Result<(), Error> {
    let with = options.server.listen_options()?;
    let listener = Listener::<P::Runtime>::bind_with(&options.listen, with).await?;
    println!("listening on {}", listener.local_addr()?);
    let (room, task) = Room::new(Limits::default());
    P::spawn(async {
        _ = task.await;
    });
    loop {
        let (conn, room) = (listener.accept().await?, room.clone());
        P::spawn(async move {
            if let Err(error) = client(conn, room).await {
                eprintln!("a client: {error}");
            }
        });
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    run_on!(options.server.runtime, run(options))
}
