//! What the chat promises, on every runtime, over real sockets.
//!
//! Nothing here measures time. A test waits for an event, and a program that is not done after a while is
//! killed, which ends every wait for it.

/// One test per rule and runtime.
macro_rules! on_every_runtime {
    ($($(#[$when:meta])* $rule:ident)+) => {
        on_every_runtime!(tokio: "tokio", $($(#[$when])* $rule)+);
        on_every_runtime!(async_std: "async-std", $($(#[$when])* $rule)+);
        on_every_runtime!(smol: "smol", $($(#[$when])* $rule)+);
    };
    ($name:ident: $runtime:literal, $($(#[$when:meta])* $rule:ident)+) => {
        mod $name {
            $($(#[$when])*
            #[test]
            fn $rule() {
                super::$rule($runtime);
            })+
        }
    };
}

// With `cfg(unix)`: what starts a shell, sends a signal, or has a terminal or a Unix socket.
#[cfg(unix)]
mod crowds;
mod departures;
mod harness;
#[cfg(unix)]
mod hints;
mod lines;
#[cfg(unix)]
mod log;
mod metrics;
#[cfg(unix)]
mod operator;
mod pace;
mod person;
mod program;
mod secure;
mod slow;
#[cfg(unix)]
mod stop;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod tty;
