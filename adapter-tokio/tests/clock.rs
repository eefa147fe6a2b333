//! The clock of tokio as the driver sees it.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use asyncnet::{Clock as _, Error, Runtime as _};
use asyncnet_tokio::Tokio;
use tokio::runtime::{Builder, Runtime};

#[test]
fn d4_an_alarm_strikes_though_it_was_set_when_the_task_had_used_up_its_turn() {
    runtime().block_on(async {
        let mut clock = Tokio::clock();
        let at = clock.now() + Duration::from_millis(20);
        let mut limit = pin!(Tokio::sleep(Duration::from_secs(10)));
        let mut is_set = false;
        poll_fn(|cx| {
            assert!(limit.as_mut().poll(cx).is_pending(), "the alarm calls nobody");
            if !is_set {
                is_set = true;
                while pin!(tokio::task::consume_budget()).poll(cx).is_ready() {}
                assert!(clock.poll_alarm(cx, at).is_pending());
            }
            if clock.now() < at { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    });
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Polled outside of a runtime and inside another one; with bytes that are queued, and a timer that was set, or not.
#[test]
fn c3_a_close_behind_the_end_of_its_runtime_answers() {
    for has_timer in [false, true] {
        for elsewhere in [false, true] {
            for unsent in [false, true] {
                let first = runtime();
                let (mut conn, peer) = first.block_on(async {
                    let listener = asyncnet_tokio::listen("127.0.0.1:0").await.expect("a port");
                    let address = listener.local_addr().expect("an address").to_string();
                    let peer = std::net::TcpStream::connect(address).expect("it listens");
                    (listener.accept().await.expect("a peer"), peer)
                });
                if has_timer {
                    let waiting = conn.within(Duration::from_millis(1)).next_line();
                    let late = first.block_on(async { waiting.await.map(drop) });
                    assert!(matches!(late, Err(Error::TimedOut(_))), "{late:?}");
                    conn.configure(|config| config.receive_timeout(Duration::from_secs(60)));
                    let once =
                        async { futures_lite::future::poll_once(conn.next_line()).await.is_some() };
                    assert!(!first.block_on(once), "the peer says nothing");
                }
                if unsent {
                    // More than the system holds.
                    conn.configure(|config| config.max_queue(32 << 20));
                    conn.feed(vec![b'.'; 16 << 20]).expect("there is room");
                }
                drop(first);
                let close = async {
                    let closed = conn.close().await;
                    assert_eq!(conn.close().await, closed, "it repeats");
                    closed
                };
                let closed = if elsewhere {
                    runtime().block_on(close)
                } else {
                    futures_lite::future::block_on(close)
                };
                assert_eq!(closed.is_err(), unsent, "{closed:?}");
                drop(peer);
            }
        }
    }
}

/// What waits has an answer too.
#[test]
fn d1_a_receive_behind_the_end_of_its_runtime_answers() {
    let first = runtime();
    let (mut conn, _peer) = first.block_on(async {
        let (ours, peer) = asyncnet::net::pipe(64);
        let stream = asyncnet::Io::new(ours).with_clock(Tokio::clock());
        let config = asyncnet::Config::default().receive_timeout(Duration::from_secs(60));
        (asyncnet::Connection::new(stream, config), peer)
    });
    let once = async { futures_lite::future::poll_once(conn.next_line()).await.is_some() };
    assert!(!first.block_on(once), "the peer says nothing");
    drop(first);
    let late = futures_lite::future::block_on(conn.next_line()).map(drop);
    assert!(matches!(late, Err(Error::TimedOut(_))), "{late:?}");
}
