//! [T1] to [T3] and [T9]: whom a connection trusts, what it shows, and what it tells about both.
//!
//! [T1]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t1
//! [T3]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t3
//! [T9]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t9

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use asyncnet::net;
use asyncnet::net::{Setting, SockOpt};
use asyncnet::tls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use asyncnet::tls::rustls::crypto::{CryptoProvider, ring};
use asyncnet::tls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use asyncnet::tls::rustls::{
    AlertDescription, DigitallySignedStruct, Error as Refused, SignatureScheme,
    SupportedCipherSuite,
};
use asyncnet::tls::{CertificateFault, ClientCertificates, TlsErrorKind};
use asyncnet::{AsyncSocket, Config, Connection, Error, Io, TlsContext};
use blocking::unblock;
use futures_lite::future::{or, zip};

use crate::bed::{Platform, System};
use crate::raw::{
    ROLES, Raw, VERSIONS, accept_secure, alert, client_config, connect, der, listen, plain, serve,
    server_config, stranger,
};
use crate::tls::{NAME, Role, context, identity};
use crate::tools::{assert_err, assert_line, refusal};

/// The two ends of ours, over a stream that is not even a socket of the adapter.
pub async fn t1_tls_asks_nothing_of_an_adapter<P: Platform>() {
    let (ours, theirs) = plain::<P::Runtime>(Config::default());
    let (ours, _) = ours.into_parts().expect("nothing is queued");
    // Neither a socket nor a clock.
    let mut conn = Connection::new(Io::new(ours), Config::default());
    let peer = unblock(move || Raw::peer_of(Role::Server, theirs)?.write_all(b"line\n"));
    conn.upgrade_tls(Role::Server.of(context())).await.expect("the handshake succeeds");
    assert_line!(conn, "line");
    peer.await.expect("our side is there");
}

/// What comes of reaching `host` in one of three ways.
async fn reach<R: System>(
    way: &str,
    host: &'static str,
    port: u16,
    context: &TlsContext,
) -> Result<Connection<R::Stream>, TlsErrorKind> {
    let mut socket = AsyncSocket::<R>::default();
    match way {
        "connect" => {
            socket.wrap_tls(context);
            socket.connect(host, port).await.map_err(|error| refusal(&error))
        }
        "dial" => {
            let options = net::ConnectOptions::new().tls(context);
            let connected = net::connect::<R>(&format!("{host}:{port}"), options).await;
            connected.map_err(|error| refusal(&error))
        }
        _ => {
            let mut conn = socket.connect(host, port).await.expect("it listens");
            let role = Role::Client { server_name: host };
            match conn.upgrade_tls(role.of(context)).await {
                Ok(()) => Ok(conn),
                Err(Error::Tls(error)) => Err(error.kind()),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// A server that tells which alert each of its clients answers with.
fn alerts(clients: usize) -> (SocketAddr, blocking::Task<Vec<Option<AlertDescription>>>) {
    serve(clients, |socket| match Raw::server(socket, server_config(&VERSIONS)) {
        Ok(mut peer) => peer.rest().1.err().and_then(|error| alert(&error)),
        Err(error) => alert(&error),
    })
}

fn trusting(certificate: &str) -> TlsContext {
    let client = TlsContext::client().ca_pem(certificate.as_bytes());
    client.expect("PEM").build().expect("a client")
}

const WAYS: [&str; 3] = ["connect", "dial", "upgrade"];

/// For another name, or signed by somebody else: in every way there is, and the server is told why.
pub async fn t2_a_certificate_is_refused_in_connect_dial_and_upgrade<P: Platform>() {
    let good = trusting(&identity().0);
    let unknown = trusting(&stranger("somebody.test").0);
    let cases = [
        (&good, "localhost", CertificateFault::WrongName, AlertDescription::BadCertificate),
        (&unknown, "127.0.0.1", CertificateFault::UnknownIssuer, AlertDescription::UnknownCA),
    ];
    for (context, host, fault, told) in cases {
        for way in WAYS {
            let (address, server) = alerts(1);
            let reached = reach::<P::Runtime>(way, host, address.port(), context).await;
            assert_eq!(reached.err(), Some(TlsErrorKind::Certificate(fault)), "{way}");
            assert_eq!(server.await, [Some(told)], "{way}");
        }
    }
    for way in WAYS {
        let (address, server) = alerts(1);
        let reached = reach::<P::Runtime>(way, "127.0.0.1", address.port(), &good).await;
        let mut conn = reached.expect("it is the one that we trust");
        assert!(conn.tls().is_some());
        conn.close().await.expect("a good end");
        assert_eq!(server.await, [None], "{way}");
    }
}

/// Whoever knows better than the address says so, and then the address does not count.
pub async fn t2_the_caller_can_say_whom_to_expect<P: Platform>() {
    let right = context().clone().for_server(NAME).expect("a name");
    let wrong = context().clone().for_server("other.test").expect("a name");
    for way in ["connect", "dial"] {
        let (address, server) = alerts(2);
        let refused = reach::<P::Runtime>(way, "127.0.0.1", address.port(), &wrong).await;
        let kind = TlsErrorKind::Certificate(CertificateFault::WrongName);
        assert_eq!(refused.err(), Some(kind));
        let reached = reach::<P::Runtime>(way, "localhost", address.port(), &right).await;
        reached.expect("the name fits").close().await.expect("a good end");
        server.await;
    }
}

/// A client's certificate is verified too: none, a stranger's, a good one.
pub async fn t2_a_client_certificate_is_verified<P: Platform>() {
    use AlertDescription::{CertificateRequired, UnknownCA};

    let (certificate, key) = identity();
    let (known, other) = (stranger("client.test"), stranger("other.test"));
    for certificates in [ClientCertificates::Required, ClientCertificates::Optional] {
        let server = TlsContext::server().identity_pem(certificate.as_bytes(), key.as_bytes());
        let server = server.expect("PEM").client_ca_pem(known.0.as_bytes(), certificates);
        let server = server.expect("PEM").build().expect("a server");
        for shown in [None, Some(&known), Some(&other)] {
            let (mut conn, socket) = plain::<P::Runtime>(Config::default());
            let config = client_config(&VERSIONS, shown);
            let peer = unblock(move || {
                let end = Raw::client(socket, config).map(|mut peer| peer.rest().1);
                end.and_then(|end| end).err().and_then(|error| alert(&error))
            });
            let upgraded = conn.upgrade_tls(Role::Server.of(&server)).await;
            let missing = shown.is_none() && certificates == ClientCertificates::Required;
            let (fault, told) = match shown {
                None if missing => (CertificateFault::Missing, CertificateRequired),
                Some(shown) if shown == &other => (CertificateFault::UnknownIssuer, UnknownCA),
                _ => {
                    upgraded.expect("it is good");
                    let seen: Vec<_> = shown.iter().map(|shown| der(&shown.0).to_vec()).collect();
                    assert_eq!(conn.tls().expect("it is secure").peer_certificates(), seen);
                    conn.close().await.expect("a good end");
                    assert_eq!(peer.await, None);
                    continue;
                }
            };
            let Err(Error::Tls(error)) = upgraded else { panic!("{upgraded:?}") };
            assert_eq!(error.kind(), TlsErrorKind::Certificate(fault));
            conn.close().await.expect("nothing was lost");
            assert_eq!(peer.await, Some(told));
        }
    }
}

/// A verifier that believes everything.
#[derive(Debug)]
struct Credulous(Arc<CryptoProvider>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Refused> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Refused> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Refused> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The one way around it has to be written down by the caller.
pub async fn t2_a_verifier_of_ones_own_is_the_only_way_out<P: Platform>() {
    let mut config = client_config(&VERSIONS, None);
    let verifier = Credulous(Arc::new(ring::default_provider()));
    config.dangerous().set_certificate_verifier(Arc::new(verifier));
    let context = TlsContext::from(Arc::new(config));
    let (address, server) = alerts(1);
    let reached = reach::<P::Runtime>("connect", "localhost", address.port(), &context).await;
    reached.expect("whatever the name").close().await.expect("a good end");
    assert_eq!(server.await, [None]);
}

/// The provider is the caller's or ours, and that of the process stays unset.
pub async fn t3_the_provider_is_in_the_settings<P: Platform>() {
    let ours = ring::default_provider();
    for suite in ours.cipher_suites.clone() {
        let provider = CryptoProvider { cipher_suites: vec![suite], ..ring::default_provider() };
        let client = TlsContext::client().provider(Arc::new(provider));
        let client = client.ca_pem(identity().0.as_bytes()).expect("PEM").build();
        // A suite that fits another kind of key is no good here, and is refused at one end or the other.
        let Ok(client) = client else { continue };
        let (mut ours, mut theirs) = ends::<P::Runtime>();
        let (one, other) =
            zip(ours.upgrade_tls(ROLES[0].of(&client)), theirs.upgrade_tls(ROLES[1].of(context())))
                .await;
        let tls13 = matches!(suite, SupportedCipherSuite::Tls13(_));
        assert!(one.is_ok() == other.is_ok() && (one.is_ok() || !tls13), "{one:?} {other:?}");
        if one.is_ok() {
            let named = format!("{:?}", suite.suite()).replace("TLS13_", "TLS_");
            let session = ours.tls().expect("it is secure");
            assert_eq!(session.cipher_suite(), Some(&*named));
        }
    }
    assert!(CryptoProvider::get_default().is_none(), "it belongs to the program");
}

/// Two connections of ours, each other's peer, in plain.
fn ends<R: System>() -> (Connection<R::Stream>, Connection<R::Stream>) {
    let (ours, theirs) = plain::<R>(Config::default());
    let theirs = AsyncSocket::<R>::adopt(theirs).expect("a socket");
    (ours, theirs.into_connection().expect("a connection"))
}

/// What both ends agreed on, as each of them tells it.
pub async fn t9_both_ends_tell_what_was_agreed<P: Platform>() {
    let (certificate, key) = identity();
    for version in VERSIONS {
        let server = TlsContext::server().identity_pem(certificate.as_bytes(), key.as_bytes());
        let server = server.expect("PEM").alpn(["smtp", "imap"]).build().expect("a server");
        let mut client = client_config(&[version], None);
        client.alpn_protocols = vec![b"pop3".to_vec(), b"imap".to_vec()];
        let client = TlsContext::from(Arc::new(client));
        let (mut ours, mut theirs) = ends::<P::Runtime>();
        assert!(ours.tls().is_none() && theirs.tls().is_none());
        let (one, other) =
            zip(ours.upgrade_tls(ROLES[0].of(&client)), theirs.upgrade_tls(ROLES[1].of(&server)))
                .await;
        assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");

        for conn in [&ours, &theirs] {
            let session = conn.tls().expect("it is secure");
            let named = format!("{:?}", version.version).replace("TLSv1_", "TLSv1.");
            assert_eq!(session.version(), Some(&*named));
            assert_eq!(session.resumed(), Some(false));
            assert_eq!(session.alpn(), Some(&b"imap"[..]));
        }
        let (one, other) = (ours.tls().expect("secure"), theirs.tls().expect("secure"));
        let (mut bound, label) = ([[0; 32]; 2], b"EXPORTER-Channel-Binding");
        assert_eq!(one.cipher_suite(), other.cipher_suite());
        assert_eq!(other.server_name(), Some(NAME));
        assert_eq!(one.server_name(), None);
        assert_eq!(one.peer_certificates(), [der(certificate).to_vec()]);
        assert_eq!(other.peer_certificates(), [[0u8; 0]; 0]);
        for (session, key) in [one, other].into_iter().zip(&mut bound) {
            session.export_keying_material(label, Some(b"about"), key).expect("a key");
        }
        assert!(bound[0] == bound[1] && bound[0] != [0; 32]);
    }
}

/// With no protocol in common there is no connection, and the client is told.
pub async fn t9_no_common_protocol_is_an_error_at_both_ends<P: Platform>() {
    let (certificate, key) = identity();
    let server = TlsContext::server().identity_pem(certificate.as_bytes(), key.as_bytes());
    let server = server.expect("PEM").alpn(["smtp"]).build().expect("a server");
    let client = TlsContext::client().ca_pem(certificate.as_bytes()).expect("PEM");
    let client = client.alpn(["imap"]).build().expect("a client");
    let (mut ours, mut theirs) = ends::<P::Runtime>();
    let (one, other) =
        zip(ours.upgrade_tls(ROLES[0].of(&client)), theirs.upgrade_tls(ROLES[1].of(&server))).await;
    assert_err!(one, Error::Tls(ref error) if error.kind() == TlsErrorKind::Alert(120));
    assert_err!(other, Error::Tls(ref error) if error.kind() == TlsErrorKind::Incompatible);
}

/// The second connection resumes the session of the first, once its tickets were read.
pub async fn t9_a_later_connection_resumes<P: Platform>() {
    for version in VERSIONS {
        let client = TlsContext::from(Arc::new(client_config(&[version], None)));
        let (listener, address) = listen::<P::Runtime>(context(), Config::default()).await;
        for resumed in [false, true, true] {
            let mut socket = AsyncSocket::<P::Runtime>::default();
            socket.wrap_tls(&client);
            let connect = socket.connect("127.0.0.1", address.port());
            let (ours, mut theirs) = zip(connect, accept_secure(&listener)).await;
            let mut ours = ours.expect("a connection");
            theirs.send_line(b"welcome").await.expect("a connection");
            // The tickets came in front of it.
            assert_line!(ours, "welcome");
            for conn in [&ours, &theirs] {
                let session = conn.tls().expect("it is secure");
                assert_eq!(session.resumed(), Some(resumed), "{version:?}");
            }
            assert_eq!(
                ours.tls().expect("it is secure").peer_certificates(),
                [der(&identity().0).to_vec()]
            );
            assert!(zip(ours.close(), theirs.close()).await.0.is_ok());
        }
        // Whoever switches it off starts anew every time.
        let client = TlsContext::client().ca_pem(identity().0.as_bytes()).expect("PEM");
        let client = client.resumption(false).build().expect("a client");
        let (address, server) = serve(2, |socket| {
            let mut peer = Raw::server(socket, server_config(&VERSIONS)).expect("a handshake");
            peer.write_all(b"welcome\n").expect("our side is there");
            let _ = peer.rest();
        });
        for _ in 0..2 {
            let reached = reach::<P::Runtime>("connect", "127.0.0.1", address.port(), &client);
            let mut conn = reached.await.expect("a connection");
            assert_line!(conn, "welcome");
            assert_eq!(conn.tls().and_then(|session| session.resumed()), Some(false));
            conn.close().await.expect("a good end");
        }
        server.await;
    }
}

/// A server that speaks first, many times over, with small segments held back by the system: the greeting
/// and the tickets ride together.
pub async fn t9_resumed_connections_are_greeted_without_nodelay<P: Platform>() {
    let mut socket = AsyncSocket::<P::Runtime>::default();
    socket.wrap_tls(context());
    socket.set(Setting::Flag(SockOpt::NoDelay, false)).expect("an option");
    socket.bind_addr("127.0.0.1", 0).await.expect("a port");
    let listener = socket.listen(16).expect("a listener");
    let address = listener.local_addr().expect("an address").ip().expect("TCP");
    let client = Arc::new(client_config(&VERSIONS, None));
    let peers = unblock(move || {
        for _ in 0..50 {
            let mut peer = Raw::client(connect(address), Arc::clone(&client)).expect("a handshake");
            let mut greeting = [0; 9];
            peer.read_exact(&mut greeting).expect("the greeting");
            assert_eq!(&greeting, b"welcome\r\n");
            peer.close();
        }
    });
    let greet = async {
        loop {
            let mut conn = listener.accept().await.expect("a connection");
            conn.send_line(b"welcome").await.expect("a connection");
            assert_eq!(conn.next_line().await.expect("a good end"), None);
        }
    };
    or(greet, peers).await;
}
