//! The signals of the operating system.

use std::io;

use crate::stop::Stop;

/// Stops the server when the process is told to end.
#[cfg(unix)]
pub(crate) fn watch(stop: Stop) -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            stop.signalled();
        }
    })?;
    Ok(())
}

/// Stops the server when the process is told to end.
#[cfg(not(unix))]
pub(crate) fn watch(stop: Stop) -> io::Result<()> {
    ctrlc::set_handler(move || stop.signalled()).map_err(io::Error::other)
}
