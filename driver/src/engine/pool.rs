//! Receive blocks, lent to a connection while it reads: an idle connection holds none.

use std::cell::RefCell;

use asyncnet_core::driver::Inbound;

/// How many blocks (of 64 KiB) a thread keeps. Reads on one thread follow each other, so few suffice.
const KEPT: usize = 4;

thread_local! {
    static BLOCKS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A block to lend.
pub(crate) fn take() -> Vec<u8> {
    let kept = BLOCKS.try_with(|blocks| blocks.borrow_mut().pop());
    kept.ok().flatten().unwrap_or_else(Inbound::new_block)
}

/// Takes a block back. One that grew for a long line is not kept.
pub(crate) fn give(block: Vec<u8>) {
    if block.len() != Inbound::BLOCK {
        return;
    }
    // A thread that is ending keeps nothing.
    let _ = BLOCKS.try_with(|blocks| {
        let mut blocks = blocks.borrow_mut();
        if blocks.len() < KEPT {
            blocks.push(block);
        }
    });
}
