//! A batch of lines: every complete line that has arrived, without a copy and without a wait.

use core::fmt;
use core::iter::FusedIterator;

use crate::Framing;
use crate::framing;
use crate::inbox::Marks;

/// Every complete line that has arrived, each without its terminator.
///
/// A line is consumed when the iterator hands it out. Dropped half-way, it leaves the rest for the next
/// receive. It stops in front of a bad line, which is then the next receive's answer.
pub struct Lines<'a> {
    received: &'a [u8],
    marks: Marks<'a>,
    framing: Framing,
    max_line: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(
        received: &'a [u8],
        marks: Marks<'a>,
        framing: Framing,
        max_line: usize,
    ) -> Self {
        Self { received, marks, framing, max_line }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let unread = self.received.get(*self.marks.head..)?;
        match framing::good_line(self.framing, self.max_line, unread, *self.marks.searched) {
            Ok((len, next)) => {
                self.marks.consume_line(next);
                Some(&unread[..len])
            }
            Err(searched) => {
                *self.marks.searched = searched;
                None
            }
        }
    }
}

impl FusedIterator for Lines<'_> {}

impl fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}
