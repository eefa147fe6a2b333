//! STOMP: bodies that hold NUL, heart-beats, and servers that misbehave.

mod bed;
#[allow(dead_code, reason = "its `main` does not run here")]
#[path = "../stomp.rs"]
mod stomp;

use std::time::Duration;

use asyncnet::{Error, LineError, Timeout};
use asyncnet_examples::Platform;
use bed::{cut_off, pair, scripted};

use stomp::{Frame, ask, config, next};

on_every_runtime! {
    f1_frames_are_whole_in_any_chunking
    f1_what_we_send_is_what_we_read
    heart_beats_between_frames_are_consumed
    bad_frames_are_typed_errors
    l4_a_frame_without_an_end_is_an_error_and_the_next_one_is_read
    d2_a_server_without_heart_beats_is_a_timeout
}

async fn f1_frames_are_whole_in_any_chunking<P: Platform>() -> Result<(), Error> {
    let script = b"MESSAGE\na:1\na:2\n\nhi\0\nMESSAGE\r\nx\\cy:b\\nc\\\\\r\ncontent-length:5\r\n\r\n\0\0a\0\0\0M\n\n\0";
    let (mut client, _server) = scripted::<P>(config(), script).await?;
    let frame = next(&mut client).await?;
    assert_eq!(frame, Frame::new("MESSAGE", &[("a", "1"), ("a", "2")], b"hi"));
    assert_eq!(frame.header("a"), Some("1"));
    let headers = [("x:y", "b\nc\\"), ("content-length", "5")];
    assert_eq!(next(&mut client).await?, Frame::new("MESSAGE", &headers, b"\0\0a\0\0"));
    assert_eq!(next(&mut client).await?, Frame::new("M", &[], b""));
    assert_eq!(cut_off(next(&mut client).await), 0);
    Ok(())
}

async fn f1_what_we_send_is_what_we_read<P: Platform>() -> Result<(), Error> {
    for body in
        [&b""[..], b"\0", b"a\0", b"\0b", b"\n\0\n", &[0; 1000], &[7; 100_000], b"\xff\0\xfe"]
    {
        let (mut client, mut server) = pair::<P>(config(), 1000);
        let sent = Frame::new("SEND", &[("destination", "/a\r\nb:\\c")], body);
        let (bytes, served) = (sent.encode(), async {
            let read = next(&mut client).await?;
            assert_eq!(
                (&read.command, read.header("destination")),
                (&sent.command, sent.header("destination"))
            );
            assert_eq!(read.body, sent.body);
            Ok::<_, Error>(())
        });
        futures_lite::future::try_zip(server.send_all(bytes), served).await?;
    }
    Ok(())
}

async fn heart_beats_between_frames_are_consumed<P: Platform>() -> Result<(), Error> {
    let (mut client, mut server) = pair::<P>(config(), 1);
    server.send_all("\n\r\n\nRECEIPT\n\n\0\n\n").await?;
    server.shutdown_write().await?;
    let asked = Frame::new("SEND", &[("receipt", "1")], b"");
    assert_eq!(ask(&mut client, &asked, "RECEIPT").await?.command, "RECEIPT");
    // Nothing of them is left: the end is in good order.
    assert_eq!(cut_off(next(&mut client).await), 0);
    Ok(())
}

async fn bad_frames_are_typed_errors<P: Platform>() -> Result<(), Error> {
    let first = |script: &'static [u8]| async move {
        let (mut client, _server) = scripted::<P>(config(), script).await?;
        next(&mut client).await
    };
    for (script, says) in [
        (&b"\0"[..], "a frame without an empty line"),
        (b"HTTP/1.1 400 Bad Request\r\n\0", "a frame without an empty line"),
        (b"M\nx\n\n\0", "a header without a colon"),
        (b"M\nx:\\t\n\n\0", "a header has an unknown escape"),
        (b"M\ncontent-length:x\n\n\0", "invalid digit found in string"),
        (b"M\ncontent-length:1\n\nab\0", "a body is longer than its length"),
        (b"M\ncontent-length:2\n\na\0b\0", "a body is longer than its length"),
        (b"ERROR\nmessage:no\n\nbad\0", "ERROR [(\"message\", \"no\")]: bad"),
    ] {
        assert_eq!(first(script).await, Err(Error::protocol(says)), "{script:?}");
    }
    for script in
        [&b"M\ncontent-length:1048577\n\n\0"[..], b"M\ncontent-length:18446744073709551615\n\n\0"]
    {
        let error = first(script).await;
        assert!(matches!(error, Err(Error::TooLarge { max, .. }) if max == 1 << 20), "{error:?}");
    }
    for (script, partial) in [(&b"\n\nMESS"[..], 4), (b"M\ncontent-length:9\n\n\0ab", 23), (b"", 0)]
    {
        assert_eq!(cut_off(first(script).await), partial);
    }
    let unasked = async {
        let (mut client, _server) = scripted::<P>(config(), b"MESSAGE\n\nhi\0").await?;
        ask(&mut client, &Frame::new("SEND", &[], b""), "RECEIPT").await
    };
    assert_eq!(unasked.await, Err(Error::protocol("MESSAGE []: hi")));
    Ok(())
}

async fn l4_a_frame_without_an_end_is_an_error_and_the_next_one_is_read<P: Platform>()
-> Result<(), Error> {
    let (mut client, mut server) = pair::<P>(config().max_line(100), 1000);
    let served = async {
        let piece = vec![b'x'; 1000];
        for _ in 0..1000 {
            server.send_all(&piece).await?;
        }
        server.send_all("\0M\n\n\0").await
    };
    let read = async {
        assert_eq!(next(&mut client).await, Err(Error::Line(LineError::TooLong { max: 100 })));
        assert_eq!(next(&mut client).await?, Frame::new("M", &[], b""));
        Ok(())
    };
    futures_lite::future::try_zip(served, read).await.map(drop)
}

async fn d2_a_server_without_heart_beats_is_a_timeout<P: Platform>() -> Result<(), Error> {
    let (mut client, mut server) = pair::<P>(config().idle_timeout(Duration::from_millis(5)), 1);
    server.send_all("\nMESSAGE\n").await?;
    assert_eq!(next(&mut client).await, Err(Error::TimedOut(Timeout::Idle)));
    // Nothing is lost.
    server.send_all("\nhi\0").await?;
    assert_eq!(next(&mut client).await?, Frame::new("MESSAGE", &[], b"hi"));
    Ok(())
}
