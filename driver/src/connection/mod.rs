//! A connection: it receives and answers in one task, and lends writers to others.

mod batch;
mod handle;
mod info;
mod next_line;
mod nim;
mod receive;
mod send;
mod tls;
mod traits;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use asyncnet_core::driver::Inbound;
use asyncnet_core::{Config, End, Stats};

use self::handle::Handle;
use crate::Transport;
use crate::engine::Engine;
use crate::engine::fan_out::Place;
use crate::engine::shared::Shared;
use crate::net::open::Permit;
use crate::nim::Flags;

pub use batch::Batch;
pub use info::SocketInfo;
pub use next_line::{LineStream, NextLine};
pub use writer::Writer;

/// A connection over the stream `S`: lines and blocks in, messages out, and one documented answer to a peer that
/// goes away.
///
/// # What is seen when the peer goes away
///
#[doc = include_str!("ends.md")]
///
/// What arrived before an end or an error is returned before it, and an end repeats for ever.
///
/// # Typed calls and Nim-style calls
///
/// The *Nim-style calls* have the names and the answers of Nim's `asyncnet`: `recv_line` returns `""` at the end.
/// The *typed calls*, all others, say what happened. They can be mixed: both see the same bytes.
///
/// # Sending without waiting
///
/// [`feed`](Self::feed) and the like queue. What is queued leaves with the next [`send_all`](Self::send_all) or
/// [`flush`](Self::flush), and by itself while a receive waits: a handler that answers every line needs no
/// flush, and many answers leave in one write. A receive never waits for the queue as such. But while more than
/// [`Config::high_water`] bytes of this task's own answers are unsent, it hands out nothing: a peer that does not
/// read is not read from. Two peers that each send more than the other has room for, before either reads, wait for
/// each other; send with a [`writer`](Self::writer) in another task then.
///
/// A handler that used `feed` ends with [`close`](Self::close). A drop makes one attempt to send what is queued; if
/// bytes are left the peer sees a reset, never an orderly end after half a message.
///
/// # Several tasks
///
/// One task has the connection. [`writer`](Self::writer) hands out senders for any number of others.
///
/// # Answering a line while it is borrowed
///
/// [`next_line`](Self::next_line) borrows the connection, so `conn.feed(line)` does not compile. Two ways out:
/// [`next_batch`](Self::next_batch), which hands out what has arrived and the queue side by side, without a copy
/// and without a lock; or a [`writer`](Self::writer), which takes a lock for each call.
#[doc(alias("Framed", "BufReader", "BufStream"))]
pub struct Connection<S: Transport> {
    // Boxed: a future stores a connection that it is given twice, and is to stay small.
    receiver: Box<Receiver>,
    handle: Handle<S>,
}

/// What belongs to the task that receives.
struct Receiver {
    inbound: Inbound,
    /// What is set for one receive alone.
    within: Option<Duration>,
    flags: Option<Flags>,
    once: Once,
    /// The last receive waited, and has no answer yet.
    waits: bool,
    /// Answers of this task may be unsent.
    replied: bool,
}

/// For which receive something is set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Once {
    Unset,
    ForNext,
    ForLast,
}

/// # Making and taking apart
impl<S: Transport> Connection<S> {
    /// A connection over `stream`. Its bounds in time are kept by the stream's
    /// [`clock`](Transport::clock); without one nothing is bounded.
    ///
    /// ```
    /// # fn over<P: futures_io::AsyncRead + futures_io::AsyncWrite + Unpin>(pipe: P) {
    /// use asyncnet::{Config, Connection, Io};
    ///
    /// let conn = Connection::new(Io::new(pipe), Config::default().max_line(512));
    /// # drop(conn);
    /// # }
    /// ```
    pub fn new(stream: S, config: Config) -> Self {
        Self::of(stream, Arc::new(config), None)
    }

    /// A connection over `stream`, of which `early` was read already: those bytes are received first.
    ///
    /// ```
    /// # fn resume<S: asyncnet::Transport>(conn: asyncnet::Connection<S>) {
    /// use asyncnet::{Config, Connection};
    ///
    /// if let Ok((stream, early)) = conn.into_parts() {
    ///     let conn = Connection::from_parts(stream, early, Config::default());
    ///     # drop(conn);
    /// }
    /// # }
    /// ```
    #[doc(alias("read_buf"))]
    pub fn from_parts(stream: S, early: Vec<u8>, config: Config) -> Self {
        let mut this = Self::new(stream, config);
        this.set_early(early);
        this
    }

    /// `bytes` were read from the stream before.
    pub(crate) fn set_early(&mut self, bytes: Vec<u8>) {
        self.handle.with(|engine| engine.set_early(bytes));
    }

    /// The stream, and the bytes received that no call has answered, an unfinished line or block included.
    ///
    /// # Errors
    ///
    /// The connection itself, if something would be lost: while a bad line is being discarded, while bytes are
    /// queued, after a torn message, after a close, under TLS (the stream would carry plaintext next), and while
    /// a [`Writer`] exists.
    #[doc(alias("into_inner", "reunite"))]
    pub fn into_parts(mut self) -> Result<(S, Vec<u8>), Self> {
        self.handle.unshare();
        self.handle.give_up_leaked();
        let Handle::Own(engine) = &mut self.handle else {
            return Err(self);
        };
        let link = &engine.link;
        let refused = link.is_secure() || link.is_interrupted() || link.unsent() > 0;
        if refused || engine.is_closing() || self.receiver.inbound.is_discarding() {
            return Err(self);
        }
        match engine.take_stream() {
            Some(stream) => {
                engine.permit = None;
                let early = engine.take_early();
                let Receiver { inbound, .. } = &*self.receiver;
                let unread = [inbound.partial(), inbound.peek(), inbound.held(), &early];
                Ok((stream, unread.concat()))
            }
            None => Err(self),
        }
    }

    pub(crate) fn of(stream: S, config: Arc<Config>, permit: Option<Permit>) -> Self {
        let mut engine = Box::new(Engine::new(stream, Arc::clone(&config)));
        engine.permit = permit;
        Self {
            receiver: Box::new(Receiver {
                inbound: Inbound::new(config),
                within: None,
                flags: None,
                once: Once::Unset,
                waits: false,
                replied: false,
            }),
            handle: Handle::Own(engine),
        }
    }

    /// A sender for another task. Clone it for more.
    ///
    /// What writers send and what this connection sends never mix within a message. A writer keeps the
    /// connection open: the descriptor goes when the connection and all writers are dropped.
    ///
    /// ```
    /// # async fn serve<S: asyncnet::Transport>(
    /// #     mut conn: asyncnet::Connection<S>,
    /// #     spawn: impl FnOnce(std::pin::Pin<Box<dyn Future<Output = Result<(), asyncnet::Error>>>>),
    /// # ) -> Result<(), asyncnet::Error> where S: 'static {
    /// let writer = conn.writer();
    /// spawn(Box::pin(async move { writer.send_line("news").await }));
    /// while let Some(line) = conn.next_line().await? {
    ///     println!("{}", String::from_utf8_lossy(line));
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// Rules [S3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s3) and [C2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#c2).
    #[doc(alias("split", "into_split", "try_clone"))]
    pub fn writer(&mut self) -> Writer<S> {
        Writer::new(Arc::clone(self.share()))
    }

    /// Shares the engine from here on.
    fn share(&mut self) -> &Arc<Shared<S>> {
        self.handle.share()
    }
}

/// # Settings and facts
impl<S: Transport> Connection<S> {
    /// Changes the settings. They apply to the next line or block, including bytes that are already buffered and
    /// a line that has arrived in part. A bad line that was already reported is discarded by the old framing.
    ///
    /// ```
    /// # fn authenticated<S: asyncnet::Transport>(conn: &mut asyncnet::Connection<S>) {
    /// // Short lines before the login, long ones after it.
    /// conn.configure(|config| config.max_line(8192));
    /// # }
    /// ```
    ///
    /// Rules [F1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#f1) and [D7](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#d7).
    pub fn configure(&mut self, change: impl FnOnce(Config) -> Config) {
        let config = Arc::new(change(*self.receiver.inbound.config()));
        self.receiver.inbound.configure(Arc::clone(&config));
        self.handle.with(|engine| engine.link.configure(config));
        if let Handle::Shared(shared) = &self.handle {
            // There may be more room, or a bound in time for those that wait.
            shared.fan_out.wake_if(|place| place != Place::RECEIVER);
        }
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.receiver.inbound.config()
    }

    /// The end, once a receive met it or a write met a reset. Final.
    ///
    /// Rule [E1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#e1).
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.receiver.inbound.end_after(self.handle.look(|engine| engine.link.coming_end()))
    }

    /// The bytes of the unfinished line or block that came before the end. They stay until the connection is
    /// dropped, and never come back as a line.
    ///
    /// Rule [E2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#e2).
    #[must_use]
    pub fn partial(&self) -> &[u8] {
        self.receiver.inbound.partial()
    }

    /// What was received and sent so far, and what is queued now, in numbers.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.handle.look(|engine| engine.link.stats(Some(&self.receiver.inbound)))
    }

    /// The socket under the connection: its addresses and options.
    #[must_use]
    pub const fn socket(&self) -> SocketInfo<'_, S> {
        SocketInfo::new(&self.handle)
    }

    /// The stream. `None` once the connection is closed, or after [`writer`](Self::writer) or a `futures` trait
    /// has been used, even if every [`Writer`] has been dropped since.
    #[must_use]
    pub fn get_ref(&self) -> Option<&S> {
        match &self.handle {
            Handle::Own(engine) => engine.stream(),
            Handle::Shared(_) | Handle::Moving => None,
        }
    }
}

impl<S: Transport> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Connection");
        debug.field("inbound", &self.receiver.inbound);
        self.handle.look(|engine| debug.field("link", &engine.link).finish_non_exhaustive())
    }
}
