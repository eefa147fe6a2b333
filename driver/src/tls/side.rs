//! One end of one TLS connection: the settings and the role in one value.

use std::fmt;

use asyncnet_core::SecureLayer;

use crate::Error;

/// One side of one TLS connection, for [`Connection::upgrade_tls`](crate::Connection::upgrade_tls). Settings that cannot be used are
/// reported by the upgrade.
#[must_use = "give it to `upgrade_tls`"]
pub struct Side(Result<Box<dyn SecureLayer>, Error>);

impl Side {
    /// A TLS library of your own, or a layer for tests that encrypts nothing.
    pub fn custom(layer: Box<dyn SecureLayer>) -> Self {
        Self(Ok(layer))
    }

    #[cfg(feature = "tls")]
    pub(super) const fn new(layer: Result<Box<dyn SecureLayer>, Error>) -> Self {
        Self(layer)
    }

    pub(crate) fn into_layer(self) -> Result<Box<dyn SecureLayer>, Error> {
        self.0
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Side").field(&self.0).finish()
    }
}
