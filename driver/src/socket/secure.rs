//! Sockets whose connections are TLS from their first byte.

use std::io;
#[cfg(feature = "tls")]
use std::sync::Arc;

use crate::tls::Layers;
#[cfg(feature = "tls")]
use crate::{AsyncSocket, Config, Runtime, TlsContext};
use crate::{Connection, Transport};

#[cfg(feature = "tls")]
impl<R: Runtime> AsyncSocket<R> {
    /// Makes the connections of this socket TLS, the seed's `wrapSocket`: those that it connects, as the
    /// client, and those that it accepts once it listens, as the server.
    ///
    /// [`connect`](Self::connect) then returns after the handshake, and verifies the certificate for the host
    /// that it was given. A [`Listener`](crate::Listener) hands out connections whose handshake is over.
    /// Every handshake is bounded by [`Config::handshake`](crate::Config).
    ///
    /// ```
    /// # async fn fetch<R: asyncnet::Runtime>() -> Result<(), Box<dyn std::error::Error>> {
    /// # type AsyncSocket<R> = asyncnet::AsyncSocket<R>;
    /// use asyncnet::TlsContext;
    ///
    /// let mut socket = AsyncSocket::<R>::default();
    /// socket.wrap_tls(&TlsContext::client().build()?);
    /// let mut server = socket.connect("imap.example.org", 993).await?;
    /// println!("{}", server.recv_line().await?);
    /// # Ok(()) }
    /// ```
    #[doc(alias = "wrapSocket")]
    pub fn wrap_tls(&mut self, context: &TlsContext) {
        self.layers = Some(Arc::new(context.clone()));
    }

    /// [`dial`](Self::dial) and TLS: races the addresses, then verifies that the one which answered is
    /// `address`.
    ///
    /// # Errors
    ///
    /// As [`dial`](Self::dial), or as [`connect`](Self::connect) of a socket that is
    /// [wrapped](Self::wrap_tls).
    ///
    /// # Cancel safety
    ///
    /// As [`dial`](Self::dial).
    pub async fn dial_tls(
        address: &str,
        port: u16,
        config: Config,
        context: &TlsContext,
    ) -> io::Result<Connection<R::Stream>> {
        let mut connection = Self::dial_with(address, port, config).await?;
        let failed = super::error::failed("connect to", super::Place(address, port));
        become_client(&mut connection, context, Some(address)).await.map_err(failed)?;
        Ok(connection)
    }
}

/// Goes through the handshake of a client that connected to `host`. After a failure the peer is told.
pub(super) async fn become_client<S: Transport>(
    connection: &mut Connection<S>,
    layers: &dyn Layers,
    host: Option<&str>,
) -> io::Result<()> {
    let layer = layers.client_layer(host)?;
    if let Err(error) = connection.upgrade_with(layer).await {
        connection.end_failed_handshake().await;
        return Err(error.into());
    }
    Ok(())
}
