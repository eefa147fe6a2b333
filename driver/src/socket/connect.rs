//! From a socket to a connection.

use std::io;
use std::path::Path;

use asyncnet_core::Config;
use socket2::SockAddr;

use super::error::failed;
use super::{Place, dial, resolve, secure};
use crate::{Address, AsyncSocket, Connection, Runtime, log};

impl<R: Runtime> AsyncSocket<R> {
    /// Connects to `address`, a name or an IP address, at `port`. The addresses of a name are tried one
    /// after the other; [`dial`](Self::dial) races them.
    ///
    /// # Errors
    ///
    /// The error of the last address tried; `InvalidInput` if there is none of this socket's family, or it is
    /// a datagram socket. Wrapped
    /// in TLS also those of the handshake ([`Error`](crate::Error), by way of `get_ref` and
    /// `source`). The socket can be tried again, with all that was set on it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future closes the connection that was being made. The socket can be
    /// tried again.
    pub async fn connect(&mut self, address: &str, port: u16) -> io::Result<Connection<R::Stream>> {
        let failed = failed("connect to", Place(address, port));
        let mut last = io::ErrorKind::InvalidInput.into();
        match self.resolve(address, port).await {
            Err(error) => last = error,
            Ok(found) => {
                for found in found {
                    match self.connect_to(found.into(), Some(address)).await {
                        Ok(connection) => return Ok(connection),
                        Err(error) => last = error,
                    }
                }
            }
        }
        Err(failed(last))
    }

    /// Connects to a Unix socket. While its queue is full the connect is tried again. Wrapped in TLS, the
    /// context has to say whom to expect.
    ///
    /// # Errors
    ///
    /// As the system says; `InvalidInput` for a path that is too long.
    ///
    /// # Cancel safety
    ///
    /// As [`connect`](Self::connect).
    #[doc(alias = "connectUnix")]
    pub async fn connect_unix(
        &mut self,
        path: impl AsRef<Path>,
    ) -> io::Result<Connection<R::Stream>> {
        let path = path.as_ref();
        let failed = failed("connect to", path.display());
        match SockAddr::unix(path) {
            Ok(address) => self.connect_to(address, None).await.map_err(failed),
            Err(error) => Err(failed(error)),
        }
    }

    async fn connect_to(
        &mut self,
        address: SockAddr,
        host: Option<&str>,
    ) -> io::Result<Connection<R::Stream>> {
        self.kind.check_stream()?;
        let to = Address::from(address.clone());
        let stream = R::connect(self.take_socket()?, address).await?;
        log::connected(to);
        let mut connection = Connection::with_timer(stream, self.config, R::timer());
        if let Some(layers) = &self.layers {
            secure::become_client(&mut connection, &**layers, host).await?;
        }
        Ok(connection)
    }

    /// The connection that this socket, [adopted](Self::adopt), is already. It is in plain: see
    /// `upgrade_tls`.
    ///
    /// # Errors
    ///
    /// `NotConnected` if it is not, `InvalidInput` if it is no stream; or as the runtime says, if it cannot
    /// register the socket.
    pub fn into_connection(mut self) -> io::Result<Connection<R::Stream>> {
        self.kind.check_stream()?;
        self.socket()?.peer_addr()?;
        let stream = R::stream(self.take_socket()?)?;
        Ok(Connection::with_timer(stream, self.config, R::timer()))
    }

    /// Connects to `address`, a name or an IP address, at `port`, over whatever family gets there first:
    /// its addresses are raced as RFC 8305 says, a new one joining every 250 ms or as soon as one failed.
    ///
    /// # Errors
    ///
    /// If no address answers: the first error and the last, together.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future closes every connection that was being made.
    pub async fn dial(address: &str, port: u16) -> io::Result<Connection<R::Stream>> {
        Self::dial_with(address, port, Config::default()).await
    }

    /// [`dial`](Self::dial) with settings for the connection.
    ///
    /// # Errors
    ///
    /// As [`dial`](Self::dial).
    ///
    /// # Cancel safety
    ///
    /// As [`dial`](Self::dial).
    pub async fn dial_with(
        address: &str,
        port: u16,
        config: Config,
    ) -> io::Result<Connection<R::Stream>> {
        let failed = failed("connect to", Place(address, port));
        let stream = match resolve::<R>(address, port).await {
            Ok(found) => dial::race::<R>(found).await,
            Err(error) => Err(error),
        };
        Ok(Connection::with_timer(stream.map_err(failed)?, config, R::timer()))
    }
}
