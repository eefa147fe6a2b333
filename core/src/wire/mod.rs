//! A secure layer between the transport and the connection: records on their way out, and the space that
//! records come into. A plain connection has none.

#[cfg(feature = "rustls")]
pub(crate) mod date;
mod error;
mod layer;
#[cfg(feature = "rustls")]
mod rustls;
mod session;

use alloc::boxed::Box;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::mem;

use crate::inbox::aligned_behind;
use crate::outbox::Outbox;
use crate::{Cause, Inbound, Loss};

#[cfg(feature = "rustls")]
pub use self::rustls::TlsLayer;
pub use error::{CertificateFault, TlsError, TlsErrorKind};
pub use layer::{Phase, SecureLayer};
pub use session::TlsSession;

/// How many bytes of the outbox are sealed at once: enough for full records and one large write.
const BATCH: usize = 64 << 10;
/// How many pieces of it at most.
const PIECES: usize = 32;

/// A layer, and what lies between it and the transport.
pub(crate) struct Wire {
    pub(crate) layer: Box<dyn SecureLayer>,
    /// Where the layer stands; only its calls that take or make records change that.
    phase: Phase,
    /// `out[head..]` is not transmitted yet.
    out: Vec<u8>,
    head: usize,
    /// How many bytes at the front of that are the handshake's.
    flight: usize,
    /// How many bytes at the front of the outbox the records in `out` hold. They stay there until all of
    /// `out` is transmitted: what is unsent is always told in plaintext.
    sealed: usize,
    /// Where their records begin in `out`.
    sealed_at: usize,
    /// Records of a message that was given up were dropped: nothing can follow.
    torn: bool,
    /// Plaintext that came in while another task drove the handshake.
    early: Vec<u8>,
    /// Lent storage for ciphertext; empty while nothing is read.
    block: Vec<u8>,
    /// How much the last `space` offered.
    offered: usize,
    /// The end of the input, once it is known.
    end: Option<Cause>,
    failure: Option<TlsError>,
    /// The close notice is out, or in `out`.
    noticed: bool,
    /// The handshake, and the flight that ends it, are not over yet.
    pub(crate) unsettled: bool,
}

impl Wire {
    pub(crate) fn new(layer: Box<dyn SecureLayer>) -> Self {
        Self {
            phase: layer.phase(),
            layer,
            out: Vec::new(),
            head: 0,
            flight: 0,
            sealed: 0,
            sealed_at: 0,
            torn: false,
            early: Vec::new(),
            block: Vec::new(),
            offered: 0,
            end: None,
            failure: None,
            noticed: false,
            unsettled: true,
        }
    }

    // ---- getters ---------------------------------------------------------------------------------

    pub(crate) const fn failure(&self) -> Option<&TlsError> {
        self.failure.as_ref()
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.end.is_none() && self.phase == Phase::Handshaking
    }

    /// Whether data, or the close notice, can be sealed now.
    pub(crate) fn can_seal(&self) -> bool {
        let open = matches!(self.phase, Phase::Open | Phase::PeerClosed);
        open && self.failure.is_none() && !self.noticed
    }

    pub(crate) fn outgoing(&self) -> &[u8] {
        &self.out[self.head..]
    }

    /// Whether the peer waits for what the handshake has put out.
    pub(crate) fn owes_flight(&self) -> bool {
        self.flight > 0 && self.layer.owes_flight()
    }

    pub(crate) const fn has_sealed(&self) -> bool {
        self.sealed > 0
    }

    // ---- commands --------------------------------------------------------------------------------

    pub(crate) fn start(&mut self) {
        let started = self.layer.start(&mut self.out);
        self.flight = self.out.len();
        self.note(started);
    }

    /// Seals the front of `outbox`.
    pub(crate) fn seal(&mut self, outbox: &Outbox) {
        let mut outgoing = outbox.outgoing();
        let Some(first) = outgoing.next() else { return };
        if first.len() == outbox.len() && first.len() <= BATCH {
            // Mostly there is one.
            return self.seal_pieces(&[first], first.len());
        }
        let mut pieces = [&[][..]; PIECES];
        let (mut n, mut count) = (0, 0);
        for (slot, piece) in pieces.iter_mut().zip(outbox.outgoing()) {
            let piece = &piece[..piece.len().min(BATCH - n)];
            (*slot, n, count) = (piece, n + piece.len(), count + 1);
            if n == BATCH {
                break;
            }
        }
        self.seal_pieces(&pieces[..count], n);
    }

    /// Seals the front of the outbox, `n` bytes in `pieces`.
    fn seal_pieces(&mut self, pieces: &[&[u8]], n: usize) {
        self.sealed_at = self.out.len();
        let sealed = self.layer.seal(pieces, &mut self.out);
        if sealed.is_ok() {
            self.sealed = n;
        }
        self.note(sealed);
    }

    pub(crate) fn close(&mut self) {
        self.noticed = true;
        self.layer.close(&mut self.out);
        self.phase = self.layer.phase();
    }

    /// Latches a failure; the first stays.
    pub(crate) fn fail(&mut self, error: TlsError) {
        if self.end.is_none() {
            self.end = Some(Cause::TlsFailed);
        }
        if self.failure.is_none() {
            self.failure = Some(error);
        }
    }

    /// Notes where the layer stands behind one of its calls, and the failure of that.
    fn note(&mut self, result: Result<(), TlsError>) {
        self.phase = self.layer.phase();
        if let Err(error) = result {
            self.fail(error);
        }
    }

    // ---- handle_*: what the transport did --------------------------------------------------------

    pub(crate) fn wants_block(&self) -> bool {
        self.block.is_empty()
    }

    pub(crate) fn lend(&mut self, block: Vec<u8>) {
        self.block = block;
    }

    /// Takes the storage back. Nothing lies in it: a layer takes all that comes.
    pub(crate) fn reclaim(&mut self) -> Option<Vec<u8>> {
        self.layer.release();
        self.offered = 0;
        if self.block.is_empty() { None } else { Some(mem::take(&mut self.block)) }
    }

    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.block.is_empty() {
            self.block = Inbound::new_block();
        }
        let start = self.start_of_space();
        self.offered = self.block.len() - start;
        &mut self.block[start..]
    }

    /// The first aligned byte of the block.
    fn start_of_space(&self) -> usize {
        aligned_behind(&self.block, 0)
    }

    /// The transport put `n` bytes into the last space. Plaintext goes to `inbound`, or waits for it.
    pub(crate) fn filled(&mut self, n: usize, inbound: Option<&mut Inbound>) {
        assert!(n <= self.offered, "a read gave more bytes than the space it was given");
        self.offered = 0;
        let start = self.start_of_space();
        let mut block = mem::take(&mut self.block);
        self.received(&mut block[start..start + n], inbound);
        self.block = block;
    }

    pub(crate) fn received(&mut self, wire: &mut [u8], inbound: Option<&mut Inbound>) {
        // After a failure there is an end too.
        if self.end.is_some() {
            return;
        }
        let (behind, is_handshaking) = (self.out.len(), self.is_handshaking());
        let (layer, out) = (&mut self.layer, &mut self.out);
        let result = match inbound {
            Some(inbound) => {
                if !self.early.is_empty() {
                    inbound.handle_plain(&mem::take(&mut self.early));
                }
                layer.received(wire, out, &mut |plain| inbound.handle_plain(plain))
            }
            None => {
                let early = &mut self.early;
                layer.received(wire, out, &mut |plain| early.extend_from_slice(plain))
            }
        };
        if self.noticed || self.torn {
            // Nothing follows the close notice (the transport may be shut behind it), or a torn record.
            self.out.truncate(behind);
        }
        if is_handshaking {
            self.flight = self.outgoing().len();
        }
        self.note(result);
        if self.failure.is_none() && self.phase == Phase::PeerClosed {
            self.end = Some(Cause::Eof);
        }
    }

    /// The transport read 0 bytes, or failed.
    pub(crate) fn handle_end(&mut self, loss: Option<Loss>) {
        if self.is_handshaking() {
            // However it left, nothing was agreed on.
            let how = loss.map(|loss| loss.to_string()).unwrap_or_default();
            return self.fail(TlsError::new(TlsErrorKind::LeftInHandshake, how));
        }
        self.end.get_or_insert(loss.map_or(Cause::Truncated, Cause::Lost));
    }

    /// Whether there is plaintext that came in while another task drove the handshake, or an end.
    #[inline]
    pub(crate) fn has_news(&self) -> bool {
        !self.early.is_empty() || self.end.is_some()
    }

    /// Takes the plaintext that came in while another task drove the handshake.
    pub(crate) fn take_early(&mut self) -> Vec<u8> {
        mem::take(&mut self.early)
    }

    pub(crate) const fn end(&self) -> Option<Cause> {
        self.end
    }

    // ---- output ----------------------------------------------------------------------------------

    /// `n` bytes are on the wire. Returns how many bytes of the outbox are by that.
    pub(crate) fn transmitted(&mut self, n: usize) -> usize {
        assert!(n <= self.outgoing().len(), "more bytes were transmitted than were outgoing");
        self.head += n;
        self.flight = self.flight.saturating_sub(n);
        if self.head < self.out.len() {
            return 0;
        }
        // An idle connection keeps no records.
        self.out = Vec::new();
        self.head = 0;
        mem::take(&mut self.sealed)
    }

    /// What is sealed now is given up: half of it may be on the wire. What lies in front of it may be the end
    /// of the handshake, which receiving needs.
    pub(crate) fn tear(&mut self) {
        if self.sealed > 0 {
            self.torn = true;
            self.out.truncate(self.sealed_at.max(self.head));
        }
    }

    /// The bytes that `out` holds are no longer in the outbox.
    pub(crate) const fn forget_sealed(&mut self) {
        self.sealed = 0;
    }

    /// Nothing will ever leave.
    pub(crate) fn clear(&mut self) {
        self.out = Vec::new();
        self.head = 0;
        self.flight = 0;
        self.sealed = 0;
    }
}
