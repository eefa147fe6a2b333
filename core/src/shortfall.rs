//! What a receive was short of when it had no answer.

/// What the parser of a [`poll_with`](crate::Inbound::poll_with), or the handler of a batch, was short of
/// when it was called last. By default: of nothing, as before the first call.
///
/// It holds as long as nothing is consumed; what other calls consume makes it void.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// Where the front of the unread bytes stood in the stream.
    at: u64,
    /// How many unread bytes there were.
    seen: usize,
    lack: Lack,
}

/// What was missing, counted from the front of the unread bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lack {
    #[default]
    Nothing,
    /// So many bytes in all.
    Bytes(usize),
    /// The end of the line that begins behind so many bytes.
    Line { begins: usize },
}

impl Shortfall {
    pub(crate) const fn new(at: u64, seen: usize, lack: Lack) -> Self {
        Self { at, seen, lack }
    }

    /// What is missing, if the unread bytes still begin at `position`.
    pub(crate) fn lack(self, position: u64) -> Lack {
        if self.at == position { self.lack } else { Lack::Nothing }
    }

    /// How many of the unread bytes were there before, if they still begin at `position`.
    pub(crate) fn seen(self, position: u64) -> usize {
        if self.at == position { self.seen } else { 0 }
    }
}

/// How far an earlier search for a line end came that did not start at the front of the unread bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Searched {
    /// Where the line begins in the stream.
    line: u64,
    bytes: usize,
}

impl Searched {
    pub(crate) const fn new(line: u64, bytes: usize) -> Self {
        Self { line, bytes }
    }

    /// Whether the line begins behind `position`.
    pub(crate) const fn is_behind(self, position: u64) -> bool {
        self.line > position
    }

    /// How many bytes of the line that begins at `line` were searched.
    pub(crate) fn of(self, line: u64) -> usize {
        if self.line == line { self.bytes } else { 0 }
    }
}
