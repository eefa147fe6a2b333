//! A literal of 1 GiB in little memory. Alone in its file: a process of its own, whose memory nothing else uses.

mod bed;
#[expect(dead_code, reason = "the program's own start")]
#[path = "../imap_client/main.rs"]
mod imap_client;

use std::io::{BufRead, BufReader, Write, sink};
use std::net::TcpListener;

use asyncnet::net::{ConnectOptions, connect};
use asyncnet_examples::{OnTokio, Platform};
use imap_client::Client;

const SIZE: usize = 1 << 30;

/// Peak memory in KiB; 0 where the system does not say.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

/// Sends `SIZE` bytes as a literal, to one client, twice.
fn serve(listener: &TcpListener) -> std::io::Result<()> {
    let (mut conn, _) = listener.accept()?;
    let mut lines = BufReader::new(conn.try_clone()?).lines();
    conn.write_all(b"* OK ready\r\n")?;
    let piece = vec![b'.'; 1 << 20];
    for n in 1..=2 {
        lines.next();
        conn.write_all(format!("* 1 FETCH (BODY[] {{{SIZE}}}\r\n").as_bytes())?;
        for _ in 0..SIZE / piece.len() {
            conn.write_all(&piece)?;
        }
        conn.write_all(format!(")\r\na{n} OK done\r\n").as_bytes())?;
    }
    Ok(())
}

#[test]
fn b6_a_literal_of_1_gib_is_streamed_and_skipped_with_memory_flat() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address").to_string();
    let server = std::thread::spawn(move || serve(&listener));
    let test = bed::bounded::<OnTokio, _>(async {
        let options = ConnectOptions::new().config(imap_client::protocol::config());
        let conn = connect::<<OnTokio as Platform>::Runtime>(&address, options).await?;
        let mut client = Client::greet(conn).await?;
        let before = peak();
        assert_eq!(client.fetch(1, u64::MAX, &mut sink()).await?, SIZE as u64);
        assert_eq!(client.fetch(1, 0, &mut sink()).await?, SIZE as u64);
        let grown = peak().saturating_sub(before);
        assert!(grown < 8 << 10, "{grown} KiB more");
        Ok(())
    });
    OnTokio::block_on(test).expect("no call fails");
    server.join().expect("no panic").expect("no error");
}
