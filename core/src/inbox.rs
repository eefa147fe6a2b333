//! The inbox: bytes received and not yet asked for, in one contiguous buffer.
//!
//! The buffer is lent: an idle inbox holds none. Bytes are zeroed once, when a block is made, and written
//! over from then on. Reads start at aligned addresses: a copy out of the kernel to any other one can take
//! three times as long.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use crate::LineError;
use crate::shortfall::{Searched, Shortfall};
use crate::stats::BadLines;

/// What a first read asks for, in bytes.
const FIRST_READ: usize = 16 << 10;
/// What a read asks for once reads keep coming back full.
pub(crate) const LARGEST_READ: usize = 64 << 10;
/// The size of a lent block: the largest read fits behind what is to spare for its alignment.
pub(crate) const BLOCK: usize = LARGEST_READ + ALIGN;
/// What the address of a read is a multiple of, where that costs nothing.
const ALIGN: usize = 64;
/// Up to here, unread bytes are worth a copy to free the block they lie in.
const SMALL_REST: usize = 8 << 10;

/// `block[head..tail]` is unread. Bytes in front of `head` stay until the next read overwrites them, so
/// that what was consumed can still be borrowed.
#[derive(Default)]
pub(crate) struct Inbox {
    block: Vec<u8>,
    /// In front of it lies nothing that was received since bytes were last moved.
    start: usize,
    tail: usize,
    front: Front,
    /// Where the front of `block` stands in the whole stream; it may stand before the beginning.
    base: u64,
    /// How much the next read asks for; 0 before the first.
    read_size: u32,
    /// How much the last `space` offered.
    offered: u32,
}

impl Inbox {
    #[inline]
    pub(crate) fn unread(&self) -> &[u8] {
        &self.block[self.front.head..self.tail]
    }

    pub(crate) const fn len(&self) -> usize {
        self.tail - self.front.head
    }

    pub(crate) const fn searched(&self) -> usize {
        self.front.searched
    }

    /// Where the front of the unread stands in the whole stream.
    pub(crate) const fn position(&self) -> u64 {
        self.base.wrapping_add(self.front.head as u64)
    }

    pub(crate) const fn set_searched(&mut self, searched: usize) {
        self.front.searched = searched;
    }

    /// How many bytes ever came in.
    pub(crate) const fn received(&self) -> u64 {
        self.base.wrapping_add(self.tail as u64)
    }

    pub(crate) const fn front(&self) -> &Front {
        &self.front
    }

    pub(crate) const fn front_mut(&mut self) -> &mut Front {
        &mut self.front
    }

    /// Takes `n` unread bytes away from the front.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) {
        debug_assert!(n <= self.len(), "consumed more than there is");
        self.front.consume(n);
    }

    /// Says that the unread starts at `start` of the block from here on.
    const fn rebase(&mut self, start: usize) {
        self.base = self.position().wrapping_sub(start as u64);
        self.tail = self.len() + start;
        self.front.head = start;
        self.start = start;
    }

    /// The bytes from `back` before the front of the unread on, `len` of them; none if they are gone.
    #[inline]
    pub(crate) fn consumed(&self, back: usize, len: usize) -> &[u8] {
        let at = self.front.head.checked_sub(back).filter(|at| *at >= self.start);
        at.and_then(|at| self.block.get(at..at + len)).unwrap_or_default()
    }

    /// Where the front of the storage stands in the whole stream, for [`parts`](Self::parts).
    pub(crate) const fn base(&self) -> u64 {
        self.base
    }

    /// The parts that a batch borrows side by side: all bytes up to the end of the unread, and what moves as
    /// they are taken.
    pub(crate) fn parts(&mut self) -> (&[u8], &mut Front) {
        (&self.block[..self.tail], &mut self.front)
    }

    /// Room for the next read: at most `limit` bytes, never empty. The inbox will not grow beyond
    /// `need` unread bytes plus one block.
    pub(crate) fn space(&mut self, limit: usize, need: usize) -> &mut [u8] {
        self.read_size = self.read_size.max(FIRST_READ as u32);
        let wanted = (self.read_size as usize).min(limit).max(1);
        self.make_room(wanted, need);
        let room = self.block.len() - self.tail;
        let offered = room.min(wanted);
        self.offered = offered as u32;
        &mut self.block[self.tail..self.tail + offered]
    }

    fn make_room(&mut self, wanted: usize, need: usize) {
        if self.front.head > self.start && self.len() <= self.front.head - self.start {
            // Moves no more bytes than were consumed: the cost per byte stays constant.
            let start = aligned_behind(&self.block, self.len());
            self.block.copy_within(self.front.head..self.tail, start);
            self.rebase(start);
        }
        // A read into the last few bytes of a block would cost a system call for little.
        let enough = wanted.min(FIRST_READ / 4);
        if self.block.len() < wanted || self.block.len() - self.tail < enough {
            let double = self.block.len().saturating_mul(2);
            let most = self.tail.max(need).saturating_add(BLOCK);
            let size = double.min(most).max(self.tail + wanted + ALIGN);
            self.block.reserve_exact(size - self.block.len());
            self.block.resize(size, 0);
        }
    }

    /// Records that a read put `n` bytes into the last `space`.
    ///
    /// # Panics
    ///
    /// If `n` is more than `space` had offered.
    pub(crate) fn filled(&mut self, n: usize) {
        let offered = self.offered as usize;
        assert!(n <= offered, "a read gave more bytes than the space it was given");
        self.tail += n;
        if n == offered && n >= self.read_size as usize / 2 {
            self.read_size = (self.read_size * 2).min(LARGEST_READ as u32);
        }
        self.offered = 0;
    }

    /// The last `n` bytes that came in.
    pub(crate) fn last(&self, n: usize) -> &[u8] {
        &self.block[self.tail - n..self.tail]
    }

    /// Takes the last `n` bytes that came in away again.
    pub(crate) const fn take_back(&mut self, n: usize) {
        self.tail -= n;
    }

    /// Whether a lent block would do better than what there is now.
    pub(crate) fn wants_block(&self) -> bool {
        self.block.len() <= SMALL_REST
    }

    /// Takes `block` as storage.
    pub(crate) fn lend(&mut self, mut block: Vec<u8>) {
        let size = block.capacity().max(self.len());
        block.resize(size, 0);
        let start = aligned_behind(&block, self.len());
        block[start..start + self.len()].copy_from_slice(self.unread());
        self.rebase(start);
        self.offered = 0;
        self.block = block;
    }

    /// Gives the storage back if nothing, or little, lies in it. The little moves, and is at most an
    /// eighth of a storage that grew for a long line.
    pub(crate) fn reclaim(&mut self) -> Option<Vec<u8>> {
        let small = self.len() <= SMALL_REST.max(self.block.len() / 8);
        if !small || self.wants_block() {
            return None;
        }
        let rest = self.unread().to_vec();
        self.rebase(0);
        self.offered = 0;
        Some(mem::replace(&mut self.block, rest))
    }

    /// Drops all that is unread, and the storage.
    pub(crate) fn free(&mut self) {
        self.consume(self.len());
        self.rebase(0);
        self.block = Vec::new();
    }

    /// Appends a copy of `bytes`.
    pub(crate) fn extend(&mut self, bytes: &[u8], need: usize) {
        self.make_room(bytes.len(), need);
        if self.block.len() - self.tail < bytes.len() {
            self.block.resize(self.tail + bytes.len(), 0);
        }
        self.block[self.tail..self.tail + bytes.len()].copy_from_slice(bytes);
        self.tail += bytes.len();
        self.offered = 0;
    }
}

/// Where `len` bytes have to start in `block`, near its front, for what follows them to be aligned.
pub(crate) fn aligned_behind(block: &[u8], len: usize) -> usize {
    let start = block.as_ptr().addr().wrapping_add(len).wrapping_neg() % ALIGN;
    // A small block has no byte to spare.
    if start + len <= block.len() / 2 { start } else { 0 }
}

/// What moves when something is taken.
#[derive(Default)]
pub(crate) struct Front {
    /// Where the unread begins in the block.
    pub(crate) head: usize,
    /// How many unread bytes were searched for a line end.
    pub(crate) searched: usize,
    /// How many lines were consumed.
    pub(crate) lines: u64,
    /// How many bad ones there were; none yet if this is `None`.
    bad: Option<Box<BadLines>>,
    /// What the last batch was short of.
    pub(crate) batch: Shortfall,
    /// What a parser left, if it left something in the middle.
    parsed: Option<Box<Parsed>>,
}

/// What a parser of messages left.
#[derive(Default)]
struct Parsed {
    /// The search for a line end that did not begin at the front.
    searched_behind: Searched,
    /// Where a message begins to be missing of which a part was consumed.
    open_at: Option<u64>,
}

impl Front {
    /// Takes `n` bytes away from the front.
    #[inline]
    pub(crate) const fn consume(&mut self, n: usize) {
        self.head += n;
        self.searched = self.searched.saturating_sub(n);
    }

    /// How far a search for a line end came, at the front (which stands at `position`) or behind it.
    pub(crate) fn searched_at(&self, position: u64) -> Searched {
        let behind = self.searched_behind();
        if behind.is_behind(position) { behind } else { Searched::new(position, self.searched) }
    }

    /// The search for a line end that did not begin at the front.
    pub(crate) fn searched_behind(&self) -> Searched {
        self.parsed.as_ref().map_or_else(Searched::default, |parsed| parsed.searched_behind)
    }

    pub(crate) fn set_searched_behind(&mut self, searched: Searched) {
        self.parsed.get_or_insert_default().searched_behind = searched;
    }

    /// Forgets every search: what ends a line has changed.
    pub(crate) fn forget_searches(&mut self) {
        self.searched = 0;
        if let Some(parsed) = &mut self.parsed {
            parsed.searched_behind = Searched::default();
        }
    }

    /// Whether a part of a message was consumed, and nothing behind it: the unread begins at `position`.
    pub(crate) fn is_in_message(&self, position: u64) -> bool {
        self.parsed.as_ref().is_some_and(|parsed| parsed.open_at == Some(position))
    }

    /// How many bad lines there were.
    pub(crate) fn bad(&self) -> BadLines {
        self.bad.as_deref().copied().unwrap_or_default()
    }

    /// Counts a bad line.
    #[cold]
    pub(crate) fn count_bad(&mut self, error: &LineError) {
        self.bad.get_or_insert_default().count(error);
    }

    /// Notes what a parser left: how far it searched, and whether it consumed a part of its message (`bytes`)
    /// and is not done with it. The front stands at `position` now.
    pub(crate) fn note(&mut self, searched: Searched, position: u64, is_over: bool, bytes: usize) {
        if searched.is_behind(position) {
            self.set_searched_behind(searched);
        } else {
            self.searched = self.searched.max(searched.of(position));
        }
        if is_over {
            if let Some(parsed) = &mut self.parsed {
                parsed.open_at = None;
            }
        } else if bytes > 0 {
            self.parsed.get_or_insert_default().open_at = Some(position);
        }
    }

    /// Takes a line away from the front. The next one begins at `next` of the block, and was not searched.
    #[inline]
    pub(crate) const fn consume_line(&mut self, next: usize) {
        self.lines += 1;
        self.head = next;
    }
}
