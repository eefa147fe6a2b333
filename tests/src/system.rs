//! What the system below does not do, though the real one does: wine is not Windows. A test that meets this leaves out
//! what depends on it, and says so on standard error.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};

/// Whether the peer of a socket that was closed with a linger time of zero sees a reset. wine ends every socket in good order
/// before it closes it, and then the peer sees an orderly end.
pub(crate) fn makes_resets() -> bool {
    static MAKES: LazyLock<bool> = LazyLock::new(|| {
        let reset = is_reset_by_an_abort().expect("two sockets");
        assert!(reset || cfg!(windows), "an abort is no reset");
        reset
    });
    *MAKES || left_out("an aborted socket is not reset here")
}

fn is_reset_by_an_abort() -> io::Result<bool> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut peer = TcpStream::connect(listener.local_addr()?)?;
    let (aborted, _) = listener.accept()?;
    SockRef::from(&aborted).set_linger(Some(Duration::ZERO))?;
    drop(aborted);
    Ok(peer.read(&mut [0]).is_err())
}

/// Whether it can be set how many probes of a silent peer may go unanswered. wine 8 knows no `TCP_KEEPCNT`.
pub(crate) fn counts_probes() -> bool {
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(60)).with_retries(4);
    let set = Socket::new(Domain::IPV4, Type::STREAM, None)
        .and_then(|socket| socket.set_tcp_keepalive(&keepalive));
    match set {
        Ok(()) => true,
        Err(error) if cfg!(windows) => left_out(&format!("the number of probes: {error}")),
        Err(error) => panic!("{error}"),
    }
}

/// Says that the test on this thread leaves something out, past the harness, which hides what a test that passes prints.
fn left_out(reason: &str) -> bool {
    let thread = thread::current();
    let said = format!("left out in {}: {reason}\n", thread.name().unwrap_or("a test"));
    // Nothing depends on whether it can be printed.
    let _ = io::stderr().write_all(said.as_bytes());
    false
}
