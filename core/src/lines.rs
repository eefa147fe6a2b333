//! A batch of lines: every complete line that has arrived, without a copy and without a wait.

use core::fmt;
use core::iter::FusedIterator;

use crate::Framing;
use crate::framing;
use crate::inbox::Front;

/// Every complete line that has arrived, each without its terminator.
///
/// A line is consumed when the iterator hands it out. Dropped half-way, it leaves the rest for the next
/// receive. It stops in front of a bad line, which is then the next receive's answer.
pub struct Lines<'a> {
    received: &'a [u8],
    front: &'a mut Front,
    framing: Framing,
    max_line: usize,
    /// Whether every line that a look ahead finds is a good one.
    looks_ahead: bool,
    /// Where LFs are among the next bytes, bit 0 for the first; 0 if that is not known.
    lfs: u64,
}

/// A line of up to so many bytes, its end included, is worth a look ahead: the next 64 bytes probably hold
/// several more.
const SHORT: usize = 24;

impl<'a> Lines<'a> {
    pub(crate) fn new(
        received: &'a [u8],
        front: &'a mut Front,
        framing: Framing,
        max_line: usize,
    ) -> Self {
        let looks_ahead = framing == Framing::Lenient && max_line >= framing::WINDOW;
        Self { received, front, framing, max_line, looks_ahead, lfs: 0 }
    }

    /// The length of the next line and where the one behind it starts, if that is known already.
    #[inline]
    fn take_known(&mut self, unread: &[u8]) -> Option<(usize, usize)> {
        if self.lfs == 0 {
            return None;
        }
        let lf = self.lfs.trailing_zeros() as usize;
        self.lfs = self.lfs >> lf >> 1;
        Some((framing::length_before(unread, lf), lf + 1))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    // As a call it would take as long as the search.
    #[inline(always)]
    fn next(&mut self) -> Option<&'a [u8]> {
        let unread = self.received.get(self.front.head..)?;
        let (len, next) = match self.take_known(unread) {
            Some(line) => line,
            None => {
                let searched = &mut self.front.searched;
                framing::good_line(self.framing, self.max_line, unread, searched)?
            }
        };
        self.front.consume_line(next);
        if next <= SHORT && self.lfs == 0 && self.looks_ahead {
            self.lfs = look_ahead(&unread[next..]);
        }
        Some(&unread[..len])
    }
}

/// Where LFs are at the front of `unread`. Apart, to leave the registers to the loop around `next`.
#[inline(never)]
fn look_ahead(unread: &[u8]) -> u64 {
    unread.first_chunk().map_or(0, framing::lfs)
}

impl FusedIterator for Lines<'_> {}

impl fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}
