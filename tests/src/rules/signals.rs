//! [S9]: no write raises SIGPIPE.
//!
//! [S9]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s9

use std::io::IoSlice;
use std::os::unix::net::UnixStream;
use std::pin::Pin;

use asyncnet::{Runtime, Transport};
use nix::sys::signal::{SigSet, Signal};
use socket2::{Domain, Socket, Type};
use std::future::poll_fn;

use crate::bed::Platform;

/// Whether a SIGPIPE of this thread waits to be delivered.
fn is_pending() -> bool {
    let status = std::fs::read_to_string("/proc/thread-self/status").expect("Linux");
    let pending = status.lines().find_map(|line| line.strip_prefix("SigPnd:"));
    let pending = u64::from_str_radix(pending.expect("a mask").trim(), 16).expect("a mask");
    pending & (1 << (Signal::SIGPIPE as u64 - 1)) != 0
}

/// Writes until the system says that the peer is gone: one slice or several at once.
async fn write_to_nobody<S: Transport>(mut stream: S, vectored: bool) {
    let slices = [IoSlice::new(b"one"), IoSlice::new(b"two")];
    for _ in 0..100 {
        let written = poll_fn(|cx| {
            let stream = Pin::new(&mut stream);
            if vectored {
                stream.poll_write_vectored(cx, &slices)
            } else {
                stream.poll_write(cx, b"one")
            }
        });
        if written.await.is_err() {
            return;
        }
    }
    panic!("the peer is still there");
}

/// The signal is blocked while our side writes. A signal that is blocked is kept, even one that the program
/// ignores (as Rust programs ignore this one), so that it shows whether the system raised it.
pub async fn s9_a_write_to_a_peer_that_left_raises_no_signal<P: Platform>() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGPIPE);
    signals.thread_block().expect("it can be blocked");
    for vectored in [false, true] {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        drop(theirs);
        write_to_nobody(P::Runtime::stream(ours.into()).expect("a stream"), vectored).await;
        assert!(!is_pending(), "a Unix socket, vectored: {vectored}");

        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").into();
        let ours = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        ours.connect(&address).expect("it listens");
        drop(listener.accept().expect("a peer"));
        write_to_nobody(P::Runtime::stream(ours).expect("a stream"), vectored).await;
        assert!(!is_pending(), "a TCP socket, vectored: {vectored}");
    }
}
