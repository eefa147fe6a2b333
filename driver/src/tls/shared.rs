//! What the settings of clients and servers have in common.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

/// The settings of either end.
pub(super) struct Shared {
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) alpn: Vec<Vec<u8>>,
    pub(super) resumption: bool,
    pub(super) key_log: bool,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            provider: Arc::new(ring::default_provider()),
            alpn: Vec::new(),
            resumption: true,
            key_log: false,
        }
    }
}

/// Expands to the methods of both builders that are the same, down to the documentation.
macro_rules! shared_settings {
    () => {
        /// Writes the keys of all connections to the file that `SSLKEYLOGFILE` names, for tools that look into
        /// recorded traffic. Default: no, whatever that variable says.
        pub const fn key_log(mut self, on: bool) -> Self {
            self.shared.key_log = on;
            self
        }

        /// Takes the cryptography from this provider. Default: ring.
        pub fn provider(mut self, provider: Arc<CryptoProvider>) -> Self {
            self.shared.provider = provider;
            self
        }
    };
}

pub(super) use shared_settings;
