//! Dot blocks. Eight of the tests are named after bugs that other libraries had.

use std::task::Poll;

use asyncnet::dot::{DotReader, DotWriter, stuffed};
use asyncnet::net::{Pipe, pipe};
use asyncnet::{Cause, Config, Connection, Error, Framing, LineError};
use futures_lite::future::{block_on, zip};

use crate::poll_once;

const MAX: usize = 1 << 20;

/// A text with all that is awkward, and its lines.
const TEXT: &str = ".first\r\n.\n..\r\r\n\n\r.\r\nlast.\n.";
const LINES: [&str; 9] = [".first", ".", "..", "", "", "", ".", "last.", "."];

fn pair(chunk: usize, config: Config) -> (Connection<Pipe>, Connection<Pipe>) {
    let (one, other) = pipe(chunk);
    (Connection::new(one, config), Connection::new(other, config))
}

/// The lines of the block that `wire` begins with, and the line behind the block.
async fn received(wire: &[u8], chunk: usize) -> Result<(Vec<String>, String), Error> {
    let (mut ours, mut theirs) = pair(chunk, Config::default().framing(Framing::CrLf));
    theirs.send_all(wire).await?;
    theirs.send_line("QUIT").await?;
    let (mut block, mut lines) = (DotReader::new(MAX), Vec::new());
    while let Some(line) = block.next_line(&mut ours).await? {
        lines.push(String::from_utf8_lossy(line).into_owned());
    }
    assert_eq!(block.next_line(&mut ours).await, Ok(None), "the end repeats");
    Ok((lines, String::from_utf8_lossy(ours.expect_line().await?).into_owned()))
}

fn round_trip(text: &str) -> Vec<String> {
    let (lines, behind) = block_on(received(&stuffed(text), 1)).expect("a block");
    assert_eq!(behind, "QUIT");
    lines
}

#[test]
fn b7_b8_a_text_comes_back_line_by_line_in_any_chunking() {
    for chunk in [1, 2, 3, 1024] {
        let (lines, behind) = block_on(received(&stuffed(TEXT), chunk)).expect("a block");
        assert_eq!((&lines[..], &*behind), (&LINES.map(String::from)[..], "QUIT"));
    }
}

#[test]
fn b8_where_a_piece_ends_does_not_matter() {
    for size in 1..=TEXT.len() {
        let (mut ours, mut theirs) = pair(1024, Config::default());
        block_on(async {
            let mut block = DotWriter::new();
            for piece in TEXT.as_bytes().chunks(size) {
                block.feed_wait(&mut ours, piece).await?;
                block.feed_wait(&mut ours, "").await?;
            }
            block.finish(&mut ours).await?;
            let whole = stuffed(TEXT);
            assert_eq!(theirs.next_block(whole.len()).await?, whole, "pieces of {size}");
            Ok::<(), Error>(())
        })
        .expect("no call fails");
    }
}

#[test]
fn b8_a_dropped_piece_was_not_queued_and_can_be_given_again() {
    let (mut ours, mut theirs) = pair(1024, Config::default().max_queue(8192));
    block_on(async {
        // Fills the pipe, then the queue, in which the last send stays.
        let mut filler = 4096;
        while poll_once(ours.send_all([b'x'; 4096])).is_ready() {
            filler += 4096;
        }
        while ours.feed([b'x'; 1024]).is_ok() {
            filler += 1024;
        }
        let mut block = DotWriter::new();
        let piece = [b".\r".as_slice(), &[b'y'; 5000]].concat();
        for _ in 0..2 {
            assert_eq!(poll_once(block.feed_wait(&mut ours, &piece)), Poll::Pending);
        }
        let send = async {
            block.feed_wait(&mut ours, &piece).await?;
            block.feed_wait(&mut ours, "\r\n.").await?;
            block.finish(&mut ours).await
        };
        let receive = async {
            theirs.skip(filler).await?;
            assert_eq!(theirs.expect_line().await?, b"..");
            assert_eq!(theirs.expect_line().await?, &piece[2..]);
            assert_eq!(theirs.expect_line().await?, b"..");
            assert_eq!(theirs.expect_line().await?, b".");
            Ok::<(), Error>(())
        };
        let (sent, received) = zip(send, receive).await;
        sent.and(received)
    })
    .expect("no call fails");
}

#[test]
fn b7_an_end_inside_the_block_is_an_error_also_between_lines() {
    for (wire, partial) in [(&b"one\r\n"[..], 0), (b"one\r\n.", 1), (b"one\r\n..\r\n.\r", 2)] {
        let (mut ours, mut theirs) = pair(1024, Config::default());
        block_on(async {
            theirs.send_all(wire).await?;
            theirs.shutdown_write().await?;
            let mut block = DotReader::new(MAX);
            assert_eq!(block.next_line(&mut ours).await?, Some(&b"one"[..]));
            let end = loop {
                match block.next_line(&mut ours).await {
                    Ok(line) => assert_eq!(line, Some(&b"."[..])),
                    Err(error) => break error,
                }
            };
            let Error::Disconnected(end) = end else { panic!("{end:?}") };
            assert_eq!((end.cause, end.partial), (Cause::Eof, partial));
            Ok::<(), Error>(())
        })
        .expect("no other call fails");
    }
}

#[test]
fn b7_exactly_max_is_received_and_each_line_above_is_an_error_until_the_end() {
    let (mut ours, mut theirs) = pair(1, Config::default());
    block_on(async {
        theirs.send_all("..bc\r\n12\r\n\r\n.rest\r\n.\r\nQUIT\r\n").await?;
        let mut block = DotReader::new(9);
        assert_eq!(block.next_line(&mut ours).await, Ok(Some(&b".bc"[..])));
        assert_eq!(block.next_line(&mut ours).await, Ok(Some(&b"12"[..])));
        for len in [11, 17] {
            let too_large = Error::TooLarge { len, max: 9 };
            assert_eq!(block.next_line(&mut ours).await, Err(too_large));
        }
        assert_eq!(block.next_line(&mut ours).await, Ok(None));
        assert_eq!(ours.expect_line().await?, b"QUIT");
        Ok::<(), Error>(())
    })
    .expect("no other call fails");
}

#[test]
fn b7_a_dropped_call_loses_no_line() {
    let (mut ours, mut theirs) = pair(1024, Config::default());
    block_on(async {
        let mut block = DotReader::new(MAX);
        for piece in [".", ".on", "e\r", "\n."] {
            assert_eq!(poll_once(block.next_line(&mut ours)), Poll::Pending);
            theirs.send_all(piece).await?;
        }
        assert_eq!(block.next_line(&mut ours).await?, Some(&b".one"[..]));
        assert_eq!(poll_once(block.next_line(&mut ours)), Poll::Pending);
        theirs.send_all(".two\r\n").await?;
        assert_eq!(block.next_line(&mut ours).await?, Some(&b".two"[..]));
        Ok::<(), Error>(())
    })
    .expect("no call fails");
}

/// A bare LF ends neither a line nor the block, and what looks like commands behind it is none.
#[test]
fn b7_no_mail_is_smuggled_behind_a_bare_lf_or_cr() {
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r\n", "\r\n.\r", "\r\n.\r\r\n"] {
        let (mut ours, mut theirs) = pair(1, Config::default().framing(Framing::CrLf));
        block_on(async {
            theirs.send_all(format!("text{end}MAIL FROM:<x>\r\nmore\r\n.\r\n")).await?;
            let (mut block, mut lines, mut bad) = (DotReader::new(MAX), Vec::new(), 0);
            loop {
                match block.next_line(&mut ours).await {
                    Ok(Some(line)) => lines.push(String::from_utf8_lossy(line).into_owned()),
                    Ok(None) => break,
                    Err(Error::Line(LineError::BareCr | LineError::BareLf)) => {
                        bad += 1;
                    }
                    Err(error) => return Err(error),
                }
            }
            assert!(
                bad > 0 && lines.last().is_some_and(|line| line == "more"),
                "{end:?}: {lines:?}"
            );
            assert_eq!(ours.try_next_line()?, None, "{end:?}: the block ended early");
            Ok(())
        })
        .expect("no other call fails");
    }
}

// The bugs.

/// smtp-proto: a dot at the start of the *first* line was left as it was.
#[test]
fn b8_bug_smtp_proto_14_a_dot_on_the_first_line_is_stuffed() {
    assert_eq!(stuffed(".x\r\n"), b"..x\r\n.\r\n");
    assert_eq!(round_trip(".x\r\n"), [".x"]);
}

/// angus-mail: the text of a counted BDAT chunk was stuffed.
#[test]
fn b8_bug_angus_mail_210_a_counted_block_is_not_stuffed() {
    const TEXT: &[u8] = b".first\r\n.\r\nlast\r\n";
    let (mut ours, mut theirs) = pair(1, Config::default());
    block_on(async {
        ours.send_line(format!("BDAT {} LAST", TEXT.len())).await?;
        ours.send_all(TEXT).await?;
        assert_eq!(theirs.expect_line().await?, b"BDAT 17 LAST");
        assert_eq!(theirs.next_block(TEXT.len()).await?, TEXT);
        Ok::<(), Error>(())
    })
    .expect("no call fails");
}

/// gcourier: nothing was stuffed.
#[test]
fn b8_bug_gcourier_11_every_line_that_begins_with_a_dot_is_stuffed() {
    assert_eq!(stuffed("a\r\n.b\r\n..c\r\nd.\r\n"), b"a\r\n..b\r\n...c\r\nd.\r\n.\r\n");
}

/// curl: a dot that comes first in the text or in a later piece was not handled as the start of a line.
#[test]
fn b8_bug_curl_2304_a_dot_at_the_start_of_a_piece_is_stuffed_only_at_the_start_of_a_line() {
    let (mut ours, mut theirs) = pair(1024, Config::default());
    block_on(async {
        let mut block = DotWriter::new();
        for piece in [".a", ".b\r", "\n", ".c\r\n", ".", "\r\n"] {
            block.feed_wait(&mut ours, piece).await?;
        }
        block.finish(&mut ours).await?;
        let wire = b"..a.b\r\n..c\r\n..\r\n.\r\n";
        assert_eq!(theirs.next_block(wire.len()).await?, wire);
        Ok::<(), Error>(())
    })
    .expect("no call fails");
}

/// ruby: a text without a final line end swallowed the end of the block.
#[test]
fn b8_bug_ruby_616_a_text_without_a_final_line_end_gets_one() {
    assert_eq!(stuffed("body"), b"body\r\n.\r\n");
    assert_eq!(stuffed("body\r"), b"body\r\n.\r\n");
    assert_eq!(stuffed("body\n"), b"body\r\n.\r\n");
    assert_eq!(stuffed("."), b"..\r\n.\r\n");
    assert_eq!(stuffed(""), b".\r\n");
}

/// mail: a line with a single dot, ended by a bare LF, ended the mail.
#[test]
fn b8_bug_mail_669_a_single_dot_between_bare_lfs_does_not_end_the_block() {
    assert_eq!(round_trip("a bad line\n.\nit goes on"), ["a bad line", ".", "it goes on"]);
}

/// smtp-client: the rest of the mail behind a single dot was taken for commands.
#[test]
fn b7_bug_smtp_client_9_what_follows_a_single_dot_is_no_command() {
    // `round_trip` finds QUIT directly behind the block.
    assert_eq!(round_trip("hello\r\n.\r\nRSET\r\n"), ["hello", ".", "RSET"]);
}

/// sendemail: a single dot was stuffed, a dot in front of text was not, and so was lost.
#[test]
fn b7_bug_sendemail_9_a_single_dot_and_a_leading_dot_both_come_back() {
    assert_eq!(round_trip(".\r\n.test\r\n..\r\n"), [".", ".test", ".."]);
    let mut block = DotReader::new(MAX);
    assert_eq!(block.unstuff(b"...three"), Ok(Some(&b"..three"[..])), "one dot is taken away");
}
