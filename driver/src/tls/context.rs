//! The settings of one end of TLS, shared by all its connections.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use asyncnet_core::{SecureLayer, TlsLayer};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};

use super::UpgradeRefused;
use super::client::ClientBuilder;
use super::error::ContextError;
use super::identities::Identities;
use super::pem::Identity;
use super::server::ServerBuilder;
use super::{Layers, Side};
use crate::Error;

/// The settings of TLS: which authorities to trust, which certificate to show. Nim's `newContext`. Cheap to clone;
/// connections of one context share its sessions.
///
/// A client verifies the server's chain and its name, always. The one way around that is a verifier of your
/// own in a `rustls::ClientConfig`, handed in with `From`:
///
/// ```
/// # fn contexts(config: std::sync::Arc<asyncnet::tls::rustls::ClientConfig>) -> Result<(), asyncnet::tls::ContextError> {
/// use asyncnet::TlsContext;
///
/// let trusts_what_the_system_trusts = TlsContext::client().build()?;
/// let trusts_mozilla = TlsContext::client().mozilla_roots().alpn(["imap"]).build()?;
/// let trusts_one = TlsContext::client().ca_file("ca.pem")?.build()?;
/// let server = TlsContext::server().identity_files("cert.pem", "key.pem")?.build()?;
/// let all_by_hand = TlsContext::from(config);
/// # Ok(()) }
/// ```
///
/// The cryptography is ring's, or that of the provider which the builder is given; the default provider of
/// the process is neither read nor set. Compared with Nim: there a client whose context has no CA verifies
/// nothing, and `wrapConnectedSocket` never looks at the name.
#[doc(alias("TlsAcceptor", "TlsConnector"))]
#[doc(alias = "newContext")]
#[doc(alias = "SslContext")]
#[derive(Clone)]
pub struct TlsContext {
    client: Option<Arc<ClientConfig>>,
    server: Option<Server>,
    server_name: Option<ServerName<'static>>,
}

#[derive(Clone)]
struct Server {
    config: Arc<ServerConfig>,
    /// What it shows, unless it was made elsewhere.
    identities: Option<Arc<Identities>>,
}

impl TlsContext {
    /// Begins the settings of a client, which trusts the authorities that the system trusts, unless others are set.
    pub fn client() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// Begins the settings of a server. It needs an identity.
    pub fn server() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// The client's side of one connection: the server's certificate has to be for `server_name`, a DNS name or an
    /// IP address.
    pub fn as_client(&self, server_name: &str) -> Side {
        Side::new(self.client_layer(Some(server_name)))
    }

    /// The server's side of one connection.
    pub fn as_server(&self) -> Side {
        Side::new(self.server_layer())
    }

    /// Settings for both roles: those of `self`, and those of `other` for the role that `self` has none for.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            client: self.client.or(other.client),
            server: self.server.or(other.server),
            server_name: self.server_name.or(other.server_name),
        }
    }

    pub(super) fn of_server(config: Arc<ServerConfig>, identities: Arc<Identities>) -> Self {
        let server = Server { config, identities: Some(identities) };
        Self { client: None, server: Some(server), server_name: None }
    }

    /// Reads the server's certificates and keys again, from the files that they came from, and shows them from the
    /// next handshake on: in all clones of these settings, and so in every listener that has one. Open connections
    /// are untouched. Those that came from no file stay.
    ///
    /// It reads files, and so blocks for a moment: call it where a signal handler's message arrives, for example.
    ///
    /// ```
    /// # fn reload(context: &asyncnet::TlsContext) {
    /// if let Err(error) = context.reload() {
    ///     eprintln!("the old certificate stays: {error}");
    /// }
    /// # }
    /// ```
    ///
    /// Rule [T14](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t14).
    ///
    /// # Errors
    ///
    /// As [`identity_files`](ServerBuilder::identity_files) and [`build`](ServerBuilder::build),
    /// [`ContextError::Expired`] for a certificate that has expired, and [`ContextError::Fixed`] where there is no file. What was shown
    /// before stays.
    #[doc(alias("certificate rotation"))]
    pub fn reload(&self) -> Result<(), ContextError> {
        self.identities()?.reload()
    }

    /// Shows these certificates (and those in between) from the next handshake on, each with its key in PEM,
    /// instead of those that the server showed before: otherwise as [`reload`](Self::reload).
    ///
    /// ```
    /// # fn replace(context: &asyncnet::TlsContext, chain: &[u8], key: &[u8]) -> Result<(), asyncnet::Error> {
    /// context.replace_identities([(chain, key)])?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`reload`](Self::reload).
    pub fn replace_identities<C: AsRef<[u8]>, K: AsRef<[u8]>>(
        &self,
        identities: impl IntoIterator<Item = (C, K)>,
    ) -> Result<(), ContextError> {
        let parse = |(chain, key): (C, K)| Identity::parse(chain.as_ref(), key.as_ref());
        self.identities()?.replace(identities.into_iter().map(parse).collect::<Result<_, _>>()?)
    }

    /// When the server's certificate expires; of several, the first to expire. `None` for settings without a
    /// server's certificate, and for those that were made from a `rustls::ServerConfig`.
    #[must_use]
    pub fn expiry(&self) -> Option<SystemTime> {
        self.identities().ok()?.expiry()
    }

    fn identities(&self) -> Result<&Identities, ContextError> {
        let identities = self.server.as_ref().and_then(|server| server.identities.as_deref());
        let why = "only certificates given to TlsContext::server can be replaced";
        identities.ok_or(ContextError::Fixed(why))
    }

    /// The same settings, but a client verifies that the server is `name`, whatever it connects to: for Unix
    /// sockets, tunnels and tests.
    ///
    /// # Errors
    ///
    /// [`ContextError::Name`] if `name` is neither a DNS name nor an IP address.
    pub fn for_server(mut self, name: &str) -> Result<Self, ContextError> {
        self.server_name = Some(parse_name(name)?);
        Ok(self)
    }
}

fn parse_name(name: &str) -> Result<ServerName<'static>, ContextError> {
    ServerName::try_from(name.to_owned()).map_err(|_| ContextError::Name(name.to_owned()))
}

impl From<Arc<ClientConfig>> for TlsContext {
    fn from(config: Arc<ClientConfig>) -> Self {
        Self { client: Some(config), server: None, server_name: None }
    }
}

impl From<Arc<ServerConfig>> for TlsContext {
    fn from(config: Arc<ServerConfig>) -> Self {
        let server = Server { config, identities: None };
        Self { client: None, server: Some(server), server_name: None }
    }
}

impl Layers for TlsContext {
    fn client_layer(&self, host: Option<&str>) -> Result<Box<dyn SecureLayer>, Error> {
        let Some(config) = &self.client else {
            return Err(
                UpgradeRefused::Settings("the TLS settings are not for a client".into()).into()
            );
        };
        let name = match (&self.server_name, host) {
            (Some(name), _) => name.clone(),
            (None, Some(host)) => {
                parse_name(host).map_err(|error| UpgradeRefused::Settings(error.to_string()))?
            }
            (None, None) => {
                let why = "the TLS settings name no server to verify: see TlsContext::for_server";
                return Err(UpgradeRefused::Settings(why.into()).into());
            }
        };
        Ok(Box::new(TlsLayer::client(Arc::clone(config), name)?))
    }

    fn server_layer(&self) -> Result<Box<dyn SecureLayer>, Error> {
        match self.server.as_ref().map(|server| &server.config) {
            Some(config) if config.max_early_data_size > 0 => {
                let why = "the TLS settings allow early data (0-RTT), which this library does not read: \
                           set max_early_data_size to 0";
                Err(UpgradeRefused::Settings(why.into()).into())
            }
            Some(config) => Ok(Box::new(TlsLayer::server(Arc::clone(config))?)),
            None => {
                Err(UpgradeRefused::Settings("the TLS settings are not for a server".into()).into())
            }
        }
    }
}

impl fmt::Debug for TlsContext {
    /// No secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsContext")
            .field("client", &self.client.is_some())
            .field("server", &self.server.is_some())
            .field("server_name", &self.server_name)
            .finish()
    }
}
