//! The outbox: bytes accepted for sending and not yet transmitted, as a queue of pieces.
//!
//! Small pieces are copied into one another, so that a backlog of lines leaves in few writes; large
//! shared pieces are kept as they are, so that a message for many receivers is stored once.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::collections::vec_deque::Iter;
use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;

use bytes::Bytes;

/// What a queued piece is charged beside its length, in bytes.
pub(crate) const PIECE: usize = 64;
/// A shared piece shorter than this is copied instead.
const SMALL: usize = 1024;
/// How large a piece made of copies may grow.
const MERGED: usize = 64 << 10;
/// How large it may be made from the start.
const STARTED: usize = 16 << 10;

enum Piece {
    Owned(Vec<u8>),
    Shared(Bytes),
}

impl Piece {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// A queue of pieces. The first needs no storage beside its own: mostly there is no other, and then there is no
/// queue either.
#[derive(Default)]
struct Pieces {
    first: Option<Piece>,
    /// Never empty.
    #[expect(clippy::box_collection, reason = "an idle connection has none, and is to be small")]
    rest: Option<Box<VecDeque<Piece>>>,
}

impl Pieces {
    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.as_ref().map_or(0, |rest| rest.len())
    }

    fn back(&self) -> Option<&Piece> {
        self.rest.as_ref().and_then(|rest| rest.back()).or(self.first.as_ref())
    }

    #[inline]
    fn back_mut(&mut self) -> Option<&mut Piece> {
        match &mut self.rest {
            None => self.first.as_mut(),
            Some(rest) => rest.back_mut(),
        }
    }

    fn push_back(&mut self, piece: Piece) {
        if self.first.is_none() {
            self.first = Some(piece);
        } else {
            self.rest.get_or_insert_default().push_back(piece);
        }
    }

    #[inline]
    fn pop_front(&mut self) {
        self.first = self.rest.as_mut().and_then(|rest| rest.pop_front());
        self.rest = self.rest.take().filter(|rest| !rest.is_empty());
    }
}

#[derive(Default)]
pub(crate) struct Outbox {
    pieces: Pieces,
    /// How much of the first piece is transmitted.
    head: usize,
    len: usize,
    /// How large the last piece made of copies became: the next one begins so, and need not grow.
    grown: usize,
    /// How many bytes ever came in, but for those that were dropped.
    accepted: u64,
}

impl Outbox {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// What the queued bytes are charged: their number, and 64 for each piece.
    pub(crate) fn charge(&self) -> usize {
        self.len + self.pieces.len() * PIECE
    }

    /// What they would be charged with a message of `more` bytes added, copied or `shared`.
    pub(crate) fn charge_with(&self, more: usize, shared: bool) -> usize {
        let merges = match self.pieces.back() {
            Some(Piece::Owned(tail)) => !is_kept(more, shared) && has_space(tail.len(), more),
            _ => false,
        };
        let piece = if merges { 0 } else { PIECE };
        self.charge().saturating_add(piece).saturating_add(more)
    }

    /// Queues a copy of `parts`, one behind the other.
    #[inline]
    pub(crate) fn push(&mut self, parts: [&[u8]; 2]) {
        let more = parts[0].len() + parts[1].len();
        self.len += more;
        self.accepted += more as u64;
        match self.pieces.back_mut() {
            Some(Piece::Owned(tail)) if has_space(tail.len(), more) => {
                tail.extend_from_slice(parts[0]);
                tail.extend_from_slice(parts[1]);
                self.grown = tail.len();
            }
            _ => self.push_piece(parts, more),
        }
    }

    #[inline(never)]
    fn push_piece(&mut self, parts: [&[u8]; 2], more: usize) {
        if more > 0 {
            let mut piece = Vec::with_capacity(more.max(self.grown.min(STARTED)));
            piece.extend_from_slice(parts[0]);
            piece.extend_from_slice(parts[1]);
            self.grown = more;
            self.pieces.push_back(Piece::Owned(piece));
        }
    }

    /// Queues `bytes`, without a copy unless they are few.
    pub(crate) fn push_shared(&mut self, bytes: Bytes) {
        if !is_kept(bytes.len(), true) {
            return self.push([&bytes, &[]]);
        }
        self.len += bytes.len();
        self.accepted += bytes.len() as u64;
        self.pieces.push_back(Piece::Shared(bytes));
    }

    pub(crate) fn outgoing(&self) -> Outgoing<'_> {
        let Pieces { first, rest } = &self.pieces;
        let one = first.as_ref().map_or(&[][..], |first| &first.as_slice()[self.head..]);
        Outgoing { one, pieces: rest.as_ref().map_or_else(Iter::default, |rest| rest.iter()) }
    }

    /// Forgets the first `n` bytes: they are transmitted.
    pub(crate) fn transmitted(&mut self, n: usize) {
        assert!(n <= self.len, "more bytes were transmitted than were outgoing");
        self.len -= n;
        self.head += n;
        while let Some(first) = &self.pieces.first {
            let len = first.as_slice().len();
            if self.head < len {
                break;
            }
            self.head -= len;
            self.pieces.pop_front();
        }
    }

    /// Drops everything that is queued.
    pub(crate) fn clear(&mut self) {
        self.pieces = Pieces::default();
        self.head = 0;
        self.accepted -= self.len as u64;
        self.len = 0;
    }
}

/// Whether `more` bytes may be copied behind those of a piece.
const fn has_space(tail: usize, more: usize) -> bool {
    tail.saturating_add(more) <= MERGED
}

/// Whether a message of `n` bytes becomes a piece of its own, uncopied.
const fn is_kept(n: usize, shared: bool) -> bool {
    shared && n >= SMALL
}

/// The bytes to put on the wire, in order, as slices that are not empty.
pub struct Outgoing<'a> {
    /// A slice in front of the pieces, if it is not empty.
    one: &'a [u8],
    pieces: Iter<'a, Piece>,
}

impl<'a> Outgoing<'a> {
    /// This slice alone.
    pub(crate) fn one(one: &'a [u8]) -> Self {
        Self { one, pieces: Iter::default() }
    }
}

impl<'a> Iterator for Outgoing<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if !self.one.is_empty() {
            return Some(core::mem::take(&mut self.one));
        }
        self.pieces.next().map(Piece::as_slice)
    }
}

impl FusedIterator for Outgoing<'_> {}

impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("pieces", &self.pieces.len()).finish_non_exhaustive()
    }
}
