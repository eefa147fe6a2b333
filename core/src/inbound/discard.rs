//! Dropping a line that was reported as an error.

use super::State;
use crate::Framing;
use crate::framing;
use crate::inbox::Front;

/// Starts to discard the line at the front of what is `received`, of which `n` bytes hold no terminator.
pub(crate) fn begin(
    received: &[u8],
    front: &mut Front,
    state: &mut State,
    framing: Framing,
    n: usize,
) {
    front.consume(n);
    *state = State::Discarding { dropped: n, framing };
    go_on(received, front, state);
}

/// Drops what has arrived of a line that is being discarded. It ends as the framing says that it broke.
pub(super) fn go_on(received: &[u8], front: &mut Front, state: &mut State) {
    let State::Discarding { dropped, framing } = *state else {
        return;
    };
    match framing::skip(framing, &received[front.head..]) {
        Ok(next) => {
            front.consume(next);
            *state = State::Open;
        }
        Err(n) => {
            front.consume(n);
            *state = State::Discarding { dropped: dropped.saturating_add(n), framing };
        }
    }
}
