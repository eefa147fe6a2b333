//! What the chat promises, on every runtime, over real sockets.
//!
//! Nothing here measures time. A test waits for an event, and a program that is not done after a while is
//! killed, which ends every wait for it.

#![cfg(unix)]

/// One test per rule and runtime.
macro_rules! on_every_runtime {
    ($($rule:ident)+) => {
        on_every_runtime!(tokio: "tokio", $($rule)+);
        on_every_runtime!(async_std: "async-std", $($rule)+);
        on_every_runtime!(smol: "smol", $($rule)+);
    };
    ($name:ident: $runtime:literal, $($rule:ident)+) => {
        mod $name {
            $(#[test]
            fn $rule() {
                super::$rule($runtime);
            })+
        }
    };
}

mod crowds;
mod departures;
mod harness;
mod hints;
mod lines;
mod log;
mod metrics;
mod operator;
mod pace;
mod person;
mod program;
mod secure;
mod slow;
mod stop;
mod terminal;
mod tty;
