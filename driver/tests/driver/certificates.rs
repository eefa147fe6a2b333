//! T14: the certificates of a server, which can be replaced while it runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use asyncnet::net::{Pipe, pipe};
use asyncnet::tls::ContextError;
use asyncnet::{Config, Connection, Error, TlsContext};
use futures_lite::future::{block_on, zip};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

/// A certificate that signs itself, and its key, in PEM.
struct Made {
    cert: String,
    key: String,
}

fn made(names: &[&str]) -> Made {
    made_until(names, 4000)
}

/// Valid until the first day of `year`.
fn made_until(names: &[&str], year: i32) -> Made {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&key).unwrap();
    Made { cert: cert.pem(), key: key.serialize_pem() }
}

fn server(identities: &[&Made]) -> TlsContext {
    let mut builder = TlsContext::server();
    for it in identities {
        builder = builder.identity_pem(it.cert.as_bytes(), it.key.as_bytes()).unwrap();
    }
    builder.build().unwrap()
}

/// A folder that goes with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);

        let name = format!("asyncnet-{}-{}", std::process::id(), NEXT.fetch_add(1, SeqCst));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn identity(&self, it: &Made) -> (PathBuf, PathBuf) {
        (self.write("cert.pem", &it.cert), self.write("key.pem", &it.key))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

type Ends = (Connection<Pipe>, Connection<Pipe>);

/// A client that trusts `trusted` alone and asks for `name`, and the server's end.
async fn try_meet(server: &TlsContext, trusted: &Made, name: &str) -> Result<Ends, Error> {
    let (ours, theirs) = pipe(usize::MAX);
    let mut ours = Connection::new(ours, Config::default());
    let mut theirs = Connection::new(theirs, Config::default());
    let client = TlsContext::client().ca_pem(trusted.cert.as_bytes())?.build()?;
    let (client, _) =
        zip(ours.upgrade_tls(client.as_client(name)), theirs.upgrade_tls(server.as_server())).await;
    client.map(|()| (ours, theirs))
}

fn shows(server: &TlsContext, trusted: &Made, name: &str) -> bool {
    block_on(try_meet(server, trusted, name)).is_ok()
}

#[track_caller]
fn is_refused(result: Result<(), ContextError>, text: &str) {
    let error = result.unwrap_err().to_string();
    assert!(error.contains(text), "{error}");
}

#[test]
fn t14_a_reload_shows_the_new_certificate_and_leaves_open_connections() {
    let folder = Folder::new();
    let (old, new) = (made(&["a.test"]), made(&["a.test"]));
    let (cert, key) = folder.identity(&old);
    let server = TlsContext::server().identity_files(cert, key).unwrap().build().unwrap();
    // A listener has a clone.
    let clone = server.clone();
    let (mut ours, mut theirs) = block_on(try_meet(&clone, &old, "a.test")).unwrap();
    folder.identity(&new);
    server.reload().unwrap();
    assert!(shows(&clone, &new, "a.test") && !shows(&clone, &old, "a.test"));
    block_on(async {
        ours.send_line("still here").await.unwrap();
        assert_eq!(theirs.expect_line().await, Ok(&b"still here"[..]));
    });
    server.replace_identities([(&old.cert, &old.key)]).unwrap();
    assert!(shows(&clone, &old, "a.test") && !shows(&clone, &new, "a.test"));
    is_refused(server.reload(), "not read from files");
}

#[test]
fn t14_what_cannot_be_used_is_refused_and_the_old_certificate_stays() {
    let folder = Folder::new();
    let (old, new, over) = (made(&["a.test"]), made(&["a.test"]), made_until(&["a.test"], 2021));
    let (cert, key) = folder.identity(&old);
    let server = TlsContext::server().identity_files(&cert, &key).unwrap().build().unwrap();
    // One of the two files is replaced.
    folder.write("cert.pem", &new.cert);
    is_refused(server.reload(), "does not belong");
    // And in the middle of a write.
    for n in [0, 1, 20, 200, new.cert.len() - 30] {
        folder.write("cert.pem", &new.cert[..n]);
        is_refused(server.reload(), "cert.pem");
        assert!(shows(&server, &old, "a.test"), "{n} bytes were written");
    }
    folder.identity(&over);
    is_refused(server.reload(), "expired on 2021-01-01 00:00:00 UTC");
    fs::remove_file(&key).unwrap();
    is_refused(server.reload(), "key.pem");
    is_refused(server.replace_identities([(&new.cert, &old.key)]), "does not belong");
    is_refused(server.replace_identities::<&str, &str>([]), "a certificate and a key");
    assert!(shows(&server, &old, "a.test"));
    folder.identity(&new);
    server.reload().unwrap();
    assert!(shows(&server, &new, "a.test"));
}

#[test]
fn t14_the_name_that_a_client_asks_for_chooses_the_certificate() {
    let (first, second, third) =
        (made(&["first.test"]), made(&["second.test", "other.test"]), made(&["*.third.test"]));
    let server = server(&[&first, &second, &third]);
    for (trusted, name) in [
        (&first, "first.test"),
        (&second, "second.test"),
        (&second, "other.test"),
        (&third, "a.third.test"),
    ] {
        assert!(shows(&server, trusted, name), "{name}");
    }
    // The first is shown where none is for the name: the client refuses it for its name alone.
    let error = block_on(try_meet(&server, &first, "nobody.test")).unwrap_err();
    assert!(error.to_string().contains("another name"), "{error}");
    assert!(!shows(&server, &first, "second.test"));
}

#[test]
fn t14_an_expiry_is_told() {
    let (soon, late) = (made_until(&["a.test"], 3000), made_until(&["b.test"], 4000));
    let server = server(&[&late, &soon]);
    // 1 January 3000.
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(32_503_680_000);
    assert_eq!(server.expiry(), Some(at));
    assert_eq!(server.clone().and(server.clone()).expiry(), Some(at));
    let client = TlsContext::client().ca_pem(soon.cert.as_bytes()).unwrap().build().unwrap();
    assert_eq!(client.expiry(), None);
    is_refused(client.reload(), "given to TlsContext::server");
}

#[test]
fn t14_an_expired_certificate_is_used_at_the_start_and_clients_are_told_the_date() {
    let over = made_until(&["a.test"], 2021);
    let server = server(&[&over]);
    assert!(server.expiry().unwrap() < SystemTime::now());
    let error = block_on(try_meet(&server, &over, "a.test")).unwrap_err().to_string();
    assert!(error.contains("valid until 2021-01-01 00:00:00 UTC"), "{error}");
}

#[test]
fn t14_an_error_of_pem_names_the_file_and_the_line() {
    let folder = Folder::new();
    let it = made(&["a.test"]);
    let (cert, key) = folder.identity(&it);
    let read = |cert: &Path, key: &Path| {
        TlsContext::server().identity_files(cert, key).map(drop).unwrap_err().to_string()
    };
    let broken = folder.write("broken.pem", it.cert.replacen('\n', "\nno base64!\n", 2));
    assert!(read(&broken, &key).contains("broken.pem, line 2: this is not base64"));
    let cut = folder.write("cut.pem", format!("# a comment\n{}", &it.cert[..100]));
    assert!(read(&cut, &key).contains("cut.pem, line 2: the section that begins here"));
    assert!(read(&key, &key).contains("key.pem: no certificate"));
    assert!(read(&cert, &cert).contains("cert.pem: no private key"));
    let text = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(
        read(&cert, &folder.write("secret.pem", text))
            .contains("secret.pem: the private key is encrypted")
    );
    let error = TlsContext::client().ca_file(&key).unwrap_err().to_string();
    assert!(error.contains("key.pem: no certificate"), "{error}");
    let error = TlsContext::server().identity_pem(b"", b"").map(drop).unwrap_err().to_string();
    assert_eq!(error, "invalid PEM: no certificate");
}
