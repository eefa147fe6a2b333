//! What a broker's protocol has to say, so that a session can run on it. Another broker is another file like `nats.rs`.

use std::future::Future;
use std::time::Duration;

use asyncnet::{Config, Connection, Error, Framing, TlsContext, Transport, Unread};

/// How long a broker may be silent before it is asked whether it is there, and how long its answer may take.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// The largest message that is sent or received.
pub(super) const MAX_MESSAGE: usize = 8 << 20;

/// The protocol of a broker, without tasks and reconnects. Lines that are published reach every subscriber of the same
/// subject, in the order in which one connection published them.
pub(super) trait Broker: Send + Sync {
    /// Opens a connection: TLS, and who we are. Returns the most bytes that a message may have.
    fn greet<S: Transport + Send>(
        &self,
        conn: &mut Connection<S>,
    ) -> impl Future<Output = Result<usize, Error>> + Send;

    /// The bytes that subscribe. The broker answers them once.
    fn subscription(&self) -> Vec<u8>;

    /// The bytes that publish a message. The broker answers them once, when it has the message.
    fn publication(&self, message: &[u8]) -> Vec<u8>;

    /// The bytes that ask whether the broker is there. It answers them once.
    fn ping(&self) -> &'static [u8];

    /// Parses what a broker sends whose messages have at most `max` bytes.
    fn event<'a>(&self, unread: &mut Unread<'a>, max: usize) -> Result<Event<'a>, Error>;
}

/// What a broker sends.
#[derive(Debug, PartialEq)]
pub(super) enum Event<'a> {
    /// A message of a subscription.
    Message(&'a [u8]),
    /// The answer to a subscription, a publication or a ping, in their order.
    Answer,
    /// It asks whether we are there, and this is to be answered.
    Ping(&'static [u8]),
    /// Nothing that concerns us.
    Other,
}

/// The settings of a connection to a broker.
pub(super) fn config() -> Config {
    let config = Config::default().framing(Framing::CrLf).max_line(64 << 10);
    // While a message that is larger than the queue is under way, a PING of the broker's could not be answered.
    let config = config.max_queue(MAX_MESSAGE + (64 << 10));
    config.max_block(MAX_MESSAGE + 2).receive_timeout(SILENCE).send_timeout(SILENCE)
}

/// How a broker is reached over TLS.
pub(super) struct Tls {
    /// The command line asks for TLS.
    pub(super) is_wanted: bool,
    /// Whom to trust, if that is not the system's authorities.
    pub(super) context: Option<TlsContext>,
    /// The name that the certificate must be for.
    pub(super) host: String,
}

impl Tls {
    /// Goes over to TLS.
    pub(super) async fn upgrade<S: Transport>(
        &self,
        conn: &mut Connection<S>,
    ) -> Result<(), Error> {
        let made;
        let context = match &self.context {
            Some(context) => context,
            None => {
                made = TlsContext::client().build().map_err(Error::protocol)?;
                &made
            }
        };
        conn.upgrade_tls(context.as_client(&self.host)).await
    }
}
