//! [T4] over Unix sockets.
//!
//! [T4]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t4

use std::io::ErrorKind;

use asyncnet::net::Domain;
use asyncnet::{AsyncSocket, TlsContext};
use futures_lite::future::zip;

use crate::bed::Platform;
use crate::places::TempPath;
use crate::raw::accept_secure;
use crate::tls::{NAME, context};
use crate::tools::assert_line;

/// The context says whom to expect where an address cannot.
pub async fn t4_a_unix_socket_needs_a_name<P: Platform>() {
    let path = TempPath::new();
    let wrapped = |context: &TlsContext| {
        let socket = AsyncSocket::<P::Runtime>::new(Domain::Unix);
        let mut socket = socket.expect("a socket");
        socket.wrap_tls(context);
        socket
    };
    let mut socket = wrapped(context());
    socket.bind_unix(&path).expect("a path");
    let listener = socket.listen(4).expect("a listener");
    let error = wrapped(context()).connect_unix(&path).await.expect_err("no name");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let named = context().clone().for_server(NAME).expect("a name");
    let mut socket = wrapped(&named);
    let ends = zip(socket.connect_unix(&path), accept_secure(&listener));
    let (ours, theirs) = ends.await;
    let (mut ours, mut theirs) = (ours.expect("a connection"), theirs);
    ours.send_line(b"line").await.expect("a connection");
    assert_line!(theirs, "line");
}
