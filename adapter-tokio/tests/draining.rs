//! A17: what has come to an idle connection when its listener shuts down, though tokio has not heard of it yet.

use std::future::{Future as _, poll_fn};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use asyncnet::net::ListenOptions;
use asyncnet::{Connection, Error, Transport};
use asyncnet_tokio::Listener;
use tokio::runtime::Builder;

async fn echo<S: Transport>(mut conn: Connection<S>) -> Result<(), Error> {
    while let Some(line) = conn.next_line().await?.map(<[u8]>::to_vec) {
        conn.send_line(line).await?;
    }
    Ok(())
}

#[test]
fn a17_a_line_that_the_reactor_has_not_heard_of_is_answered() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let options = ListenOptions::new().close_idle(true);
        let listener = Listener::bind_with("127.0.0.1:0", options).await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let mut peer = TcpStream::connect(address).expect("it listens");
        let mut echo = pin!(echo(listener.accept().await.expect("a connection")));
        let mut finish = pin!(listener.finish(Duration::from_secs(60)));
        // All in one turn: the reactor has none before the end of it.
        poll_fn(|cx| {
            assert!(echo.as_mut().poll(cx).is_pending());
            peer.write_all(b"line\n").expect("a connection");
            assert!(finish.as_mut().poll(cx).is_pending());
            assert!(echo.as_mut().poll(cx).is_pending(), "the line has come");
            Poll::Ready(())
        })
        .await;
        assert_eq!(echo.await, Err(Error::Closed), "it is idle behind that");
        let mut answer = [0; 6];
        peer.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"line\r\n");
    });
}
