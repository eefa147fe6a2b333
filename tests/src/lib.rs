//! The conformance suite of `asyncnet`: every rule of its contract, as a test that runs on every runtime
//! and every transport.
//!
//! The suite knows only the public interface. A test is an `async fn` that starts its name with the
//! number of its rule; [`rules::TABLE`] lists them all, and is the list that the tests are made from. A
//! rule without a test does not build.
//!
//! # Running it on another adapter
//!
//! An adapter brings its [`Runtime`](asyncnet::Runtime) and a way to run futures. One line then makes
//! all the tests, over TCP and Unix sockets:
//!
//! ```
//! use asyncnet_conformance::{Executor, Platform, platform};
//! # use asyncnet_tokio::Tokio;
//!
//! struct Mine;
//!
//! impl Executor for Mine {
//!     fn block_on<T>(future: impl Future<Output = T>) -> T {
//!         let mut builder = tokio::runtime::Builder::new_current_thread();
//!         builder.enable_all().build().expect("a runtime").block_on(future)
//!     }
//!
//!     fn spawn<T: Send + 'static>(
//!         task: impl Future<Output = T> + Send + 'static,
//!     ) -> impl Future<Output = T> {
//!         let task = tokio::spawn(task);
//!         async { task.await.expect("the task ends") }
//!     }
//! }
//!
//! impl Platform for Mine {
//!     type Runtime = Tokio;
//! }
//!
//! platform!(mine: Mine);
//! # fn main() {}
//! ```
//!
//! Any other transport (one that encrypts, say) implements [`Bed`] and takes the line
//! `bed!(my_transport: MyBed);`.
//!
//! # How it is built
//!
//! - A [`Bed`] makes a connection and the raw other end of it, a [`Peer`]. There are three kinds:
//!   [`Tcp`] and [`Unix`] over any [`Platform`], and [`Memory`], a pipe without a runtime that does to
//!   the letter what a [`Transport`](asyncnet::Transport) promises and nothing beyond: it transfers a
//!   byte at a time, or few, or nothing until it is flushed, and wakes only the last waker.
//! - Many a scene is played twice: with a connection of its own, and with one that has lent a writer.
//! - Beside the rules there are vectors (`tests/vectors`): scripts, as text, of what a peer does and what
//!   a connection answers. The `player` plays them, and the program `scenario` plays scripts of the same
//!   operations that others wrote.
//! - The rules of TLS run on every platform over TCP. At the other end is rustls itself on a helper thread,
//!   which keeps to the protocol or breaks it to the byte. `tests/real_peers.sh` has openssl and Python
//!   there.
//! - Every test is bounded by a watchdog on another thread. The bound says nothing about speed, and no
//!   test measures any.

mod bed;
mod faulty;
#[cfg(doctest)]
mod guide;
mod memory;
mod places;
#[cfg(target_os = "linux")]
pub mod player;
mod raw;
pub mod rules;
mod sockets;
mod system;
mod tls;
mod tools;

pub use bed::{Bed, Executor, Peer, Platform, Rest, System, run};
pub use memory::{Faults, Manner, Memory, Pipe, PipePeer, Random, Single, Transfers, Whole};
#[cfg(unix)]
pub use sockets::Unix;
pub use sockets::{SocketPeer, Tcp};
pub use tls::{Tls, TlsPeer};

/// Makes the tests of a [`Platform`]: its sockets, TCP and Unix, and its listeners.
#[macro_export]
macro_rules! platform {
    ($name:ident: $platform:ty) => {
        mod $name {
            #[allow(unused_imports, reason = "the type may come with its path")]
            use super::*;

            type Platform = $platform;

            $crate::bed!(tcp: $crate::Tcp<Platform>);
            #[cfg(unix)]
            $crate::bed!(unix: $crate::Unix<Platform>);
            $crate::bed!(tls: $crate::Tls<$crate::Tcp<Platform>>);
            $crate::__table!([$crate::__tests] (listeners Platform));
        }
    };
}

/// Makes the tests of a [`Bed`].
#[macro_export]
macro_rules! bed {
    ($name:ident: $bed:ty) => {
        mod $name {
            #[allow(unused_imports, reason = "the type may come with its path")]
            use super::*;

            type Bed = $bed;

            $crate::__table!([$crate::__tests] (beds Bed));
        }
    };
}

/// Makes the tests of a [`Memory`] pipe that transfers in this [`Manner`].
#[macro_export]
macro_rules! pipe {
    ($name:ident: $manner:ty) => {
        mod $name {
            #[allow(unused_imports, reason = "the type may come with its path")]
            use super::*;

            type Manner = $manner;

            $crate::bed!(pipe: $crate::Memory<Manner>);
            $crate::bed!(tls: $crate::Tls<$crate::Memory<Manner>>);
            $crate::__table!([$crate::__tests] (pipes Manner));
        }
    };
}

/// Makes tests of those lines of the table that run on what is asked for.
#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    (($on:ident $type:ident) $($bed:ident $tests:tt)*) => {
        $($crate::__tests_on!($on $bed $type $tests);)*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests_on {
    (beds beds $type:ident $tests:tt) => {
        $crate::__tests_with!((super::$type) $type $tests);
    };
    (pipes pipes $type:ident $tests:tt) => {
        $crate::__tests_with!(($crate::Memory<super::$type>) $type $tests);
    };
    (listeners listeners $type:ident $tests:tt) => {
        $crate::__tests_with!((super::$type) $type $tests);
    };
    (listeners unix_sockets $type:ident $tests:tt) => {
        #[cfg(unix)]
        $crate::__tests_with!((super::$type) $type $tests);
    };
    ($on:ident $bed:ident $type:ident $tests:tt) => {};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests_with {
    ($executor:tt $type:ident { $($file:ident { $($rule:ident $test:ident)* })* }) => {
        $(mod $file {
            $($crate::__test!($executor $type $file $test);)*
        })*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __test {
    (($executor:ty) $type:ident $file:ident $test:ident) => {
        #[test]
        fn $test() {
            $crate::run::<$executor, _>($crate::rules::$file::$test::<super::$type>);
        }
    };
}

/// The examples of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// What does not fit does not compile, and the traits say in the error what to do instead.
///
/// A socket of a runtime needs the adapter's `Stream`:
///
/// ```compile_fail,E0277
/// fn over(socket: tokio::net::TcpStream) {
///     asyncnet::Connection::new(socket, asyncnet::Config::default());
/// }
/// ```
///
/// A runtime is a type of an adapter:
///
/// ```compile_fail,E0277
/// async fn listen() {
///     let _ = asyncnet::net::connect::<tokio::runtime::Runtime>("", Default::default()).await;
/// }
/// ```
///
/// Code that spawns asks for more than a runtime:
///
/// ```compile_fail,E0277
/// fn spawns<R: asyncnet::SendRuntime>() {}
/// fn generic<R: asyncnet::Runtime>() {
///     spawns::<R>();
/// }
/// ```
///
/// And this is what the errors ask for:
///
/// ```
/// fn over(socket: tokio::net::TcpStream) {
///     let stream = asyncnet_tokio::Stream::from(socket);
///     asyncnet::Connection::new(stream, asyncnet::Config::default());
/// }
/// async fn connect() {
///     let _ = asyncnet::net::connect::<asyncnet_tokio::Tokio>("", Default::default()).await;
/// }
/// fn spawns<R: asyncnet::SendRuntime>() {}
/// fn generic<R: asyncnet::SendRuntime>() {
///     spawns::<R>();
/// }
/// ```
#[cfg(doctest)]
struct Misfits;
