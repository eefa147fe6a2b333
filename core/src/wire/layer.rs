//! What a secure layer (TLS) is to core: ciphertext in, plaintext out, and back.

use alloc::vec::Vec;
use core::fmt;

use super::{TlsError, TlsSession};

/// Where a secure layer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The handshake is under way: nothing can be sealed.
    Handshaking,
    /// Both directions carry data.
    Open,
    /// The peer sent its close notice: nothing more will come. Sealing goes on.
    PeerClosed,
    /// The layer has failed, for ever.
    Failed,
}

/// A secure layer, without I/O: the state machine of TLS, or of something like it.
///
/// It keeps no plaintext and no records of its own: what it makes of its input goes into the arguments of
/// the call. It goes from [`Phase::Handshaking`] to [`Phase::Open`], and only from there to
/// [`Phase::PeerClosed`]: a close notice that comes in the handshake is an error. A `Vec<u8>` called `out` takes records for the peer; they are appended, and may be there even
/// if the call fails (an alert). After its first error a layer has [failed](Phase::Failed).
///
/// The crate has one for TLS, with the feature `rustls`. Implement this trait for another one; the tests have one
/// that encrypts nothing.
pub trait SecureLayer: Send + Sync + fmt::Debug {
    /// Where it stands.
    fn phase(&self) -> Phase;

    /// Begins the handshake: a client says hello.
    ///
    /// # Errors
    ///
    /// If the layer cannot begin.
    fn start(&mut self, out: &mut Vec<u8>) -> Result<(), TlsError>;

    /// Takes all of `wire`, and hands what it holds of plaintext to `plain`, in order. What follows the
    /// peer's close notice is dropped. The slice may be written over.
    ///
    /// # Errors
    ///
    /// What the peer did wrong. The plaintext in front of that was handed out.
    fn received(
        &mut self,
        wire: &mut [u8],
        out: &mut Vec<u8>,
        plain: &mut dyn FnMut(&[u8]),
    ) -> Result<(), TlsError>;

    /// Seals `plain`, pieces of one stream, into records.
    ///
    /// # Errors
    ///
    /// If nothing can be sealed (any more).
    fn seal(&mut self, plain: &[&[u8]], out: &mut Vec<u8>) -> Result<(), TlsError>;

    /// Says that nothing will follow: the close notice. Once is enough.
    fn close(&mut self, out: &mut Vec<u8>);

    /// Whether the peer waits for what was put out when the layer opened. If not (tickets of a TLS 1.3
    /// server) it can ride with the first data.
    fn owes_flight(&self) -> bool {
        true
    }

    /// Gives back memory that an idle connection does not need.
    fn release(&mut self) {}

    /// What the handshake came to. Some of it is known before it is over.
    fn session(&self) -> TlsSession;

    /// Fills `key` with keying material that both ends can derive, and no other (RFC 5705): for channel
    /// binding.
    ///
    /// # Errors
    ///
    /// Before the handshake is over, or if the layer has none.
    fn export_keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        key: &mut [u8],
    ) -> Result<(), TlsError>;
}
