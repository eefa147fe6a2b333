//! The room over TLS.

use std::fs;
use std::path::PathBuf;

use crate::harness::{Program, Server};
use crate::person::{join_with, type_in};

on_every_runtime! {
    people_who_trust_the_certificate_hear_each_other
    who_does_not_trust_the_certificate_is_told_and_stays_out
    a_certificate_for_another_name_is_refused
    somebody_in_plain_stays_out_and_disturbs_nobody
    a_certificate_from_files_is_served
    a_certificate_that_is_not_there_is_one_clear_line_and_status_1
}

/// A directory of its own, which goes when this goes.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new(test: &str, runtime: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("chat-{}-{test}-{runtime}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn secure(runtime: &str, ca: &str, options: &[&str]) -> Server {
    Server::start(runtime, &[&["--tls-self-signed", "--cert-out", ca], options].concat())
}

fn people_who_trust_the_certificate_hear_each_other(runtime: &str) {
    let dir = Dir::new("hear", runtime);
    let ca = dir.file("ca.pem");
    let mut server = secure(runtime, &ca, &[]);
    let how = server.program.line();
    assert!(how.contains(&format!("join --tls --ca {ca} {}", server.address)), "{how}");
    let fingerprint = server.program.line();
    let (_, fingerprint) = fingerprint.rsplit_once(' ').unwrap();
    assert_eq!(fingerprint.split(':').count(), 32, "{fingerprint}");

    let mut one = join_with(&server, &["--tls", "--ca", &ca]);
    let mut other = join_with(&server, &["--tls", "--ca", &ca]);
    type_in(&mut one, b"first\n");
    assert_eq!(one.line(), "first");
    type_in(&mut other, b"second\n");
    assert_eq!(one.line(), "second");
    // A client that leaves gets what it said last, and the close notice makes that a good end.
    type_in(&mut other, b"third\n");
    other.stdin = None;
    let (output, status) = other.end();
    assert!(output.ends_with("second\nthird\n"), "{output}");
    assert_eq!(status.code(), Some(0));
    assert_eq!(one.line(), "third");
}

/// Joins in vain: nothing on standard output, one line on standard error, status 1.
pub(crate) fn refusal(person: &mut Program) -> String {
    let (output, status) = person.end();
    assert_eq!((output.as_str(), status.code()), ("", Some(1)));
    let errors: Vec<_> = person.log.iter().collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.concat()
}

fn who_does_not_trust_the_certificate_is_told_and_stays_out(runtime: &str) {
    let dir = Dir::new("trust", runtime);
    let (ca, others) = (dir.file("ca.pem"), dir.file("others.pem"));
    let server = secure(runtime, &ca, &[]);
    let _another = secure(runtime, &others, &[]);
    let error = refusal(&mut join_with(&server, &["--tls", "--ca", &others]));
    assert!(error.contains("certificate"), "{error}");
    let mut person = join_with(&server, &["--tls", "--ca", &ca]);
    type_in(&mut person, b"still open\n");
    assert_eq!(person.line(), "still open");
}

fn a_certificate_for_another_name_is_refused(runtime: &str) {
    let dir = Dir::new("name", runtime);
    let ca = dir.file("ca.pem");
    let server = secure(runtime, &ca, &[]);
    let error =
        refusal(&mut join_with(&server, &["--tls", "--ca", &ca, "--name", "elsewhere.test"]));
    assert!(error.contains("for another name"), "{error}");
    let mut person = join_with(&server, &["--tls", "--ca", &ca, "--name", "localhost"]);
    type_in(&mut person, b"here\n");
    assert_eq!(person.line(), "here");
}

fn somebody_in_plain_stays_out_and_disturbs_nobody(runtime: &str) {
    let dir = Dir::new("plain", runtime);
    let ca = dir.file("ca.pem");
    let server = secure(runtime, &ca, &[]);
    let mut plain = server.connect();
    plain.say(b"GET / HTTP/1.1");
    let _silent = server.connect();
    let mut person = join_with(&server, &["--tls", "--ca", &ca]);
    type_in(&mut person, b"only we\n");
    assert_eq!(person.line(), "only we");
    plain.wait_for_any_end();
}

fn a_certificate_from_files_is_served(runtime: &str) {
    let dir = Dir::new("files", runtime);
    let (cert, key) = (dir.file("cert.pem"), dir.file("key.pem"));
    let made = rcgen::generate_simple_self_signed(["room.test".to_owned()]).unwrap();
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let server = Server::start(runtime, &["--cert", &cert, "--key", &key]);
    let mut person = join_with(&server, &["--tls", "--ca", &cert, "--name", "room.test"]);
    type_in(&mut person, b"from files\n");
    assert_eq!(person.line(), "from files");
}

fn a_certificate_that_is_not_there_is_one_clear_line_and_status_1(runtime: &str) {
    let dir = Dir::new("missing", runtime);
    let (cert, key) = (dir.file("cert.pem"), dir.file("key.pem"));
    let error = crate::program::refusal(runtime, &["--cert", &cert, "--key", &key]);
    assert!(error.contains(&cert), "{error}");
}
