//! Migrating from Nim's `asyncnet`: each of its procedures, and every place where this library differs.
//!
//! Searching these pages for a Nim name finds its counterpart. The calls themselves are methods of
//! [`Connection`], in a group of their own.
//!
//! # The procedures
//!
//! In the examples `AsyncSocket` is the alias of your runtime's adapter (`use asyncnet_tokio::AsyncSocket`), and an
//! `await` is what it is in Nim.
//!
//! | Nim | here |
//! |---|---|
//! | `newAsyncSocket()` | `AsyncSocket::default()`, [`AsyncSocket::new`], [`AsyncSocket::from_raw_parts`] |
//! | `newAsyncSocket(fd, ..)` | [`AsyncSocket::adopt`], then `into_connection`, `into_listener` or `into_datagram` |
//! | `buffered = false` | [`AsyncSocket::buffered`]`(false)` |
//! | `bindAddr(port, address)` | [`AsyncSocket::bind_addr`]`(address, port)` |
//! | `bindUnix(path)` | [`AsyncSocket::bind_unix`] |
//! | `listen(backlog)` | [`AsyncSocket::listen`], which makes a [`Listener`] of the socket; in one step [`Listener::bind`] |
//! | `accept()`, `acceptAddr()` | [`Listener::accept`], [`Listener::accept_addr`] |
//! | `connect(address, port)` | [`AsyncSocket::connect`], which makes a [`Connection`] |
//! | `connectUnix(path)` | [`AsyncSocket::connect_unix`] |
//! | `dial(address, port)` | [`net::connect`]`("host:port")` |
//! | `recv(size)` | [`Connection::recv`] |
//! | `recvInto(buf, size)` | [`Connection::recv_into`] |
//! | `recvLine()` | [`Connection::recv_line`] |
//! | `recvLineInto(resString)` | [`Connection::recv_line_into`] |
//! | `send(data)` | [`Connection::send`] |
//! | `flags = {SafeDisconn}`, `{Peek}` | [`Connection::with_flags`] in front of the call, and [`Flags`] |
//! | `sendTo`, `recvFrom` | [`Datagram::send_to`](net::Datagram::send_to), [`Datagram::recv_from`](net::Datagram::recv_from) |
//! | `close()` | [`Connection::close`] |
//! | `isClosed()` | [`Connection::is_closed`] |
//! | `getFd()` | [`Transport::os_socket`], [`Listener::os_socket`] |
//! | `hasDataBuffered()` | [`Connection::has_data_buffered`] |
//! | `getLocalAddr()`, `getPeerAddr()` | [`Connection::socket`]`().local_addr()`, `.peer_addr()` |
//! | `setSockOpt(opt, value)`, `getSockOpt(opt)` | [`AsyncSocket::set`], [`AsyncSocket::get`]; of a connection [`Connection::socket`]`().set(..)`, `.get(..)` |
//! | `OptReuseAddr`, .. (`SOBool`) | [`SockOpt`](net::SockOpt) |
//! | `asyncCheck`, `runForever` | your runtime's `spawn` and `block_on` |
//! | `newContext(..)` | `TlsContext::client()`, `TlsContext::server()` (feature `tls`, as the next two) |
//! | `wrapSocket(ctx, socket)` | `AsyncSocket::wrap_tls(&context)` |
//! | `wrapConnectedSocket(ctx, socket, role, name)` | [`Connection::upgrade_tls`]`(context.as_client(name))` or `as_server()` |
//! | `isSsl()`, `getPeerCertificates()` | [`Connection::tls`] |
//!
//! # One after the other
//!
//! A server that makes a socket, sets an option, binds and listens, and accepts with the address:
//!
//! ```no_run
//! # async fn serve<R: asyncnet::Runtime>() -> std::io::Result<()> {
//! # type AsyncSocket<R> = asyncnet::AsyncSocket<R>;
//! use asyncnet::net::{Domain, Setting, SockOpt};
//!
//! let mut server = AsyncSocket::<R>::new(Domain::Ipv4)?;
//! server.set(Setting::Flag(SockOpt::ReuseAddr, true))?;
//! assert!(server.get(SockOpt::ReuseAddr)?);
//! server.bind_addr("", 12345).await?;
//! let server = server.listen(128)?;
//! let (mut client, address) = server.accept_addr().await?;
//! println!("{address}, to {}", client.socket().local_addr()?);
//!
//! // recvLine, until the empty string that is the end.
//! loop {
//!     let line = client.recv_line().await?;
//!     if line.is_empty() {
//!         break;
//!     }
//!     client.send(format!("{line}\r\n")).await?;
//! }
//! client.close().await?;
//! # Ok(()) }
//! ```
//!
//! A client, with the other receives and with flags:
//!
//! ```no_run
//! # async fn talk<R: asyncnet::Runtime>() -> std::io::Result<()> {
//! # type AsyncSocket<R> = asyncnet::AsyncSocket<R>;
//! use asyncnet::nim::Flags;
//!
//! let mut server = AsyncSocket::<R>::default().connect("localhost", 12345).await?;
//! // An error if the server is gone, which `send` under `SAFE_DISCONN` hides.
//! server.with_flags(Flags::empty()).send(b"hello\r\n").await?;
//!
//! // What is there, left in place; then the same bytes, consumed.
//! let next = server.with_flags(Flags::SAFE_DISCONN | Flags::PEEK).recv(5).await?;
//! let word = server.recv(5).await?;
//! assert!(word.starts_with(&next));
//!
//! let mut line = Vec::new();
//! server.recv_line_into(&mut line).await?;
//! let mut buf = [0; 16];
//! let n = server.recv_into(&mut buf).await?;
//! println!("{n} bytes after the line");
//! # Ok(()) }
//! ```
//!
//! The other ways to make a socket and to connect one; datagrams have their example at
//! [`Datagram`](net::Datagram):
//!
//! ```no_run
//! # async fn others<R: asyncnet::Runtime<Socket = asyncnet::net::SystemSocket>>() -> std::io::Result<()> {
//! # type AsyncSocket<R> = asyncnet::AsyncSocket<R>;
//! use asyncnet::net::{ConnectOptions, Domain, connect};
//!
//! // The first of all addresses that answers, of either family.
//! let web = connect::<R>("localhost:80", ConnectOptions::new()).await?;
//! assert!(!web.is_closed() && !web.has_data_buffered());
//! println!("connected to {}", web.socket().peer_addr()?);
//!
//! // A Unix socket, and one in the numbers of the system (here AF_INET, SOCK_STREAM).
//! let unix = || AsyncSocket::<R>::new(Domain::Unix);
//! let mut server = unix()?;
//! server.bind_unix("/run/chat.sock")?;
//! let server = server.listen(128)?;
//! let client = unix()?.buffered(false).connect_unix("/run/chat.sock").await?;
//! let numbers = AsyncSocket::<R>::from_raw_parts(2, 1, 0)?;
//!
//! // One that was made elsewhere.
//! let theirs = std::net::TcpStream::connect("localhost:80")?;
//! let ours = AsyncSocket::<R>::adopt(theirs)?.into_connection()?;
//! # drop((server, client, numbers, ours));
//! # Ok(()) }
//! ```
//!
//! # What is different, and why
//!
//! **Lines**
//!
//! - A CR that no LF follows is data. Nim's buffered `recvLine` ends the line there and swallows the next
//!   byte; its unbuffered one ends the process.
//! - A line longer than the limit is an error, once, and is discarded whole. Nim hands out its first
//!   `maxLength + 1` bytes as a line and the rest as the next: a peer can smuggle a command that way.
//! - `recv_line` returns text, and a line that is not UTF-8 is an error with its bytes inside. The calls
//!   that return bytes pass everything, as Nim does.
//! - `recv_line_into` replaces what was in the buffer. Nim appends, and at the end may leave the old
//!   line there, to be taken for a new one.
//! - A peek works, for lines too. Nim's asserts, loses data over TLS, or returns `""` where the peer is
//!   well.
//!
//! **Blocks**
//!
//! - `recv(n)` allocates for what arrives. Nim allocates `n` first.
//! - `recv(0)` returns `""` at once. Nim waits, or ends the process. There is no negative size.
//! - Above [`Config::max_block`] (16 MiB) a `recv` is an error.
//!
//! **Ends**
//!
//! - `""` means what it means in Nim, but [`Connection::end`] says why it ended and
//!   [`Connection::partial`] what was cut off.
//! - Without `SafeDisconn` a reset is an error of its kind each time it is asked for, after all bytes that
//!   came before it. In Nim it is an error once, without a code, and then a clean end; bytes of the call
//!   that meets it are lost.
//! - A timeout of the network counts as a reset. In Nim `SafeDisconn` does not cover it.
//! - A `send` to a peer that is gone is no error under `SafeDisconn`, as in Nim, but
//!   [`Connection::end`] says so.
//!
//! **Tasks**
//!
//! - A call that is given up (dropped) loses nothing: the next goes on. In Nim it stays alive and eats the
//!   next line, or writes into a buffer that is gone.
//! - Two tasks cannot receive at once: it does not compile. In Nim the second hangs or takes bytes of the
//!   first. To send from other tasks: [`Connection::writer`].
//! - Any number of tasks may accept at once. In Nim a second one ends the process.
//! - A connection is closed when it is dropped. In Nim the descriptor stays.
//!
//! **Closing**
//!
//! - `close` sends what is queued, ends our side, and reads a bounded rest, so that the peer gets our last
//!   bytes. Nim drops what was not sent, and unread input turns its close into a reset.
//! - After a close every call is an error, [`Error::Closed`]. In Nim a `send` may go to another connection, which
//!   got the descriptor's number.
//! - [`Connection::shutdown_write`] ends our side alone. Nim has no such call.
//!
//! **Sockets**
//!
//! - A listener, a connection and a datagram socket are types of their own: a `recv` on a listener does not
//!   compile. In Nim it hangs.
//! - `accept` goes on when there are no descriptors left, and past peers that left before they were
//!   accepted. In Nim both are errors, the first for each try.
//! - `acceptAddr` gives the port too.
//! - [`SockOpt::NoDelay`](net::SockOpt::NoDelay) sets `TCP_NODELAY`, and is on from the start. Nim's sets another option unless
//!   the level is given too.
//! - Looking up a name does not block the event loop. In Nim it does.
//! - A failed connect leaves a socket that can be tried again. In Nim it cannot.
//! - A socket of integers works for IPv6 too.
//! - Datagrams are neither merged nor cut, and an empty one is one.
//! - Errors name the operation and the address; see [`SocketError`](net::SocketError).
//!
//! **TLS**
//!
//! - A client verifies the chain and the name of the server, and trusts the system's authorities from the start. Nim's verifies
//!   nothing without a CA, and `wrapConnectedSocket` never looks at the name.
//! - `connect` returns after the handshake, and a peer that leaves in the middle of it is an error. In Nim it
//!   succeeds, and the first `send` does too.
//! - Plaintext that an attacker put after the answer to STARTTLS stops the upgrade. In Nim it is returned as if it had
//!   come over TLS.
//! - A stream that was cut off differs from one that ended ([`Cause::Truncated`]). In Nim both are `""`.
//! - A peek works, a listener accepts while handshakes are under way, and they are bounded in time.
//!
//! **Memory**
//!
//! - What waits to be sent is bounded ([`Config::max_queue`]); a `send` waits for room. In Nim it grows.
//! - A client that does not read does not stop the others: [`Room`] is the chat example's loop, made safe.

#[cfg(doc)]
use crate::*;

pub use asyncnet_core::{EMPTY_LINE, Flags};
