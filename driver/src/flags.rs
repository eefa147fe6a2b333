//! Flags of a single call, named as in the seed.

use asyncnet_core::Ends;

bitflags::bitflags! {
    /// How one call of the seed view (the `_with` forms) deals with ends and bytes.
    ///
    /// Without flags a call tells every end that was not orderly and consumes what it answers. The forms
    /// without `_with` take [`SAFE_DISCONN`](Self::SAFE_DISCONN) from [`Config::ends`](crate::Config).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Flags: u8 {
        /// Nim's `SafeDisconn`: a peer that is gone, in whatever way, is no error. A receive answers
        /// `""`, a send succeeds.
        const SAFE_DISCONN = 1;
        /// Nim's `Peek`: a receive leaves in place what it answers. For sends it means nothing.
        const PEEK = 2;
    }
}

impl Flags {
    pub(crate) const fn ends(self) -> Ends {
        if self.contains(Self::SAFE_DISCONN) { Ends::Hide } else { Ends::Tell }
    }
}

impl From<Ends> for Flags {
    fn from(ends: Ends) -> Self {
        match ends {
            Ends::Hide => Self::SAFE_DISCONN,
            Ends::Tell => Self::empty(),
        }
    }
}
