//! One end of TLS for `tests/real_peers.sh`, which puts openssl and Python at the other end.
//!
//! ```text
//! tls_peer certificates DIR
//! tls_peer RUNTIME serve DIR [--smtp] [--alpn PROTOCOL] [--clients required|optional] [--key-log]
//! tls_peer RUNTIME connect DIR PORT [--alpn PROTOCOL] [--identity] [--times N] [--send BYTES] [--wait] [LINE..]
//! ```
//!
//! Both say on standard output what they see, a line for each thing.

use std::error::Error;
use std::fs::write;
use std::path::{Path, PathBuf};

use asyncnet::tls::ClientCertificates;
use asyncnet::{AsyncSocket, Connection, Runtime, TlsContext, Transport};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Whom the certificate of the server is for.
const NAME: &str = "server.test";

/// The command line, without the runtime.
#[derive(Default)]
struct Options {
    dir: PathBuf,
    port: u16,
    smtp: bool,
    alpn: Vec<String>,
    clients: Option<ClientCertificates>,
    identity: bool,
    key_log: bool,
    wait: bool,
    times: usize,
    send: usize,
    lines: Vec<String>,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>, connects: bool) -> Result<Self> {
        let dir = words.next().ok_or("a directory is missing")?.into();
        let mut this = Self { dir, times: 1, ..Self::default() };
        if connects {
            this.port = words.next().ok_or("a port is missing")?.parse()?;
        }
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} wants a value"));
            match &*word {
                "--smtp" => this.smtp = true,
                "--identity" => this.identity = true,
                "--key-log" => this.key_log = true,
                "--wait" => this.wait = true,
                "--alpn" => this.alpn.push(value()?),
                "--times" => this.times = value()?.parse()?,
                "--send" => this.send = value()?.parse()?,
                "--clients" if value()? == "required" => {
                    this.clients = Some(ClientCertificates::Required);
                }
                "--clients" => this.clients = Some(ClientCertificates::Optional),
                _ => this.lines.push(word),
            }
        }
        Ok(this)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn server(&self) -> Result<TlsContext> {
        let (certificate, key) = (self.file("server.pem"), self.file("server.key"));
        let server = TlsContext::server().identity_files(certificate, key)?;
        let mut server = server.alpn(self.alpn.clone()).key_log(self.key_log);
        if let Some(clients) = self.clients {
            server = server.client_ca_file(self.file("client.pem"), clients)?;
        }
        Ok(server.build()?)
    }

    fn client(&self) -> Result<TlsContext> {
        let mut client = TlsContext::client().ca_file(self.file("server.pem"))?;
        if self.identity {
            client = client.identity_files(self.file("client.pem"), self.file("client.key"))?;
        }
        Ok(client.alpn(self.alpn.clone()).build()?.for_server(NAME)?)
    }
}

/// Makes a certificate for a server, one for a client, and one that nobody knows.
fn certificates(dir: &Path) -> Result<()> {
    for (file, name) in [("server", NAME), ("client", "client.test"), ("other", "other.test")] {
        let mut params = rcgen::CertificateParams::new([name.to_owned()])?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = rcgen::KeyPair::generate()?;
        write(dir.join(format!("{file}.pem")), params.self_signed(&key)?.pem())?;
        write(dir.join(format!("{file}.key")), key.serialize_pem())?;
    }
    Ok(())
}

fn describe<S: Transport>(conn: &Connection<S>) -> Result<()> {
    let session = conn.tls().ok_or("it is not secure")?;
    let mut exported = [0; 32];
    session.export_keying_material(b"EXPORTER-test", None, &mut exported)?;
    println!(
        "secure {} resumed={} alpn={} name={} certificates={} exported={}",
        session.version().unwrap_or_default(),
        session.resumed().unwrap_or_default(),
        String::from_utf8_lossy(session.alpn().unwrap_or_default()),
        session.server_name().unwrap_or_default(),
        session.peer_certificates().len(),
        exported.map(|byte| format!("{byte:02X}")).concat(),
    );
    Ok(())
}

/// Tells how the connection has ended, and closes it.
async fn finish<S: Transport>(mut conn: Connection<S>, error: Option<impl Error>) {
    if let Some(error) = error {
        println!("error {error:?}");
    }
    if let Some(end) = conn.end() {
        println!("end {:?} {}", end.cause, end.partial);
    }
    println!("closed {:?}", conn.close().await);
}

/// Answers every line, until one says `quit`.
async fn answer<S: Transport>(mut conn: Connection<S>) -> Result<()> {
    conn.handshake().await?;
    describe(&conn)?;
    let error = loop {
        match conn.next_line().await {
            Ok(Some(b"quit")) | Ok(None) => break None,
            Ok(Some(b"megabyte")) => conn.send(&[b'.'; 1 << 20]).await?,
            Ok(Some(line)) => {
                let answer = [b"answer ", line].concat();
                conn.send_line(&answer).await?;
            }
            Err(error) => break Some(error),
        }
    };
    finish(conn, error).await;
    Ok(())
}

/// The part of a mail server in front of TLS.
async fn smtp<S: Transport>(conn: &mut Connection<S>, context: &TlsContext) -> Result<()> {
    conn.send_line(b"220 server.test ESMTP").await?;
    while let Some(line) = conn.next_line().await? {
        if line.starts_with(b"STARTTLS") {
            conn.send_line(b"220 go ahead").await?;
            conn.upgrade_tls(context.as_server()).await?;
            return Ok(());
        }
        conn.send(b"250-server.test\r\n250 STARTTLS\r\n").await?;
    }
    Err("it left".into())
}

async fn serve<R: Runtime>(options: Options) -> Result<()> {
    let context = options.server()?;
    let mut socket = AsyncSocket::<R>::default();
    if !options.smtp {
        socket.wrap_tls(&context);
    }
    socket.bind_addr("127.0.0.1", 0).await?;
    let listener = socket.listen(16)?;
    println!("port {}", listener.local_addr()?.port());
    loop {
        let mut conn = listener.accept().await?;
        if options.smtp {
            if let Err(error) = smtp(&mut conn, &context).await {
                println!("refused {error:?}");
                continue;
            }
        }
        if let Err(error) = answer(conn).await {
            println!("failed {error:?}");
        }
    }
}

async fn connect<R: Runtime>(options: Options) -> Result<()> {
    let context = options.client()?;
    for _ in 0..options.times {
        let mut socket = AsyncSocket::<R>::default();
        socket.wrap_tls(&context);
        let mut conn = match socket.connect("127.0.0.1", options.port).await {
            Ok(conn) => conn,
            Err(error) => {
                println!("refused {error:?}");
                continue;
            }
        };
        describe(&conn)?;
        let mut error = None;
        for line in &options.lines {
            conn.send_line(line.as_bytes()).await?;
            match conn.next_line().await {
                Ok(answer) => {
                    println!("got {}", String::from_utf8_lossy(answer.unwrap_or_default()));
                }
                Err(met) => {
                    error = Some(met);
                    break;
                }
            }
        }
        conn.send(&vec![b'.'; options.send]).await?;
        while options.wait && error.is_none() {
            match conn.next_line().await {
                Ok(Some(line)) => println!("got {}", String::from_utf8_lossy(line)),
                Ok(None) => break,
                Err(met) => error = Some(met),
            }
        }
        finish(conn, error).await;
    }
    Ok(())
}

async fn play<R: Runtime>(what: &str, words: impl Iterator<Item = String>) -> Result<()> {
    match what {
        "serve" => serve::<R>(Options::parse(words, false)?).await,
        "connect" => connect::<R>(Options::parse(words, true)?).await,
        _ => Err(format!("{what}: neither serve nor connect").into()),
    }
}

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let runtime = words.next().ok_or("a runtime is missing")?;
    let what = words.next().ok_or("what to do is missing")?;
    match &*runtime {
        "certificates" => certificates(Path::new(&what)),
        "tokio" => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(play::<asyncnet_tokio::Tokio>(&what, words))
        }
        "async-std" => {
            async_std::task::block_on(play::<asyncnet_async_std::AsyncStd>(&what, words))
        }
        "smol" => smol::block_on(play::<asyncnet_smol::Smol>(&what, words)),
        _ => Err(format!("{runtime}: no such runtime").into()),
    }
}
