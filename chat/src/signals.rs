//! The signals of the operating system.

use std::io;

use crate::stop::Stop;
use crate::tls::Shown;

/// Stops the server at a signal that ends a process. SIGHUP reads a certificate from files again; a server without
/// one stops at SIGHUP too, which is what a closed terminal sends.
#[cfg(unix)]
pub(crate) fn watch(stop: Stop, shown: Option<Shown>) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    // Not in the event loop: to reload reads files.
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            match shown.as_ref().filter(|shown| signal == SIGHUP && shown.is_from_files()) {
                Some(shown) => shown.reload(),
                None => stop.signalled(),
            }
        }
    })?;
    Ok(())
}

/// Stops the server at a signal that ends a process.
#[cfg(not(unix))]
pub(crate) fn watch(stop: Stop, _: Option<Shown>) -> io::Result<()> {
    ctrlc::set_handler(move || stop.signalled()).map_err(io::Error::other)
}
